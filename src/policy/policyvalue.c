/*-------------------------------------------------------------------------
 *
 * policyvalue.c
 *		The values of the policy language, except those that are one of a few words.
 *
 * Part of the parser (parser.c), which has resolved quotes and escapes.  Raises no
 * error either: what is wrong is returned.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/parser.h"

#include <arpa/inet.h>

#include "base/escape.h"
#include "policy/dn.h"
#include "policy/dnform.h"
#include "policy/patterncost.h"

/*
 * CIDR or plain address.  Bits to the right of the prefix are refused, as the
 * type cidr does: they are a mistake more often than not.
 */
bool
parse_address(Parser *p, const char *value, int offset, PolicyValue *out)
{
	char	   *address = pstrdup(value);
	char	   *slash = strchr(address, '/');
	int			family = strchr(address, ':') ? AF_INET6 : AF_INET;
	uint8		network[16];
	char		text[INET6_ADDRSTRLEN];

	out->address_len = family == AF_INET6 ? 16 : 4;
	out->address_bits = out->address_len * 8;
	if (slash)
	{
		size_t		digits = strspn(slash + 1, "0123456789");

		*slash = '\0';
		if (digits < 1 || digits > 3 || slash[1 + digits] != '\0' ||
			(digits > 1 && slash[1] == '0') ||
			atoi(slash + 1) > out->address_bits)
			return parse_fail_value(p, offset, KEY_ADDRESS, value);
		out->address_bits = atoi(slash + 1);
	}
	if (inet_pton(family, address, out->bytes) != 1)
		return parse_fail_value(p, offset, KEY_ADDRESS, value);

	memset(network, 0, sizeof(network));
	for (int bit = 0; bit < out->address_bits; bit++)
		network[bit / 8] |= out->bytes[bit / 8] & (0x80 >> (bit % 8));
	if (inet_ntop(family, network, text, sizeof(text)) == NULL)
		return parse_fail_value(p, offset, KEY_ADDRESS, value);
	if (memcmp(network, out->bytes, (size_t) out->address_len) != 0)
		return parse_fail(p, offset, KEY_ADDRESS,
						  psprintf("address \"%s\" has bits set to the right of its prefix", value),
						  psprintf("Write %s/%d, or a longer prefix.", text, out->address_bits));

	out->text = out->address_bits == out->address_len * 8 ? pstrdup(text) :
															psprintf("%s/%d", text, out->address_bits);
	return true;
}

bool
parse_fingerprint_value(Parser *p, PolicyKey key, const char *value, int offset,
						PolicyValue *out)
{
	StringInfoData buf;

	if (!parse_fingerprint(value, out->bytes))
		return parse_fail_value(p, offset, key, value);
	initStringInfo(&buf);
	append_hex(&buf, out->bytes, FINGERPRINT_LEN);
	out->text = buf.data;
	return true;
}

/*
 * The place of a byte of the value that begins at offset; of the value itself
 * if escapes are before that byte.
 */
static int
offset_in_value(const Parser *p, int offset, const char *value, int byte)
{
	int			start = offset + (p->text[offset] == '\'');

	if (byte == 0 || strncmp(p->text + start, value, (size_t) byte) != 0)
		return offset;
	return start + byte;
}

/*
 * What to write instead of a DN that no certificate can have.
 */
static char *
dn_hint(PolicyKey key, const char *value, const char *otherwise)
{
	char	   *meant = dn_meant(value);

	if (meant == NULL)
		return psprintf("Accepted is %s. %s", policy_key_accepted(key), otherwise);
	return psprintf("In the form of RFC 2253, in which certificates are compared, it is %s.", pair_text(key, meant));
}

/*
 * A DN that is no regular expression.  What is set must be one that a certificate can
 * have; what is stored already stays what it is, and matches nothing.
 */
