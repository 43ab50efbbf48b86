/*-------------------------------------------------------------------------
 *
 * der_mutator.c
 *		Changes DER so that it mostly remains DER.
 *
 * A changed byte or an added one seldom leaves a certificate that OpenSSL can
 * read, because the lengths around it are wrong then.  This changes one element
 * and mends the lengths around it.  Now and then it does what it otherwise
 * avoids: lengths in a longer form, or bytes without regard to elements.
 *
 *-------------------------------------------------------------------------
 */
#include "der_mutator.h"

#define MAX_ELEMENTS 1024
#define MAX_DEPTH	 16
#define MAX_BYTES	 65536

extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);

typedef struct Node
{
	int			parent;			/* -1: none */
	size_t		start;			/* of its tag */
	size_t		content;
	size_t		end;
} Node;

static Node nodes[MAX_ELEMENTS];
static int	nnodes;
static unsigned random_state;

static unsigned
below(unsigned limit)
{
	random_state = random_state * 1103515245 + 12345;
	return ((random_state >> 16) & 0x7FFF) % limit;
}

/*
 * Head of the element at pos.  Lengths in any form that is definite.
 */
static bool
read_head(const uint8 *data, size_t pos, size_t end, Node *node)
{
	size_t		len;
	size_t		count = 0;

	if (end - pos < 2 || (data[pos] & 0x1F) == 0x1F)
		return false;
	len = data[pos + 1];
	if (len >= 0x80)
	{
		count = len & 0x7F;
		if (count == 0 || count > 4 || end - pos < 2 + count)
			return false;
		len = 0;
		for (size_t i = 0; i < count; i++)
			len = len << 8 | data[pos + 2 + i];
	}
	node->start = pos;
	node->content = pos + 2 + count;
	node->end = node->content + len;
	return len <= end - node->content;
}

/*
 * Note the elements between pos and end.  False, and none noted, if they are
 * not elements through and through.
 */
static bool
find_nodes(const uint8 *data, size_t pos, size_t end, int parent, int depth)
{
	int			before = nnodes;

	while (pos < end)
	{
		Node		node = {.parent = parent};
		int			self = nnodes;
		int			tag;

		if (nnodes == MAX_ELEMENTS || depth == MAX_DEPTH || !read_head(data, pos, end, &node))
		{
			nnodes = before;
			return false;
		}
		tag = data[pos];
		nodes[nnodes++] = node;
		/* extensions have DER in an OCTET STRING */
		if ((tag & 0x20) || tag == 0x04)
			(void) find_nodes(data, node.content, node.end, self, depth + 1);
		pos = node.end;
	}
	return true;
}

static size_t
write_head(uint8 *out, uint8 tag, size_t len)
{
	bool		longer = below(200) == 0;
	int			count = len < 0x80 && !longer ? 0 : len < 0x100 ? 1 :
		len < 0x10000									? 2 :
														  3;

	if (longer && count < 3)
		count++;
	out[0] = tag;
	out[1] = count ? (uint8) (0x80 | count) : (uint8) len;
	for (int i = 0; i < count; i++)
		out[2 + i] = (uint8) (len >> 8 * (count - 1 - i));
	return 2 + (size_t) count;
}

/*
 * Put bytes in place of those of a node, with new lengths around them.  Returns
 * the new size of the whole, 0 if it becomes too large.
 */
static size_t
replace(uint8 *data, size_t size, size_t max_size, int index,
		const uint8 *bytes, size_t len)
{
	static uint8 inner[2 * MAX_BYTES];
	static uint8 outer[2 * MAX_BYTES];
	size_t		inner_len = len;

	if (size + len > MAX_BYTES)
		return 0;
	memcpy(inner, bytes, len);
	for (int i = index; i >= 0; i = nodes[i].parent)
	{
		int			parent = nodes[i].parent;
		size_t		from = parent < 0 ? 0 : nodes[parent].content;
		size_t		to = parent < 0 ? size : nodes[parent].end;
		size_t		before = nodes[i].start - from;
		size_t		after = to - nodes[i].end;
		size_t		head = 0;

		if (parent >= 0)
			head = write_head(outer, data[nodes[parent].start], before + inner_len + after);
		memcpy(outer + head, data + from, before);
		memcpy(outer + head + before, inner, inner_len);
		memcpy(outer + head + before + inner_len, data + nodes[i].end, after);
		inner_len = head + before + inner_len + after;
		memcpy(inner, outer, inner_len);
	}
	if (inner_len > max_size)
		return 0;
	memcpy(data, inner, inner_len);
	return inner_len;
}

