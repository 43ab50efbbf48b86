/*-------------------------------------------------------------------------
 *
 * crlreader.c
 *		Reads files of CRLs as a stream, entry by entry.
 *
 * OpenSSL makes objects of every entry: a second and 276 MB for a million.
 * Here the list of entries is taken off the DER as it flows by, into a digest
 * that the signature is verified against.  What is left of the CRL, which is
 * small, is given to OpenSSL and judged by read_crl(), as every CRL is.
 *
 * DER is taken strictly: input is hostile until its signature is verified, and
 * that comes after the last entry.
 *
 * Never looks at a clock, and never decides whether a CRL is good enough.
 *
 *-------------------------------------------------------------------------
 */
#include "revocation/crlreader.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/escape.h"
#include "pki/x509.h"

#define MAX_ENTRY 65536
#define MAX_TBS	  0x3FFFFFFF	/* of one that has to be kept; palloc's limit */

#define REASON_REMOVE_FROM_CRL 8

/* One entry; its serial points into the window. */
typedef struct Entry
{
	Slice		serial;
	int64		since;
	int			reason;
} Entry;

struct CrlReader
{
	CrlStream	stream;
	const CrlSink *sink;

	/* a CRL */
	uint64		crl_end;		/* offsets in it */
	uint64		tbs_end;
	int			entries;		/* read so far */
	StringInfoData tbs_head;	/* the head of its TBSCertList */
	StringInfoData shell;		/* the content of that without the entries */
	size_t		algorithm_pos;	/* in the shell */
	size_t		algorithm_len;
	char	   *unsupported;	/* the first reason that the entries give */
	X509_CRL   *parsed;			/* the shell as OpenSSL sees it */

	/* its signature */
	bool		known_scheme;
	SignatureScheme scheme;
	EVP_MD_CTX *tbs_digest;
	uint8	   *tbs;			/* what is signed, where the scheme has no digest */
	size_t		tbs_len;
	size_t		tbs_size;
};

/*
 * Memory of OpenSSL's goes with free_crl_reader().
 */
CrlReader *
new_crl_reader(const CrlInput *input)
{
	CrlReader  *reader = palloc0(sizeof(CrlReader));

	init_crl_stream(&reader->stream, input);
	reader->tbs_digest = EVP_MD_CTX_new();
	return reader;
}

/*
 * Free what OpenSSL allocated, not the struct.  (void *, so that it can be a
 * memory context's callback.)
 */
void
free_crl_reader(void *reader)
{
	CrlReader  *r = reader;

	free_crl_stream(&r->stream);
	EVP_MD_CTX_free(r->tbs_digest);
	X509_CRL_free(r->parsed);
	r->tbs_digest = NULL;
	r->parsed = NULL;
}

static bool
fail(CrlReader *r, const char *what)
{
	return fail_crl_stream_at(&r->stream, what);
}

/*
 * Is it the OID 2.5.29.last, the arc of all extensions that matter here?
 */
static bool
is_extension(const Slice *oid, uint8 last)
{
	return slice_len(oid) == 3 && oid->pos[0] == 0x55 && oid->pos[1] == 0x1D &&
		oid->pos[2] == last;
}

/*
 * The reason in an extension's value.  -1 if it is none.
 */
static int
parse_reason(Slice value)
{
	Slice		reason;

	if (!next_der_slice(&value, TAG_ENUMERATED, &reason) || value.pos != value.end ||
		slice_len(&reason) != 1 || reason.pos[0] >= 0x80)
		return -1;
	return reason.pos[0];
}

static void
note_unsupported(CrlReader *r, char *why)
{
	if (r->unsupported == NULL)
		r->unsupported = why;
}

static void
note_critical(CrlReader *r, const Slice *oid)
{
	const unsigned char *pos = oid->pos - 2;
	ASN1_OBJECT *object = slice_len(oid) < 0x80 ?
		d2i_ASN1_OBJECT(NULL, &pos, (long) slice_len(oid) + 2) :
		NULL;
	char		text[128];

	if (object == NULL || OBJ_obj2txt(text, sizeof(text), object, 1) <= 0)
		text[0] = '\0';
	ASN1_OBJECT_free(object);
	ERR_clear_error();
	note_unsupported(r, psprintf("it has the unknown critical extension %s", text));
}

