/*-------------------------------------------------------------------------
 *
 * serials.c
 *		Looks a serial number up in the indexes of revoked certificates.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/libpq.h"
#include "postmaster/postmaster.h"

#include "base/datums.h"
#include "base/memory.h"
#include "base/told.h"
#include "revocation/crlkey.h"
#include "revocation/indexfile.h"
#include "revocation/serials.h"
#include "settings/settings.h"

/*
 * Look it up in one index, for each CA of that name.  The first that has revoked
 * it counts.
 */
static void
look_up_in(const char *index, const char *serial, const char *issuer_dn,
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

		if (strcmp(certificate_string(crls[i].issuer_dn), issuer_dn) != 0 ||
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

	if (crls_configured())
		look_up_in(OWN_INDEX, serial, issuer_dn, result);
	if (!result->revoked && EnableSSL && (ssl_crl_file[0] || ssl_crl_dir[0]))
		look_up_in(CORE_INDEX, serial, issuer_dn, result);
	return result;
}
