/*-------------------------------------------------------------------------
 *
 * revocation.c
 *		Is a client certificate, or one that verified it, revoked?
 *
 * Looks into the index that the worker has built (crlbuild.c).  As core does
 * with ssl_crl_file, every certificate of the verified chain is checked, the
 * root against its own list, and for each there must be a current CRL of its
 * issuer; sslpolicy.crl_missing and crl_expired can loosen that.
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
				  !is_index_of_settings(&index->file, crl_file(), crl_dir()))
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
		REVOCATION_UNKNOWN,
		psprintf("revocation cannot be checked: %s", why),
		index_damaged,
	};

	return result;
}

static char *
time_of(int64 seconds)
{
	return pstrdup(timestamptz_to_str(timestamp_from_unix(seconds)));
}

StaticAssertDecl(SERIAL_DIGEST_LEN == CRL_KEY_LEN, "a digest of a serial is a key of the index");

/*
 * One certificate, against the CRL of the CA that issued it.  Where serial is NULL, there
 * is only its digest.
 */
static Revocation
check_one(RevocationIndex *index, const char *subject, const char *serial,
		  const uint8 *digest, const CaFacts *issuer, int64 now)
{
	Revocation	result = {NOT_REVOKED, NULL, false};
	uint8		by_issuer[CRL_KEY_LEN];
	uint8		by_serial[CRL_KEY_LEN];
	CrlRecord	crl;
	CrlRecord	entry;
	CrlLookup	found_crl;
	CrlLookup	found;
	char	   *error;

	if (issuer == NULL || (serial == NULL && digest == NULL))
		return unknown("its issuer or its serial number is not known", false);
	if (serial == NULL)
		memcpy(by_serial, digest, CRL_KEY_LEN);
	if (!crl_issuer_key(issuer->identity, by_issuer) ||
		(serial != NULL && !decimal_crl_entry_key(issuer->identity, serial, by_serial)))
		return unknown("its serial number cannot be looked up", false);
	if ((found_crl = lookup_crl_index(&index->file.index, by_issuer, &crl, &error)) == CRL_DAMAGED ||
		(found = lookup_crl_index(&index->file.index, by_serial, &entry, &error)) == CRL_DAMAGED)
		return unknown(error, true);

	if (found == CRL_FOUND)
	{
		result.status = REVOKED;
		result.detail = psprintf("certificate \"%s\"%s%s was revoked at %s (%s)",
								 subject, serial ? ", serial " : "",
								 serial ? psprintf("%s,", serial) : "",
								 time_of(entry.since), revocation_reason(entry.reason));
	}
	else if (found_crl == CRL_NOT_FOUND)
	{
		result.status = CRL_MISSING;
		result.detail = psprintf("there is no CRL of CA \"%s\"", issuer->subject_dn);
	}
	else if (crl.since <= now)
	{
		result.status = CRL_EXPIRED;
		result.detail = psprintf("the CRL of CA \"%s\" has expired at %s", issuer->subject_dn,
								 time_of(crl.since));
	}
	return result;
}

/*
 * All certificates of the chain that verified a client's; now is in seconds
 * since 1970.  Without such a certificate there is nothing to check.
 */
Revocation
check_revocation(RevocationIndex *index, const Facts *facts, int64 now)
{
	Revocation	worst = {NOT_REVOKED, NULL, false};
	const CertFacts *cert = facts->cert;

	if (facts->unreadable)
		return unknown("the certificate cannot be read", false);
	if (!facts->verified)
		return worst;
	if (index->error != NULL)
		return unknown(index->error, true);
	if (cert == NULL || cert->ncas == 0)
		return unknown("its chain is not known", false);

	for (int i = -1; i < cert->ncas; i++)
	{
		const CaFacts *issuer = issuer_in_chain(cert, i);
		const CaFacts *ca = i < 0 ? NULL : &cert->cas[i];
		Revocation	one = ca == NULL ?
			check_one(index, cert->subject_dn, cert->serial, NULL, issuer, now) :
			check_one(index, ca->subject_dn, ca->serial, ca->serial_digest, issuer, now);

		if (one.status == REVOKED)
			return one;
		if ((one.status == CRL_MISSING && accept_missing_crl()) ||
			(one.status == CRL_EXPIRED && accept_expired_crl()))
			continue;
		if (one.status > worst.status)
			worst = one;
	}
	return worst;
}