/*
 * Is it the content of an OID (X.690 section 8.19.2): whole numbers, in their
 * shortest form?
 */
static bool
is_oid(const Slice *oid)
{
	bool		starts = true;

	for (const uint8 *pos = oid->pos; pos < oid->end; pos++)
	{
		if (starts && *pos == 0x80)
			return false;
		starts = *pos < 0x80;
	}
	return starts && oid->pos < oid->end;
}

/*
 * One extension of an entry: OID, critical, value.
 */
static bool
parse_extension(CrlReader *r, Slice *from, Slice *oid, bool *critical, Slice *value)
{
	Slice		content;
	Slice		flag;

	*critical = false;
	if (!next_der_slice(from, TAG_SEQUENCE, &content) || !next_der_slice(&content, TAG_OID, oid) ||
		!is_oid(oid))
		return false;
	if (content.pos < content.end && content.pos[0] == TAG_BOOLEAN)
	{
		/* some CAs write the default, FALSE */
		if (!next_der_slice(&content, TAG_BOOLEAN, &flag) || slice_len(&flag) != 1 ||
			(flag.pos[0] != 0 && flag.pos[0] != 0xFF))
			return false;
		*critical = flag.pos[0] != 0;
	}
	return next_der_slice(&content, TAG_OCTET_STRING, value) && content.pos == content.end;
}

/*
 * The extensions of an entry.  NULL, or what is wrong with them.
 */
static const char *
parse_extensions(CrlReader *r, Slice extensions, Entry *entry)
{
	bool		has_reason = false;
	Slice		unknown = {NULL, NULL};
	bool		indirect = false;

	if (extensions.pos == extensions.end)
		return "its list of extensions is empty";
	while (extensions.pos < extensions.end)
	{
		Slice		oid;
		Slice		value;
		bool		critical;

		if (!parse_extension(r, &extensions, &oid, &critical, &value))
			return "its extensions are not in DER";
		if (is_extension(&oid, 21))
		{
			entry->reason = has_reason ? -1 : parse_reason(value);
			has_reason = true;
			if (entry->reason < 0)
				return "its reason cannot be read";
		}
		indirect |= is_extension(&oid, 29);
		if (critical && unknown.pos == NULL)
			unknown = oid;
	}
	if (indirect)
		note_unsupported(r, pstrdup("it is an indirect CRL"));
	else if (unknown.pos)
		note_critical(r, &unknown);
	return NULL;
}

/*
 * The content of one entry.  NULL, or what is wrong with it.
 */
static const char *
parse_entry(CrlReader *r, Slice content, Entry *entry)
{
	Slice		extensions;

	entry->reason = 0;
	if (!next_der_integer(&content, &entry->serial))
		return "its serial number is no INTEGER in DER";
	if (slice_len(&entry->serial) > MAX_SERIAL)
		return "its serial number is too long";
	if (!next_der_time(&content, &entry->since))
		return "its revocation date is not of the form of RFC 5280";
	if (content.pos == content.end)
		return NULL;
	if (!next_der_slice(&content, TAG_SEQUENCE, &extensions) || content.pos != content.end)
		return "there is something unknown behind its revocation date";
	return parse_extensions(r, extensions, entry);
}

/*
 * The entries up to the offset end.
 */
static bool
read_entries(CrlReader *r, uint64 end, const CrlSink *sink)
{
	CrlStream  *s = &r->stream;

	for (s->entry = 0; stream_position(s) < end; s->entry++)
	{
		Element		element;
		Entry		entry;
		Slice		content;
		const char *wrong;

		if (!get_crl_element(s, end, MAX_ENTRY, &element))
			return false;
		if (element.tag != TAG_SEQUENCE)
			return fail(r, "it is no SEQUENCE");
		content.pos = s->window + s->pos + element.head;
		content.end = content.pos + element.len;
		wrong = parse_entry(r, content, &entry);
		if (wrong)
			return fail(r, wrong);
		if (s->entry == INT_MAX - 1)
			return fail(r, "there are too many entries");
		/* what it takes off the list is not revoked, as OpenSSL has it, too */
		if (sink && entry.reason != REASON_REMOVE_FROM_CRL)
			sink->entry(sink->arg, s->crl, entry.serial.pos, (int) slice_len(&entry.serial),
						entry.since, entry.reason);
		s->pos += element.head + (size_t) element.len;
	}
	r->entries = s->entry;
	s->entry = -1;
	return true;
}

