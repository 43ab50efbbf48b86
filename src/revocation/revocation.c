/*-------------------------------------------------------------------------
 *
 * revocation.c
 *		Is a client certificate, or one that verified it, revoked?
 *
 * Looks into the index that the worker has built (crlbuild.c).  As core does
 * with ssl_crl_file, every certificate of the verified chain is checked, the
 * root against its own list, and for each there must be a current CRL of its
 * issuer that covers it; sslpolicy.crl_missing and crl_expired can loosen that.
 *
 * A root whose own CRLs are all for some certificates only needs none for itself: it names
 * no distribution point, and nobody could ever issue a CRL that covers it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "libpq/libpq.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/memory.h"
#include "base/told.h"
#include "material/material.h"
#include "revocation/indexfile.h"
#include "revocation/revocation.h"
#include "settings/settings.h"

/* A certificate that is checked. */
typedef struct Certificate
{
	const char *subject;
	const char *serial;			/* decimal; NULL: there is only its key */
	const uint8 *key;			/* NULL: it has yet to be made of the serial */
	const CertPoints *points;
	const CaFacts *issuer;
	bool		issuer_is_cut;	/* its name is perhaps not whole */
	bool		is_root;		/* a CA that is its own issuer */
} Certificate;

struct RevocationIndex
{
	IndexFile	file;
	char	   *error;			/* why it cannot be used, or NULL */
};

/*
 * Open the index of our CRLs, or that of core's.  Never NULL: one that cannot be
 * used says so for each certificate.
 */
RevocationIndex *
open_revocation_index(bool of_core)
{
	RevocationIndex *index = palloc0(sizeof(RevocationIndex));

	if (!open_index_file(&index->file, of_core ? CORE_INDEX : OWN_INDEX, &index->error))
	{
		index->error = told(pstrdup("the index of revoked certificates cannot be read"), index->error);
		return index;
	}
	if (of_core ? !is_index_of_settings(&index->file, ssl_crl_file, ssl_crl_dir) :
				  !is_index_of_own_settings(&index->file))
		index->error = pstrdup("the CRLs that are set have not been read yet");
	return index;
}

void
close_revocation_index(RevocationIndex *index)
{
	close_index_file(&index->file);
}

/*
 * The reason of a revocation (RFC 5280 section 5.3.1) by its name there.
 */
char *
revocation_reason(int reason)
{
	static const char *const names[] = {
		"unspecified",
		"keyCompromise",
		"cACompromise",
		"affiliationChanged",
		"superseded",
		"cessationOfOperation",
		"certificateHold",
		NULL,
		"removeFromCRL",
		"privilegeWithdrawn",
		"aACompromise",
	};

	if (reason < 0 || reason >= (int) lengthof(names) || names[reason] == NULL)
		return psprintf("%d", reason);
	return pstrdup(names[reason]);
}

static Revocation
unknown(const char *why, bool index_damaged)
{
	Revocation	result = {
		.status = REVOCATION_UNKNOWN,
		.detail = psprintf("revocation cannot be checked: %s", why),
		.index_damaged = index_damaged,
	};

	return result;
}

static char *
time_of(int64 seconds)
{
	return pstrdup(timestamptz_to_str(timestamp_from_unix(seconds)));
}

StaticAssertDecl(SERIAL_DIGEST_LEN == CRL_KEY_LEN, "a digest of a serial is a key of the index");

/* The check of a chain. */
typedef struct ChainCheck
{
	RevocationIndex *index;
	CrlKeyMaker maker;
	int64		now;			/* seconds since 1970 */

	/* the issuer whose CRL for all certificates was looked up last, and what was found */
	const CaFacts *last;
	bool		last_found;
	int64		last_until;
} ChainCheck;

/* What the index has of the CRLs of an issuer that cover a certificate. */
typedef struct Coverage
{
	ChainCheck *check;
	const CaFacts *issuer;
	bool		found;			/* there is one */
	int64		until;			/* the latest nextUpdate of those */
	bool		limited;		/* the issuer has CRLs for some certificates only */
	char	   *error;			/* the index cannot be read, or NULL */
} Coverage;

