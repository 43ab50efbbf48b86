/*-------------------------------------------------------------------------
 *
 * keymask.c
 *		Keeps private keys out of the log.
 *
 * Statements that carry a private key (log_statement, log_min_duration_statement,
 * auto_explain, parameters) must not bring it into the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcop/tcopprot.h"
#include "utils/elog.h"

#include "material/keymask.h"

/* lines of PEM have 64 characters, of which the last has less */
#define MIN_KEY_WORD 16

static emit_log_hook_type previous_log_hook = NULL;

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '+' || c == '/' || c == '=';
}

/*
 * Overwrite lines of base64.  Returns where there is something else; a line feed can
 * be written as \n.
 */
static char *
mask_lines(char *c, const char *end)
{
	bool		line_start = true;

	for (; c < end; c++)
	{
		if (is_base64(*c))
		{
			*c = '*';
			line_start = false;
		}
		else if (*c == '\n' || *c == '\r')
			line_start = true;
		else if (*c == '\\' && (c[1] == 'n' || c[1] == 'r'))
		{
			line_start = true;
			c++;
		}
		else if (!(line_start && (*c == ' ' || *c == '\t')))
			break;
	}
	return c;
}

/*
 * Overwrite base64 that is too long for a word of SQL, such as the lines of a key that
 * a statement puts together.
 */
static void
mask_long_words(char *c, const char *end)
{
	while (c < end)
	{
		size_t		len = 0;

		while (c + len < end && is_base64(c[len]))
			len++;
		if (len >= MIN_KEY_WORD)
			memset(c, '*', len);
		c += len + 1;
	}
}

/*
 * Overwrite the body of private keys in a text that is about to be logged.  Nothing
 * but that: everybody can write what looks like the begin of a key into a statement,
 * which must not keep the rest of it out of the log.
 */
static void
mask_private_keys(char *text)
{
	char	   *begin = text;

	while (begin && (begin = strstr(begin, "PRIVATE KEY-----")) != NULL)
	{
		char	   *end;

		begin += strlen("PRIVATE KEY-----");
		end = strstr(begin, "-----END");
		if (end == NULL)
			end = begin + strlen(begin);
		mask_long_words(mask_lines(begin, end), end);
		begin = *end ? strstr(end + 1, "-----BEGIN") : NULL;
	}
}

static void
mask_log(ErrorData *edata)
{
	/* of an error before install_server_certificate() has even begun */
	if (debug_query_string && strstr(debug_query_string, "PRIVATE KEY-----"))
		edata->hide_stmt = true;
	mask_private_keys(edata->message);
	mask_private_keys(edata->detail);
	mask_private_keys(edata->detail_log);
	mask_private_keys(edata->context);
	mask_private_keys(edata->internalquery);
	if (previous_log_hook)
		previous_log_hook(edata);
}

void
init_key_mask(void)
{
	previous_log_hook = emit_log_hook;
	emit_log_hook = mask_log;
}
