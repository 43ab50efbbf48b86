/*-------------------------------------------------------------------------
 *
 * test_reporttext.c
 *		Unit tests of cluster/reporttext.c
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"

#include "cluster/reporttext.h"

#define NOW		INT64CONST(800000000000000)
#define SECOND	INT64CONST(1000000)
#define ONE_DAY (86400 * SECOND)
#define MAX_AGE (365 * ONE_DAY)

/* a node with little to say, and how it is written */
#define PLAIN "a,1,0,local,,0,0,,local,,0,0,"

static ClusterNode
a_node(const char *name, uint64 id)
{
	ClusterNode node = {.id = id, .heard = NOW};

	strlcpy(node.name, name, sizeof(node.name));
	return node;
}

static char *
written(const ClusterNode *sender, const ClusterNode *below, int count)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "what was in it before");
	begin_report(&buf, true, sender, NOW);
	for (int i = 0; i < count; i++)
		append_report(&buf, &below[i], NOW);
	return buf.data;
}

static Report *
parsed(const char *nodes)
{
	return parse_report(psprintf("%s1|%s", REPORT_MARK, nodes), NOW);
}

static void
is_node(const ClusterNode *got, const ClusterNode *expected, const char *what)
{
	is_str(got->name, expected->name, "%s: name", what);
	ok(got->id == expected->id && got->via == expected->via, "%s: numbers", what);
	is_int(got->heard, expected->heard, "%s: heard", what);
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		const KindState *g = &got->kinds[kind];
		const KindState *e = &expected->kinds[kind];

		is_str(node_state_name(g->state), node_state_name(e->state), "%s: state %d", what, kind);
		is_str(g->detail, e->detail, "%s: detail %d", what, kind);
		ok(g->has_wanted == e->has_wanted && memcmp(g->wanted, e->wanted, FINGERPRINT_LEN) == 0,
		   "%s: what is wanted %d", what, kind);
		ok(g->lsn == e->lsn && g->generation == e->generation, "%s: LSN and generation %d", what, kind);
		is_int(g->since, 0, "%s: since when is not reported %d", what, kind);
	}
}

static ClusterNode
full_node(void)
{
	ClusterNode node = a_node("db2", PG_UINT64_MAX);

	node.heard = NOW - 1234000;
	node.kinds[REPLICATED_CA] = (KindState){.state = NODE_IN_FORCE, .has_wanted = true, .lsn = 0x1600000028, .generation = 7};
	for (int i = 0; i < FINGERPRINT_LEN; i++)
		node.kinds[REPLICATED_CA].wanted[i] = (uint8) (i * 8);
	node.kinds[REPLICATED_CRL] = (KindState){.state = NODE_FAILED, .lsn = PG_UINT64_MAX, .generation = PG_INT64_MAX};
	strlcpy(node.kinds[REPLICATED_CRL].detail, "the disk (\"/x\") is full", NODE_DETAIL_LEN);
	return node;
}

static void
test_form(void)
{
	ClusterNode node = full_node();
	char	   *text = written(&node, NULL, 0);
	StringInfoData buf;

	is_str(text,
		   "sslpolicy-report/1/1|db2,ffffffffffffffff,1234,"
		   "in~20force,0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8,1600000028,7,,"
		   "failed,,ffffffffffffffff,7fffffffffffffff,the~20disk~20~28~22~2fx~22~29~20is~20full",
		   "the form of a report");
	initStringInfo(&buf);
	begin_report(&buf, false, &node, NOW);
	ok(strncmp(buf.data, "sslpolicy-report/1/0|db2,", 25) == 0, "one of several");
	ok(is_report(text), "it is a report");
	ok(!is_report("") && !is_report("sslpolicy-report/1") && !is_report("sslpolicy-report/2/1|" PLAIN) &&
		   !is_report("walreceiver"),
	   "other names are none");
}

