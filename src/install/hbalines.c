/*-------------------------------------------------------------------------
 *
 * hbalines.c
 *		The lines of pg_hba.conf, and whom they concern.
 *
 * They are read by PostgreSQL itself (pg_hba_file_rules), as they are on disk;
 * at login core decides by what it has loaded.  pg_hba_file_rules does not tell
 * a keyword from a quoted name; the keyword is assumed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "base/privileged.h"
#include "install/hbalines.h"
#include "policy/matcher.h"

/*
 * The elements of an array of texts in its external form.
 */
static List *
array_elements(char *array)
{
	Datum		datum;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	List	   *result = NIL;

	if (array == NULL)
		return NIL;
	datum = OidInputFunctionCall(F_ARRAY_IN, array, TEXTOID, -1);
	deconstruct_array(DatumGetArrayTypeP(datum), TEXTOID, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			result = lappend(result, TextDatumGetCString(elements[i]));
	return result;
}

static bool
list_has(List *strings, const char *wanted)
{
	ListCell   *cell;

	foreach(cell, strings)
		if (strcmp(lfirst(cell), wanted) == 0)
			return true;
	return false;
}

/*
 * Address and mask.  Host names, samehost and samenet are not resolved: such a
 * line takes no address.
 */
static void
read_address(HbaEntry *line, const char *address, const char *mask)
{
	int			family = address && strchr(address, ':') ? AF_INET6 : AF_INET;

	line->any_address = address && strcmp(address, "all") == 0;
	if (address == NULL || mask == NULL ||
		inet_pton(family, address, line->address) != 1 ||
		inet_pton(family, mask, line->mask) != 1)
		return;
	line->address_len = family == AF_INET6 ? 16 : 4;
	for (int i = 0; i < line->address_len; i++)
		line->address[i] &= line->mask[i];
}

static HbaEntry *
read_line(char **row)
{
	HbaEntry   *line = palloc0(sizeof(HbaEntry));
	const char *type = row[2];
	ListCell   *cell;

	line->local = strcmp(type, "local") == 0;
	line->with_tls = !line->local && strcmp(type, "hostnossl") != 0 && strcmp(type, "hostgssenc") != 0;
	line->without_tls = !line->local && strcmp(type, "hostssl") != 0 && strcmp(type, "hostgssenc") != 0;
	line->databases = array_elements(row[3]);
	line->users = array_elements(row[4]);
	read_address(line, row[5], row[6]);
	line->method = row[7];
	line->asks_certificate = strcmp(line->method, "cert") == 0;
	foreach(cell, array_elements(row[8]))
		line->asks_certificate |= strncmp(lfirst(cell), "clientcert=", 11) == 0;
	return line;
}

/*
 * All lines that can be read, in their order; *errors are the places of the
 * others.
 */
List *
read_hba_lines(List **errors)
{
	QueryResult *rows = privileged_query(
		"SELECT r.line_number, pg_catalog.to_jsonb(r) OPERATOR(pg_catalog.->>) 'file_name', "
		"r.type, r.database, r.user_name, r.address, r.netmask, r.auth_method, r.options "
		"FROM pg_catalog.pg_hba_file_rules r");
	List	   *result = NIL;

	*errors = NIL;
	for (int i = 0; i < rows->rows; i++)
	{
		char	  **row = rows->values[i];
		/* since 16 a line can be one of another file */
		const char *slash = row[1] ? strrchr(row[1], '/') : NULL;
		char	   *place = psprintf("%s, line %s", slash ? slash + 1 : "pg_hba.conf",
									 row[0] ? row[0] : "?");

		/* hostssl with ssl off has an error as well, but is whole */
		if (row[2] == NULL || row[7] == NULL)
			*errors = lappend(*errors, place);
		else
		{
			HbaEntry   *line = read_line(row);

			line->place = place;
			result = lappend(result, line);
		}
	}
	return result;
}

/*
 * Does the line concern the role?  in_doubt is the answer for a regular
 * expression (16 and later) that is not to be tried.
 */
bool
hba_names_role(const HbaEntry *line, Oid role, const char *name, bool in_doubt)
{
	ListCell   *cell;

	foreach(cell, line->users)
	{
		const char *user = lfirst(cell);

		if (strcmp(user, "all") == 0 || strcmp(user, name) == 0)
			return true;
		if (user[0] == '+')
		{
			Oid			group = get_role_oid(user + 1, true);

			if (OidIsValid(group) && is_member_of_role_nosuper(role, group))
				return true;
		}
		if (user[0] == '/' && (in_doubt || regex_matches(user + 1, &name, 1, false)))
			return true;
	}
	return false;
}

/*
 * One of the words that stand for databases?
 */
bool
hba_is_keyword(const char *database)
{
	return strcmp(database, "all") == 0 || strcmp(database, "sameuser") == 0 ||
		strcmp(database, "samerole") == 0 || strcmp(database, "samegroup") == 0 ||
		strcmp(database, "replication") == 0;
}

/*
 * Does the line concern the database; NULL is physical replication, and "" one
 * that nobody has named.
 */
bool
hba_takes_database(const HbaEntry *line, Oid role, const char *role_name, const char *database)
{
	ListCell   *cell;

	if (database == NULL)
		return list_has(line->databases, "replication");
	foreach(cell, line->databases)
	{
		const char *entry = lfirst(cell);

		if (strcmp(entry, "all") == 0)
			return true;
		if (strcmp(entry, "sameuser") == 0)
		{
			if (strcmp(database, role_name) == 0)
				return true;
		}
		else if (strcmp(entry, "samerole") == 0 || strcmp(entry, "samegroup") == 0)
		{
			Oid			group = database[0] ? get_role_oid(database, true) : InvalidOid;

			if (OidIsValid(group) && is_member_of_role_nosuper(role, group))
				return true;
		}
		else if (entry[0] == '/' ? regex_matches(entry + 1, &database, 1, false) :
								   !hba_is_keyword(entry) && strcmp(entry, database) == 0)
			return true;
	}
	return false;
}

bool
hba_takes_address(const HbaEntry *line, const uint8 *address, int len)
{
	if (line->any_address)
		return true;
	if (line->address_len != len)
		return false;
	for (int i = 0; i < len; i++)
		if ((address[i] & line->mask[i]) != line->address[i])
			return false;
	return true;
}
