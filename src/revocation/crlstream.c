/*-------------------------------------------------------------------------
 *
 * crlstream.c
 *		The DER of the CRLs in a file, a window of it at a time.
 *
 * A file holds CRLs in PEM, text around them ignored as OpenSSL does, or one
 * in DER.  Whoever reads takes element after element: small ones whole, of
 * large ones the head.  No element that is got whole is over CRL_MAX_ELEMENT.
 *
 * Certificates between CRLs in PEM, which may have issued them, are kept.
 *
 *-------------------------------------------------------------------------
 */
#include "revocation/crlstream.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/escape.h"
#include "pki/pem.h"

/* fuzzers read less at a time, so that small files have many pieces */
#ifndef READ_SIZE
#define READ_SIZE 65536
#endif
#define WINDOW_SIZE (CRL_MAX_ELEMENT + DER_MAX_HEAD + 2 * READ_SIZE)
#define MAX_LINE	CRL_MAX_LINE

#define MAX_CERTIFICATE_TEXT 262144 /* base64 of a certificate's block */
#define PEM_LINE			 64 /* characters of base64 on a line */

#define PEM_DASHES		"-----"
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define CRL_BLOCK		"X509 CRL"

/* the types of certificates that OpenSSL takes (PEM_X509_INFO_read_bio) */
#define CERTIFICATE_BLOCK	  "CERTIFICATE"
#define OLD_CERTIFICATE_BLOCK "X509 CERTIFICATE"

/*
 * Memory of OpenSSL's goes with free_crl_stream().
 */
void
init_crl_stream(CrlStream *s, const CrlInput *input)
{
	memset(s, 0, sizeof(CrlStream));
	s->input = *input;
	s->crl = s->entry = -1;
	s->file_digest = EVP_MD_CTX_new();
	s->crl_digest = EVP_MD_CTX_new();
	s->base64 = EVP_ENCODE_CTX_new();
	s->certs = sk_X509_new_null();
}

/*
 * Free what OpenSSL allocated, not the struct.
 */
void
free_crl_stream(CrlStream *s)
{
	EVP_MD_CTX_free(s->file_digest);
	EVP_MD_CTX_free(s->crl_digest);
	EVP_ENCODE_CTX_free(s->base64);
	sk_X509_pop_free(s->certs, X509_free);
	s->certs = NULL;
	s->file_digest = s->crl_digest = NULL;
	s->base64 = NULL;
}

/*
 * Say what is wrong, and where.  The first error counts.  Returns false.
 */
bool
fail_crl_stream_at(CrlStream *s, const char *what)
{
	if (s->error)
		return false;
	if (s->entry >= 0)
		s->error = psprintf("CRL %d, entry %lld at byte %llu: %s", s->crl + 1,
							(long long) s->entry + 1,
							(unsigned long long) stream_position(s), what);
	else
		s->error = psprintf("CRL %d, byte %llu: %s", s->crl + 1,
							(unsigned long long) stream_position(s), what);
	return false;
}

/*
 * The same where there is no place in a CRL to point to.
 */
static bool
fail_file(CrlStream *s, char *what)
{
	if (s->error == NULL)
		s->error = what;
	s->broken = true;
	return false;
}

/*
 * The same for what is wrong with a PEM block.
 */
static bool
fail_block(CrlStream *s, char *what)
{
	if (s->error == NULL)
		s->error = what;
	return false;
}

bool
fail_crl_stream_digest(CrlStream *s)
{
	ERR_clear_error();
	return fail_file(s, pstrdup("OpenSSL failed to compute a digest"));
}