static void
test_round_trip(void)
{
	ClusterNode nodes[NUM_NODE_STATES + 1];
	Report	   *report;

	nodes[0] = full_node();
	for (int i = 0; i < NUM_NODE_STATES; i++)
	{
		nodes[i + 1] = a_node(psprintf("node%d", i), (uint64) i);
		nodes[i + 1].kinds[REPLICATED_CA].state = (NodeState) i;
		nodes[i + 1].kinds[REPLICATED_CRL].state = (NodeState) (NUM_NODE_STATES - 1 - i);
	}
	report = parse_report(written(&nodes[0], nodes + 1, NUM_NODE_STATES), NOW);
	if (!ok(report != NULL, "a report is read"))
		return;
	ok(report->first, "it is the first");
	is_int(report->count, NUM_NODE_STATES, "all nodes");
	is_node(&report->sender, &nodes[0], "the sender");
	for (int i = 0; i < NUM_NODE_STATES; i++)
	{
		nodes[i + 1].via = nodes[0].id;
		is_node(&report->below[i], &nodes[i + 1], psprintf("node %d", i));
	}
	report = parse_report(REPORT_MARK "0|" PLAIN, NOW);
	ok(report && !report->first && report->count == 0, "not the first, and nothing below");
}

/* the name that arrives */
static const char *
name_of(const char *name)
{
	ClusterNode node = a_node(name, 1);
	char	   *text = written(&node, NULL, 0);
	Report	   *report = parse_report(text, NOW);
	const char *fields = strchr(text, '|');

	is_int((int64) strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_./|,~"), (int64) strlen(text),
		   "only harmless characters");
	ok(strchr(fields + 1, '|') == NULL, "one node");
	return report ? report->sender.name : NULL;
}

static void
test_characters(void)
{
	char		all[96];
	StringInfoData long_text;

	is_str(name_of("-_.09azAZ"), "-_.09azAZ", "what stands for itself");
	for (int i = 0; i < 95; i++)
		all[i] = (char) (32 + i);
	all[95] = '\0';
	is_str(name_of(psprintf("%.48s", all)), psprintf("%.48s", all), "all of ASCII, first half");
	is_str(name_of(all + 48), all + 48, "all of ASCII, second half");
	is_str(name_of("'a' b\\|,~7c=%41&?"), "'a' b\\|,~7c=%41&?", "what has a meaning elsewhere");
	is_str(name_of("\x01\n\x1b[0m\x7f"), "???[0m?", "control characters");
	is_str(name_of("\xC3\xA9\xFF"), "???", "bytes beyond ASCII");
	ok(name_of("") == NULL, "a node has a name");

	ok(parsed("~00~0a~ff,1,0,local,,0,0,,local,,0,0,") && strcmp(parsed("~00~0a~ff,1,0,local,,0,0,,local,,0,0,")->sender.name, "???") == 0,
	   "control characters of a forger");
	initStringInfo(&long_text);
	for (int i = 0; i < 500; i++)
		appendStringInfoString(&long_text, "~41b");
	is_str(parsed(psprintf("%s,1,0,local,,0,0,,local,,0,0,", long_text.data))->sender.name,
		   "AbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbAbA", "a long name is cut off");
	is_int((int64) strlen(parsed(psprintf("%s%s", PLAIN, long_text.data))->sender.kinds[REPLICATED_CRL].detail),
		   NODE_DETAIL_LEN - 1, "a long detail is cut off");
	ok(parsed(psprintf("a,1,0,%s,,0,0,,local,,0,0,", long_text.data)) == NULL, "a long state is none");
}

static void
is_heard(TimestampTz heard, TimestampTz expected, const char *what)
{
	ClusterNode node = a_node("a", 1);
	Report	   *report;

	node.heard = heard;
	report = parse_report(written(&node, NULL, 0), NOW + 5 * SECOND);
	is_int(report ? report->sender.heard : 0, expected + 5 * SECOND, "%s", what);
}

