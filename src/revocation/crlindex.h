/*-------------------------------------------------------------------------
 *
 * crlindex.h
 *		A file that tells whether a certificate is revoked, in one read.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLINDEX_H
#define SSLPOLICY_CRLINDEX_H

#include "pki/distpoint.h"
#include "revocation/crlkey.h"

#define CRL_BUILD_ID_LEN 16

typedef enum CrlRecordKind
{
	CRL_RECORD_ENTRY = 1,		/* a revoked certificate */
	CRL_RECORD_ISSUER,			/* a CA whose CRL is in the index, for all
								 * certificates, or for some: see crlkey.c */
	CRL_RECORD_NOTE				/* a CA with CRLs for some certificates, or with one
								 * that could not be used */
} CrlRecordKind;

/* As it stands in the file: 32 bytes without a hole. */
typedef struct CrlRecord
{
	int64		since;			/* of an entry: when it was revoked; of an
								 * issuer: its CRL's nextUpdate, PG_INT64_MAX if
								 * it has none.  Seconds since 1970-01-01 UTC */
	uint8		key[CRL_KEY_LEN];
	uint8		reason;			/* RFC 5280; 0 where none is given */
	uint8		kind;			/* CrlRecordKind */
	uint16		unused;			/* zero */
} CrlRecord;

/* A CRL that an index was built from, with one of the CAs that issued it. */
typedef struct IndexedCrl
{
	char	   *path;
	char	   *issuer_dn;
	char	   *number;			/* decimal; NULL if it has none */
	int64		this_update;	/* seconds since 1970-01-01 UTC */
	bool		has_next_update;
	int64		next_update;
	int			entries;
	uint8		fingerprint[FINGERPRINT_LEN];	/* SHA-256 of the CRL's DER */
	uint8		ca_fingerprint[FINGERPRINT_LEN];
	uint8		identity[CA_IDENTITY_LEN];	/* the CA's */
	CrlScope	scope;			/* read from an index, it has digest and text alone */
	bool		kept;			/* its file has gone, or gone bad */
} IndexedCrl;

#define UNREAD_FILE	 1			/* a file has never been read */
#define UNREAD_NAMES 2			/* a CRL could not be used, and its issuer's name is noted */

/* What the builder's caller says of an index. */
typedef struct CrlIndexLabel
{
	uint8		build_id[CRL_BUILD_ID_LEN]; /* random: no other build has it */
	uint8		sources[FINGERPRINT_LEN];	/* of what it was built from */
	uint8		settings[FINGERPRINT_LEN];	/* under which it was */
	uint8		copies[FINGERPRINT_LEN];	/* of the file with copies of its CRLs */
	uint32		unread;			/* UNREAD_FILE, UNREAD_NAMES, or both */
} CrlIndexLabel;

/* building */

typedef struct CrlIndexBuilder CrlIndexBuilder;

typedef struct CrlIndexOutput
{
	/* false with errno */
	bool		(*write)(void *arg, const void *bytes, size_t len);
	void	   *arg;
} CrlIndexOutput;

extern CrlIndexBuilder *new_crl_index_builder(void (*pause)(void));
extern void free_crl_index_builder(void *builder);
extern void add_indexed_crl(CrlIndexBuilder *builder, const IndexedCrl *crl);
extern void add_unread_issuer(CrlIndexBuilder *builder, const uint8 *identity);
extern void add_unread_name(CrlIndexBuilder *builder, const char *issuer_dn);
extern void add_indexed_source(CrlIndexBuilder *builder, const char *path);
extern void add_indexed_entry(CrlIndexBuilder *builder, const uint8 *identity,
							  const uint8 *serial, int len, int64 since, int reason);
extern bool write_crl_index(CrlIndexBuilder *builder, const CrlIndexLabel *label,
							const CrlIndexOutput *output, char **error);

/* reading */

typedef struct CrlIndexInput
{
	/* how many bytes it got, fewer only at the end of the file; -1 with errno */
	ssize_t		(*read)(void *arg, void *buf, size_t size, uint64 offset);
	void	   *arg;
} CrlIndexInput;

/* An open index, free to be copied: nothing needs to be closed. */
typedef struct CrlIndex
{
	CrlIndexInput input;
	CrlIndexLabel label;
	uint32		nblocks;
	uint32		ncrls;
	uint32		nsources;
	uint64		nrecords;		/* entries, issuers and notes, none twice */
	uint64		crls_offset;
	uint64		crls_len;
	uint32		crls_crc;
} CrlIndex;

typedef enum CrlLookup
{
	CRL_NOT_FOUND,
	CRL_FOUND,
	CRL_DAMAGED
} CrlLookup;

extern bool open_crl_index(CrlIndex *index, const CrlIndexInput *input, char **error);
extern CrlLookup lookup_crl_index(const CrlIndex *index, const uint8 *key,
								  CrlRecord *record, char **error);
extern IndexedCrl *read_indexed_crls(const CrlIndex *index, int *ncrls, char **error);
extern char **read_indexed_sources(const CrlIndex *index, int *nsources, char **error);
extern bool check_crl_index(const CrlIndex *index, void (*pause)(void), char **error);

#endif							/* SSLPOLICY_CRLINDEX_H */
