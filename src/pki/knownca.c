/*-------------------------------------------------------------------------
 *
 * knownca.c
 *		CAs that have been read before.
 *
 * To read the CAs of a chain takes longer than to read the client's certificate, and
 * they are the same in each login.  So whoever loads CAs for others can have them read at
 * once (generation.c).
 *
 * What was read hangs on the object that it was read from, and is freed with it.  The
 * chain that OpenSSL has verified consists of the very objects of the store, except for
 * what the client has sent.  So nothing has to be looked up or compared, and what was
 * read of one CA cannot be taken for that of another, nor for one that was there before.
 * An object that nobody has read in advance is read when it is needed.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/knownca.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "pki/x509.h"

static int	ex_index = -1;
static CaKeyMaker make_keys = NULL;

/*
 * An object is copied.  Its copy may be changed, so that it has to be read itself.
 */
static int
copy_nothing(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data,
			 int index, long argl, void *argp)
{
	*data = NULL;
	return 1;
}

static void
free_reading(void *parent, void *data, CRYPTO_EX_DATA *ex_data, int index,
			 long argl, void *argp)
{
	OPENSSL_free(data);
}

/*
 * key_maker makes the keys of CAs that are read in advance; it can be NULL.  False if OpenSSL
 * cannot be told.  Without this, no CA is known.
 */
bool
init_known_cas(CaKeyMaker key_maker)
{
	make_keys = key_maker;
	if (ex_index < 0)
		ex_index = X509_get_ex_new_index(0, NULL, NULL, copy_nothing, free_reading);
	return ex_index >= 0;
}

/*
 * The same in one piece of OpenSSL's memory, since it lives and goes with an object of
 * OpenSSL's.  NULL if there is none left.
 */
static CaFacts *
in_one_piece(const CaFacts *facts)
{
	size_t		points = (size_t) facts->points.count * POINT_LEN;
	size_t		subject = strlen(facts->subject_dn) + 1;
	size_t		serial = strlen(facts->serial) + 1;
	CaFacts    *result = OPENSSL_malloc(sizeof(CaFacts) + points + subject + serial);

	if (result == NULL)
		return NULL;
	*result = *facts;
	result->points.digests = (uint8 *) (result + 1);
	result->subject_dn = (char *) result->points.digests + points;
	result->serial = result->subject_dn + subject;
	memcpy(result->points.digests, facts->points.digests, points);
	memcpy(result->subject_dn, facts->subject_dn, subject);
	memcpy(result->serial, facts->serial, serial);
	return result;
}

/*
 * Read a CA for all who will ask for it in this process, and in those that it forks.
 * False if it cannot be read, or kept: then whoever needs it reads it, and sees why.
 */
bool
remember_ca(X509 *ca)
{
	CaFacts		facts;
	CaFacts    *kept = NULL;
	bool		ok = known_ca(ca) != NULL;

	if (ok || ex_index < 0)
		return ok;
	if (read_ca(ca, &facts))
	{
		if (make_keys)
			make_keys(&facts);
		kept = in_one_piece(&facts);
	}
	ok = kept != NULL && X509_set_ex_data(ca, ex_index, kept) == 1;
	if (!ok)
		OPENSSL_free(kept);
	ERR_clear_error();
	return ok;
}

/*
 * What was read of a CA, as long as there is the object; NULL if it was not.
 */
const CaFacts *
known_ca(const X509 *ca)
{
	return ex_index < 0 ? NULL : X509_get_ex_data(ca, ex_index);
}