static void
test_age(void)
{
	is_heard(NOW, NOW, "now");
	is_heard(NOW - 90 * SECOND, NOW - 90 * SECOND, "ago");
	is_heard(NOW + SECOND, NOW, "in the future");
	is_heard(NOW - MAX_AGE, NOW - MAX_AGE, "a year ago");
	is_heard(NOW - MAX_AGE - ONE_DAY, NOW - MAX_AGE, "longer ago");
	is_heard(0, NOW - MAX_AGE, "at no time");
}

static void
refused(const char *nodes)
{
	ok(parsed(nodes) == NULL, "refused: %.60s", nodes);
}

#define HASH "0008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8"

static void
test_malformed(void)
{
	static const char *const texts[] = {
		"", "walreceiver", "sslpolicy-report/", REPORT_MARK, (REPORT_MARK "1"), (REPORT_MARK "1|"),
		(REPORT_MARK "|" PLAIN), (REPORT_MARK "2|" PLAIN), (REPORT_MARK "11|" PLAIN), (REPORT_MARK "1" PLAIN),
		(REPORT_MARK " 1|" PLAIN), (" " REPORT_MARK "1|" PLAIN), ("sslpolicy-report/2/1|" PLAIN)};
	static const char *const nodes[] = {
		("|" PLAIN), (PLAIN "|"), (PLAIN "||" PLAIN), (PLAIN "|a"), (PLAIN ","), "a,1,0,local,,0,0,,local,,0,0",
		/* names */
		",1,0,local,,0,0,,local,,0,0,", "~,1,0,local,,0,0,,local,,0,0,", "a~,1,0,local,,0,0,,local,,0,0,", "a~4,1,0,local,,0,0,,local,,0,0,",
		"~4g,1,0,local,,0,0,,local,,0,0,", "~4A,1,0,local,,0,0,,local,,0,0,", "a b,1,0,local,,0,0,,local,,0,0,", "a\nb,1,0,local,,0,0,,local,,0,0,", "\xC3\xA9,1,0,local,,0,0,,local,,0,0,",
		/* numbers */
		"a,,0,local,,0,0,,local,,0,0,", "a,-1,0,local,,0,0,,local,,0,0,", "a,+1,0,local,,0,0,,local,,0,0,",
		"a, 1,0,local,,0,0,,local,,0,0,", "a,1 ,0,local,,0,0,,local,,0,0,", "a,0x1,0,local,,0,0,,local,,0,0,", "a,F,0,local,,0,0,,local,,0,0,", "a,g,0,local,,0,0,,local,,0,0,",
		"a,10000000000000000,0,local,,0,0,,local,,0,0,",
		/* ages */
		"a,1,,local,,0,0,,local,,0,0,", "a,1,a,local,,0,0,,local,,0,0,", "a,1,-1,local,,0,0,,local,,0,0,", "a,1,31536000001,local,,0,0,,local,,0,0,",
		"a,1,99999999999999999999,local,,0,0,,local,,0,0,",
		/* states */
		"a,1,0,,,0,0,,local,,0,0,", "a,1,0,Local,,0,0,,local,,0,0,", "a,1,0,locale,,0,0,,local,,0,0,", "a,1,0,loca,,0,0,,local,,0,0,", "a,1,0,in force,,0,0,,local,,0,0,",
		"a,1,0,local,,0,0,,0,,0,0,", "a,1,0,local~00,,0,0,,local,,0,0,",
		/* hashes */
		"a,1,0,local,0,0,0,,local,,0,0,", ("a,1,0,local," HASH "0,0,0,,local,,0,0,"), ("a,1,0,local,g" HASH ",0,0,,local,,0,0,"),
		"a,1,0,local,g008101820283038404850586068707880889098a0a8b0b8c0c8d0d8e0e8f0f8,0,0,,local,,0,0,",
		"a,1,0,local,00:08:10:18:20:28:30:38:40:48:50:58:60:68:70:78:80:88:90:98:a0:a8:b0:b8:c0:c8:d0:d8:e0:e8:f0:f8,0,0,,local,,0,0,",
		/* LSNs, generations, details */
		"a,1,0,local,,,0,,local,,0,0,", "a,1,0,local,,0/1,0,,local,,0,0,", "a,1,0,local,,10000000000000000,0,,local,,0,0,",
		"a,1,0,local,,0,,,local,,0,0,", "a,1,0,local,,0,8000000000000000,,local,,0,0,", "a,1,0,local,,0,0,~,local,,0,0,", "a,1,0,local,,0,0,,local,,0,0,%41"};
	StringInfoData buf;
	ClusterNode node = full_node();
	char	   *text;
	int			taken = 0;

	for (int i = 0; i < (int) lengthof(texts); i++)
		ok(parse_report(texts[i], NOW) == NULL, "no report: \"%s\"", texts[i]);
	ok(parsed(PLAIN) != NULL, "this is one");
	ok(parsed("a,1,31536000000,local," HASH ",0,0,,local,,0,0,") != NULL, "and this");
	refused("a,0,0,local,,0,0,,local,,0,0,");
	ok(parsed(PLAIN "|b,0,0,silent,,0,0,,silent,,0,0,") != NULL, "a node below may have no number");
	for (int i = 0; i < (int) lengthof(nodes); i++)
	{
		refused(nodes[i]);
		refused(psprintf("%s|%s", PLAIN, nodes[i]));
	}

	/* cut off anywhere; the last field may be empty */
	node.kinds[REPLICATED_CRL].detail[0] = '\0';
	text = written(&node, NULL, 0);
	for (size_t len = 0; len < strlen(text); len++)
		taken += parse_report(pnstrdup(text, len), NOW) != NULL;
	is_int(taken, 0, "a report that is cut off is none");

	initStringInfo(&buf);
	appendStringInfoString(&buf, PLAIN);
	for (int i = 0; i < MAX_NODES; i++)
		appendStringInfoString(&buf, "|" PLAIN);
	is_int(parsed(buf.data) ? parsed(buf.data)->count : 0, MAX_NODES, "as many nodes as are remembered");
	appendStringInfoString(&buf, "|" PLAIN);
	refused(buf.data);
}