bool
parse_dn(Parser *p, PolicyKey key, const char *value, int offset, PolicyValue *out)
{
	DnError		error;
	char	   *meant;

	out->text = dn_spelling(value, &error);
	if (out->text == NULL)
		return parse_fail(p, offset_in_value(p, offset, value, error.offset), key,
						  psprintf("invalid value \"%s\" for key \"%s\": %s",
								   value, policy_key_name(key), error.message),
						  dn_hint(key, value, error.hint));
	if (p->checks == NULL || !p->checks->spelling)
		return true;
	meant = dn_meant(value);
	if (meant != NULL && strcmp(meant, out->text) == 0)
		return true;
	return parse_fail(p, offset, key,
					  psprintf("invalid value \"%s\" for key \"%s\": no certificate has a name that is printed like this",
							   value, policy_key_name(key)),
					  dn_hint(key, value, "Write the attributes as OpenSSL names them, such as CN, OU, O, ST, C and emailAddress, and the last one of the certificate first."));
}

/*
 * Is a regular expression one that may be compiled at each login?  Nothing is compiled
 * to find out, and policies that were stored before are asked as well.
 */
static bool
check_regex_cost(Parser *p, int offset, PolicyValue *name, const char *body)
{
	bool		ignore_case = name->key == KEY_SAN && strncmp(name->text, "dns:", 4) == 0;
	int64		cost;
	const char *reason = pattern_cost(body + 1, ignore_case, &cost);

	/* in case of an error */
	p->error->by_regex = true;
	if (reason != NULL)
		return parse_fail(p, offset, name->key,
						  psprintf("invalid regular expression \"%s\": %s", body, reason),
						  NULL);
	if (cost > REGEX_MAX_COST)
		return parse_fail(p, offset, name->key,
						  psprintf("regular expression \"%s\" has a cost of " INT64_FORMAT ", more than the limit of %d",
								   body, cost, REGEX_MAX_COST),
						  pstrdup("Repetitions are written out, nested ones once for each of the outer ones. Write + or * in place of large numbers such as {0,60}."));
	name->regex_cost = (int) cost;
	p->regex_cost += cost;
	if (p->regex_cost > POLICY_MAX_REGEX_COST)
		return parse_fail(p, offset, name->key,
						  psprintf("regular expressions of the policy have a cost of " INT64_FORMAT ", more than the limit of %d",
								   p->regex_cost, POLICY_MAX_REGEX_COST),
						  pstrdup("Write fewer or simpler ones. One with alternatives, (a|b), often does for several."));
	p->error->by_regex = false;
	return true;
}

/*
 * A regular expression as a name: anchored, ASCII, of bounded cost, and valid by
 * itself as well as with a role put in.
 */
static bool
check_regex(Parser *p, int offset, PolicyValue *name, const char *body)
{
	size_t		len = strlen(body);
	size_t		backslashes = 0;
	char	   *reason = NULL;

	for (const char *c = body; *c; c++)
		if ((unsigned char) *c < 0x20 || (unsigned char) *c > 0x7E)
			return parse_fail(p, offset, name->key,
							  psprintf("regular expression \"%s\" has a character outside printable ASCII", body),
							  pstrdup("Certificate text is matched in escaped form. In a policy, write the bytes C3 A9 as \\\\\\\\C3\\\\\\\\A9."));
	if (len > REGEX_MAX_BYTES)
		return parse_fail(p, offset, name->key,
						  psprintf("regular expression of %zu bytes", len),
						  psprintf("At most %d bytes are accepted.", REGEX_MAX_BYTES));
	while (len >= 2 + backslashes && body[len - 2 - backslashes] == '\\')
		backslashes++;
	if (len < 3 || body[1] != '^' || body[len - 1] != '$' || backslashes % 2)
		return parse_fail(p, offset, name->key,
						  psprintf("regular expression \"%s\" is not anchored", body),
						  name->key == KEY_DN && body[1] != '^' && body[len - 1] != '$' ?
							  dn_hint(name->key, body, "A regular expression is written as /^...$ so that it must match the whole name.") :
							  pstrdup("Write it as /^...$ so that it must match the whole name."));
	if (!check_regex_cost(p, offset, name, body))
		return false;
	if (p->checks == NULL || p->checks->regex == NULL)
		return true;

	/*
	 * First as written: an expression such as a)|(b must not become valid by
	 * the group that name_pattern() puts around it.
	 */
	reason = p->checks->regex(body + 1);
	if (reason == NULL)
		reason = p->checks->regex(name_pattern(name, "role"));
	if (reason != NULL)
		return parse_fail(p, offset, name->key,
						  psprintf("invalid regular expression \"%s\": %s", body, reason),
						  NULL);
	return true;
}

