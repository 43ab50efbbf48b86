/*-------------------------------------------------------------------------
 *
 * storedfacts.c
 *		Facts in shared memory, but for the certificate, and other text of fixed
 *		size.
 *
 * The certificate is of very different size: whoever keeps it decides how (see
 * pack_cert()).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "session/storedfacts.h"

static void
store_name(char *to, const char *name)
{
	strlcpy(to, name ? name : "", STORED_NAME_LEN);
}

void
store_facts(StoredFacts *stored, const Facts *facts)
{
	namestrcpy(&stored->role, facts->role);
	stored->has_database = (facts->database != NULL);
	namestrcpy(&stored->database, facts->database ? facts->database : "");
	stored->facts = *facts;
	stored->facts.role = stored->facts.database = stored->facts.version = NULL;
	stored->facts.cipher = stored->facts.key_exchange = stored->facts.auth_method = NULL;
	stored->facts.cert = NULL;
	store_name(stored->version, facts->version);
	store_name(stored->cipher, facts->cipher);
	store_name(stored->key_exchange, facts->key_exchange);
	store_name(stored->auth_method, facts->auth_method);
}

static const char *
load_name(const char *from)
{
	return from[0] ? pstrdup(from) : NULL;
}

/*
 * The facts, in the current memory context.  cert is what was kept of the
 * certificate, or NULL.
 */
Facts
load_facts(const StoredFacts *stored, const CertFacts *cert)
{
	Facts		facts = stored->facts;

	facts.role = pstrdup(NameStr(stored->role));
	facts.database = stored->has_database ? pstrdup(NameStr(stored->database)) : NULL;
	facts.version = load_name(stored->version);
	facts.cipher = load_name(stored->cipher);
	facts.key_exchange = load_name(stored->key_exchange);
	facts.auth_method = load_name(stored->auth_method);
	facts.cert = cert;
	/* found out anew each time */
	facts.anchor_gone = false;
	if (facts.verified && cert == NULL)
		facts.unknown |= UNKNOWN_CERTIFICATE;
	return facts;
}

/*
 * Is it text that ends within its room?  Of what was read from a file.
 */
bool
is_stored_text(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

/*
 * Can these be what store_facts() has written?  Of what was read from a file.
 */
bool
is_stored_facts(const StoredFacts *stored)
{
	const Facts *facts = &stored->facts;

	return is_stored_text(NameStr(stored->role), NAMEDATALEN) &&
		is_stored_text(NameStr(stored->database), NAMEDATALEN) &&
		is_stored_text(stored->version, STORED_NAME_LEN) &&
		is_stored_text(stored->cipher, STORED_NAME_LEN) &&
		is_stored_text(stored->key_exchange, STORED_NAME_LEN) &&
		is_stored_text(stored->auth_method, STORED_NAME_LEN) &&
		(facts->address_len == 0 || facts->address_len == 4 || facts->address_len == 16) &&
		facts->tls_version >= TLS_NONE && facts->tls_version <= TLS_1_3 &&
		facts->role == NULL && facts->database == NULL && facts->cert == NULL;
}

/* what replaces the end of a text that is too long */
#define CUT_MARK "[cut]"

/*
 * Copy as much as there is room for.  No character of several bytes is cut in the
 * middle, whatever the encoding: those before the mark are left out.
 */
void
copy_bounded_text(char *to, size_t size, const char *text)
{
	size_t		end;

	if (strlcpy(to, text, size) < size)
		return;
	end = size - sizeof(CUT_MARK);
	while (end > 0 && IS_HIGHBIT_SET(to[end - 1]))
		end--;
	memcpy(to + end, CUT_MARK, sizeof(CUT_MARK));
}

/*
 * Reasons are printable, so a line each.
 */
char *
join_lines(List *lines)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, lines)
		appendStringInfo(&buf, "%s%s", buf.len ? "\n" : "", (char *) lfirst(cell));
	return buf.data;
}

List *
split_lines(const char *text)
{
	List	   *lines = NIL;
	char	   *save = NULL;

	for (char *line = strtok_r(pstrdup(text), "\n", &save); line;
		 line = strtok_r(NULL, "\n", &save))
		lines = lappend(lines, line);
	return lines;
}