static void
test_length(void)
{
	StringInfoData buf;
	ClusterNode nodes[2];

	initStringInfo(&buf);
	appendStringInfoString(&buf, REPORT_MARK "1|" PLAIN);
	while (buf.len < MAX_REPORT_BYTES)
		appendStringInfoChar(&buf, 'x');
	ok(parse_report(buf.data, NOW) != NULL, "the longest report");
	appendStringInfoChar(&buf, 'x');
	ok(parse_report(buf.data, NOW) == NULL, "one byte more");

	/* sendreport.c counts on this */
	for (int i = 0; i < 2; i++)
	{
		nodes[i] = full_node();
		memset(nodes[i].name, ' ', NAMEDATALEN - 1);
		for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		{
			nodes[i].kinds[kind] = nodes[i].kinds[REPLICATED_CA];
			memset(nodes[i].kinds[kind].detail, '\'', NODE_DETAIL_LEN - 1);
			nodes[i].kinds[kind].lsn = PG_UINT64_MAX;
			nodes[i].kinds[kind].generation = PG_INT64_MAX;
		}
	}
	ok(strlen(written(&nodes[0], nodes + 1, 1)) <= MAX_REPORT_BYTES, "the longest node and the longest sender fit into a report");
	ok(parse_report(written(&nodes[0], nodes + 1, 1), NOW) != NULL, "and are read");
}

int
main(void)
{
	test_form();
	test_round_trip();
	test_characters();
	test_age();
	test_malformed();
	test_length();
	return done_testing();
}
