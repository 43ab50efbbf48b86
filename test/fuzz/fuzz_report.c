/*-------------------------------------------------------------------------
 *
 * fuzz_report.c
 *		What a standby reports: read, and written again.
 *
 * An input is a text that somebody with REPLICATION sends; and it is also bytes that nodes
 * are made of.  Then
 *
 *	1. a text is read if and only if it has the form that reporttext.c describes, as a
 *	   second reader sees it, field by field
 *	2. what is read is terminated, printable ASCII, within its limits, and what the second
 *	   reader has found
 *	3. written again it is read as the same
 *	4. nodes are read as what was written; what is written is made of harmless characters,
 *	   and short enough
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <ctype.h>

#include "cluster/reporttext.h"

#define NOW			  INT64CONST(800000000000000)
#define MAX_AGE_MS	  INT64CONST(31536000000)
#define FIELDS		  13
#define HARMLESS	  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.~,|/"
#define FIELD_OF_KIND 3

/* in the order of NodeState */
static const char *const states[] = {"local", "applying", "in force", "newer", "failed", "foreign", "silent", "gone"};

/* A text that is taken apart: pieces of it, with their lengths. */
typedef struct Piece
{
	const char *text;
	size_t		len;
} Piece;

/*
 * The next piece up to the separator, or the end.
 */
static Piece
next_piece(const char **pos, const char *end, char separator)
{
	Piece		piece = {*pos, 0};

	while (piece.text + piece.len < end && piece.text[piece.len] != separator)
		piece.len++;
	*pos = piece.text + piece.len + 1;
	return piece;
}

static int
digit(char c, int base)
{
	int			value = c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f'		 ? c - 'a' + 10 :
									   99;

	return value < base ? value : -1;
}

static bool
read_piece_number(Piece piece, uint64 base, uint64 max, uint64 *number)
{
	*number = 0;
	for (size_t i = 0; i < piece.len; i++)
	{
		int			d = digit(piece.text[i], (int) base);

		if (d < 0 || *number > (max - (uint64) d) / base)
			return false;
		*number = *number * base + (uint64) d;
	}
	return piece.len > 0;
}

/*
 * The text that is encoded in a piece, as it is shown; NULL if it is not encoded rightly.
 */
static char *
shown_piece(Piece piece)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (size_t i = 0; i < piece.len; i++)
	{
		int			c = (unsigned char) piece.text[i];

		if (c == '~')
		{
			if (piece.len - i < 3 || digit(piece.text[i + 1], 16) < 0 || digit(piece.text[i + 2], 16) < 0)
				return NULL;
			c = digit(piece.text[i + 1], 16) << 4 | digit(piece.text[i + 2], 16);
			i += 2;
		}
		else if (c > 127 || (!isalnum(c) && strchr("-_.", c) == NULL))
			return NULL;
		appendStringInfoChar(&buf, (char) (c >= ' ' && c <= '~' ? c : '?'));
	}
	return buf.data;
}

static bool
starts_alike(const char *cut, const char *whole, size_t size)
{
	return strlen(cut) == Min(strlen(whole), size - 1) && strncmp(whole, cut, strlen(cut)) == 0;
}

static bool
read_kind(const Piece *fields, KindState *k, char **detail)
{
	char	   *state = shown_piece(fields[0]);
	uint64		lsn;
	bool		known = false;

	for (unsigned i = 0; i < lengthof(states); i++)
		if (state && strcmp(states[i], state) == 0)
		{
			k->state = (NodeState) i;
			known = true;
		}
	k->has_wanted = fields[1].len > 0;
	if (k->has_wanted && fields[1].len != 64)
		return false;
	for (size_t i = 0; i < fields[1].len; i++)
	{
		int			d = digit((char) tolower((unsigned char) fields[1].text[i]), 16);

		if (d < 0)
			return false;
		k->wanted[i / 2] = (uint8) (k->wanted[i / 2] << 4 | d);
	}
	if (!known || !read_piece_number(fields[2], 16, PG_UINT64_MAX, &lsn) ||
		!read_piece_number(fields[3], 16, PG_INT64_MAX, &k->generation))
		return false;
	k->lsn = lsn;
	*detail = shown_piece(fields[4]);
	return *detail != NULL;
}

/*
 * Is this a node?  If so, and it was read as "got", it was read rightly.
 */