/*
 * Append the next element to buf, which stays bounded.
 */
static bool
keep_element(CrlReader *r, StringInfo buf, uint64 within, int tag, const char *missing)
{
	CrlStream  *s = &r->stream;
	Element		element;
	size_t		size;

	if (!get_crl_element(s, within, CRL_MAX_ELEMENT, &element))
		return false;
	if (element.tag != tag)
		return fail(r, missing);
	size = element.head + (size_t) element.len;
	if ((size_t) buf->len + size > CRL_MAX_ELEMENT)
		return fail(r, "an element is too long");
	appendBinaryStringInfo(buf, (char *) s->window + s->pos, (int) size);
	s->pos += size;
	return true;
}

static bool
keep_in_shell(CrlReader *r, int tag, const char *missing)
{
	return keep_element(r, &r->shell, r->tbs_end, tag, missing);
}

/*
 * The tag of the next element of the TBSCertList; 0 at its end, -1 with an
 * error.
 */
static int
next_tag(CrlReader *r)
{
	Element		element;

	if (stream_position(&r->stream) == r->tbs_end)
		return 0;
	return peek_crl_element(&r->stream, r->tbs_end, &element) ? element.tag : -1;
}

static bool
is_time(int tag)
{
	return tag == TAG_UTC_TIME || tag == TAG_GENERALIZED_TIME;
}

static bool
read_version(CrlReader *r)
{
	static const uint8 v2[] = {TAG_INTEGER, 1, 1};
	int			tag = next_tag(r);

	if (tag == TAG_CONTEXT_0)
		return fail(r, "it is a certificate");
	/* version 1 */
	if (tag == TAG_SEQUENCE)
		return true;
	if (!keep_in_shell(r, TAG_INTEGER, "it is no CRL"))
		return false;
	if (r->shell.len != sizeof(v2) || memcmp(r->shell.data, v2, sizeof(v2)) != 0)
		return fail(r, "it is not a CRL of version 1 or 2");
	return true;
}

/*
 * What comes before the entries: version, algorithm, issuer and dates.
 */
static bool
read_prefix(CrlReader *r)
{
	int			tag;

	if (!read_version(r))
		return false;
	r->algorithm_pos = (size_t) r->shell.len;
	if (!keep_in_shell(r, TAG_SEQUENCE, "its signature algorithm is missing"))
		return false;
	r->algorithm_len = (size_t) r->shell.len - r->algorithm_pos;
	if (!keep_in_shell(r, TAG_SEQUENCE, "its issuer is missing"))
		return false;
	tag = next_tag(r);
	if (!is_time(tag))
		return fail(r, "its thisUpdate is missing");
	if (!keep_in_shell(r, tag, ""))
		return false;
	tag = next_tag(r);
	return is_time(tag) ? keep_in_shell(r, tag, "") : tag >= 0;
}

/*
 * Bytes of the TBSCertList: keep what its signature is verified against.
 */
static bool
take_tbs(void *arg, const uint8 *bytes, size_t len)
{
	CrlReader  *r = arg;

	if (r->scheme.digest)
		return EVP_DigestUpdate(r->tbs_digest, bytes, len) == 1 || fail_crl_stream_digest(&r->stream);
	if (len > MAX_TBS - r->tbs_len)
		return fail(r, "it is too long for a signature without a digest");
	if (r->tbs_len + len > r->tbs_size)
	{
		r->tbs_size = Min(Max(2 * r->tbs_size, r->tbs_len + len), MAX_TBS);
		r->tbs = r->tbs ? repalloc(r->tbs, r->tbs_size) : palloc(r->tbs_size);
	}
	memcpy(r->tbs + r->tbs_len, bytes, len);
	r->tbs_len += len;
	return true;
}

