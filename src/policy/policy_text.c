/*-------------------------------------------------------------------------
 *
 * policy_text.c
 *		Policies as canonical text, and the names that a policy asks for.
 *
 * Canonical text has the keys in one order, every sslmode written out, values
 * quoted only where they must be.  Parsed again it gives the same policy.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/policy.h"

#include "base/escape.h"

/*
 * A number of seconds in the largest unit that divides it: d, h, min or s, as
 * in PostgreSQL's settings.
 */
char *
lifetime_text(int64 seconds)
{
	if (seconds % 86400 == 0)
		return psprintf(INT64_FORMAT "d", seconds / 86400);
	if (seconds % 3600 == 0)
		return psprintf(INT64_FORMAT "h", seconds / 3600);
	if (seconds % 60 == 0)
		return psprintf(INT64_FORMAT "min", seconds / 60);
	return psprintf(INT64_FORMAT "s", seconds);
}

/*
 * The same in all units that it takes, for people: 1d 1h 5min.
 */
char *
duration_text(int64 seconds)
{
	static const struct
	{
		const char *name;
		int			seconds;
	} units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
	StringInfoData buf;
	uint64		left = seconds < 0 ? -(uint64) seconds : (uint64) seconds;

	initStringInfo(&buf);
	for (int i = 0; i < (int) lengthof(units); i++)
	{
		uint64		count = left / (uint64) units[i].seconds;

		left %= (uint64) units[i].seconds;
		if (count > 0 || (buf.len == 0 && units[i].seconds == 1))
			appendStringInfo(&buf, "%s" UINT64_FORMAT "%s", buf.len ? " " : seconds < 0 ? "-" :
																						  "",
							 count, units[i].name);
	}
	return buf.data;
}

/*
 * Append key=value, quoted where the parser would otherwise read it
 * differently.  database=replication is a keyword only without quotes.
 */
static void
append_pair(StringInfo buf, PolicyKey key, const char *value, bool keyword)
{
	bool		quote = strpbrk(value, " \t\r\n\f\v;'\\") != NULL || value[0] == '"' ||
		(key == KEY_DATABASE && !keyword && strcmp(value, "replication") == 0);

	if (buf->len > 0)
		appendStringInfoChar(buf, ' ');
	appendStringInfo(buf, "%s=", policy_key_name(key));
	if (quote)
		appendStringInfoChar(buf, '\'');
	for (const char *p = value; *p; p++)
	{
		if (quote && (*p == '\'' || *p == '\\'))
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, *p);
	}
	if (quote)
		appendStringInfoChar(buf, '\'');
}

/*
 * A key and a value as a policy has them.
 */
char *
pair_text(PolicyKey key, const char *value)
{
	StringInfoData buf;

	initStringInfo(&buf);
	append_pair(&buf, key, value, false);
	return buf.data;
}

/*
 * One rule as canonical text.
 */
char *
rule_text(const PolicyRule *rule)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (PolicyKey key = 0; key < NUM_POLICY_KEYS; key++)
	{
		if (key == KEY_SSLMODE)
			append_pair(&buf, key, sslmode_name(rule->sslmode), false);
		else if (key == KEY_MIN_PROTOCOL && rule->min_protocol != TLS_NONE)
			append_pair(&buf, key, tls_version_name(rule->min_protocol), false);
		else if (key == KEY_MAX_LIFETIME && rule->max_lifetime > 0)
			append_pair(&buf, key, lifetime_text(rule->max_lifetime), false);
		else if (key == KEY_IGNORE_CASE && rule->has_ignore_case)
			append_pair(&buf, key, rule->ignore_case ? "on" : "off", false);
		else if (key == KEY_ON_EXPIRY && rule->has_on_expiry)
			append_pair(&buf, key, rule->end_on_expiry ? "end" : "keep", false);
		else if (key == KEY_ACTION && rule->has_action)
			append_pair(&buf, key, rule->log_only ? "log" : "reject", false);

		for (int i = 0; i < rule->nvalues; i++)
			if (rule->values[i].key == key)
				append_pair(&buf, key, rule->values[i].text,
							rule->values[i].keyword);
	}
	return buf.data;
}

/*
 * A policy as canonical text.
 */
char *
policy_text(const Policy *policy)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < policy->nrules; i++)
	{
		if (i > 0)
			appendStringInfoString(&buf, "; ");
		appendStringInfoString(&buf, rule_text(&policy->rules[i]));
	}
	return buf.data;
}

/*
 * The type of a san value up to and including its colon; 0 for other keys.
 */
static int
type_length(const PolicyValue *name)
{
	if (name->key != KEY_SAN)
		return 0;
	return (int) (strchr(name->text, ':') - name->text) + 1;
}

/*
 * The login role as it stands in the text that is compared, in place of the %u
 * at p: as (part of) an attribute value in a DN, in escaped form elsewhere.
 */
static char *
role_in_name(const PolicyValue *name, const char *p, const char *role)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (name->key == KEY_DN)
		append_dn_value(&buf, role, p > name->text && p[-1] == '=',
						p[2] == '\0' || strchr(",+$", p[2]) != NULL);
	else
		append_escaped(&buf, role, (int) strlen(role));
	return buf.data;
}

/*
 * Expand %u and %% in a name that is not a regular expression, and bring it
 * into the form that facts have (see facts.h).  A DN is in that form already.
 */
char *
expand_name(const PolicyValue *name, const char *role)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *p = name->text; *p; p++)
	{
		if (p[0] == '%' && p[1] == 'u')
		{
			appendStringInfoString(&buf, role_in_name(name, p, role));
			p++;
			continue;
		}
		if (p[0] == '%' && p[1] == '%')
			p++;
		if (name->key == KEY_DN && *p == '\\')
			appendStringInfoChar(&buf, *p);
		else
			append_escaped(&buf, p, 1);
	}
	return buf.data;
}

/*
 * Expand a name that is a regular expression: the pattern without its slash,
 * %u as literal text.  The whole is wrapped in a group, so that an alternative
 * in it (^a|b$) cannot escape the anchors.
 */
char *
name_pattern(const PolicyValue *name, const char *role)
{
	StringInfoData buf;
	const char *body = name->text + type_length(name) + 2;	/* after "/^" */
	const char *end = body + strlen(body) - 1;	/* at "$" */

	initStringInfo(&buf);
	appendStringInfoString(&buf, "^(?:");
	for (const char *p = body; p < end; p++)
	{
		if (p[0] == '\\' && p + 1 < end)
		{
			/* an escaped character stands for itself, also a percent sign */
			appendBinaryStringInfo(&buf, p++, 2);
			continue;
		}
		if (p[0] == '%' && p[1] == 'u')
		{
			for (const char *c = role_in_name(name, p, role); *c; c++)
			{
				if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
					  (*c >= '0' && *c <= '9')))
					appendStringInfoChar(&buf, '\\');
				appendStringInfoChar(&buf, *c);
			}
			p++;
			continue;
		}
		if (p[0] == '%' && p[1] == '%')
			p++;
		appendStringInfoChar(&buf, *p);
	}
	appendStringInfoString(&buf, ")$");
	return buf.data;
}
