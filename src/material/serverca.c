/*-------------------------------------------------------------------------
 *
 * serverca.c
 *		The server's certificate as its clients see it, and what they need to
 *		verify it.
 *
 * The certificate in force comes from the TLS context that this process has
 * inherited, while that is in force; otherwise from ssl_cert_file.  No process
 * is started to find out, because everybody may ask.  Keys are never looked at.
 *
 * Issuers are found by signature, whatever the time is.  Whether a client would
 * accept the certificate now is for OpenSSL to say.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"

#include "base/compat.h"
#include "base/datums.h"
#include "base/memory.h"
#include "base/preload.h"
#include "base/told.h"
#include "material/generation.h"
#include "material/material.h"
#include "material/serverca.h"
#include "material/trust.h"
#include "pki/chain.h"
#include "pki/x509.h"

static void
push_certificate(STACK_OF(X509) *certs, X509 *cert)
{
	if (!has_certificate(certs, cert) && X509_up_ref(cert) == 1)
		(void) sk_X509_push(certs, cert);
}

/*
 * The certificate in force and its chain.
 */
static void
find_leaf_and_chain(ServerIdentity *identity)
{
	ContextMaterial *materials = NULL;
	int			count = 0;
	uint64		number = is_preloaded() ? inherited_material(&materials, &count) : 0;

	if (compat_certificates_by_host())
	{
		identity->error = pstrdup("ssl_sni is on: the server has a certificate for each host name in pg_hosts.conf");
		identity->hint = pstrdup("Ask whoever looks after pg_hosts.conf for the root certificate of the host that the client connects to.");
	}
	else if (number != 0 && materials[0].leaf != NULL && load_state()->in_force == number)
	{
		identity->leaf = materials[0].leaf;
		for (int i = 0; i < sk_X509_num(materials[0].chain); i++)
			push_certificate(identity->sent, sk_X509_value(materials[0].chain, i));
	}
	else
	{
		PemFile    *file = read_pem_file(ssl_cert_file);

		identity->error = file->error;
		identity->leaf = sk_X509_value(file->content->certs, 0);
		for (int i = 1; i < sk_X509_num(file->content->certs); i++)
			push_certificate(identity->sent, sk_X509_value(file->content->certs, i));
		if (identity->leaf == NULL && identity->error == NULL)
			identity->error = told_of_file(ssl_cert_file, psprintf("there is no certificate in file \"%s\"", ssl_cert_file));
	}
}

/*
 * The issuer of a certificate in the system's store; NULL if it is not there.
 */
static X509 *
system_issuer(X509_STORE *store, X509 *cert)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509	   *issuer = NULL;

	if (ctx && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1 &&
		X509_STORE_CTX_get1_issuer(&issuer, ctx, cert) == 1)
	{
		(void) free_at_reset(issuer, (void (*)(void *)) X509_free);
		if (!is_issued_by(cert, issuer))
			issuer = NULL;
	}
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return issuer;
}

/*
 * Follow the issuers of the leaf to the roots.  Each certificate is looked at
 * once; found grows while it is walked through.  Returns the last certificate
 * whose issuer is nowhere, NULL if there is none.
 */
static X509 *
find_anchors(ServerIdentity *identity, STACK_OF(X509) *found,
			 STACK_OF(X509) *cas, X509_STORE *system)
{
	X509	   *orphan = NULL;

	for (int i = 0; i < sk_X509_num(found); i++)
	{
		X509	   *cert = sk_X509_value(found, i);
		bool		has_issuer = false;

		if (is_self_signed(cert))
		{
			push_certificate(identity->anchors, cert);
			continue;
		}
		for (int k = 0; k < sk_X509_num(identity->sent); k++)
		{
			X509	   *issuer = sk_X509_value(identity->sent, k);

			if (X509_cmp(issuer, cert) == 0 || !is_issued_by(cert, issuer))
				continue;
			has_issuer = true;
			push_certificate(found, issuer);
		}
		for (int k = 0; k < sk_X509_num(cas); k++)
		{
			X509	   *issuer = sk_X509_value(cas, k);

			if (X509_cmp(issuer, cert) == 0 || !is_issued_by(cert, issuer))
				continue;
			has_issuer = true;
			push_certificate(found, issuer);
			if (!has_certificate(identity->sent, issuer))
				push_certificate(identity->anchors, issuer);
		}
		if (!has_issuer && system)
		{
			X509	   *issuer = system_issuer(system, cert);

			has_issuer = issuer != NULL;
			if (issuer)
			{
				push_certificate(found, issuer);
				push_certificate(identity->anchors, issuer);
			}
		}
		if (!has_issuer)
			orphan = cert;
	}
	return orphan;
}