static bool
is_node(Piece piece, const ClusterNode *got)
{
	const char *pos = piece.text;
	Piece		fields[FIELDS];
	ClusterNode node = {0};
	char	   *name;
	char	   *details[NUM_REPLICATED_KINDS];
	uint64		age;

	for (int i = 0; i < FIELDS; i++)
	{
		if (pos > piece.text + piece.len)
			return false;
		fields[i] = next_piece(&pos, piece.text + piece.len, ',');
	}
	if (pos <= piece.text + piece.len)
		return false;
	name = shown_piece(fields[0]);
	if (name == NULL || name[0] == '\0' || !read_piece_number(fields[1], 16, PG_UINT64_MAX, &node.id) ||
		!read_piece_number(fields[2], 10, MAX_AGE_MS, &age))
		return false;
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		if (!read_kind(fields + FIELD_OF_KIND + 5 * kind, &node.kinds[kind], &details[kind]))
			return false;
	if (got == NULL)
		return true;
	HOLDS(starts_alike(got->name, name, sizeof(got->name)), "the name is \"%s\"", name);
	HOLDS(got->id == node.id && got->heard == NOW - (int64) age * 1000, "another number or age of \"%s\"", name);
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		const KindState *g = &got->kinds[kind];
		const KindState *k = &node.kinds[kind];

		HOLDS(g->state == k->state && g->has_wanted == k->has_wanted &&
				  memcmp(g->wanted, k->wanted, FINGERPRINT_LEN) == 0 &&
				  g->lsn == k->lsn && g->generation == k->generation && g->since == 0,
			  "kind %d of \"%s\"", kind, name);
		HOLDS(starts_alike(g->detail, details[kind], sizeof(g->detail)), "the detail is \"%s\"", details[kind]);
	}
	return true;
}

/*
 * Node number i of a report: 0 is the sender.
 */
static const ClusterNode *
node_of(const Report *report, int i)
{
	return i == 0 ? &report->sender : &report->below[i - 1];
}

/*
 * Is this a report?  If it was read as one, it was read rightly.
 */
static bool
is_report_of(const char *text, const Report *got)
{
	const char *end = text + strlen(text);
	const char *pos = text + strlen(REPORT_MARK);
	Piece		first;
	int			count = 0;

	if (strlen(text) > MAX_REPORT_BYTES || strncmp(text, REPORT_MARK, strlen(REPORT_MARK)) != 0)
		return false;
	first = next_piece(&pos, end, '|');
	if (first.len != 1 || (first.text[0] != '0' && first.text[0] != '1') || pos > end)
		return false;
	HOLDS(got == NULL || got->first == (first.text[0] == '1'), "another first");
	while (pos <= end)
	{
		const ClusterNode *node = got && count <= got->count ? node_of(got, count) : NULL;

		HOLDS(got == NULL || node != NULL, "only %d nodes below are read", got->count);
		if (!is_node(next_piece(&pos, end, '|'), node))
			return false;
		count++;
	}
	HOLDS(got == NULL || count == got->count + 1, "%d nodes below are read", got->count);
	if (got == NULL)
	{
		/* the first node must have a number */
		const char *number = strchr(strchr(text, '|'), ',') + 1;

		if (strspn(number, "0") == strcspn(number, ","))
			return false;
	}
	return count <= 1 + MAX_NODES;
}

static void
check_text(const char *text, const char *end)
{
	HOLDS(memchr(text, '\0', (size_t) (end - text)) != NULL, "text without an end");
	for (; *text; text++)
		HOLDS(*text >= ' ' && *text <= '~', "the character %02x", (unsigned char) *text);
}

static void
check_node(const ClusterNode *node)
{
	check_text(node->name, node->name + sizeof(node->name));
	HOLDS(node->heard <= NOW && node->heard >= NOW - MAX_AGE_MS * 1000, "the age");
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		const KindState *k = &node->kinds[kind];

		HOLDS((unsigned) k->state < NUM_NODE_STATES, "state %d", k->state);
		HOLDS(same_text(node_state_name(k->state), states[k->state]), "the name of state %d", k->state);
		check_text(k->detail, k->detail + sizeof(k->detail));
	}
}

static void
check_same(const ClusterNode *a, const ClusterNode *b)
{
	HOLDS(same_text(a->name, b->name), "the name \"%s\", and \"%s\"", a->name, b->name);
	HOLDS(a->id == b->id && a->via == b->via && a->heard == b->heard, "another number, sender or age");
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		const KindState *k = &a->kinds[kind];
		const KindState *l = &b->kinds[kind];

		HOLDS(k->state == l->state && k->has_wanted == l->has_wanted &&
				  (!k->has_wanted || memcmp(k->wanted, l->wanted, FINGERPRINT_LEN) == 0) &&
				  k->lsn == l->lsn && k->generation == l->generation,
			  "kind %d of \"%s\"", kind, a->name);
		HOLDS(same_text(k->detail, l->detail), "the detail \"%s\", and \"%s\"", k->detail, l->detail);
	}
}

/*
 * As it arrives: in memory that ends with it.
 */
static Report *
read_report(const char *text)
{
	size_t		size = strlen(text) + 1;
	char	   *copy = memcpy(malloc(size), text, size);
	Report	   *report = parse_report(copy, NOW);

	HOLDS(strcmp(copy, text) == 0, "the text is not as it was");
	free(copy);
	return report;
}

