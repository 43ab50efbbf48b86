/*-------------------------------------------------------------------------
 *
 * serials.h
 *		Looks a serial number up in the indexes of revoked certificates.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SERIALS_H
#define SSLPOLICY_SERIALS_H

typedef struct RevokedSerial
{
	bool		revoked;
	const char *issuer_dn;		/* of the CRL; NULL: there is none of this issuer */
	int64		since;			/* seconds since 1970-01-01 UTC */
	int			reason;			/* RFC 5280 section 5.3.1 */
} RevokedSerial;

extern RevokedSerial *look_up_serial(const char *serial, const char *issuer_dn);

#endif							/* SSLPOLICY_SERIALS_H */