/*
 * Is there a record with this key?  made: the key could be made.
 */
static bool
has_record(Coverage *c, bool made, const uint8 *key, CrlRecord *record)
{
	if (c->error == NULL && !made)
		c->error = pstrdup("OpenSSL failed to compute a digest");
	return c->error == NULL &&
		lookup_crl_index(&c->check->index->file.index, key, record, &c->error) == CRL_FOUND;
}

static void
note_crl(Coverage *c, bool made, const uint8 *key)
{
	CrlRecord	record;

	if (!has_record(c, made, key, &record))
		return;
	c->until = c->found ? Max(c->until, record.since) : record.since;
	c->found = true;
}

/*
 * The CRL of the issuer for all its certificates.  A root has issued itself, too, so it is
 * often the same issuer again.
 */
static void
note_crl_for_all(Coverage *c)
{
	ChainCheck *check = c->check;
	uint8		key[CRL_KEY_LEN];

	if (check->last == c->issuer)
	{
		c->found = check->last_found;
		c->until = check->last_until;
		return;
	}
	if (c->issuer->keys.made)
		note_crl(c, true, c->issuer->keys.issuer);
	else
		note_crl(c, make_crl_issuer_key(&check->maker, c->issuer->identity, key), key);
	if (c->error != NULL)
		return;
	check->last = c->issuer;
	check->last_found = c->found;
	check->last_until = c->until;
}

static void
note_scope(Coverage *c, CrlCovers covers, const uint8 *point)
{
	uint8		key[CRL_KEY_LEN];

	note_crl(c, make_crl_scope_key(&c->check->maker, c->issuer->identity, (int) covers, point, key), key);
}

/*
 * Look for the CRLs that cover a certificate: that for all of its issuer, and only where
 * that does not do, those for some.
 */
static void
find_coverage(Coverage *c, const CertPoints *points)
{
	CrlCovers	kind = points->is_ca ? CRL_COVERS_CAS : CRL_COVERS_USERS;
	uint8		key[CRL_KEY_LEN];
	CrlRecord	record;

	note_crl_for_all(c);
	if (c->found && c->until > c->check->now)
		return;
	c->limited = has_record(c, make_crl_limited_key(&c->check->maker, c->issuer->identity, key), key, &record);
	if (!c->limited || !points->known)
		return;
	note_scope(c, kind, NULL);
	for (int i = 0; i < points->count; i++)
	{
		note_scope(c, CRL_COVERS_ALL, points->digests + i * POINT_LEN);
		note_scope(c, kind, points->digests + i * POINT_LEN);
	}
}

/*
 * May there be a CRL of this issuer that has not been read?
 */
static bool
has_unread(Coverage *c, const Certificate *cert)
{
	uint32		unread = c->check->index->file.index.label.unread;
	uint8		key[CRL_KEY_LEN];
	CrlRecord	record;

	if ((unread & UNREAD_FILE) != 0 ||
		has_record(c, make_crl_unread_key(&c->check->maker, c->issuer->identity, key), key, &record))
		return true;
	return (unread & UNREAD_NAMES) != 0 &&
		(cert->issuer_is_cut ||
		 has_record(c, make_crl_unread_name_key(&c->check->maker, c->issuer->subject_dn, key), key, &record));
}

/*
 * A certificate that is not revoked, against the CRLs of its issuer.
 */
static Revocation
check_coverage(ChainCheck *check, const Certificate *cert)
{
	Revocation	result = {.status = NOT_REVOKED};
	Coverage	c = {.check = check, .issuer = cert->issuer};
	bool		unread = false;

	find_coverage(&c, cert->points);
	if (!c.found && !(cert->is_root && c.limited))
		unread = has_unread(&c, cert);
	if (c.error != NULL)
		return unknown(c.error, true);
	if (c.found && c.until <= check->now)
	{
		result.status = CRL_EXPIRED;
		result.detail = psprintf("the CRL of CA \"%s\" expired at %s", cert->issuer->subject_dn,
								 time_of(c.until));
	}
	else if (!c.found && c.limited && !cert->is_root && !cert->points->known)
		return unknown("its CRL distribution points were not kept", false);
	else if (!c.found && !(cert->is_root && c.limited))
	{
		result.status = CRL_MISSING;
		result.unread = unread;
		result.detail = psprintf(c.limited ? "no CRL of CA \"%s\" covers certificate \"%s\" (different scope)" :
											 "there is no CRL of CA \"%s\"",
								 cert->issuer->subject_dn, cert->subject);
		if (unread)
			result.detail = psprintf("%s; one that may cover the certificate has not been read", result.detail);
	}
	return result;
}

