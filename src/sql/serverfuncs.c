/*-------------------------------------------------------------------------
 *
 * serverfuncs.c
 *		The SQL functions that make the server's key and install its certificate.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "install/affected.h"
#include "session/collect.h"
#include "pki/chain.h"
#include "base/files.h"
#include "material/identity.h"
#include "sql/arguments.h"
#include "sql/installcall.h"
#include "sql/serverfuncs.h"
#include "material/serverkey.h"
#include "settings/directory.h"
#include "base/memory.h"

PG_FUNCTION_INFO_V1(sslpolicy_install_server_certificate);
PG_FUNCTION_INFO_V1(sslpolicy_create_server_key);

#define PENDING_KEY "pending.key"

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
find_key(Installation *inst, PemContent *given, const char *private_key, bool *pending)
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
					 errhint("Give an unencrypted key in PEM (openssl pkey -in key.pem removes a passphrase), or make one with sslpolicy.create_server_key()."),
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
		invalid_argument("there is no private key for this certificate",
				"Neither the pending key nor the server's present one belongs to a certificate of the chain.",
				"Make a key and its request with sslpolicy.create_server_key(), or give the key.");
	return key;
}

/*
 * sslpolicy.install_server_certificate(chain text, private_key text, dry_run
 * boolean, force boolean)
 */
Datum
sslpolicy_install_server_certificate(PG_FUNCTION_ARGS)
{
	char	   *private_key = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Identity	identity = {0};
	PemContent *given;
	Installation *inst;
	bool		pending;
	Datum		result;

	if (private_key)
		hide_statement();
	require_installation();
	given = pem_argument(fcinfo, 0, "chain", MAX_PEM_BYTES, MAX_CHAIN_CERTIFICATES);
	if (sk_X509_num(given->certs) == 0)
		invalid_argument("there is no certificate in the text", NULL, "Give the text of the server's certificate and its chain in PEM, from -----BEGIN CERTIFICATE----- on; not the name of their file.");
	inst = begin_call(fcinfo, MATERIAL_SERVER, "install_server_certificate", 2);
	identity.given = given->certs;
	identity.cas = read_pem_file(inst->files.ca_file)->content->certs;
	identity.key = find_key(inst, given, private_key, &pending);
	identity.before = sk_X509_value(inst->old->certs, 0);
	identity.now = unix_now();
	identity.chain = sk_X509_new_null();
	raise_trust_refusal(judge_identity(&identity, &inst->warnings));
	for (int i = 0; i < sk_X509_num(identity.chain); i++)
		add_unless_there(inst, inst->content->certs, sk_X509_value(identity.chain, i), false);
	sk_X509_free(identity.chain);

	inst->bytes = makeStringInfo();
	enlargeStringInfo(inst->bytes, 256 * 1024);
	wipe_at_reset(inst->bytes);
	for (int i = 0; i < sk_X509_num(inst->content->certs); i++)
		could_not_encode(append_pem_certificate(inst->bytes, sk_X509_value(inst->content->certs, i)));
	could_not_encode(append_pem_private_key(inst->bytes, identity.key));
	inst->affected = sessions_losing_cipher(identity.before, sk_X509_value(inst->content->certs, 0));
	if (private_key)
		wipe_memory(private_key, strlen(private_key));
	result = install_and_report(fcinfo, inst);
	if (pending && inst->installed)
		remove_file(own_file(PENDING_KEY));
	return result;
}

/*
 * sslpolicy.create_server_key(subject text, sans text[], key_type text)
 * returns text: a certificate signing request in PEM.
 */
Datum
sslpolicy_create_server_key(PG_FUNCTION_ARGS)
{
	char	   *subject = required_text_argument(fcinfo, 0, "subject");
	char	   *type = required_text_argument(fcinfo, 2, "key_type");
	List	   *sans = NIL;
	char	   *key;
	char	   *request;
	Datum	   *elements;
	bool	   *nulls;
	int			count = 0;

	require_installation();
	forbid_transaction_block("create_server_key");
	if (!PG_ARGISNULL(1))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
						  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			invalid_argument("a name in sans is null", NULL, NULL);
		sans = lappend(sans, TextDatumGetCString(elements[i]));
	}
	subject = pg_server_to_any(subject, (int) strlen(subject), PG_UTF8);
	lock_installation();
	request = make_server_key(subject, sans, type, &key);
	make_own_directory();
	if (file_exists(own_file(PENDING_KEY)))
		ereport(NOTICE,
				(errmsg("the pending private key is replaced"),
				 errdetail("A certificate for the request before this one can no longer be installed.")));
	replace_file(own_file(PENDING_KEY), key, strlen(key));
	wipe_memory(key, strlen(key));
	ereport(LOG,
			(errmsg("private key for the server made by %s", caller_for_log(GetUserId()))));
	PG_RETURN_TEXT_P(cstring_to_text(request));
}

/*
 * A server certificate of before must be good enough to be installed now.  (Its
 * key may have a passphrase, with which it cannot be looked at.)
 */
void
judge_old_identity(Installation *inst)
{
	Identity	identity = {0};
	char	   *error;
	EVP_PKEY   *key = read_pem_private_key(inst->bytes->data, (size_t) inst->bytes->len, &error);
	Refusal    *refusal;

	if (key == NULL)
	{
		inst->warnings = lappend(inst->warnings, psprintf("the certificate was not checked against its key: %s", error));
		return;
	}
	identity.given = inst->content->certs;
	identity.cas = read_pem_file(inst->files.ca_file)->content->certs;
	identity.key = free_at_reset(key, free_key);
	identity.before = sk_X509_value(inst->old->certs, 0);
	identity.now = unix_now();
	identity.chain = sk_X509_new_null();
	refusal = judge_identity(&identity, &inst->warnings);
	sk_X509_free(identity.chain);
	/* a file that was found may have been put together otherwise */
	if (refusal && inst->force && superuser())
		inst->warnings = lappend(inst->warnings, refusal->message);
	else
		raise_trust_refusal(refusal);
}