static bool
is_space(uint8 c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Read on in the file, as much as there is room for.  False at its end, or with
 * an error.
 */
static bool
read_raw(CrlStream *s)
{
	ssize_t		len = 1;

	if (s->raw_ended || s->error)
		return false;
	s->raw_pos = s->raw_len = 0;
	while (len > 0 && s->raw_len < READ_SIZE)
	{
		if (s->input.pause)
			s->input.pause();
		len = s->input.read(s->input.arg, (char *) s->raw + s->raw_len, READ_SIZE - s->raw_len);
		if (len < 0)
			return fail_file(s, psprintf("it cannot be read: %s", strerror(errno)));
		s->raw_len += (size_t) len;
	}
	s->raw_ended = len == 0;
	if (EVP_DigestUpdate(s->file_digest, s->raw, s->raw_len) != 1)
		return fail_crl_stream_digest(s);
	return s->raw_len > 0;
}

/*
 * The next line, cut if it is long.  Spaces and control characters at its end go,
 * as OpenSSL has it; those within make it another line, which a zero byte does,
 * too.  False at the end of the file, or with an error.
 */
static bool
read_line(CrlStream *s, char line[MAX_LINE])
{
	size_t		len = 0;
	bool		any = false;
	bool		longer = false;
	uint8	   *newline = NULL;

	if (s->has_unread)
	{
		memcpy(line, s->unread, MAX_LINE);
		s->has_unread = false;
		return s->error == NULL;
	}
	while (newline == NULL && (s->raw_pos < s->raw_len || read_raw(s)))
	{
		uint8	   *start = s->raw + s->raw_pos;
		size_t		rest = s->raw_len - s->raw_pos;
		size_t		room = MAX_LINE - 1 - len;

		any = true;
		newline = memchr(start, '\n', rest);
		if (newline)
			rest = (size_t) (newline - start);
		s->raw_pos += rest + (newline ? 1 : 0);
		memcpy(line + len, start, Min(rest, room));
		len += Min(rest, room);
		for (size_t i = room; i < rest && !longer; i++)
			longer = start[i] > ' ';
	}
	/* no line that is one only as far as it is kept */
	if (longer)
		line[MAX_LINE - 2] = '\1';
	while (len > 0 && (uint8) line[len - 1] <= ' ' && !longer)
		len--;
	for (size_t i = 0; i < len; i++)
		if (line[i] == '\0')
			line[i] = '\1';
	line[len] = '\0';
	return any && s->error == NULL;
}

/*
 * Have the next read_line() give this line once more.
 */
static void
unread_line(CrlStream *s, const char line[MAX_LINE])
{
	memcpy(s->unread, line, MAX_LINE);
	s->has_unread = true;
}

/*
 * The type that a line which begins or ends a PEM block names; NULL if it is
 * no such line.
 */
static char *
block_type(const char *line, const char *keyword)
{
	size_t		start = strlen(keyword);
	size_t		len = strlen(line);
	size_t		dashes = strlen(PEM_DASHES);

	if (strncmp(line, keyword, start) != 0 || len < start + dashes ||
		strcmp(line + len - dashes, PEM_DASHES) != 0)
		return NULL;
	return pnstrdup(line + start, len - start - dashes);
}

/*
 * A certificate's block, after its first line, which names this type.  One that cannot be
 * read may have issued nothing.
 */
static bool
take_certificate(CrlStream *s, const char *type)
{
	char		line[MAX_LINE];
	char	   *end_type;
	StringInfoData text;
	X509	   *cert = NULL;
	BIO		   *bio;

	initStringInfo(&text);
	appendStringInfoString(&text, PEM_BLOCK_BEGIN CERTIFICATE_BLOCK PEM_DASHES "\n");
	while (read_line(s, line) && strncmp(line, PEM_DASHES, strlen(PEM_DASHES)) != 0)
	{
		if (text.len > MAX_CERTIFICATE_TEXT)
			return fail_block(s, psprintf("the certificate in PEM block %d is too long", s->block));
		appendStringInfo(&text, "%s\n", line);
	}
	if (s->error)
		return false;
	end_type = block_type(line, PEM_BLOCK_END);
	if (end_type == NULL || strcmp(end_type, type) != 0)
	{
		if (line[0] != '\0')
			unread_line(s, line);
		return fail_block(s, psprintf("the certificate in PEM block %d does not end with a line " PEM_BLOCK_END "%s" PEM_DASHES, s->block, type));
	}
	pfree(end_type);
	appendStringInfoString(&text, PEM_BLOCK_END CERTIFICATE_BLOCK PEM_DASHES "\n");
	bio = BIO_new_mem_buf(text.data, text.len);
	if (bio)
		cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	pfree(text.data);
	ERR_clear_error();
	if (cert == NULL)
		return fail_block(s, psprintf("the certificate in PEM block %d cannot be read", s->block));
	if (s->certs == NULL || sk_X509_push(s->certs, cert) == 0)
	{
		X509_free(cert);
		return fail_file(s, pstrdup("out of memory"));
	}
	return true;
}

/*
 * What the first line of a block says that it is.
 */
static bool
is_certificate_type(const char *type)
{
	return strcmp(type, CERTIFICATE_BLOCK) == 0 || strcmp(type, OLD_CERTIFICATE_BLOCK) == 0;
}

/*
 * Go to the next CRL in PEM.  False if there is none, or with an error: a line
 * that begins as a block's first one does, but is none, is not taken for text.
 * A damaged CRL would go unnoticed, and OpenSSL is more lenient than this.
 */
static bool
find_block(CrlStream *s)
{
	char		line[MAX_LINE];
	bool		first = true;

	while (read_line(s, line))
	{
		char	   *text = line;
		char	   *type;
		bool		begins = first;

		first = false;

		/* OpenSSL passes over it where it begins to look for a block */
		if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		{
			text += strlen(BYTE_ORDER_MARK);
			if (!begins && strncmp(text, PEM_BLOCK_BEGIN, strlen(PEM_BLOCK_BEGIN) - 1) == 0)
			{
				s->block++;
				return fail_block(s, psprintf("PEM block %d comes after a byte order mark that has text before it", s->block));
			}
		}
		/* whatever comes behind it, also no space */
		if (strncmp(text, PEM_BLOCK_BEGIN, strlen(PEM_BLOCK_BEGIN) - 1) != 0)
			continue;
		type = block_type(text, PEM_BLOCK_BEGIN);
		s->block++;
		if (type == NULL)
			return fail_block(s, psprintf("the first line of PEM block %d is damaged", s->block));
		if (is_certificate_type(type))
		{
			if (!take_certificate(s, type))
				return false;
			pfree(type);
			first = true;
			continue;
		}
		if (strcmp(type, CRL_BLOCK) != 0)
			return fail_block(s, psprintf("PEM block %d is not a CRL but a \"%s\"", s->block, printable_text(type)));
		pfree(type);
		EVP_DecodeInit(s->base64);
		s->padded = s->any_line = s->empty_line = s->short_line = false;
		s->line_len = s->line_used = 0;
		return true;
	}
	return false;
}

/*
 * The base64 of a block is over, its last line follows.
 */
static bool
end_block(CrlStream *s)
{
	char		line[MAX_LINE];
	uint8		rest[64];
	int			len = 0;
	char	   *type;

	s->ended = true;
	if (EVP_DecodeFinal(s->base64, rest, &len) != 1 || len != 0)
		return fail_crl_stream_at(s, "its base64 is incomplete");
	if (!read_line(s, line))
		return fail_crl_stream_at(s, "its PEM block does not end");
	type = block_type(line, PEM_BLOCK_END);
	if (type == NULL || strcmp(type, CRL_BLOCK) != 0 || s->line_len > 0)
	{
		unread_line(s, line);
		return fail_crl_stream_at(s, "its PEM block does not end with a line " PEM_BLOCK_END CRL_BLOCK PEM_DASHES);
	}
	pfree(type);
	return true;
}

/*
 * A line of base64 is over.  To OpenSSL, and so to the server, what stands before an empty
 * line is a header.  That may be nothing; but then there is one empty line, and all others
 * are full but the last one.
 */
static bool
end_line(CrlStream *s)
{
	bool		wrong;

	if (s->line_used == 0)
	{
		wrong = s->empty_line || s->any_line;
		s->empty_line = true;
	}
	else
	{
		wrong = s->empty_line && (s->short_line || s->line_used > PEM_LINE);
		s->any_line = true;
		s->short_line = s->empty_line && s->line_used < PEM_LINE;
	}
	s->line_len = s->line_used = 0;
	return !wrong || fail_crl_stream_at(s, "its PEM block has an empty line");
}

/*
 * Go through the lines of len bytes of base64.
 */
static bool
check_lines(CrlStream *s, const uint8 *text, size_t len)
{
	const uint8 *end = text + len;

	while (text < end)
	{
		const uint8 *newline = memchr(text, '\n', (size_t) (end - text));
		size_t		size = (size_t) ((newline ? newline : end) - text);
		size_t		used = size;

		while (used > 0 && is_space(text[used - 1]))
			used--;
		if (used > 0)
			s->line_used = s->line_len + used;
		s->line_len += size;
		if (newline && !end_line(s))
			return false;
		text += size + (newline ? 1 : 0);
	}
	return true;
}

/*
 * Decode len bytes of base64 into the window.
 */
static bool
decode(CrlStream *s, const uint8 *text, size_t len)
{
	int			decoded = 0;
	int			state;

	/* nothing but white space may follow the padding */
	for (; s->padded && len > 0 && is_space(*text); len--)
		text++;
	if (len == 0)
		return true;
	state = s->padded ? -1 :
						EVP_DecodeUpdate(s->base64, s->window + s->end, &decoded, text, (int) len);
	if (state < 0)
		return fail_crl_stream_at(s, "its PEM block is not valid base64");
	s->padded = state == 0;
	if (EVP_DigestUpdate(s->crl_digest, s->window + s->end, (size_t) decoded) != 1)
		return fail_crl_stream_digest(s);
	s->end += (size_t) decoded;
	return true;
}

/*
 * Hand on what has been read.
 */
static bool
run_tap(CrlStream *s)
{
	size_t		from = s->tapped;

	s->tapped = s->pos;
	return s->tap == NULL || s->pos == from || s->tap(s->tap_arg, s->window + from, s->pos - from);
}

/*
 * From here on, what is read goes to tap as well.
 */
void
start_crl_tap(CrlStream *s, bool (*tap)(void *arg, const uint8 *bytes, size_t len), void *arg)
{
	s->tap = tap;
	s->tap_arg = arg;
	s->tapped = s->pos;
}

bool
stop_crl_tap(CrlStream *s)
{
	bool		ok = run_tap(s);

	s->tap = NULL;
	return ok;
}

/*
 * Get more of the CRL into the window.  False with an error.
 */
static bool
fill_window(CrlStream *s)
{
	const uint8 *start;
	const uint8 *dash;
	size_t		len;

	if (!run_tap(s))
		return false;
	memmove(s->window, s->window + s->pos, s->end - s->pos);
	s->offset += s->pos;
	s->end -= s->pos;
	s->pos = s->tapped = 0;

	if (s->raw_pos == s->raw_len && !read_raw(s))
	{
		s->ended = true;
		return s->error == NULL && (!s->pem || fail_crl_stream_at(s, "its PEM block does not end"));
	}
	start = s->raw + s->raw_pos;
	len = s->raw_len - s->raw_pos;
	if (!s->pem)
	{
		memcpy(s->window + s->end, start, len);
		s->end += len;
		s->raw_pos = s->raw_len;
		return true;
	}
	dash = memchr(start, '-', len);
	if (dash)
		len = (size_t) (dash - start);
	s->raw_pos += len;
	return check_lines(s, start, len) && decode(s, start, len) && (dash == NULL || end_block(s));
}

/*
 * How many bytes of the CRL can be read from the window, at least wanted
 * unless it ends before that.  s->error is set if there was one.
 */
static size_t
available(CrlStream *s, size_t wanted)
{
	while (s->end - s->pos < wanted && !s->ended && fill_window(s))
		;
	return s->end - s->pos;
}

/*
 * Look at the head of the next element, which must end at or before the offset
 * within.
 */
bool
peek_crl_element(CrlStream *s, uint64 within, Element *element)
{
	size_t		len = available(s, DER_MAX_HEAD);
	const char *wrong;

	if (s->error)
		return false;
	if (stream_position(s) >= within)
		return fail_crl_stream_at(s, "an element is missing");
	wrong = parse_der_head(s->window + s->pos, len, element);
	if (wrong)
		return fail_crl_stream_at(s, wrong);
	if (element->head + element->len > within - stream_position(s))
		return fail_crl_stream_at(s, "an element is longer than what it is part of");
	return true;
}

/*
 * Get the whole of the next element into the window.
 */
bool
get_crl_element(CrlStream *s, uint64 within, size_t limit, Element *element)
{
	size_t		size;

	if (!peek_crl_element(s, within, element))
		return false;
	if (element->len > limit)
		return fail_crl_stream_at(s, "an element is too long");
	size = element->head + (size_t) element->len;
	if (available(s, size) < size)
		return fail_crl_stream_at(s, "the end is missing");
	return s->error == NULL;
}

/*
 * DER begins with the head of a SEQUENCE, whose tag is the character 0.
 */
static bool
is_der(const CrlStream *s)
{
	return s->raw_len >= 2 && s->raw[0] == TAG_SEQUENCE &&
		((s->raw[1] >= 0x80 && s->raw[1] <= 0x80 + DER_MAX_HEAD - 2) ||
		 s->raw_len == (size_t) s->raw[1] + 2);
}

/*
 * Begin to read the file.  False, with s->error, if that is not possible.
 */
bool
open_crl_stream(CrlStream *s)
{
	if (!s->file_digest || !s->crl_digest || !s->base64)
		return fail_file(s, pstrdup("out of memory"));
	s->raw = palloc(READ_SIZE);
	s->window = palloc(WINDOW_SIZE);
	if (EVP_DigestInit_ex(s->file_digest, openssl_sha256(), NULL) != 1)
		return fail_crl_stream_digest(s);
	if (!read_raw(s))
		return fail_file(s, pstrdup("it is empty"));
	s->pem = !is_der(s);
	return true;
}

/*
 * Go to the next CRL, after the end_crl_in_stream() of the one before.  False if there
 * is none, which is an error where it is the first.
 */
bool
next_crl_in_stream(CrlStream *s)
{
	if (s->pem ? !find_block(s) : s->crl >= 0)
	{
		if (s->crl < 0 && s->error == NULL)
			(void) fail_file(s, pstrdup("there is no CRL in it"));
		return false;
	}
	s->crl++;
	s->pos = s->end = s->tapped = 0;
	s->offset = 0;
	s->ended = false;
	return EVP_DigestInit_ex(s->crl_digest, openssl_sha256(), NULL) == 1 || fail_crl_stream_digest(s);
}

/*
 * After an error: forget it, so that next_crl_in_stream() goes to the CRL behind the one
 * that cannot be read.  False if nothing can be read any more.
 */
bool
pass_over_crl_in_stream(CrlStream *s)
{
	if (s->broken)
		return false;
	s->error = NULL;
	s->tap = NULL;
	s->entry = -1;
	s->crl = Max(s->crl, 0);
	/* for the digest of the file */
	while (!s->pem && read_raw(s))
		;
	return !s->broken;
}

/*
 * Nothing may follow what has been read of the CRL.  The fingerprint is that of
 * its DER.
 */
bool
end_crl_in_stream(CrlStream *s, uint8 *fingerprint)
{
	unsigned int len;

	if (available(s, 1) > 0)
		return fail_crl_stream_at(s, "there are bytes after its end");
	if (s->error)
		return false;
	/* a DER file is its CRL */
	if (!s->pem && EVP_MD_CTX_copy_ex(s->crl_digest, s->file_digest) != 1)
		return fail_crl_stream_digest(s);
	return EVP_DigestFinal_ex(s->crl_digest, fingerprint, &len) == 1 || fail_crl_stream_digest(s);
}

/*
 * The digest of the whole file, which has been read to its end.
 */
bool
close_crl_stream(CrlStream *s, uint8 *sha256)
{
	unsigned int len;

	if (s->raw)
		pfree(s->raw);
	if (s->window)
		pfree(s->window);
	s->raw = s->window = NULL;
	if (s->error)
		return false;
	return EVP_DigestFinal_ex(s->file_digest, sha256, &len) == 1 || fail_crl_stream_digest(s);
}
