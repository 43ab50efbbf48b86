/*-------------------------------------------------------------------------
 *
 * facts.c
 *		Certificate facts as one flat piece of memory, and back; addresses as text.
 *
 * The session table keeps certificates of very different sizes in shared
 * memory, where pointers mean nothing.  A packed certificate is a header of
 * fixed size, what is of fixed size of the CAs, distribution points, and zero-terminated
 * strings in a fixed order: first serial numbers, then names.  Both directions
 * are written from the same list of strings.
 *
 * What identifies a certificate and its CAs is always whole, so that a session can be
 * told to be blocked or revoked however little room there is; names may be cut.  Where
 * there is not even room for the serial numbers of CAs, distribution points are left out,
 * too: without them it cannot be told whether a CRL for some certificates covers these.
 */
#include "policy/facts.h"

#include <arpa/inet.h>

typedef struct PackedHeader
{
	CertFacts	cert;			/* its pointers are not meaningful */
	bool		has_cn;
	bool		digests;		/* of the serials of CAs, in place of these */
} PackedHeader;

StaticAssertDecl(sizeof(PackedHeader) <= sizeof(CertFacts) + 16,
				 "the header has room in IDENTITY_ROOM");

/* what replaces the end of a name that was cut, and all names behind it */
#define CUT_MARK "[cut]"

/* A certificate that is being packed. */
typedef struct Packing
{
	StringInfoData buf;
	size_t		end;			/* as far as names may go */
	bool		cut;			/* there was no room for one */
} Packing;

/* of each CA, before the strings */
static size_t
packed_ca_len(bool digests)
{
	return 1 + FINGERPRINT_LEN + CA_IDENTITY_LEN + (digests ? SERIAL_DIGEST_LEN : 0);
}

/*
 * The points of the certificate, for -1, or of one of its CAs.
 */
static const CertPoints *
points_in_chain(const CertFacts *cert, int ca)
{
	return ca < 0 ? &cert->points : &cert->cas[ca].points;
}

/* bytes before the digests of points: how many, and whether it is a CA's certificate */
#define POINTS_HEAD 2

static size_t
points_size(const CertFacts *cert)
{
	size_t		size = 0;

	for (int i = -1; i < cert->ncas; i++)
		size += POINTS_HEAD + (size_t) points_in_chain(cert, i)->count * POINT_LEN;
	return size;
}

/*
 * How much what is never cut takes.
 */
static size_t
identity_size(const CertFacts *cert, bool digests)
{
	size_t		size = sizeof(PackedHeader) + (size_t) cert->ncas * packed_ca_len(digests) +
		strlen(cert->serial) + 1;

	for (int i = 0; !digests && i < cert->ncas; i++)
		size += strlen(cert->cas[i].serial) + 1;
	return digests ? size : size + points_size(cert);
}

static void
append_whole(Packing *p, const char *text)
{
	appendBinaryStringInfo(&p->buf, text, (int) strlen(text) + 1);
}

/*
 * Append a name, or as much of it as there is room for, with a mark.  Nothing follows
 * one that was cut; nor is there a mark where that has no room.
 */
static void
append_name(Packing *p, const char *text)
{
	size_t		used = (size_t) p->buf.len;
	size_t		room;

	if (p->cut)
		return;
	room = p->end > used + sizeof(CUT_MARK) ? p->end - used - sizeof(CUT_MARK) : 0;
	if (strlen(text) <= room)
	{
		append_whole(p, text);
		return;
	}
	p->cut = true;
	if (p->end < used + sizeof(CUT_MARK))
		return;
	appendBinaryStringInfo(&p->buf, text, (int) room);
	append_whole(p, CUT_MARK);
}

/*
 * What identifies the CAs.  False if there is no digest of a serial.
 */