/*
 * A name: cn, uid, email, dn or san, plain or as a regular expression.
 */
bool
parse_name(Parser *p, PolicyKey key, const char *value, int offset,
		   PolicyValue *out)
{
	static const char *const types[] = {"dns:", "email:", "uri:", "ip:", "upn:"};
	const char *body = value;

	if (key == KEY_SAN)
	{
		body = NULL;
		for (int i = 0; i < (int) lengthof(types); i++)
			if (strncmp(value, types[i], strlen(types[i])) == 0)
				body = value + strlen(types[i]);
		if (body == NULL || *body == '\0')
			return parse_fail_value(p, offset, key, value);
	}
	out->regex = (*body == '/');
	out->text = pstrdup(value);

	for (const char *c = body; *c; c++)
	{
		if (out->regex && c[0] == '\\' && c[1] != '\0')
			c++;
		else if (*c == '%')
		{
			if (c[1] != 'u' && c[1] != '%')
				return parse_fail(p, offset, key,
								  psprintf("invalid percent sign in \"%s\"", value),
								  pstrdup("Write %u for the login role and %% for a percent sign."));
			c++;
		}
	}
	if (out->regex)
		return check_regex(p, offset, out, body);

	if (key == KEY_SAN && strncmp(value, "ip:", 3) == 0)
	{
		int			family = strchr(body, ':') ? AF_INET6 : AF_INET;
		char		text[INET6_ADDRSTRLEN];

		if (inet_pton(family, body, out->bytes) != 1 ||
			inet_ntop(family, out->bytes, text, sizeof(text)) == NULL)
			return parse_fail_value(p, offset, key, value);
		out->text = psprintf("ip:%s", text);
	}
	return key != KEY_DN || parse_dn(p, key, value, offset, out);
}

/*
 * An attribute of the subject that must be there: no name, so no regular expression, and
 * no role in it.
 */
bool
parse_attribute(Parser *p, PolicyKey key, const char *value, int offset, PolicyValue *out)
{
	if (strncmp(value, "/^", 2) == 0 || strstr(value, "%u") != NULL)
		return parse_fail(p, offset, key,
						  psprintf("invalid value \"%s\" for key \"%s\"", value, policy_key_name(key)),
						  psprintf("Accepted is %s. Regular expressions and %%u are for names: cn, uid, email, dn and san.",
								   policy_key_accepted(key)));
	out->text = pstrdup(value);
	return true;
}

bool
parse_database(Parser *p, const char *value, bool quoted, int offset,
			   PolicyValue *out)
{
	if (strlen(value) >= NAMEDATALEN)
		return parse_fail(p, offset, KEY_DATABASE,
						  psprintf("database name \"%s\" is too long", value),
						  psprintf("Names have at most %d bytes.", NAMEDATALEN - 1));
	out->text = pstrdup(value);
	out->keyword = !quoted && strcmp(value, "replication") == 0;
	return true;
}

bool
parse_cipher(Parser *p, const char *value, int offset, PolicyValue *out)
{
	char	   *reason = NULL;

	if (strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(value))
		return parse_fail_value(p, offset, KEY_CIPHER, value);
	if (p->checks && p->checks->cipher)
		reason = p->checks->cipher(value);
	if (reason)
		return parse_fail(p, offset, KEY_CIPHER, reason, NULL);
	out->text = pstrdup(value);
	return true;
}

/* A thousand years: more than any certificate needs, and an interval holds it. */
#define MAX_LIFETIME_SECONDS (INT64CONST(365250) * 86400)

/*
 * A span of time in one of PostgreSQL's units.  At most ten digits, so that no
 * product overflows.
 */
bool
parse_lifetime(Parser *p, const char *value, int offset, int64 *seconds)
{
	static const struct
	{
		const char *name;
		int			seconds;
	} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
	size_t		digits = strspn(value, "0123456789");

	*seconds = 0;
	for (int i = 0; digits <= 10 && i < (int) lengthof(units); i++)
		if (strcmp(value + digits, units[i].name) == 0)
			*seconds = strtoll(value, NULL, 10) * units[i].seconds;
	if (digits == 0 || *seconds == 0 || *seconds > MAX_LIFETIME_SECONDS)
		return parse_fail_value(p, offset, KEY_MAX_LIFETIME, value);
	return true;
}