static void
check_report(const Report *report)
{
	StringInfoData buf;
	Report	   *again;

	HOLDS(report->sender.id != 0 && report->sender.via == 0 && report->count >= 0 && report->count <= MAX_NODES, "the sender");
	initStringInfo(&buf);
	begin_report(&buf, report->first, &report->sender, NOW);
	for (int i = 0; i <= report->count; i++)
	{
		check_node(node_of(report, i));
		if (i == 0)
			continue;
		HOLDS(report->below[i - 1].via == report->sender.id, "who has passed it on");
		append_report(&buf, &report->below[i - 1], NOW);
	}
	again = read_report(buf.data);
	/* a "?" is written as three bytes, where one was read */
	if (again == NULL && buf.len > MAX_REPORT_BYTES)
		return;
	HOLDS(again && again->first == report->first && again->count == report->count, "written again it is read as another one: %s", buf.data);
	for (int i = 0; i <= report->count; i++)
		check_same(node_of(report, i), node_of(again, i));
}

/*
 * A text of bytes, and as it arrives.
 */
static void
take_text(Bytes *bytes, char *text, char *arrives, size_t size)
{
	size_t		len = take_below(bytes, (unsigned) size);

	for (size_t i = 0; i < len; i++)
	{
		unsigned	c = take(bytes);

		/* the rest of a long one is all the same */
		text[i] = (char) (c ? c : 'x');
		arrives[i] = c == 0 ? 'x' : isascii((int) c) && isprint((int) c) ? (char) c :
																		   '?';
	}
	text[len] = arrives[len] = '\0';
}

static uint64
take_number(Bytes *bytes)
{
	uint64		number = 0;

	for (unsigned n = take_below(bytes, 9); n > 0; n--)
		number = number << 8 | take(bytes);
	return number;
}

/*
 * A node, and as it arrives.
 */
static void
take_node(Bytes *bytes, ClusterNode *node, ClusterNode *arrives)
{
	memset(node, 0, sizeof(ClusterNode));
	node->id = take_number(bytes);
	/* minutes from a day ahead to two years ago */
	node->heard = NOW + INT64CONST(60000000) * (1440 - (int64) (take_number(bytes) % (1440 * 730)));
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		KindState  *k = &node->kinds[kind];

		k->state = (NodeState) take_below(bytes, NUM_NODE_STATES);
		k->has_wanted = take_below(bytes, 2);
		for (int i = 0; i < FINGERPRINT_LEN; i++)
			k->wanted[i] = (uint8) take(bytes);
		k->lsn = take_number(bytes);
		k->generation = take_number(bytes) & PG_INT64_MAX;
		k->since = (Moment) take(bytes);
	}
	*arrives = *node;
	arrives->heard = Max(Min(node->heard, NOW), NOW - MAX_AGE_MS * 1000);
	take_text(bytes, node->name, arrives->name, sizeof(node->name));
	/* no node is without a name */
	if (node->name[0] == '\0')
		node->name[0] = arrives->name[0] = 'n';
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
		take_text(bytes, node->kinds[kind].detail, arrives->kinds[kind].detail, NODE_DETAIL_LEN);
}

static void
check_written(Bytes *bytes)
{
	ClusterNode nodes[4];
	ClusterNode arrive[4];
	bool		first = take_below(bytes, 2);
	int			count = 1 + (int) take_below(bytes, lengthof(nodes));
	StringInfoData buf;
	Report	   *report;

	initStringInfo(&buf);
	for (int i = 0; i < count; i++)
	{
		take_node(bytes, &nodes[i], &arrive[i]);
		if (i == 0)
		{
			nodes[0].id = arrive[0].id |= 1;
			begin_report(&buf, first, &nodes[0], NOW);
		}
		else
		{
			arrive[i].via = nodes[0].id;
			append_report(&buf, &nodes[i], NOW);
		}
		HOLDS(i > 1 || buf.len <= MAX_REPORT_BYTES, "a sender and a node do not fit");
	}
	HOLDS(strspn(buf.data, HARMLESS) == (size_t) buf.len, "not all is harmless: %s", buf.data);
	report = read_report(buf.data);
	HOLDS((report != NULL) == (buf.len <= MAX_REPORT_BYTES), "what was written is not read: %s", buf.data);
	if (report == NULL)
		return;
	HOLDS(report->first == first && report->count == count - 1, "another number of nodes");
	for (int i = 0; i < count; i++)
		check_same(node_of(report, i), &arrive[i]);
}

void
fuzz_one(const uint8 *data, size_t size)
{
	char	   *text = pnstrdup((const char *) data, size);
	Report	   *report = read_report(text);

	HOLDS(is_report_of(text, report) == (report != NULL), report ? "this is no report" : "this is a report");
	HOLDS(report == NULL || is_report(text), "it does not begin as one");
	if (report)
		check_report(report);
	check_written(&(Bytes){data, data + size});
}