static bool
append_cas(Packing *p, const CertFacts *cert, SerialDigest digest)
{
	for (int i = 0; i < cert->ncas; i++)
	{
		const CaFacts *ca = &cert->cas[i];
		uint8		bytes[SERIAL_DIGEST_LEN];

		appendStringInfoChar(&p->buf, ca->garbled ? 1 : 0);
		appendBinaryStringInfo(&p->buf, (const char *) ca->fingerprint, FINGERPRINT_LEN);
		appendBinaryStringInfo(&p->buf, (const char *) ca->identity, CA_IDENTITY_LEN);
		if (digest == NULL)
			continue;
		if (!digest(issuer_in_chain(cert, i)->identity, ca->serial, bytes))
			return false;
		appendBinaryStringInfo(&p->buf, (const char *) bytes, SERIAL_DIGEST_LEN);
	}
	return true;
}

/*
 * The points of the certificate and its CAs.
 */
static void
append_points(Packing *p, const CertFacts *cert)
{
	for (int i = -1; i < cert->ncas; i++)
	{
		const CertPoints *points = points_in_chain(cert, i);

		appendStringInfoChar(&p->buf, (char) points->count);
		appendStringInfoChar(&p->buf, points->is_ca ? 1 : 0);
		if (points->count > 0)
			appendBinaryStringInfo(&p->buf, (const char *) points->digests, points->count * POINT_LEN);
	}
}

/*
 * The order is from what identifies most to what is longest, so that a
 * certificate with too many names loses names first.
 */
static char *
pack(const CertFacts *cert, size_t limit, SerialDigest digest, size_t *size)
{
	Packing		p = {.end = identity_size(cert, digest != NULL) + limit};
	PackedHeader header;
	int			nsans = 0;

	initStringInfo(&p.buf);
	memset(&header, 0, sizeof(header));
	header.cert = *cert;
	header.has_cn = (cert->cn != NULL);
	header.digests = (digest != NULL);
	appendBinaryStringInfo(&p.buf, (char *) &header, sizeof(header));
	if (!append_cas(&p, cert, digest))
		return NULL;
	if (digest == NULL)
		append_points(&p, cert);
	append_whole(&p, cert->serial);
	for (int i = 0; digest == NULL && i < cert->ncas; i++)
		append_whole(&p, cert->cas[i].serial);

	append_name(&p, cert->key_algorithm);
	append_name(&p, cert->signature_algorithm);
	append_name(&p, cert->cn ? cert->cn : "");
	append_name(&p, cert->subject_dn);
	append_name(&p, cert->issuer_dn);
	for (int i = 0; i < cert->ncas; i++)
		append_name(&p, cert->cas[i].subject_dn);
	while (nsans < cert->nsans && !p.cut)
		append_name(&p, cert->sans[nsans++]);

	/* where there was no room for any, the mark alone says that there were some */
	header.cert.nsans = Max(nsans, Min(cert->nsans, 1));
	header.cert.cut = cert->cut || p.cut;
	memcpy(p.buf.data, &header, sizeof(header));
	*size = (size_t) p.buf.len;
	return p.buf.data;
}

/*
 * Pack a certificate as a login has it, with at most limit bytes of names; what
 * identifies it comes on top.  Sets *size.
 */
char *
pack_cert(const CertFacts *cert, size_t limit, size_t *size)
{
	return pack(cert, limit, NULL, size);
}

/*
 * The same in at most so much room, with as many names as there is room for.  With
 * digest given, of the serials of CAs only digests are kept: what identifies the
 * certificate has room then in IDENTITY_ROOM() of its CAs.  NULL if it has not, or if
 * there is no digest.
 */
char *
pack_cert_within(const CertFacts *cert, size_t room, SerialDigest digest, size_t *size)
{
	size_t		least = identity_size(cert, digest != NULL);

	return least <= room ? pack(cert, room - least, digest, size) : NULL;
}

/*
 * Points as append_points() has left them.  False if they are not there.
 */