/* Elements that matter somewhere: attributes, extensions, names, dates. */
static const struct
{
	const char *bytes;
	size_t		len;
} elements[] =
	{
#define ELEMENT(s) \
	{ \
		s, sizeof(s) - 1 \
	}
		ELEMENT("\x31\x0C\x30\x0A\x06\x03\x55\x04\x03\x0C\x03"
				"app"),			/* RDN: CN=app */
		ELEMENT("\x30\x0A\x06\x03\x55\x04\x03\x0C\x03"
				"app"),			/* attribute: CN=app */
		ELEMENT("\x30\x0D\x06\x03\x55\x04\x03\x1E\x06\0a\0p\0p"),	/* in a BMPString */
		ELEMENT("\x30\x0B\x06\x03\x55\x04\x03\x0C\x04"
				"app\0"),		/* with NUL */
		ELEMENT("\x30\x0B\x06\x03\x55\x04\x0A\x14\x04"
				"a\xE9,#"),		/* O, T61String */
		ELEMENT("\x0C\x03"
				"app"),
		ELEMENT("\x1E\x06\0a\xD8\0\0b"),	/* BMPString: a, half a pair, b */
		ELEMENT("\x1C\x08\0\0\0a\0\0\xD8\0"),	/* UniversalString, the same */
		ELEMENT("\x82\x03"
				"app"),			/* dNSName */
		ELEMENT("\x82\x06"
				"a\0.app"),
		ELEMENT("\x81\x05"
				"a@app"),		/* rfc822Name */
		ELEMENT("\x86\x05"
				"x:app"),		/* URI */
		ELEMENT("\x87\x04\x0A\0\0\x01"),	/* iPAddress */
		ELEMENT("\xA0\x13\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x14\x02\x03\xA0\x05\x0C\x03"
				"app"),			/* user principal name */
		ELEMENT("\x87\x10\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x0A\0\0\x01"),
		ELEMENT("\x30\x0C\x06\x03\x55\x1D\x11\x04\x05\x30\x03\x82\x01"
				"a"),			/* SAN */
		ELEMENT("\x30\x0A\x06\x03\x55\x1D\x15\x04\x03\x0A\x01\x08"),	/* reasonCode */
		ELEMENT("\x30\x0D\x06\x03\x55\x1D\x15\x01\x01\xFF\x04\x03\x0A\x01\x01"),
		ELEMENT("\x30\x12\x06\x03\x55\x1D\x1D\x04\x0B\x30\x09\x82\x07"
				"another"),		/* certificateIssuer */
		ELEMENT("\x30\x0D\x06\x03\x55\x1D\x1B\x01\x01\xFF\x04\x03\x02\x01\x05"),	/* delta CRL */
		ELEMENT("\x30\x0F\x06\x03\x55\x1D\x1C\x01\x01\xFF\x04\x05\x30\x03\x84\x01\xFF"),	/* indirect */
		ELEMENT("\x30\x0D\x06\x04\x2A\x03\x04\x05\x01\x01\xFF\x04\x02\x05\0"),	/* critical, unknown */
		ELEMENT("\x30\x0A\x06\x03\x55\x1D\x14\x04\x03\x02\x01\x07"),	/* CRL number */
		ELEMENT("\x30\x12\x02\x01\x2A\x17\x0D"
				"250102030405Z"),	/* an entry */
		ELEMENT("\x30\x23\x02\x02\xFF\x2A\x18\x0F"
				"20500102030405Z\x30\x0C\x30\x0A\x06\x03\x55\x1D\x15\x04\x03\x0A\x01\x04"),
		ELEMENT("\x17\x0D"
				"500101000000Z"),
		ELEMENT("\x17\x0B"
				"5001010000Z"),
		ELEMENT("\x17\x11"
				"250101000000+0100"),
		ELEMENT("\x18\x0F"
				"99991231235959Z"),
		ELEMENT("\x18\x0F"
				"00000101000000Z"),
		ELEMENT("\x18\x11"
				"20250101000000.5Z"),
		ELEMENT("\x02\x01\0"),
		ELEMENT("\x02\x02\0\x80"),
		ELEMENT("\x02\x02\xFF\x01"),
		ELEMENT("\x02\x09\x80\0\0\0\0\0\0\0\x01"),
		ELEMENT("\x01\x01\xFF"),
		ELEMENT("\x05\0"),
		ELEMENT("\x30\0"),
};

