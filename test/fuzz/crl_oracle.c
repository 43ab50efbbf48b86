/*-------------------------------------------------------------------------
 *
 * crl_oracle.c
 *		What crlreader.c reads, and what OpenSSL does.
 *
 * crlreader.c may refuse what OpenSSL takes, but only for one of the reasons
 * listed here, and only where that is the case.  It must never read anything
 * else than OpenSSL.
 *
 *-------------------------------------------------------------------------
 */
#include "crl_oracle.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "fuzz.h"

#define MAX_LOOKUPS 20

typedef struct Memory
{
	const uint8 *bytes;
	size_t		len;
	size_t		pos;
	size_t		chunk;
} Memory;

static ssize_t
read_memory(void *arg, char *buf, size_t size)
{
	Memory	   *m = arg;
	size_t		len = Min(Min(size, m->chunk), m->len - m->pos);

	memcpy(buf, m->bytes + m->pos, len);
	m->pos += len;
	return (ssize_t) len;
}

static void
keep(void *arg, int crl, const uint8 *serial, int len, int64 since, int reason)
{
	Reading    *r = arg;
	ReadEntry  *entry;

	if (r->nentries == r->size)
	{
		r->size = r->size * 2 + 64;
		r->entries = r->entries ? repalloc(r->entries, sizeof(ReadEntry) * (Size) r->size) :
								  palloc(sizeof(ReadEntry) * (Size) r->size);
	}
	entry = &r->entries[r->nentries++];
	*entry = (ReadEntry){
		crl,
		palloc((Size) len + 1),
		len,
		since,
		reason,
	};
	memcpy(entry->serial, serial, (size_t) len);
}

Reading
read_file_of_crls(const uint8 *bytes, size_t len, size_t chunk, STACK_OF(X509) *cas)
{
	Reading		reading = {0};
	Memory		memory = {bytes, len, 0, chunk};
	CrlInput	input = {read_memory, &memory, NULL};
	CrlSink		sink = {.entry = keep, .arg = &reading};
	CrlReader  *reader = new_crl_reader(&input);

	reading.file = read_crls(reader, cas ? sort_cas_by_name(cas) : NULL, &sink, &reading.error);
	reading.ncerts = reading.file ? sk_X509_num(reading.file->certs) : 0;
	free_crl_reader(reader);
	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	HOLDS((reading.file == NULL) == (reading.error != NULL), "refused without a reason, or with one accepted");
	HOLDS(reading.file == NULL || memory.pos == len, "%zu bytes of %zu were read", memory.pos, len);
	return reading;
}

static void
same_facts(const CrlFacts *a, const CrlFacts *b)
{
	HOLDS(strcmp(a->issuer_dn, b->issuer_dn) == 0, "issuer %s, not %s", a->issuer_dn, b->issuer_dn);
	HOLDS(same_text(a->number, b->number), "number %s, not %s", shown(a->number), shown(b->number));
	HOLDS(a->this_update == b->this_update && a->has_next_update == b->has_next_update &&
			  a->next_update == b->next_update,
		  "other dates");
	HOLDS(a->entries == b->entries, "%d entries, not %d", a->entries, b->entries);
	HOLDS(same_text(a->unsupported, b->unsupported), "not supported because %s, or %s",
		  shown(a->unsupported), shown(b->unsupported));
	HOLDS(memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_LEN) == 0, "another fingerprint");
}

/*
 * Two readings of the same thing in two forms.
 */
void
same_readings(const Reading *a, const Reading *b, const char *what)
{
	HOLDS((a->file == NULL) == (b->file == NULL), "%s: %s, or %s", what, shown(a->error), shown(b->error));
	if (a->file == NULL)
		return;
	HOLDS(a->file->ncrls == b->file->ncrls && a->nentries == b->nentries, "%s: another number", what);
	for (int i = 0; i < a->file->ncrls; i++)
		same_facts(a->file->crls[i].facts, b->file->crls[i].facts);
	for (int i = 0; i < a->nentries; i++)
	{
		const ReadEntry *x = &a->entries[i];
		const ReadEntry *y = &b->entries[i];

		HOLDS(x->crl == y->crl && x->len == y->len && memcmp(x->serial, y->serial, (size_t) x->len) == 0 &&
				  x->since == y->since && x->reason == y->reason,
			  "%s: entry %d", what, i + 1);
	}
}

static int64
seconds_of(const ASN1_TIME *time)
{
	struct tm	tm;

	HOLDS(ASN1_TIME_to_tm(time, &tm) == 1, "OpenSSL cannot read a date");
	return timegm(&tm);
}

/*
 * The reason of an entry as OpenSSL reads it; -1 if it cannot.
 */
static int
reason_of(const X509_REVOKED *entry)
{
	int			critical;
	ASN1_ENUMERATED *value = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, NULL);
	int			reason = value ? (int) ASN1_ENUMERATED_get(value) : critical == -1 ? 0 :
																			 -1;

	ASN1_ENUMERATED_free(value);
	return reason;
}

