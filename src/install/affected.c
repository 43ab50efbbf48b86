/*-------------------------------------------------------------------------
 *
 * affected.c
 *		Whom new TLS material would no longer accept: live sessions, recent
 *		logins, and CAs.
 *
 * Those whom the old material does not accept either do not count.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/datums.h"
#include "install/affected.h"
#include "install/objection.h"
#include "labels/exceptions.h"
#include "ledger/ledger.h"
#include "ledger/recentlogins.h"
#include "pki/x509.h"
#include "session/sessions.h"
#include "session/walsenders.h"

/* How long a login counts. */
#define RECENT_MS (24 * 60 * 60 * 1000)

static char *
role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return name ? name : pstrdup("?");
}

static Affected *
affected_session(const Session *s, char *reason)
{
	Affected   *affected = palloc0(sizeof(Affected));

	affected->kind = AFFECTED_SESSION;
	affected->pid = s->pid;
	affected->standby = s->replication ? standby_of_walsender(s->pid) : NULL;
	affected->role = role_name(s->role);
	affected->reason = reason;
	return affected;
}

/*
 * Note whether a revocation is what keeps the role out; and if not, whether the role is
 * one that no grantee may lock out.
 */
static void
protect(Affected *affected, Oid role, const Objection *objection)
{
	affected->revoked = objection->revoked;
	affected->is_protected = !objection->revoked &&
		(superuser_arg(role) || is_reserved_role(affected->role));
}

/*
 * The objection of the new material; none if the old material has one, too.  before can
 * be NULL: then every objection is new.
 */
static Objection
new_objection(TrustView *before, TrustView *after, const Facts *facts)
{
	Objection	objection = {NULL, false};

	if (!facts->verified || facts->cert == NULL)
		return objection;
	objection = find_trust_objection(after, facts->cert);
	if (objection.reason && before && find_trust_objection(before, facts->cert).reason)
		objection.reason = NULL;
	else if (objection.reason == NULL)
		for (int with_key_id = 0; with_key_id < 2 && objection.reason == NULL; with_key_id++)
			if (before && find_path_objection(before, facts->cert, with_key_id == 1) == NULL)
				objection.reason = find_path_objection(after, facts->cert, with_key_id == 1);
	return objection;
}

/*
 * Has the same client logged in since with another certificate, which is accepted?
 */
static bool
has_moved(const RecentLogin *login, List *logins, TrustView *after)
{
	ListCell   *cell;

	foreach(cell, logins)
	{
		const RecentLogin *other = lfirst(cell);

		if (other->last_login > login->last_login && other->role == login->role &&
			other->database == login->database &&
			other->facts.address_len == login->facts.address_len &&
			memcmp(other->facts.address, login->facts.address, (size_t) login->facts.address_len) == 0 &&
			other->facts.verified && other->facts.cert &&
			find_trust_objection(after, other->facts.cert).reason == NULL)
			return true;
	}
	return false;
}

/*
 * Does a live session of the role use the same certificate?
 */
static bool
is_live(const RecentLogin *login, List *sessions)
{
	ListCell   *cell;

	foreach(cell, sessions)
	{
		const Session *s = lfirst(cell);

		if (s->role == login->role && s->facts.cert &&
			memcmp(s->facts.cert->fingerprint, login->facts.cert->fingerprint, FINGERPRINT_LEN) == 0)
			return true;
	}
	return false;
}

/*
 * Sessions, and if recent is set also recent logins, whose certificate before accepts and
 * after does not.  before can be NULL: then all that after does not accept.  known has
 * certificates of CAs, including those of before; clients have sent all others.
 */
List *
find_losing_trust(const Trust *before, const Trust *after, STACK_OF(X509) *known,
				  bool recent)
{
	TrustView  *old = before ? make_trust_view(before, known) : NULL;
	TrustView  *new = make_trust_view(after, known);
	List	   *sessions = copy_sessions();
	List	   *logins = recent ? ledger_recent_logins() : NIL;
	TimestampTz now = GetCurrentTimestamp();
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, sessions)
	{
		const Session *s = lfirst(cell);
		Objection	objection = new_objection(old, new, &s->facts);
		Affected   *affected;

		if (objection.reason == NULL)
			continue;
		affected = affected_session(s, objection.reason);
		protect(affected, s->role, &objection);
		result = lappend(result, affected);
	}
	foreach(cell, logins)
	{
		const RecentLogin *login = lfirst(cell);
		Objection	objection;
		Affected   *affected;

		CHECK_FOR_INTERRUPTS();
		if (TimestampDifferenceExceeds(login->last_login, now, RECENT_MS))
			continue;
		objection = new_objection(old, new, &login->facts);
		if (objection.reason == NULL || is_live(login, sessions) || has_moved(login, logins, new))
			continue;
		affected = palloc0(sizeof(Affected));
		affected->kind = AFFECTED_LOGIN;
		affected->role = role_name(login->role);
		affected->last_login = login->last_login;
		affected->reason = objection.reason;
		protect(affected, login->role, &objection);
		result = lappend(result, affected);
	}
	return result;
}

