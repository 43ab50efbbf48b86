/*-------------------------------------------------------------------------
 *
 * crlstream.h
 *		The DER of the CRLs in a file, a window of it at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLSTREAM_H
#define SSLPOLICY_CRLSTREAM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "pki/der.h"
#include "policy/facts.h"

#ifndef CRL_MAX_ELEMENT
#define CRL_MAX_ELEMENT 1048576 /* bytes that can be in the window at once */
#endif

/* of the lines that PEM blocks begin and end with */
#define CRL_MAX_LINE 128

/* Where the bytes come from. */
typedef struct CrlInput
{
	ssize_t		(*read)(void *arg, char *buf, size_t size); /* 0 at the end, -1
															 * with errno */
	void	   *arg;
	void		(*pause)(void); /* called every 64 kB or less, may longjmp
								 * away; NULL if nothing is to be done */
} CrlInput;

typedef struct CrlStream
{
	CrlInput	input;
	char	   *error;			/* the first; nothing is read after it */
	bool		broken;			/* it is about the file, not about a CRL in it */

	/* the file */
	uint8	   *raw;
	size_t		raw_pos;
	size_t		raw_len;
	bool		raw_ended;
	EVP_MD_CTX *file_digest;

	/* PEM */
	bool		pem;
	int			block;			/* counts from 1 */
	EVP_ENCODE_CTX *base64;
	bool		padded;			/* base64 has come to its "=" */
	size_t		line_len;		/* of the line of base64 that has begun */
	size_t		line_used;		/* up to its last character that is no blank */
	bool		any_line;		/* there has been one that is not empty */
	bool		empty_line;		/* there has been one that is */
	bool		short_line;		/* and one of less than PEM_LINE behind it */
	bool		has_unread;		/* a line to be read once more */
	char		unread[CRL_MAX_LINE];
	STACK_OF(X509) *certs;		/* that have come between CRLs */

	/* a CRL: its bytes that have come and not been read yet */
	int			crl;			/* counts from 0 */
	int			entry;			/* counts from 0; -1 outside the entries */
	uint8	   *window;
	size_t		pos;
	size_t		end;
	uint64		offset;			/* of the window in the CRL */
	bool		ended;			/* there are no more of them */
	EVP_MD_CTX *crl_digest;

	/* what is read goes here as well, after start_crl_tap() */
	bool		(*tap)(void *arg, const uint8 *bytes, size_t len);
	void	   *tap_arg;
	size_t		tapped;			/* up to here in the window */
} CrlStream;

extern void init_crl_stream(CrlStream *s, const CrlInput *input);
extern void free_crl_stream(CrlStream *s);
extern bool open_crl_stream(CrlStream *s);
extern bool next_crl_in_stream(CrlStream *s);
extern bool pass_over_crl_in_stream(CrlStream *s);
extern bool end_crl_in_stream(CrlStream *s, uint8 *fingerprint);
extern bool close_crl_stream(CrlStream *s, uint8 *sha256);

extern bool peek_crl_element(CrlStream *s, uint64 within, Element *element);
extern bool get_crl_element(CrlStream *s, uint64 within, size_t limit, Element *element);
extern void start_crl_tap(CrlStream *s, bool (*tap)(void *arg, const uint8 *bytes, size_t len),
						  void *arg);
extern bool stop_crl_tap(CrlStream *s);

extern bool fail_crl_stream_at(CrlStream *s, const char *what);
extern bool fail_crl_stream_digest(CrlStream *s);

/* where in the CRL it is */
static inline uint64
stream_position(const CrlStream *s)
{
	return s->offset + s->pos;
}

#endif							/* SSLPOLICY_CRLSTREAM_H */