/*
 * Changed content of a node.
 */
static size_t
mutate_content(uint8 *data, size_t size, size_t max_size, int index)
{
	static uint8 bytes[2 * MAX_BYTES];
	static uint8 content[MAX_BYTES];
	const Node *node = &nodes[index];
	size_t		len = node->end - node->content;
	size_t		head;

	if (len > MAX_BYTES - 64)
		return 0;
	memcpy(content, data + node->content, len);
	switch (below(8))
	{
		case 0:					/* a NUL, at an end or within */
		{
			size_t		at = below(3) == 0 ? len : below((unsigned) len + 1);

			memmove(content + at + 1, content + at, len - at);
			content[at] = 0;
			len++;
			break;
		}
		case 1:					/* from one byte a character to two */
			if (len > 4096)
				return 0;
			for (size_t i = len; i-- > 0;)
			{
				content[2 * i + 1] = content[i];
				content[2 * i] = 0;
			}
			len *= 2;
			break;
		case 2:
			if (len > 0)
				content[below((unsigned) len)] = (uint8) " #,+\"\\<>;=%'/\n\x7F\x80\xC3\xE9\xFF"[below(19)];
			break;
		default:
			len = LLVMFuzzerMutate(content, len, len + 32);
	}
	head = write_head(bytes, data[node->start], len);
	memcpy(bytes + head, content, len);
	return replace(data, size, max_size, index, bytes, head + len);
}

static size_t
mutate_node(uint8 *data, size_t size, size_t max_size, int index)
{
	static uint8 bytes[2 * MAX_BYTES];
	const Node *node = &nodes[index];
	size_t		len = node->end - node->start;
	const Node *other = &nodes[below((unsigned) nnodes)];
	size_t		other_len = other->end - other->start;
	unsigned	e = below(lengthof(elements));

	memcpy(bytes, data + node->start, len);
	switch (below(8))
	{
		case 0:					/* twice */
			memcpy(bytes + len, bytes, len);
			return replace(data, size, max_size, index, bytes, 2 * len);
		case 1:					/* not at all */
			return replace(data, size, max_size, index, bytes, 0);
		case 2:					/* another one in its place */
			return replace(data, size, max_size, index, data + other->start, other_len);
		case 3:					/* another one behind it */
			memcpy(bytes + len, data + other->start, other_len);
			return replace(data, size, max_size, index, bytes, len + other_len);
		case 4:					/* of another type */
			bytes[0] = below(4) == 0 ? (uint8) below(256) :
									   (uint8) "\x0C\x13\x14\x16\x1E\x1C\x1A\x12\x04\x02\x0A\x03\x17\x18\x01\x05\x30\x31"[below(18)];
			return replace(data, size, max_size, index, bytes, len);
		case 5:					/* a known one in its place, before or behind it */
			return replace(data, size, max_size, index, (const uint8 *) elements[e].bytes, elements[e].len);
		case 6:
			memcpy(bytes + len, elements[e].bytes, elements[e].len);
			return replace(data, size, max_size, index, bytes, len + elements[e].len);
		default:
			memmove(bytes + elements[e].len, bytes, len);
			memcpy(bytes, elements[e].bytes, elements[e].len);
			return replace(data, size, max_size, index, bytes, len + elements[e].len);
	}
}

/*
 * As LLVMFuzzerCustomMutator.
 */
size_t
der_mutate(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	int			changes;

	random_state = seed;
	if (size > MAX_BYTES || size < 2 || below(16) == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	changes = 1 + (int) below(3);
	for (int i = 0; i < changes; i++)
	{
		int			index;
		size_t		result;

		nnodes = 0;
		if (!find_nodes(data, 0, size, -1, 0) || nnodes == 0)
			return i ? size : LLVMFuzzerMutate(data, size, max_size);
		index = (int) below((unsigned) nnodes);
		result = below(2) ? mutate_content(data, size, max_size, index) :
							mutate_node(data, size, max_size, index);
		if (result > 0)
			size = result;
	}
	return size;
}