/*
 * CAs whose certificates are accepted with before, and not with after.
 */
List *
find_losing_cas(const Trust *before, const Trust *after, STACK_OF(X509) *known)
{
	TrustView  *old = make_trust_view(before, known);
	TrustView  *new = make_trust_view(after, known);
	List	   *result = NIL;

	for (int i = 0; i < sk_X509_num(before->cas); i++)
	{
		X509	   *ca = sk_X509_value(before->cas, i);
		Affected   *affected;
		char	   *reason;

		CHECK_FOR_INTERRUPTS();
		if (find_ca_objection(old, ca) != NULL)
			continue;
		reason = find_ca_objection(new, ca);
		if (reason == NULL)
			continue;
		affected = palloc0(sizeof(Affected));
		affected->kind = AFFECTED_CA;
		affected->ca = certificate_string(dn_text(X509_get_subject_name(ca)));
		affected->reason = psprintf("every certificate of the CA would be refused: %s", reason);
		result = lappend(result, affected);
	}
	return result;
}

bool
is_affected_own(const Affected *affected)
{
	return affected->kind == AFFECTED_SESSION && affected->pid == MyProcPid;
}

/*
 * It is the purpose of the material to refuse what is revoked; but callers should not
 * lock themselves out by mistake.
 */
bool
affected_wants_force(const Affected *affected)
{
	return !affected->revoked || is_affected_own(affected);
}

/*
 * A few words for an error.
 */
char *
affected_text(const Affected *affected)
{
	switch (affected->kind)
	{
		case AFFECTED_SESSION:
			if (affected->standby)
				return psprintf("pid %d, role \"%s\", standby server \"%s\": %s", affected->pid, affected->role,
								compat_clean_ascii(affected->standby), affected->reason);
			return psprintf("pid %d, role \"%s\": %s", affected->pid, affected->role, affected->reason);
		case AFFECTED_LOGIN:
			return psprintf("login of role \"%s\" at %s: %s", affected->role,
							timestamptz_to_str(affected->last_login), affected->reason);
		case AFFECTED_CA:
			return psprintf("CA \"%s\": %s", affected->ca, affected->reason);
	}
	return NULL;				/* not reached */
}

/*
 * What kind of server key a cipher of TLS 1.2 or before needs; NID_undef if any
 * will do.
 */
static int
cipher_needs(SSL_CTX *context, const char *name)
{
	STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);

	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
	{
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);

		if (strcmp(SSL_CIPHER_get_name(cipher), name) == 0)
			return SSL_CIPHER_get_auth_nid(cipher);
	}
	return NID_undef;
}

static bool
serves(X509 *certificate, int auth)
{
	EVP_PKEY   *key = X509_get0_pubkey(certificate);

	if (auth == NID_auth_rsa)
		return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
	if (auth == NID_auth_ecdsa)
		return EVP_PKEY_is_a(key, "EC") || EVP_PKEY_is_a(key, "ED25519") ||
			EVP_PKEY_is_a(key, "ED448");
	return true;
}

/*
 * Sessions whose cipher could be negotiated with the server certificate until
 * now (before can be NULL), and cannot with a new one that has another kind of
 * key.  (TLS 1.3 has no such ciphers.)
 */
List *
find_losing_cipher(X509 *before, X509 *after)
{
	List	   *result = NIL;
	SSL_CTX    *context = SSL_CTX_new(TLS_method());
	ListCell   *cell;

	if (context == NULL || SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL:@SECLEVEL=0") != 1)
	{
		SSL_CTX_free(context);
		ERR_clear_error();
		return NIL;
	}
	foreach(cell, copy_sessions())
	{
		const Session *s = lfirst(cell);
		int			needs;

		if (!s->facts.ssl || s->facts.cipher == NULL || s->facts.tls_version >= TLS_1_3)
			continue;
		needs = cipher_needs(context, s->facts.cipher);
		if ((before == NULL || serves(before, needs)) && !serves(after, needs))
			result = lappend(result, affected_session(s, psprintf("cipher %s needs a server certificate with another kind of key", s->facts.cipher)));
	}
	SSL_CTX_free(context);
	ERR_clear_error();
	return result;
}