/*
 * Learn what the signature is made of, and take what has been read of what is
 * signed.
 */
static bool
begin_verification(CrlReader *r)
{
	const unsigned char *pos = (unsigned char *) r->shell.data + r->algorithm_pos;
	X509_ALGOR *algorithm = d2i_X509_ALGOR(NULL, &pos, (long) r->algorithm_len);

	if (algorithm == NULL)
	{
		ERR_clear_error();
		return fail(r, "its signature algorithm cannot be read");
	}
	r->known_scheme = read_signature_scheme(algorithm, &r->scheme);
	X509_ALGOR_free(algorithm);
	if (!r->known_scheme)
		return true;
	if (r->scheme.digest && EVP_DigestInit_ex(r->tbs_digest, r->scheme.digest, NULL) != 1)
		return fail_crl_stream_digest(&r->stream);
	r->tbs_len = 0;
	start_crl_tap(&r->stream, take_tbs, r);
	return take_tbs(r, (uint8 *) r->tbs_head.data, (size_t) r->tbs_head.len) &&
		take_tbs(r, (uint8 *) r->shell.data, (size_t) r->shell.len);
}

/*
 * revokedCertificates, if that is what comes next.
 */
static bool
read_list(CrlReader *r, const CrlSink *sink)
{
	CrlStream  *s = &r->stream;
	Element		list;

	r->entries = 0;
	if (next_tag(r) != TAG_SEQUENCE)
		return s->error == NULL;
	if (!peek_crl_element(s, r->tbs_end, &list))
		return false;
	s->pos += list.head;
	return read_entries(r, stream_position(s) + list.len, sink);
}

static bool
read_tbs(CrlReader *r, bool verify, const CrlSink *sink)
{
	if (!read_prefix(r) || (verify && !begin_verification(r)) || !read_list(r, sink))
		return false;
	if (next_tag(r) == TAG_CONTEXT_0 && !keep_in_shell(r, TAG_CONTEXT_0, ""))
		return false;
	if (next_tag(r) != 0)
		return fail(r, "there is an unknown element");
	return !verify || stop_crl_tap(&r->stream);
}

/*
 * The algorithm once more, which must be the signed one, and the signature.
 */
static bool
read_signature(CrlReader *r, StringInfo tail)
{
	Slice		bits;
	Slice		content;

	if (!keep_element(r, tail, r->crl_end, TAG_SEQUENCE, "its signature algorithm is missing"))
		return false;
	if ((size_t) tail->len != r->algorithm_len ||
		memcmp(tail->data, r->shell.data + r->algorithm_pos, r->algorithm_len) != 0)
		return fail(r, "its signature algorithm is not the one that is signed");
	if (!keep_element(r, tail, r->crl_end, TAG_BIT_STRING, "its signature is missing"))
		return false;
	bits.pos = (uint8 *) tail->data + r->algorithm_len;
	bits.end = (uint8 *) tail->data + tail->len;
	if (!next_der_slice(&bits, TAG_BIT_STRING, &content) || slice_len(&content) < 2 ||
		content.pos[0] != 0)
		return fail(r, "its signature is no string of whole bytes");
	return stream_position(&r->stream) == r->crl_end || fail(r, "there is an unknown element");
}

static void
append_head(StringInfo buf, int len)
{
	appendStringInfoChar(buf, TAG_SEQUENCE);
	appendStringInfoChar(buf, (char) 0x83);
	appendStringInfoChar(buf, (char) (len >> 16));
	appendStringInfoChar(buf, (char) (len >> 8));
	appendStringInfoChar(buf, (char) len);
}

/*
 * The CRL without its entries.  Its lengths are longer than they need be, which
 * OpenSSL does not mind.
 */