static bool
has_root(STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (is_self_signed(sk_X509_value(certs, i)))
			return true;
	return false;
}

static void
explain_missing_root(ServerIdentity *identity, X509 *orphan)
{
	char	   *issuer = orphan ? dn_text(X509_get_issuer_name(orphan)) : NULL;

	identity->error = psprintf("the root certificate that verifies the server certificate is not known: \"%s\", which issued %s, is neither in ssl_cert_file, nor in ssl_ca_file, nor in the system's store",
							   issuer ? certificate_string(issuer) : "",
							   orphan ? certificate_title(orphan) : "it");
	identity->hint = pstrdup("Append the certificate of that CA to the chain in ssl_cert_file, for example with sslpolicy.install_server_certificate(), or hand it to clients in another way.");
}

/*
 * Would a client that trusts the anchors accept the certificate?  flags are those of
 * OpenSSL (X509_V_FLAG_...).
 */
static char *
client_refusal(const ServerIdentity *identity, unsigned long flags, int64 now)
{
	X509_STORE *store = X509_STORE_new();
	Verification *v;

	if (store == NULL)
		return pstrdup("out of memory");
	for (int i = 0; i < sk_X509_num(identity->anchors); i++)
		(void) X509_STORE_add_cert(store, sk_X509_value(identity->anchors, i));
	(void) X509_STORE_set_flags(store, flags);
	v = verify_in_store(store, identity->leaf, identity->sent,
						X509_PURPOSE_SSL_SERVER, server_security_level(), now);
	X509_STORE_free(store);
	return v->ok ? NULL : certificate_string(verification_text(v));
}

/*
 * Why a client refuses a certificate that it would accept otherwise, if it insists on all
 * of RFC 5280 (VERIFY_X509_STRICT, which Python sets by itself since 3.13); NULL if it
 * does not refuse it.
 */
char *
strict_refusal(const ServerIdentity *identity, int64 now)
{
	if (identity->leaf == NULL || identity->error || identity->refusal)
		return NULL;
	return client_refusal(identity, X509_V_FLAG_X509_STRICT, now);
}

/*
 * now is in seconds since 1970-01-01 UTC.
 */
ServerIdentity *
server_identity(int64 now)
{
	ServerIdentity *identity = palloc0(sizeof(ServerIdentity));
	STACK_OF(X509) *found = new_certificates();
	STACK_OF(X509) *cas;
	X509	   *orphan;

	identity->sent = new_certificates();
	identity->anchors = new_certificates();
	if (!EnableSSL)
	{
		identity->error = pstrdup("ssl is off: the server has no certificate in force");
		identity->hint = pstrdup("Set ssl = on.");
		return identity;
	}
	find_leaf_and_chain(identity);
	if (identity->leaf == NULL)
		return identity;
	identity->error = NULL;
	identity->facts = read_certificate(identity->leaf, NULL);
	cas = read_pem_file(ssl_ca_file)->content->certs;

	push_certificate(found, identity->leaf);
	orphan = find_anchors(identity, found, cas, NULL);
	if (!has_root(identity->anchors))
	{
		X509_STORE *system = X509_STORE_new();

		if (system)
		{
			(void) free_at_reset(system, (void (*)(void *)) X509_STORE_free);
			(void) X509_STORE_set_default_paths(system);
			orphan = find_anchors(identity, found, cas, system);
		}
	}
	ERR_clear_error();
	if (!has_root(identity->anchors))
		explain_missing_root(identity, orphan);
	else
		identity->refusal = client_refusal(identity, 0, now);
	return identity;
}

/*
 * The anchors as PEM, for the file that a client names as sslrootcert.
 */
char *
anchors_pem(const ServerIdentity *identity)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < sk_X509_num(identity->anchors); i++)
		if (!append_pem_certificate(&buf, sk_X509_value(identity->anchors, i)))
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
	return buf.data;
}
