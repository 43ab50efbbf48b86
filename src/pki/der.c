/*-------------------------------------------------------------------------
 *
 * der.c
 *		DER, element by element, without objects.
 *
 * For lists of millions of elements.  Takes it strictly: lengths are definite
 * and in their shortest form.
 *
 *-------------------------------------------------------------------------
 */
#include "pki/der.h"

/*
 * Read the head of an element.  NULL, or what is wrong with it.
 */
const char *
parse_der_head(const uint8 *bytes, size_t len, Element *element)
{
	size_t		count;

	if (len < 2)
		return "the end is missing";
	element->tag = bytes[0];
	if ((bytes[0] & 0x1F) == 0x1F)
		return "a tag of several bytes has no place in a CRL";
	element->head = 2;
	element->len = bytes[1];
	if (bytes[1] < 0x80)
		return NULL;
	count = bytes[1] & 0x7F;
	if (count == 0)
		return "a length is not definite";
	if (count > DER_MAX_HEAD - 2)
		return "a length is not plausible";
	if (len < 2 + count)
		return "the end is missing";
	element->head += count;
	element->len = 0;
	for (size_t i = 0; i < count; i++)
		element->len = element->len << 8 | bytes[2 + i];
	if (bytes[2] == 0 || element->len < 0x80)
		return "a length is not in its shortest form";
	return NULL;
}

/*
 * The next element of a slice, which is moved on.  False if there is none, not
 * one of this tag, or not in DER.
 */
bool
next_der_slice(Slice *from, int tag, Slice *content)
{
	Element		element;
	size_t		rest = (size_t) (from->end - from->pos);

	if (rest == 0 || from->pos[0] != tag ||
		parse_der_head(from->pos, rest, &element) != NULL ||
		element.len > rest - element.head)
		return false;
	content->pos = from->pos + element.head;
	content->end = content->pos + element.len;
	from->pos = content->end;
	return true;
}

/*
 * The next element, which must be an INTEGER in its shortest form (X.690
 * section 8.3.2).
 */
bool
next_der_integer(Slice *from, Slice *content)
{
	size_t		len;

	if (!next_der_slice(from, TAG_INTEGER, content))
		return false;
	len = slice_len(content);
	return len == 1 || (len > 1 && !((content->pos[0] == 0 && content->pos[1] < 0x80) || (content->pos[0] == 0xFF && content->pos[1] >= 0x80)));
}

/*
 * A number of two digits; -1 if there are none.
 */
static int
two_digits(const uint8 *text)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return -1;
	return (text[0] - '0') * 10 + text[1] - '0';
}

static int
days_of_month(int year, int month)
{
	static const uint8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/*
 * Days since 1970-01-01.  Counts years from March, so that a leap day is the
 * last of its year.
 */
static int64
days_since_1970(int year, int month, int day)
{
	int64		y = month > 2 ? year : year - 1;
	int64		m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/*
 * The next element, which must be a time in a form of RFC 5280 section 4.1.2.5:
 * UTC, with seconds, and nothing behind them.  Gives seconds since 1970.
 */
bool
next_der_time(Slice *from, int64 *seconds)
{
	bool		utc = from->pos < from->end && from->pos[0] == TAG_UTC_TIME;
	Slice		text;
	int			part[7];		/* century, year, month, day, hour, minute, second */
	int			first = utc ? 1 : 0;
	int			year;

	if (!next_der_slice(from, utc ? TAG_UTC_TIME : TAG_GENERALIZED_TIME, &text) ||
		slice_len(&text) != (utc ? 13 : 15) || text.end[-1] != 'Z')
		return false;
	for (int i = first; i < 7; i++)
		if ((part[i] = two_digits(text.pos + 2 * (i - first))) < 0)
			return false;
	if (utc)
		part[0] = part[1] < 50 ? 20 : 19;
	year = part[0] * 100 + part[1];
	if (part[2] < 1 || part[2] > 12 || part[3] < 1 || part[3] > days_of_month(year, part[2]) ||
		part[4] > 23 || part[5] > 59 || part[6] > 59)
		return false;
	/* year 0 has no March before it */
	if (year == 0)
		return false;
	*seconds = days_since_1970(year, part[2], part[3]) * 86400 +
		part[4] * 3600 + part[5] * 60 + part[6];
	return true;
}