static bool
parse_shell(CrlReader *r, StringInfo tail)
{
	StringInfoData der;
	const unsigned char *pos;

	initStringInfo(&der);
	append_head(&der, r->shell.len + 5 + tail->len);
	append_head(&der, r->shell.len);
	appendBinaryStringInfo(&der, r->shell.data, r->shell.len);
	appendBinaryStringInfo(&der, tail->data, tail->len);
	pos = (unsigned char *) der.data;
	X509_CRL_free(r->parsed);
	r->parsed = d2i_X509_CRL(NULL, &pos, der.len);
	pfree(der.data);
	ERR_clear_error();
	return r->parsed != NULL || fail(r, "it is not valid apart from its entries");
}

static void
add_ca(X509 ***list, int *count, X509 *ca)
{
	Size		size = sizeof(X509 *) * (Size) (*count + 1);

	*list = *list ? repalloc(*list, size) : palloc(size);
	(*list)[(*count)++] = ca;
}

/*
 * The CAs that issued the CRL, and all that have its issuer's name.
 */
static bool
find_issuers(CrlReader *r, const CasByName *cas, FileCrl *crl)
{
	const ASN1_BIT_STRING *signature;
	uint8		digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int			first;
	bool		has_digest = r->known_scheme && r->scheme.digest;

	if (has_digest && EVP_DigestFinal_ex(r->tbs_digest, digest, &len) != 1)
		return fail_crl_stream_digest(&r->stream);
	X509_CRL_get0_signature(r->parsed, &signature, NULL);
	first = find_cas_by_name(cas, X509_CRL_get_issuer(r->parsed));
	for (int i = first; i < cas->count && cas->sorted[i].hash == cas->sorted[first].hash; i++)
	{
		X509	   *ca = sk_X509_value(cas->cas, cas->sorted[i].position);

		if (!is_crl_named_after(r->parsed, ca))
			continue;
		add_ca(&crl->named, &crl->nnamed, ca);
		if (r->known_scheme && may_issue_crl(ca, r->parsed) &&
			has_signed_crl(ca, &r->scheme, ASN1_STRING_get0_data(signature),
						   (size_t) ASN1_STRING_length(signature),
						   has_digest ? digest : r->tbs, has_digest ? len : r->tbs_len))
			add_ca(&crl->issuers, &crl->nissuers, ca);
	}
	return true;
}

/*
 * The heads of CertificateList and TBSCertList.
 */
static bool
read_heads(CrlReader *r)
{
	CrlStream  *s = &r->stream;
	Element		list;
	Element		tbs;

	if (!peek_crl_element(s, PG_UINT64_MAX, &list))
		return false;
	if (list.tag != TAG_SEQUENCE)
		return fail(r, "it is no CRL");
	s->pos += list.head;
	r->crl_end = stream_position(s) + list.len;
	if (!peek_crl_element(s, r->crl_end, &tbs))
		return false;
	if (tbs.tag != TAG_SEQUENCE)
		return fail(r, "it is no CRL");
	resetStringInfo(&r->tbs_head);
	appendBinaryStringInfo(&r->tbs_head, (char *) s->window + s->pos, (int) tbs.head);
	s->pos += tbs.head;
	r->tbs_end = stream_position(s) + tbs.len;
	return true;
}

/*
 * What read_crl() says of the shell, with what it cannot know.
 */
static bool
describe_crl(CrlReader *r, FileCrl *crl)
{
	crl->facts = read_crl(r->parsed);
	if (crl->facts == NULL)
		return fail(r, "its issuer or its dates cannot be read");
	crl->facts->entries = r->entries;
	if (crl->facts->unsupported == NULL)
		crl->facts->unsupported = r->unsupported;
	return true;
}

/*
 * Bytes of a CRL whose entries are wanted: all of them.  Where they cannot be taken, nothing
 * is wrong with the CRL, and it must not be passed over: its entries would be missing.
 */
static bool
hand_on(void *arg, const uint8 *bytes, size_t len)
{
	CrlReader  *r = arg;

	if (r->sink->der(r->sink->arg, r->stream.crl, bytes, len))
		return true;
	r->stream.broken = true;
	return fail(r, psprintf("its copy cannot be written: %s", strerror(errno)));
}