/*
 * Is one of the CRLs that were read this one, to the last entry?
 */
void
compare_with_openssl(const Reading *reading, int number, X509_CRL *crl)
{
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(crl);
	int			count = list ? sk_X509_REVOKED_num(list) : 0;
	int			next = 0;
	CrlFacts   *facts = read_crl(crl);
	int			lookups = 0;

	HOLDS(facts, "read_crl() reads it only without its entries");
	same_facts(reading->file->crls[number].facts, facts);
	while (next < reading->nentries && reading->entries[next].crl < number)
		next++;
	for (int i = 0; i < count; i++)
	{
		const X509_REVOKED *entry = sk_X509_REVOKED_value(list, i);
		const ASN1_INTEGER *serial = X509_REVOKED_get0_serialNumber(entry);
		int			reason = reason_of(entry);
		unsigned char *der = NULL;
		int			len = i2d_ASN1_INTEGER(serial, &der);
		int			head = der[1] < 0x80 ? 2 : 2 + (der[1] & 0x7F);

		HOLDS(reason >= 0, "entry %d has a reason that OpenSSL cannot read", i + 1);
		/* what is taken off the list is not on it */
		if (reason != CRL_REASON_REMOVE_FROM_CRL)
		{
			const ReadEntry *ours;

			HOLDS(next < reading->nentries, "entry %d is missing", i + 1);
			ours = &reading->entries[next];
			HOLDS(ours->crl == number, "entry %d is missing", i + 1);
			HOLDS(ours->len == len - head && memcmp(ours->serial, der + head, (size_t) ours->len) == 0,
				  "entry %d has another serial number", i + 1);
			HOLDS(ours->since == seconds_of(X509_REVOKED_get0_revocationDate(entry)),
				  "entry %d has another date", i + 1);
			HOLDS(ours->reason == reason, "entry %d has reason %d, not %d", i + 1, ours->reason, reason);
			next++;
		}
		OPENSSL_free(der);
	}
	HOLDS(next == reading->nentries || reading->entries[next].crl > number,
		  "there are entries that OpenSSL does not have");

	/* only now: looking up sorts the list */
	for (int i = 0; i < reading->nentries && lookups < MAX_LOOKUPS && facts->unsupported == NULL; i++)
	{
		const ReadEntry *ours = &reading->entries[i];
		BIGNUM	   *number_of = BN_new();
		ASN1_INTEGER *serial;
		X509_REVOKED *found = NULL;
		bool		negative = ours->serial[0] >= 0x80;

		if (ours->crl == number && !negative)
		{
			BN_bin2bn(ours->serial, ours->len, number_of);
			serial = BN_to_ASN1_INTEGER(number_of, NULL);
			HOLDS(X509_CRL_get0_by_serial(crl, &found, serial) >= 1, "OpenSSL does not find entry %d", i + 1);
			ASN1_INTEGER_free(serial);
			lookups++;
		}
		BN_free(number_of);
	}
}

/*
 * Is it DER through and through: lengths definite and in their shortest form,
 * lists and sets constructed, no strings in pieces, truth values 00 or FF?
 */
static bool
is_der(const uint8 *pos, const uint8 *end)
{
	while (pos < end)
	{
		uint8		tag = pos[0];
		size_t		len;
		size_t		count = 0;

		if (end - pos < 2 || (tag & 0x1F) == 0x1F)
			return false;
		len = pos[1];
		if (len >= 0x80)
		{
			count = len & 0x7F;
			if (count == 0 || count > 4 || (size_t) (end - pos) < 2 + count || pos[2] == 0)
				return false;
			len = 0;
			for (size_t i = 0; i < count; i++)
				len = len << 8 | pos[2 + i];
			if (len < 0x80)
				return false;
		}
		pos += 2 + count;
		if (len > (size_t) (end - pos))
			return false;
		if (tag == 0x10 || tag == 0x11)
			return false;
		if (tag == 0x01 && (len != 1 || (pos[0] != 0 && pos[0] != 0xFF)))
			return false;
		if ((tag & 0x20) && ((tag < 0x40 && tag != 0x30 && tag != 0x31) || !is_der(pos, pos + len)))
			return false;
		pos += len;
	}
	return true;
}

/*
 * A date as RFC 5280 wants it (section 4.1.2.5), in an own reading.
 */
