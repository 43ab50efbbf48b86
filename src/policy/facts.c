/*-------------------------------------------------------------------------
 *
 * facts.c
 *		Certificate facts as one flat piece of memory, and back; addresses as text.
 *
 * The session table keeps certificates of very different sizes in shared
 * memory, where pointers mean nothing.  A packed certificate is a header of
 * fixed size, the fingerprints and identities of the CAs, and zero-terminated
 * strings in a fixed order.  Both directions are written from the same list of
 * strings.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/facts.h"

#include <arpa/inet.h>

typedef struct PackedHeader
{
	CertFacts	cert;			/* its pointers are not meaningful */
	bool		has_cn;
} PackedHeader;

/* of each CA, before the strings */
#define PACKED_CA_LEN (FINGERPRINT_LEN + CA_IDENTITY_LEN)

/* what replaces a string that was cut; also the end of every cut list */
#define CUT_MARK "[cut]"

/*
 * Append a string, or as much of it as room allows, marked.  Returns false if
 * it was cut.
 */
static bool
append_bounded(StringInfo buf, const char *text, size_t limit)
{
	size_t		len = strlen(text);
	size_t		used = (size_t) buf->len;
	size_t		room = limit > used + sizeof(CUT_MARK) ?
		limit - used - sizeof(CUT_MARK) :
		0;

	if (len <= room)
	{
		appendBinaryStringInfo(buf, text, (int) len + 1);
		return true;
	}
	appendBinaryStringInfo(buf, text, (int) room);
	appendBinaryStringInfo(buf, CUT_MARK, sizeof(CUT_MARK));
	return false;
}

/*
 * Pack a certificate in at most about limit bytes (the fixed part, and a mark
 * for each string that was cut, come on top).  Sets *size.
 *
 * The order is from what identifies most to what is longest, so that a
 * certificate with too many names loses names first.
 */
char *
pack_cert(const CertFacts *cert, size_t limit, size_t *size)
{
	StringInfoData buf;
	PackedHeader header;
	bool		whole = true;
	int			ncas = cert->ncas;
	int			nsans;

	initStringInfo(&buf);
	memset(&header, 0, sizeof(header));
	header.cert = *cert;
	header.has_cn = (cert->cn != NULL);
	limit += sizeof(header);
	appendBinaryStringInfo(&buf, (char *) &header, sizeof(header));

	for (int i = 0; i < ncas; i++)
	{
		appendBinaryStringInfo(&buf, (const char *) cert->cas[i].fingerprint,
							   FINGERPRINT_LEN);
		appendBinaryStringInfo(&buf, (const char *) cert->cas[i].identity,
							   CA_IDENTITY_LEN);
	}
	limit += (size_t) ncas * PACKED_CA_LEN;

	whole &= append_bounded(&buf, cert->serial, limit);
	for (int i = 0; i < ncas; i++)
		whole &= append_bounded(&buf, cert->cas[i].serial, limit);
	whole &= append_bounded(&buf, cert->key_algorithm, limit);
	whole &= append_bounded(&buf, cert->signature_algorithm, limit);
	whole &= append_bounded(&buf, cert->cn ? cert->cn : "", limit);
	whole &= append_bounded(&buf, cert->subject_dn, limit);
	whole &= append_bounded(&buf, cert->issuer_dn, limit);
	for (int i = 0; i < ncas; i++)
		whole &= append_bounded(&buf, cert->cas[i].subject_dn, limit);
	for (nsans = 0; nsans < cert->nsans && whole; nsans++)
		whole &= append_bounded(&buf, cert->sans[nsans], limit);
	if (nsans == 0 && cert->nsans > 0)
	{
		/* no room for any: the mark alone says that there were some */
		appendBinaryStringInfo(&buf, CUT_MARK, sizeof(CUT_MARK));
		nsans = 1;
	}
	if (nsans < cert->nsans)
		whole = false;

	header.cert.nsans = nsans;
	header.cert.cut = !whole;
	memcpy(buf.data, &header, sizeof(header));
	*size = (size_t) buf.len;
	return buf.data;
}

/*
 * The next string of a packed certificate; "" at the end of a damaged one.
 */
static char *
next_string(const char **pos, const char *end)
{
	const char *start = *pos;
	const char *zero = memchr(start, '\0', (size_t) (end - start));

	if (zero == NULL)
		return pstrdup("");
	*pos = zero + 1;
	return pstrdup(start);
}

/*
 * Unpack what pack_cert has packed; everything is in fresh memory.  Returns
 * NULL if size cannot hold a certificate.
 */
CertFacts *
unpack_cert(const char *bytes, size_t size)
{
	PackedHeader header;
	CertFacts  *cert;
	const char *pos = bytes + sizeof(header);
	const char *end = bytes + size;

	if (size < sizeof(header))
		return NULL;
	memcpy(&header, bytes, sizeof(header));
	if (header.cert.ncas < 0 || header.cert.nsans < 0 ||
		(size_t) header.cert.ncas > (size - sizeof(header)) / PACKED_CA_LEN ||
		(size_t) header.cert.nsans > size)
		return NULL;

	cert = palloc(sizeof(CertFacts));
	*cert = header.cert;
	cert->cas = palloc(sizeof(CaFacts) * (size_t) (cert->ncas + 1));
	cert->sans = palloc(sizeof(char *) * (size_t) (cert->nsans + 1));

	for (int i = 0; i < cert->ncas; i++, pos += PACKED_CA_LEN)
	{
		memcpy(cert->cas[i].fingerprint, pos, FINGERPRINT_LEN);
		memcpy(cert->cas[i].identity, pos + FINGERPRINT_LEN, CA_IDENTITY_LEN);
	}
	cert->serial = next_string(&pos, end);
	for (int i = 0; i < cert->ncas; i++)
		cert->cas[i].serial = next_string(&pos, end);
	cert->key_algorithm = next_string(&pos, end);
	cert->signature_algorithm = next_string(&pos, end);
	cert->cn = next_string(&pos, end);
	if (!header.has_cn)
		cert->cn = NULL;
	cert->subject_dn = next_string(&pos, end);
	cert->issuer_dn = next_string(&pos, end);
	for (int i = 0; i < cert->ncas; i++)
		cert->cas[i].subject_dn = next_string(&pos, end);
	for (int i = 0; i < cert->nsans; i++)
		cert->sans[i] = next_string(&pos, end);
	return cert;
}

/*
 * The client's address without its port; "[local]" for a Unix socket.
 */
char *
address_text(const Facts *facts)
{
	char		text[INET6_ADDRSTRLEN];

	if (facts->address_len == 0 ||
		inet_ntop(facts->address_len == 4 ? AF_INET : AF_INET6, facts->address,
				  text, sizeof(text)) == NULL)
		return pstrdup("[local]");
	return pstrdup(text);
}