static bool
read_one(CrlReader *r, const CasByName *cas, const CrlSink *sink, FileCrl *crl)
{
	uint8		fingerprint[FINGERPRINT_LEN];
	StringInfoData tail;
	bool		ok;

	memset(crl, 0, sizeof(FileCrl));
	crl->number = r->stream.crl;
	r->unsupported = NULL;
	resetStringInfo(&r->shell);
	initStringInfo(&tail);
	r->sink = sink;
	if (sink && sink->der && cas == NULL)
		start_crl_tap(&r->stream, hand_on, r);
	ok = read_heads(r) && read_tbs(r, cas != NULL, sink) && read_signature(r, &tail) &&
		end_crl_in_stream(&r->stream, fingerprint) && stop_crl_tap(&r->stream) &&
		parse_shell(r, &tail) && describe_crl(r, crl) &&
		(cas == NULL || find_issuers(r, cas, crl));
	if (ok)
		memcpy(crl->facts->fingerprint, fingerprint, FINGERPRINT_LEN);
	pfree(tail.data);
	return ok;
}

/*
 * Note the error, and go on behind what cannot be read.  False if that is not possible.
 */
static bool
pass_over(CrlReader *r, CrlFile *file)
{
	char	   *error = r->stream.error;

	if (!pass_over_crl_in_stream(&r->stream))
		return false;
	if (file->nbad < MAX_BAD_TOLD)
		file->bad[file->nbad] = error;
	else
		pfree(error);
	file->nbad++;
	return true;
}

static bool
read_file(CrlReader *r, const CasByName *cas, const CrlSink *sink, CrlFile *file)
{
	CrlStream  *s = &r->stream;
	int			size = 0;

	if (!open_crl_stream(s))
		return false;
	for (;;)
	{
		if (!next_crl_in_stream(s))
		{
			if (s->error == NULL)
				return true;
			if (!pass_over(r, file))
				return false;
			continue;
		}
		if (file->ncrls == size)
		{
			size = size ? 2 * size : 4;
			file->crls = file->crls ?
				repalloc(file->crls, sizeof(FileCrl) * (size_t) size) :
				palloc(sizeof(FileCrl) * (size_t) size);
		}
		if (read_one(r, cas, sink, &file->crls[file->ncrls]))
			file->ncrls++;
		else if (!pass_over(r, file))
			return false;
	}
}

/*
 * Read a file of CRLs from its start to its end.
 *
 * cas are those that a CRL's issuers are looked for among; NULL if they are
 * known: then no signature is verified.  The entries go to sink, if that is not
 * NULL, before the signature of their CRL is verified, which comes last.  So
 * read twice: with cas first, then with the sink, and compare sha256.
 *
 * A CRL that is not supported, or that none of the CAs issued, is not an error.  What
 * cannot be read is passed over, and counted in nbad: file->bad says what is wrong and
 * where.  Its entries up to there have gone to sink.  Returns NULL with *error, the
 * first, if there is no CRL in the file that can be read.
 *
 * The certificates of the result, and the CRLs' issuers, go with free_crl_reader().  A
 * reader reads once.  OpenSSL's error queue is left empty.
 */
CrlFile *
read_crls(CrlReader *reader, const CasByName *cas, const CrlSink *sink, char **error)
{
	CrlFile    *file = palloc0(sizeof(CrlFile));
	bool		ok;

	*error = NULL;
	if (reader->tbs_digest == NULL)
	{
		*error = pstrdup("out of memory");
		return NULL;
	}
	initStringInfo(&reader->tbs_head);
	initStringInfo(&reader->shell);
	ok = read_file(reader, cas, sink, file);
	ok = close_crl_stream(&reader->stream, file->sha256) && ok;
	if (reader->tbs)
		pfree(reader->tbs);
	reader->tbs = NULL;
	ERR_clear_error();
	file->certs = reader->stream.certs;
	*error = reader->stream.error;
	if (*error == NULL && file->nbad > 0 && file->ncrls == 0)
		*error = file->bad[0];
	return ok && file->ncrls > 0 ? file : NULL;
}
