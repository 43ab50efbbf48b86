/*-------------------------------------------------------------------------
 *
 * test_escape.c
 *		Escaped forms: printable, injective, reversible where people read them.
 *
 * That append_dn_value() writes what OpenSSL writes is shown in
 * test_x509_names.c.
 *
 *-------------------------------------------------------------------------
 */
#include "base/escape.h"
#include "tap.h"

static bool
is_printable(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7E)
			return false;
	return true;
}

/*
 * What escape_bytes() has made, back to bytes; the length, or -1 if it is not
 * an escaped form.
 */
static int
decode(const char *text, unsigned char *bytes)
{
	int			len = 0;

	for (const char *c = text; *c; c++)
	{
		if (*c == '\\')
		{
			if (hex_value(c[1]) < 0 || hex_value(c[2]) < 0)
				return -1;
			bytes[len++] = (unsigned char) (hex_value(c[1]) << 4 | hex_value(c[2]));
			c += 2;
		}
		else
			bytes[len++] = (unsigned char) *c;
	}
	return len;
}

static void
test_escape_bytes(void)
{
	static const struct
	{
		const char *bytes;
		int			len;
		const char *escaped;
	} cases[] =
		{
			{"", 0, ""},
			{"app", 3, "app"},
			{"app", 2, "ap"},
			{" ~", 2, " ~"},
			{"\x7F\x80\xFF", 3, "\\7F\\80\\FF"},
			{"a\0b", 3, "a\\00b"},
			{"\n\r\t\x1B", 4, "\\0A\\0D\\09\\1B"},
			{"\\", 1, "\\5C"},
			{"\\0A", 3, "\\5C0A"},
			{"\xC3\xA9", 2, "\\C3\\A9"},
			{"%u'\";,", 6, "%u'\";,"},
		};
	int			wrong = 0;

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_str(escape_bytes(cases[i].bytes, cases[i].len), cases[i].escaped,
			   "escaped form of \"%s\"", cases[i].escaped);

	/* a form that can be turned back is injective */
	for (int pair = 0; pair < 0x10000; pair++)
	{
		char		bytes[2] = {(char) (pair >> 8), (char) pair};
		unsigned char back[2];
		char	   *escaped = escape_bytes(bytes, 2);

		if (!is_printable(escaped) || decode(escaped, back) != 2 ||
			memcmp(back, bytes, 2) != 0)
			wrong++;
		pfree(escaped);
	}
	is_int(wrong, 0, "all pairs of bytes have a printable escaped form that turns back");
}

static void
test_append(void)
{
	StringInfoData buf;
	const uint8 bytes[] = {0x00, 0x0F, 0xA5, 0xFF};

	initStringInfo(&buf);
	append_escaped(&buf, "x\n", 2);
	append_escaped(&buf, "y", 1);
	is_str(buf.data, "x\\0Ay", "append_escaped appends");

	resetStringInfo(&buf);
	append_hex(&buf, bytes, 4);
	append_hex(&buf, bytes, 0);
	is_str(buf.data, "000fa5ff", "append_hex writes two lower-case digits a byte");
}

static void
test_hex_value(void)
{
	const char *digits = "0123456789abcdef";
	int			wrong = 0;

	for (int c = 0; c < 256; c++)
	{
		const char *digit = c == 0 ? NULL :
									 strchr(digits, c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);

		if (hex_value((char) c) != (digit ? (int) (digit - digits) : -1))
			wrong++;
	}
	is_int(wrong, 0, "hex_value is right for all bytes");
}

static void
test_dn_value(void)
{
	static const struct
	{
		const char *value;
		const char *escaped;
	} cases[] =
		{
			{"", ""},
			{"app", "app"},
			{"a,b", "a\\,b"},
			{"+\"\\<>;", "\\+\\\"\\\\\\<\\>\\;"},
			{"a=b", "a=b"},
			{"#x", "\\#x"},
			{"x#", "x#"},
			/* alone, OpenSSL takes it for the last character, not the first */
			{"#", "#"},
			{" x ", "\\ x\\ "},
			{" ", "\\ "},
			{"  ", "\\ \\ "},
			{"   ", "\\  \\ "},
			{"a b", "a b"},
			{"\xC3\xA9", "\\C3\\A9"},
			{"a\nb", "a\\0Ab"},
			{"\x7F", "\\7F"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		append_dn_value(&buf, cases[i].value, true, true);
		is_str(buf.data, cases[i].escaped, "attribute value \"%s\" in a DN",
			   cases[i].value);
	}
}

static void
test_unescape_high_bytes(void)
{
	static const struct
	{
		const char *text;
		const char *readable;
	} cases[] =
		{
			{"", ""},
			{"app", "app"},
			{"\\C3\\A9", "\xC3\xA9"},
			{"\\c3\\a9", "\xC3\xA9"},
			{"x\\80y\\FFz", "x\x80y\xFFz"},
			/* what is below 0x80 stays escaped */
			{"\\0A\\00\\7F", "\\0A\\00\\7F"},
			{"\\5C", "\\5C"},
			/* a backslash of the name itself does not begin an escape */
			{"\\5CC3", "\\5CC3"},
			{"\\\\C3", "\\\\C3"},
			{"\\\\\\C3", "\\\\\xC3"},
			{"CN=a\\,b", "CN=a\\,b"},
			/* not an escape, or not a whole one */
			{"\\C", "\\C"},
			{"\\Cx", "\\Cx"},
			{"\\", "\\"},
			{"x\\", "x\\"},
		};
	int			wrong = 0;

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_str(unescape_high_bytes(cases[i].text), cases[i].readable,
			   "\"%s\" for people", cases[i].text);

	for (int pair = 0; pair < 0x10000; pair++)
	{
		char		bytes[2] = {(char) (pair >> 8), (char) pair};
		char	   *escaped = escape_bytes(bytes, 2);
		char	   *readable = unescape_high_bytes(escaped);

		for (char *c = readable; *c; c++)
			if ((unsigned char) *c < 0x20 || *c == 0x7F)
				wrong++;
		pfree(readable);
		pfree(escaped);
	}
	is_int(wrong, 0, "no control character comes back");
}

int
main(void)
{
	test_escape_bytes();
	test_append();
	test_hex_value();
	test_dn_value();
	test_unescape_high_bytes();
	return done_testing();
}
