/*-------------------------------------------------------------------------
 *
 * facts.h
 *		What is true of one session: plain data, as it is packed, and its address
 *		as text.
 *
 * All text that comes from a certificate is in escaped form (escape.h), the
 * names in RFC 2253 form as OpenSSL's XN_FLAG_RFC2253 prints them, which is
 * printable ASCII as well.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FACTS_H
#define SSLPOLICY_FACTS_H

#include "base/fingerprint.h"

#define CA_IDENTITY_LEN	  20	/* bytes of what ca_identity() (x509.c) gives */
#define SERIAL_DIGEST_LEN 20	/* bytes of a key in an index of CRLs (crlkey.c) */
#define POINT_LEN		  20	/* bytes of the name of a distribution point */

/* In the order of strength, so that they can be compared. */
typedef enum TlsVersion
{
	TLS_NONE = 0,				/* no TLS, or a version before TLSv1 */
	TLS_1_0,
	TLS_1_1,
	TLS_1_2,
	TLS_1_3
} TlsVersion;

/* The distribution points of CRLs that a certificate names (distpoint.c). */
typedef struct CertPoints
{
	bool		known;			/* they were kept */
	bool		is_ca;			/* by its basic constraints */
	int			count;
	uint8	   *digests;		/* POINT_LEN bytes each */
} CertPoints;

/* Where a CA is found in an index of CRLs (crlkey.c), if that was made in advance. */
typedef struct CaKeys
{
	bool		made;
	uint8		issuer[SERIAL_DIGEST_LEN];	/* its CRL for all certificates */
	uint8		root[SERIAL_DIGEST_LEN];	/* its own certificate, as that of a root */
} CaKeys;

/* A certificate of the verified chain above the peer's own. */
typedef struct CaFacts
{
	char	   *subject_dn;
	bool		garbled;		/* which matches nothing: see is_garbled_name() (x509.c) */
	char	   *serial;			/* decimal; NULL where only its digest was kept */
	uint8		fingerprint[FINGERPRINT_LEN];
	uint8		identity[CA_IDENTITY_LEN];	/* name and key: see x509.c */
	uint8		serial_digest[SERIAL_DIGEST_LEN];	/* only where serial is NULL */
	CertPoints	points;
	CaKeys		keys;
} CaFacts;

/* Makes the keys of a CA, if it can. */
typedef void (*CaKeyMaker)(CaFacts *ca);

/* The peer's certificate and the chain that verified it. */
typedef struct CertFacts
{
	char	   *subject_dn;		/* "" for an empty subject */
	bool		subject_garbled;	/* it matches nothing, as that of a CA */
	char	   *issuer_dn;
	char	   *cn;				/* NULL if none, several, not readable, or
								 * such that PostgreSQL refuses it */
	bool		cn_garbled;		/* the only one, if it is not readable */
	int			cn_count;
	char	   *serial;			/* decimal, may be negative (RFC 5280 4.1.2.2) */
	char	   *key_algorithm;	/* RSA, EC, ED25519, ... */
	char	   *signature_algorithm;	/* as "openssl x509 -text" names it */
	int			key_bits;
	int64		not_before;		/* seconds since 1970-01-01 UTC */
	int64		not_after;
	uint8		fingerprint[FINGERPRINT_LEN];	/* SHA-256 of the DER */
	int			nsans;
	int			upn_count;		/* of them, also those that are not readable */
	char	  **sans;			/* "dns:...", "email:...", "uri:...", "ip:...", "upn:...";
								 * other types, and "baddns:..." and the like for
								 * those that are not readable, are shown but match
								 * nothing */
	int			ncas;			/* CAs of the verified chain, root last; a
								 * self-signed peer is its own root */
	CaFacts    *cas;
	CertPoints	points;
	bool		cut;			/* text was left out to keep within the limit of
								 * the session table: what is not there may be */
} CertFacts;

/*
 * What is not known of a session.  A login knows everything; a question about a
 * login that has not been made does not, nor the table of sessions where a
 * certificate was too large for it.
 */
#define UNKNOWN_DATABASE	0x01
#define UNKNOWN_ADDRESS		0x02
#define UNKNOWN_SSL			0x04
#define UNKNOWN_TLS_VERSION 0x08
#define UNKNOWN_CIPHER		0x10
#define UNKNOWN_CERTIFICATE 0x20	/* whether there is one, unless verified is set */
#define UNKNOWN_AUTH_METHOD 0x40
#define UNKNOWN_ANCHOR		0x80	/* of a live session: whether anchor_gone */

typedef struct Facts
{
	int			unknown;		/* of UNKNOWN_* */

	/* who and where */
	const char *role;			/* as the client named it */
	const char *database;		/* NULL for physical replication */
	bool		local;			/* Unix socket */
	int			address_len;	/* 4, 16, or 0 if not TCP */
	uint8		address[16];	/* network byte order */

	/* transport */
	bool		ssl;
	TlsVersion	tls_version;
	const char *version;		/* as pg_stat_ssl.version; NULL without TLS */
	const char *cipher;			/* as pg_stat_ssl.cipher */
	int			bits;			/* as pg_stat_ssl.bits */
	const char *key_exchange;	/* group or method; NULL if not known */

	/* identity */
	bool		verified;		/* a certificate that the server's CA verified */
	bool		anchor_gone;	/* of a live session: that CA is no longer in force */
	const CertFacts *cert;		/* NULL if none was presented or read */
	bool		unreadable;		/* one was presented that cannot be read */
	bool		own_certificate;	/* the certificate has one of the server's keys, and
									 * comes from the server's own machine, or, with
									 * UNKNOWN_ADDRESS, may come from there */
	const char *auth_method;	/* as in pg_hba.conf; NULL if not known */
} Facts;

/*
 * Makes a digest of a serial number, and of the identity of the CA that issued the
 * certificate: that by which it is looked up in an index of CRLs.  False if it cannot.
 */
typedef bool (*SerialDigest)(const uint8 *issuer, const char *serial, uint8 *digest);

/* decimal digits, a sign and a zero byte of the longest serial that is read (x509.h) */
#define MAX_SERIAL_TEXT 312

/* Room that what identifies a certificate and so many CAs always fits in. */
#define IDENTITY_ROOM(ncas) \
	(sizeof(CertFacts) + 16 + MAX_SERIAL_TEXT + \
	 (ncas) * (1 + FINGERPRINT_LEN + CA_IDENTITY_LEN + SERIAL_DIGEST_LEN))

/*
 * The CA that issued a CA of a chain, or, for -1, the peer's certificate.  The last one
 * is the root, which is its own issuer.
 */
static inline const CaFacts *
issuer_in_chain(const CertFacts *cert, int ca)
{
	return &cert->cas[Min(ca + 1, cert->ncas - 1)];
}

extern char *address_text(const Facts *facts);
extern bool is_cut_name(const CertFacts *cert, const char *name);
extern char *pack_cert(const CertFacts *cert, size_t limit, size_t *size);
extern char *pack_cert_within(const CertFacts *cert, size_t room, SerialDigest digest,
							  size_t *size);
extern CertFacts *unpack_cert(const char *bytes, size_t size);

#endif							/* SSLPOLICY_FACTS_H */
