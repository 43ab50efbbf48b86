/*-------------------------------------------------------------------------
 *
 * test_privatekeys.c
 *		Private keys in text: overwritten, and nothing else, whatever the text.
 *
 * With real keys, on a server: t/039_attackers_material.pl.
 *
 *-------------------------------------------------------------------------
 */
#include "base/privatekeys.h"
#include "tap.h"

#define HEAD  "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
#define BEGIN "-----BEGIN PRIVATE KEY-----"

static void
test_cases(void)
{
	static const struct
	{
		const char *text;
		const char *masked;
	} cases[] =
		{
			{"", ""},
			{BEGIN, BEGIN},
			{BEGIN HEAD, BEGIN "****************************************************"},
			{"PRIVATE KEY-----" HEAD, "PRIVATE KEY-----" HEAD},
			{BEGIN "\nMIIEvQIBADAN\nMIIEvQIBADAN\nAA==\n-----END", BEGIN "\n************\n************\n****\n-----END"},
			{BEGIN "MIIEvQIBADAN\nTRUNCATE\ncustomers", BEGIN "************\nTRUNCATE\ncustomers"},
			{BEGIN "MIIEvQIBADAN' || chr(10) || 'MIIEvQIBADAN'", BEGIN "************' || ******* || '************'"},
			{BEGIN "MIIEvQIBADAN' || chr(", BEGIN "************' || chr("},
			{BEGIN "MIIEvQIBADAN\\'\\'\\", BEGIN "************\\'\\'\\"},
			{BEGIN "MIIEvQIBADAN\nAA\\'", BEGIN "************\n**\\'"},
			{"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,AB\n\nTRUNCATE\ncustomer",
			 "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,AB\n\nTRUNCATE\ncustomer"},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		char	   *text = pstrdup(cases[i].text);

		mask_private_keys(text);
		is_str(text, cases[i].masked, "masked: %s", cases[i].text);
		pfree(text);
	}
}

static uint64 state = 1;

static int
random_below(int n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (int) ((state >> 33) % (uint64) n);
}

/*
 * Texts of what the search knows, in any order: it ends, stays within the text, and
 * leaves no key.
 */
static void
test_random(void)
{
	static const char *const pieces[] = {
		BEGIN,
		"-----BEGIN RSA PRIVATE KEY-----",
		"PRIVATE KEY-",
		"BEGIN ",
		"MIIEvQIBADAN",
		HEAD,
		"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7abcdefghijklmn",
		"\n",
		"\\n",
		"\\\\n",
		"\r\n",
		" ",
		"'",
		"$$",
		"||",
		" || E'\\n' || ",
		"chr(10)",
		"chr(",
		"chr(1",
		"E'",
		",",
		"\\",
		"-----END",
		"Proc-Type: 4,ENCRYPTED",
		"DEK-Info: AES-256-CBC,00AA",
		"abcdefgh",
		"=",
		"!",
		":",
		"A",
		"TRUNCATE",
		"...",
		"\xC3\xA9",
	};
	int			wrong = 0;

	for (int i = 0; i < 100000 && wrong == 0; i++)
	{
		StringInfoData text;
		char	   *masked;

		initStringInfo(&text);
		for (int n = random_below(30); n > 0; n--)
			appendStringInfoString(&text, pieces[random_below(lengthof(pieces))]);
		masked = pstrdup(text.data);
		mask_private_keys(masked);
		if ((int) strlen(masked) != text.len || has_private_key(masked))
		{
			wrong++;
			printf("# %s\n# %s\n", text.data, masked);
		}
		pfree(masked);
		pfree(text.data);
	}
	ok(wrong == 0, "of random texts no key is left");
}

int
main(void)
{
	test_cases();
	test_random();
	return done_testing();
}