static bool
is_rfc5280_time(const ASN1_TIME *time)
{
	const char *text = (const char *) ASN1_STRING_get0_data(time);
	int			digits = ASN1_STRING_type(time) == V_ASN1_UTCTIME ? 12 : 14;
	struct tm	tm = {0};
	struct tm	back;
	time_t		seconds;
	int			year;

	if (ASN1_STRING_length(time) != digits + 1 || text[digits] != 'Z' ||
		(int) strspn(text, "0123456789") != digits)
		return false;
	if (digits == 12)
	{
		sscanf(text, "%2d", &year);
		year += year < 50 ? 2000 : 1900;
	}
	else
		sscanf(text, "%4d", &year);
	text += digits - 10;
	tm.tm_year = year - 1900;
	sscanf(text, "%2d%2d%2d%2d%2d", &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
	tm.tm_mon--;
	back = tm;
	seconds = timegm(&back);
	return year > 0 && gmtime_r(&seconds, &back) && back.tm_mon == tm.tm_mon &&
		back.tm_mday == tm.tm_mday && back.tm_hour == tm.tm_hour && back.tm_min == tm.tm_min &&
		back.tm_sec == tm.tm_sec;
}

/* Does an entry have this wrong with it? */
typedef bool (*EntryTest)(const X509_REVOKED *entry);

/*
 * Two reasons, or one that is no ENUMERATED of one byte from 0 on and nothing
 * else?
 */
static bool
has_odd_reason(const X509_REVOKED *entry)
{
	int			first = X509_REVOKED_get_ext_by_NID(entry, NID_crl_reason, -1);
	const ASN1_OCTET_STRING *value;
	const uint8 *bytes;

	if (first < 0)
		return false;
	value = X509_EXTENSION_get_data(X509_REVOKED_get_ext(entry, first));
	bytes = ASN1_STRING_get0_data(value);
	return X509_REVOKED_get_ext_by_NID(entry, NID_crl_reason, first) >= 0 ||
		ASN1_STRING_length(value) != 3 || bytes[0] != 0x0A || bytes[1] != 1 || bytes[2] > 127;
}

static bool
has_long_serial(const X509_REVOKED *entry)
{
	/* one byte more for the sign */
	return ASN1_STRING_length(X509_REVOKED_get0_serialNumber(entry)) > 127;
}

static bool
has_other_date(const X509_REVOKED *entry)
{
	return !is_rfc5280_time(X509_REVOKED_get0_revocationDate(entry));
}

static bool
has_empty_extensions(const X509_REVOKED *entry)
{
	return X509_REVOKED_get0_extensions(entry) != NULL &&
		sk_X509_EXTENSION_num(X509_REVOKED_get0_extensions(entry)) == 0;
}

static bool
any_entry(X509_CRL *crl, EntryTest test)
{
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(crl);

	for (int i = 0; i < (list ? sk_X509_REVOKED_num(list) : 0); i++)
		if (test(sk_X509_REVOKED_value(list, i)))
			return true;
	return false;
}

/*
 * Is the algorithm in the TBSCertList another one than that outside?
 */
static bool
has_other_algorithm(const uint8 *der, size_t len, X509_CRL *crl)
{
	const unsigned char *pos = der;
	const X509_ALGOR *outer;
	X509_ALGOR *inner;
	long		content;
	int			tag;
	int			class;
	bool		result;

	/* into the list, into what is signed, past the version, which lists of version 1 lack */
	for (int i = 0; i < 2; i++)
		ASN1_get_object(&pos, &content, &tag, &class, (long) (der + len - pos));
	if (pos < der + len && *pos == V_ASN1_INTEGER)
	{
		ASN1_get_object(&pos, &content, &tag, &class, (long) (der + len - pos));
		pos += content;
	}
	inner = d2i_X509_ALGOR(NULL, &pos, (long) (der + len - pos));
	X509_CRL_get0_signature(crl, NULL, &outer);
	result = inner && X509_ALGOR_cmp(inner, outer) != 0;
	X509_ALGOR_free(inner);
	return result;
}

static bool
has_odd_signature(X509_CRL *crl)
{
	const ASN1_BIT_STRING *signature;

	X509_CRL_get0_signature(crl, &signature, NULL);
	return ASN1_STRING_length(signature) < 1 || (signature->flags & 0x07) != 0;
}

/*
 * Is the reason for which crlreader.c has refused what OpenSSL takes one that
 * it may refuse a CRL for, and the case?
 */
bool
is_good_reason(const char *error, const uint8 *der, size_t len, X509_CRL *crl)
{
#define SAYS(text) (strstr(error, text) != NULL)
	if (SAYS("it is not a CRL of version 1 or 2"))
		return X509_CRL_get_version(crl) != X509_CRL_VERSION_2;
	if (SAYS("its reason cannot be read"))
		return any_entry(crl, has_odd_reason) || !is_der(der, der + len);
	if (SAYS("its serial number is too long"))
		return any_entry(crl, has_long_serial);
	if (SAYS("its revocation date is not of the form of RFC 5280"))
		return any_entry(crl, has_other_date) || !is_der(der, der + len);
	if (SAYS("its list of extensions is empty"))
		return any_entry(crl, has_empty_extensions);
	if (SAYS("its signature algorithm is not the one that is signed"))
		return has_other_algorithm(der, len, crl) || !is_der(der, der + len);
	if (SAYS("its signature is no string of whole bytes"))
		return has_odd_signature(crl);
	if (SAYS("its issuer or its dates cannot be read"))
		return read_crl(crl) == NULL;
	if (SAYS("an element is too long"))
		return len > CRL_MAX_ELEMENT;
	/* whatever else is wrong with its form, OpenSSL takes only where it takes BER */
	return !is_der(der, der + len);
}
