/*-------------------------------------------------------------------------
 *
 * reporttext.c
 *		What a standby reports, as text.
 *
 * It travels as the application_name of a replication connection: printable ASCII, without
 * characters that are special in conninfo strings or URIs.  So letters, digits and a few
 * signs stand for themselves, and every other byte is "~" and two hexadecimal digits.
 *
 *	sslpolicy-report/1/first|node|node...
 *
 * where a node is a list of fields, separated by commas: name, number, age in milliseconds,
 * and for each kind state, hash, LSN, generation and detail.
 *
 * Any role with REPLICATION can send any text.  So each field is checked, and a text with
 * any error is not a report.
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/reporttext.h"

#include <errno.h>

#define FIELDS_OF_NODE (3 + 5 * NUM_REPLICATED_KINDS)

/* Clocks of nodes may differ, so reports have ages. */
#define MAX_AGE_MS (INT64CONST(1000) * 60 * 60 * 24 * 365)

static bool
stands_for_itself(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		c == '-' || c == '_' || c == '.';
}

static void
append_encoded(StringInfo buf, const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (stands_for_itself(*c))
			appendStringInfoChar(buf, (char) *c);
		else
			appendStringInfo(buf, "~%02x", *c);
	}
}

void
append_report(StringInfo buf, const ClusterNode *node, TimestampTz now)
{
	int64		age = (now - node->heard) / 1000;

	appendStringInfoChar(buf, '|');
	append_encoded(buf, node->name);
	appendStringInfo(buf, ",%llx,%lld", (unsigned long long) node->id, (long long) Min(Max(age, 0), MAX_AGE_MS));
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		const KindState *k = &node->kinds[kind];

		appendStringInfoChar(buf, ',');
		append_encoded(buf, node_state_name(k->state));
		appendStringInfo(buf, ",%s,%llx,%llx,", k->has_wanted ? fingerprint_hex(k->wanted) : "",
						 (unsigned long long) k->lsn, (unsigned long long) k->generation);
		append_encoded(buf, k->detail);
	}
}

void
begin_report(StringInfo buf, bool first, const ClusterNode *sender, TimestampTz now)
{
	resetStringInfo(buf);
	appendStringInfo(buf, REPORT_MARK "%d", first ? 1 : 0);
	append_report(buf, sender, now);
}

bool
is_report(const char *text)
{
	return strncmp(text, REPORT_MARK, strlen(REPORT_MARK)) == 0;
}

static int
hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f'	? c - 'a' + 10 :
								  -1;
}

/*
 * Decode a field, truncated to size, with '?' for control characters and bytes beyond ASCII.
 * False if it is not properly encoded.
 */
static bool
decode(const char *field, char *result, size_t size)
{
	size_t		len = 0;

	for (const char *c = field; *c; c++)
	{
		int			byte = (unsigned char) *c;

		if (*c == '~')
		{
			int			high = hex_value(c[1]);
			int			low = high < 0 ? -1 : hex_value(c[2]);

			if (low < 0)
				return false;
			byte = high * 16 + low;
			c += 2;
		}
		else if (!stands_for_itself((unsigned char) byte))
			return false;
		if (len + 1 < size)
			result[len++] = (char) (byte < 32 || byte > 126 ? '?' : byte);
	}
	result[len] = '\0';
	return true;
}

/*
 * Nothing but digits: strtoull() takes signs, space and "0x", too.
 */
static bool
parse_number(const char *field, int base, uint64 max, uint64 *result)
{
	const char *digits = base == 16 ? "0123456789abcdef" : "0123456789";

	if (field[0] == '\0' || field[strspn(field, digits)] != '\0')
		return false;
	errno = 0;
	*result = (uint64) strtoull(field, NULL, base);
	return errno == 0 && *result <= max;
}

static bool
parse_kind(char **fields, KindState *k)
{
	char		state[32];
	uint64		lsn;

	if (!decode(fields[0], state, sizeof(state)) || !parse_node_state(state, &k->state) ||
		!parse_number(fields[2], 16, PG_UINT64_MAX, &lsn) ||
		!parse_number(fields[3], 16, PG_INT64_MAX, &k->generation) ||
		!decode(fields[4], k->detail, sizeof(k->detail)))
		return false;
	k->lsn = lsn;
	k->has_wanted = fields[1][0] != '\0';
	return !k->has_wanted || (strlen(fields[1]) == 2 * FINGERPRINT_LEN && parse_fingerprint(fields[1], k->wanted));
}

/*
 * Parse a node.  Modifies the text.
 */
static bool
parse_node(char *text, ClusterNode *node, TimestampTz now)
{
	char	   *fields[FIELDS_OF_NODE];
	uint64		age;

	memset(node, 0, sizeof(ClusterNode));
	for (int i = 0; i < FIELDS_OF_NODE; i++)
	{
		fields[i] = text;
		text = text ? strchr(text, ',') : NULL;
		if ((text == NULL) != (i == FIELDS_OF_NODE - 1))
			return false;
		if (text)
			*text++ = '\0';
	}
	if (!decode(fields[0], node->name, sizeof(node->name)) || node->name[0] == '\0' ||
		!parse_number(fields[1], 16, PG_UINT64_MAX, &node->id) ||
		!parse_number(fields[2], 10, MAX_AGE_MS, &age))
		return false;
	node->heard = now - (int64) age * 1000;
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		if (!parse_kind(fields + 3 + 5 * kind, &node->kinds[kind]))
			return false;
	return true;
}

/*
 * NULL if the text is not a report.
 */
Report *
parse_report(const char *text, TimestampTz now)
{
	Report	   *report = palloc0(sizeof(Report));
	ClusterNode *nodes;
	char	   *pos;
	int			count = 0;

	if (!is_report(text) || strlen(text) > MAX_REPORT_BYTES)
		return NULL;
	pos = pstrdup(text + strlen(REPORT_MARK));
	if ((pos[0] != '0' && pos[0] != '1') || pos[1] != '|')
		return NULL;
	report->first = pos[0] == '1';
	for (char *c = pos; *c; c++)
		count += *c == '|';
	if (count > 1 + MAX_NODES)
		return NULL;
	nodes = palloc(sizeof(ClusterNode) * (Size) count);
	pos++;
	for (int i = 0; i < count; i++)
	{
		char	   *node = pos + 1;

		pos = node + strcspn(node, "|");
		*pos = '\0';
		if (!parse_node(node, &nodes[i], now))
			return NULL;
		if (i > 0)
			nodes[i].via = nodes[0].id;
	}
	report->sender = nodes[0];
	report->below = nodes + 1;
	report->count = count - 1;
	return report->sender.id != 0 ? report : NULL;
}