static bool
next_points(const char **pos, const char *end, CertPoints *points)
{
	size_t		size;

	if (end - *pos < POINTS_HEAD)
		return false;
	points->known = true;
	points->count = (uint8) (*pos)[0];
	points->is_ca = (*pos)[1] != 0;
	*pos += POINTS_HEAD;
	size = (size_t) points->count * POINT_LEN;
	if (size > (size_t) (end - *pos))
		return false;
	points->digests = palloc(size + 1);
	memcpy(points->digests, *pos, size);
	*pos += size;
	return true;
}

/*
 * The next string of a packed certificate; one that is not there is what missing says.
 */
static char *
next_string(const char **pos, const char *end, const char *missing)
{
	const char *start = *pos;
	const char *zero = memchr(start, '\0', (size_t) (end - start));

	if (zero == NULL)
		return pstrdup(missing);
	*pos = zero + 1;
	return pstrdup(start);
}

/*
 * Is this name of a certificate perhaps not whole?
 */
bool
is_cut_name(const CertFacts *cert, const char *name)
{
	size_t		len = strlen(name);

	return cert->cut && len >= strlen(CUT_MARK) &&
		strcmp(name + len - strlen(CUT_MARK), CUT_MARK) == 0;
}

/*
 * Unpack what was packed; everything is in fresh memory.  Returns
 * NULL if size cannot hold a certificate.
 */
CertFacts *
unpack_cert(const char *bytes, size_t size)
{
	PackedHeader header;
	CertFacts  *cert;
	const char *pos = bytes + sizeof(header);
	const char *end = bytes + size;
	const char *missing;

	if (size < sizeof(header))
		return NULL;
	memcpy(&header, bytes, sizeof(header));
	if (header.cert.ncas < 0 || header.cert.nsans < 0 ||
		(size_t) header.cert.ncas > (size - sizeof(header)) / packed_ca_len(header.digests) ||
		(size_t) header.cert.nsans > size)
		return NULL;
	/* of one that is not cut, nothing is missing but by damage */
	missing = header.cert.cut ? CUT_MARK : "";

	cert = palloc(sizeof(CertFacts));
	*cert = header.cert;
	cert->cas = palloc0(sizeof(CaFacts) * (size_t) (cert->ncas + 1));
	cert->sans = palloc(sizeof(char *) * (size_t) (cert->nsans + 1));

	for (int i = 0; i < cert->ncas; i++, pos += packed_ca_len(header.digests))
	{
		CaFacts    *ca = &cert->cas[i];

		ca->garbled = pos[0] != 0;
		memcpy(ca->fingerprint, pos + 1, FINGERPRINT_LEN);
		memcpy(ca->identity, pos + 1 + FINGERPRINT_LEN, CA_IDENTITY_LEN);
		if (header.digests)
			memcpy(ca->serial_digest, pos + 1 + FINGERPRINT_LEN + CA_IDENTITY_LEN, SERIAL_DIGEST_LEN);
	}
	memset(&cert->points, 0, sizeof(CertPoints));
	if (!header.digests)
	{
		if (!next_points(&pos, end, &cert->points))
			return NULL;
		for (int i = 0; i < cert->ncas; i++)
			if (!next_points(&pos, end, &cert->cas[i].points))
				return NULL;
	}
	cert->serial = next_string(&pos, end, "");
	for (int i = 0; !header.digests && i < cert->ncas; i++)
		cert->cas[i].serial = next_string(&pos, end, "");
	cert->key_algorithm = next_string(&pos, end, missing);
	cert->signature_algorithm = next_string(&pos, end, missing);
	cert->cn = next_string(&pos, end, missing);
	if (!header.has_cn)
		cert->cn = NULL;
	cert->subject_dn = next_string(&pos, end, missing);
	cert->issuer_dn = next_string(&pos, end, missing);
	for (int i = 0; i < cert->ncas; i++)
		cert->cas[i].subject_dn = next_string(&pos, end, missing);
	for (int i = 0; i < cert->nsans; i++)
		cert->sans[i] = next_string(&pos, end, missing);
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
