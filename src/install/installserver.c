/*-------------------------------------------------------------------------
 *
 * installserver.c
 *		Makes the server's key, and installs its certificate.
 *
 * The key waits in sslpolicy.directory for the certificate, and never leaves the
 * server.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "miscadmin.h"

#include "base/files.h"
#include "base/logline.h"
#include "base/memory.h"
#include "install/affected.h"
#include "install/installserver.h"
#include "material/identity.h"
#include "material/ownkeys.h"
#include "material/serverkey.h"
#include "pki/chain.h"
#include "pki/givenpem.h"
#include "session/collect.h"
#include "settings/directory.h"

static void
free_key(void *key)
{
	EVP_PKEY_free(key);
}

/*
 * The private key for one of the certificates: the one that is given, or else
 * the pending one, or else the one that the server has.
 */
static EVP_PKEY *
find_key(const Installation *inst, const PemContent *given, const char *private_key, bool *pending)
{
	char	   *error;
	size_t		len;
	char	   *bytes = NULL;
	EVP_PKEY   *key;

	*pending = false;
	if (private_key)
	{
		key = read_pem_private_key(private_key, strlen(private_key), &error);
		if (key == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the private key cannot be used: %s", error),
					 errhint("%s", UNENCRYPTED_KEY_HINT),
					 errhidestmt(true), errhidecontext(true)));
		return free_at_reset(key, free_key);
	}
	if (file_exists(own_file(PENDING_KEY)))
		bytes = read_whole_file(own_file(PENDING_KEY), &len, &error);
	if (bytes)
	{
		key = read_pem_private_key(bytes, len, &error);
		wipe_memory(bytes, len);
		if (key)
			(void) free_at_reset(key, free_key);
		*pending = key && find_certificate_by_key(given->certs, key);
		if (*pending)
			return key;
	}
	key = inst->old_bytes ? read_pem_private_key(inst->old_bytes, inst->old_len, &error) : NULL;
	if (key)
		(void) free_at_reset(key, free_key);
	if (key == NULL || find_certificate_by_key(given->certs, key) == NULL)
		refuse_installation("there is no private key for this certificate",
							"Neither the pending key nor the server's present one belongs to a certificate of the chain.",
							"Make a key and its request with sslpolicy.create_server_key(), or give the key.");
	return key;
}

static void
start_judging(const Installation *inst, Identity *identity, STACK_OF(X509) *given,
			  EVP_PKEY *key)
{
	TlsParameters parameters;

	memset(identity, 0, sizeof(Identity));
	identity->given = given;
	identity->cas = read_pem_file(inst->files.ca_file)->content->certs;
	identity->key = key;
	identity->before = sk_X509_value(inst->old->certs, 0);
	parameters = configured_parameters(inst->configuration);
	identity->level = security_level(&parameters);
	identity->now = (int64) time(NULL);
	identity->chain = sk_X509_new_null();
}

/*
 * Install a certificate with its chain, and its private key, which may be NULL:
 * then it is the pending one, or the present one.  private_key is wiped.
 */
Installation *
install_server_certificate(const PemContent *given, char *private_key,
						   bool dry_run, bool force)
{
	Identity	identity;
	Installation *inst;
	EVP_PKEY   *key;
	STACK_OF(X509) *certs;
	bool		pending;

	if (sk_X509_num(given->certs) == 0)
		refuse_installation("there is no certificate in the text", NULL,
							"Give the text of the server's certificate and its chain in PEM, from -----BEGIN CERTIFICATE----- on; not the name of their file.");
	inst = begin_installation(MATERIAL_SERVER, INSTALL_HERE, "install_server_certificate", dry_run, force);
	key = find_key(inst, given, private_key, &pending);
	start_judging(inst, &identity, given->certs, key);
	raise_trust_refusal(judge_identity(&identity, &inst->warnings));
	certs = inst->content->certs;
	for (int i = 0; i < sk_X509_num(identity.chain); i++)
		(void) add_certificate_once(certs, sk_X509_value(identity.chain, i));
	sk_X509_free(identity.chain);

	inst->bytes = makeStringInfo();
	enlargeStringInfo(inst->bytes, 256 * 1024);
	wipe_at_reset(inst->bytes);
	for (int i = 0; i < sk_X509_num(certs); i++)
		check_encoded(append_pem_certificate(inst->bytes, sk_X509_value(certs, i)));
	check_encoded(append_pem_private_key(inst->bytes, key));
	remember_own_key(sk_X509_value(certs, 0));
	inst->affected = find_losing_cipher(identity.before, sk_X509_value(certs, 0));
	if (private_key)
		wipe_memory(private_key, strlen(private_key));
	finish_installation(inst);
	if (pending && inst->installed)
		remove_file(own_file(PENDING_KEY));
	return inst;
}

/*
 * Make a private key, which becomes the pending one, and a certificate signing
 * request for it, in PEM.  subject is in UTF-8.
 */
char *
create_server_key(const char *subject, List *sans, const char *type)
{
	char	   *key;
	char	   *request;
	char	   *made;
	bool		replaced;

	forbid_transaction_block("create_server_key");
	require_installation();
	made = psprintf("private key for the server made by %s", caller_for_log(GetUserId()));
	/* which can take a while */
	request = make_server_key(subject, sans, type, &key);
	lock_installation();
	make_own_directory();
	replaced = file_exists(own_file(PENDING_KEY));
	replace_file(own_file(PENDING_KEY), key, strlen(key));
	wipe_memory(key, strlen(key));
	unlock_installation();
	log_line(made, NULL);
	/* do not make others wait until the client has read this */
	if (replaced)
		ereport(NOTICE,
				(errmsg("the pending private key is replaced"),
				 errdetail("A certificate for the request before this one can no longer be installed.")));
	return request;
}

/*
 * The key may have a passphrase, with which it cannot be looked at.
 */
static void
judge_earlier_pair(Installation *inst)
{
	Identity	identity;
	char	   *error;
	EVP_PKEY   *key = read_pem_private_key(inst->bytes->data, (size_t) inst->bytes->len, &error);
	Refusal    *refusal;

	if (key == NULL)
	{
		inst->warnings = lappend(inst->warnings, psprintf("the certificate was not checked against its key: %s", error));
		return;
	}
	start_judging(inst, &identity, inst->content->certs, free_at_reset(key, free_key));
	refusal = judge_identity(&identity, &inst->warnings);
	sk_X509_free(identity.chain);
	/* a file that was found may have been put together otherwise */
	if (refusal && inst->force && superuser())
		inst->warnings = lappend(inst->warnings, refusal->message);
	else
		raise_trust_refusal(refusal);
}

/*
 * A server certificate of before must be good enough to be installed now.
 */
void
judge_earlier_identity(Installation *inst)
{
	judge_earlier_pair(inst);
	remember_own_key(sk_X509_value(inst->content->certs, 0));
	inst->affected = find_losing_cipher(sk_X509_value(inst->old->certs, 0),
										sk_X509_value(inst->content->certs, 0));
}
