/*-------------------------------------------------------------------------
 *
 * serials.c
 *		Looks a serial number up in the indexes of revoked certificates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq.h"
#include "mb/pg_wchar.h"
#include "postmaster/postmaster.h"

#include "base/datums.h"
#include "base/memory.h"
#include "base/told.h"
#include "pki/canonname.h"
#include "revocation/crlkey.h"
#include "revocation/indexfile.h"
#include "revocation/serials.h"
#include "settings/settings.h"

/* An issuer as a user has written it. */
typedef struct AskedIssuer
{
	const char *text;
	uint8	   *form;			/* what all spellings have in common, or NULL */
	size_t		form_len;
} AskedIssuer;

static AskedIssuer
read_asked_issuer(const char *text)
{
	AskedIssuer issuer = {.text = text};

	issuer.form = canonical_dn(pg_server_to_any(text, (int) strlen(text), PG_UTF8), &issuer.form_len);
	return issuer;
}

/*
 * Is this the name of that issuer, in whatever spelling?  What cannot be read as a name is
 * compared as it is shown.
 */
static bool
is_issuer(const AskedIssuer *issuer, const char *dn)
{
	size_t		len;
	uint8	   *form = issuer->form ? canonical_dn(dn, &len) : NULL;

	return (form && len == issuer->form_len && memcmp(form, issuer->form, len) == 0) ||
		strcmp(certificate_string(dn), issuer->text) == 0;
}

/*
 * Look it up in one index, for each CA of that name.  The first that has revoked
 * it counts.
 */
static void
look_up_in(const char *index, const char *serial, const AskedIssuer *issuer,
		   RevokedSerial *result)
{
	IndexFile  *file = palloc0(sizeof(IndexFile));
	IndexedCrl *crls = NULL;
	CrlRecord	record;
	int			ncrls = 0;
	char	   *error = NULL;
	CrlLookup	found = CRL_NOT_FOUND;

	if (open_index_file(file, index, &error))
		crls = read_indexed_crls(&file->index, &ncrls, &error);
	/* if core has no CRLs there is no index, either; not everybody may know which it is */
	else if (strcmp(index, CORE_INDEX) == 0 && !files_may_be_told())
		return;
	else
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the index of revoked certificates cannot be read"),
				 errdetail("%s", told(pstrdup("The server log has the error."), psprintf("The error was: %s.", error))),
				 errdetail_log("The error was: %s.", error)));
	for (int i = 0; crls && i < ncrls && found == CRL_NOT_FOUND; i++)
	{
		uint8		key[CRL_KEY_LEN];

		if (!is_issuer(issuer, crls[i].issuer_dn) ||
			!decimal_crl_entry_key(crls[i].identity, serial, key))
			continue;
		result->issuer_dn = crls[i].issuer_dn;
		found = lookup_crl_index(&file->index, key, &record, &error);
	}
	close_index_file(file);
	if (crls == NULL || found == CRL_DAMAGED)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the index of revoked certificates cannot be read"),
				 errdetail("The error was: %s.", error)));
	if (found != CRL_FOUND)
		return;
	result->revoked = true;
	result->since = record.since;
	result->reason = record.reason;
}

/*
 * Has a CRL revoked the certificate with this serial number, decimal, of this
 * issuer?
 */
RevokedSerial *
look_up_serial(const char *serial, const char *issuer_dn)
{
	RevokedSerial *result = palloc0(sizeof(RevokedSerial));
	AskedIssuer issuer = read_asked_issuer(issuer_dn);

	if (crls_configured())
		look_up_in(OWN_INDEX, serial, &issuer, result);
	if (!result->revoked && EnableSSL && (ssl_crl_file[0] || ssl_crl_dir[0]))
		look_up_in(CORE_INDEX, serial, &issuer, result);
	return result;
}