/*
 * One certificate, against the CRLs of the CA that issued it.  A serial that any of them
 * lists is revoked, whatever certificates it is for.
 */
static Revocation
check_one(ChainCheck *check, const Certificate *cert)
{
	Revocation	result = {.status = REVOKED};
	uint8		made[CRL_KEY_LEN];
	const uint8 *key = cert->key ? cert->key : made;
	CrlRecord	entry;
	CrlLookup	found;
	char	   *error;

	if (cert->issuer == NULL || (cert->serial == NULL && cert->key == NULL))
		return unknown("its issuer or its serial number is not known", false);
	if (cert->key == NULL &&
		!make_decimal_crl_entry_key(&check->maker, cert->issuer->identity, cert->serial, made))
		return unknown("its serial number cannot be looked up", false);
	found = lookup_crl_index(&check->index->file.index, key, &entry, &error);
	if (found == CRL_DAMAGED)
		return unknown(error, true);
	if (found == CRL_NOT_FOUND)
		return check_coverage(check, cert);
	result.detail = psprintf("certificate \"%s\"%s%s was revoked at %s (%s)",
							 cert->subject, cert->serial ? ", serial " : "",
							 cert->serial ? psprintf("%s,", cert->serial) : "",
							 time_of(entry.since), revocation_reason(entry.reason));
	return result;
}

/*
 * The certificate of the peer, for -1, or one of the CAs of its chain.
 */
static Certificate
certificate_in_chain(const CertFacts *cert, int ca)
{
	Certificate result = {.issuer = issuer_in_chain(cert, ca)};

	result.issuer_is_cut = result.issuer && is_cut_name(cert, result.issuer->subject_dn);
	if (ca < 0)
	{
		result.subject = cert->subject_dn;
		result.serial = cert->serial;
		result.points = &cert->points;
		return result;
	}
	result.subject = cert->cas[ca].subject_dn;
	result.serial = cert->cas[ca].serial;
	result.points = &cert->cas[ca].points;
	result.is_root = ca == cert->ncas - 1;
	if (result.serial == NULL)
		result.key = cert->cas[ca].serial_digest;
	else if (result.is_root && cert->cas[ca].keys.made)
		result.key = cert->cas[ca].keys.root;
	return result;
}

static Revocation
check_chain(ChainCheck *check, const CertFacts *cert)
{
	Revocation	worst = {.status = NOT_REVOKED};

	for (int i = -1; i < cert->ncas; i++)
	{
		Certificate one_cert = certificate_in_chain(cert, i);
		Revocation	one = check_one(check, &one_cert);

		if (one.status == REVOKED)
			return one;
		if ((one.status == CRL_MISSING && accept_missing_crl() && !one.unread) ||
			(one.status == CRL_EXPIRED && accept_expired_crl()))
			continue;
		if (one.status > worst.status)
			worst = one;
	}
	return worst;
}

/*
 * All certificates of the chain that verified a client's; now is in seconds
 * since 1970.  Without such a certificate there is nothing to check.
 */
Revocation
check_revocation(RevocationIndex *index, const Facts *facts, int64 now)
{
	Revocation	result = {.status = NOT_REVOKED};
	const CertFacts *cert = facts->cert;
	ChainCheck	check = {.index = index, .now = now};

	if (facts->unreadable)
		return unknown("the certificate cannot be read", false);
	if (!facts->verified)
		return result;
	if (index->error != NULL)
		return unknown(index->error, true);
	if (cert == NULL || cert->ncas == 0)
		return unknown("its chain is not known", false);

	init_crl_key_maker(&check.maker);
	result = check_chain(&check, cert);
	free_crl_key_maker(&check.maker);
	return result;
}
