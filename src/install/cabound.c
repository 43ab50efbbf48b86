/*-------------------------------------------------------------------------
 *
 * cabound.c
 *		What installing a CA must not let an ordinary role become.
 *
 * A role that may install a CA can have it issue a certificate for any name, and so
 * become every role that is let in by certificate alone.  That must not be a
 * superuser, a role with equivalent rights, or a reserved role, unless a policy that
 * binds that role keeps the CA out.
 *
 * The CA stays, and its installer can do more afterwards.  So it is not enough to see
 * who is let in now.  The caller, and every role that the CA lets the caller become,
 * could next put somebody into a group that a line of pg_hba.conf names, give a role
 * the name that a line names, or remove a policy.
 *
 * We read pg_hba.conf as it is on disk, where the reload will find it.  If in doubt, a
 * line admits the role: we ignore databases, addresses, user maps and earlier lines.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"

#include "base/privileged.h"
#include "install/cabound.h"
#include "install/hbalines.h"
#include "install/reach.h"
#include "labels/applicable.h"
#include "labels/exceptions.h"
#include "labels/labels.h"
#include "pki/chain.h"
#include "settings/settings.h"

/* A line by which a certificate may let somebody in. */
typedef struct Door
{
	HbaEntry   *line;
	bool		by_policy;		/* it trusts: only a policy asks for a certificate */
	const char *open_group;		/* a group that it names and that the caller could
								 * put anybody into; NULL: none */
} Door;

typedef struct Bound
{
	STACK_OF(X509) *certs;		/* to be installed */
	STACK_OF(X509) *in_place;	/* already in place */
	Reach	   *reach;
	List	   *doors;			/* of Door * */
	bool		databases_ask;	/* a database's policy asks for a certificate */
	bool		pins_hold;		/* the caller cannot turn enforcement off */
	bool		everybody_pinned;	/* by minimum_policy */
} Bound;

static bool
is_added(const Bound *bound, const uint8 *fingerprint)
{
	return find_certificate_by_fingerprint(bound->certs, fingerprint) != NULL &&
		find_certificate_by_fingerprint(bound->in_place, fingerprint) == NULL;
}

/*
 * Does the rule keep certificates of the new CAs out, because it lets nobody in by TLS,
 * or because it names certificates or other CAs?
 */
static bool
rule_pins(const Bound *bound, const PolicyRule *rule)
{
	bool		names_ca = false;
	bool		names_added = false;

	if (rule->sslmode == SSLMODE_REJECT || rule->sslmode == SSLMODE_DISABLE)
		return true;
	for (int i = 0; i < rule->nvalues; i++)
	{
		const PolicyValue *value = &rule->values[i];

		if (value->key == KEY_FINGERPRINT)
			return true;
		if (value->key == KEY_CA_FINGERPRINT)
		{
			names_ca = true;
			names_added |= is_added(bound, value->bytes);
		}
	}
	return names_ca && !names_added;
}

/*
 * Does every rule that decides keep them out?
 */
static bool
policy_pins(const Bound *bound, const char *text, PolicyPlace place)
{
	PolicyError error;
	Policy	   *policy = text && text[0] ? parse_policy(text, place, NULL, &error) : NULL;

	if (policy == NULL)
		return false;
	for (int i = 0; i < policy->nrules; i++)
		if (!policy->rules[i].log_only && !rule_pins(bound, &policy->rules[i]))
			return false;
	return true;
}

/*
 * Does a rule that decides ask for a certificate?
 */
static bool
policy_asks(const Policy *policy)
{
	for (int i = 0; policy && i < policy->nrules; i++)
		if (!policy->rules[i].log_only && policy->rules[i].sslmode >= SSLMODE_VERIFY_CA)
			return true;
	return false;
}

static bool
databases_ask(void)
{
	QueryResult *rows = privileged_query("SELECT oid FROM pg_catalog.pg_database");

	for (int i = 0; i < rows->rows; i++)
	{
		char	   *text = read_label(DatabaseRelationId, (Oid) strtoul(rows->values[i][0], NULL, 10));
		PolicyError error;

		if (text && policy_asks(parse_policy(text, PLACE_DATABASE, NULL, &error)))
			return true;
	}
	return false;
}

/*
 * Does a policy that applies to the role ask for a certificate?
 */
static bool
policies_ask(const Bound *bound, const ReachedRole *role)
{
	Applicable *applicable;

	if (enforcement() == ENFORCEMENT_OFF)
		return false;
	if (bound->databases_ask && !role->is_superuser)
		return true;
	applicable = find_applicable(role->name, NULL, true);
	for (int i = 0; i < applicable->count; i++)
		if (policy_asks(applicable->policies[i].policy))
			return true;
	return false;
}

/*
 * Lines that let a client in by certificate, or with no proof at all.  (With ident, the
 * client's own machine says who it is.)
 */
static List *
find_doors(void)
{
	List	   *errors;
	List	   *lines = read_hba_lines(&errors);
	List	   *result = NIL;
	ListCell   *cell;

	/* the server goes on with the lines before the error came in */
	if (errors != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to install a CA"),
				 errdetail("pg_hba.conf has an error (%s), so that it cannot be told whom a certificate lets in.",
						   (char *) linitial(errors)),
				 errhint("A superuser may install it, or mend the file.")));
	foreach(cell, lines)
	{
		HbaEntry   *line = lfirst(cell);
		bool		trusts = strcmp(line->method, "trust") == 0 || strcmp(line->method, "ident") == 0;

		if (line->with_tls && (trusts || strcmp(line->method, "cert") == 0))
		{
			Door	   *door = palloc0(sizeof(Door));

			door->line = line;
			door->by_policy = !line->asks_certificate;
			result = lappend(result, door);
		}
	}
	return result;
}

/*
 * Could the caller put anybody into the group, or create the group?
 */
static bool
is_open_group(const Reach *reach, const char *name)
{
	Oid			group = get_role_oid(name, true);

	return OidIsValid(group) ? can_put_anybody_into(reach, group) : can_make_roles(reach);
}

static void
find_open_groups(const Bound *bound)
{
	ListCell   *cell;

	foreach(cell, bound->doors)
	{
		Door	   *door = lfirst(cell);
		ListCell   *user;

		foreach(user, door->line->users)
		{
			const char *name = lfirst(user);

			if (door->open_group == NULL && name[0] == '+' && is_open_group(bound->reach, name + 1))
				door->open_group = name + 1;
		}
	}
}

/*
 * Why the door is open to the role, or how the caller could open it: part of a sentence
 * for an error; NULL if neither holds.
 */
static const char *
way_through(const Bound *bound, const Door *door, int index)
{
	const ReachedRole *role = &bound->reach->roles[index];
	const HbaEntry *line = door->line;
	ListCell   *cell;

	if (hba_names_role(line, role->oid, role->name, true))
		return psprintf("%s, lets that role in%s", line->place,
						door->by_policy ? ", and only its policy asks for a certificate" : " by certificate");
	if (door->open_group)
		return psprintf("%s, lets members of \"%s\" in by certificate, and you could make that role a member",
						line->place, door->open_group);
	foreach(cell, line->users)
	{
		const char *user = lfirst(cell);

		if (user[0] != '/' && user[0] != '+' && can_rename(bound->reach, index))
			return psprintf("%s, lets role \"%s\" in by certificate, and you could rename role \"%s\" to that name",
							line->place, user, role->name);
	}
	return NULL;
}

static const char *
way_in(const Bound *bound, int index)
{
	ListCell   *cell;

	foreach(cell, bound->doors)
	{
		const Door *door = lfirst(cell);
		const char *way = way_through(bound, door, index);

		if (way && (!door->by_policy || policies_ask(bound, &bound->reach->roles[index])))
			return way;
	}
	return NULL;
}

/*
 * Does a policy of the role keep the new CAs out, and can the caller not remove it?
 */
static bool
is_pinned(const Bound *bound, int index)
{
	if (!bound->pins_hold)
		return false;
	return bound->everybody_pinned ||
		(!can_administer(bound->reach, index) &&
		 policy_pins(bound, read_label(AuthIdRelationId, bound->reach->roles[index].oid), PLACE_ROLE));
}

static void
find_pins(Bound *bound)
{
	bound->pins_hold = enforcement() == ENFORCEMENT_ENFORCE && !can_set(bound->reach, "sslpolicy.enforcement");
	bound->everybody_pinned = !can_set(bound->reach, "sslpolicy.minimum_policy") &&
		policy_pins(bound, minimum_policy(), PLACE_MINIMUM);
}

/*
 * An error if a role that the new CAs let the caller become is one that they must not.
 */
static void
refuse_if_important(const Bound *bound, int index, const char *way)
{
	const ReachedRole *role = &bound->reach->roles[index];

	if (!role->is_powerful && !is_member_of_any(bound->reach, index, is_reserved_role))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to install a CA"),
			 errdetail("Whoever has a certificate of the CA could log in as %s \"%s\": %s.",
					   role->is_powerful ? "superuser or privileged role" : "reserved role", role->name, way),
			 errhint("A superuser can install it, or can first pin the CA of that role: set a policy of that role with another ca_fingerprint in each rule, which neither you nor anybody whom the CA lets in may change.")));
}

/*
 * Check every role that the CA lets the caller become.  Repeat that as long as it finds
 * a new role, because that one may be able to do more.
 */
static void
follow_doors(Bound *bound)
{
	bool		more = true;

	while (more)
	{
		more = false;
		find_pins(bound);
		find_open_groups(bound);
		for (int i = 0; i < bound->reach->nroles; i++)
		{
			ReachedRole *role = &bound->reach->roles[i];
			const char *way;

			CHECK_FOR_INTERRUPTS();
			/* not if it is acting: to log in as a role can give more than to act as it */
			if (!role->can_login || role->followed)
				continue;
			way = way_in(bound, i);
			if (way == NULL || is_pinned(bound, i))
				continue;
			refuse_if_important(bound, i, way);
			role->followed = true;
			more |= !role->acting;
			act_as(bound->reach, i);
		}
	}
}

/*
 * An error if these CAs would make their installer a superuser or a reserved role.
 * Superusers may do everything.
 */
void
check_ca_bound(STACK_OF(X509) *certs, STACK_OF(X509) *in_place)
{
	Bound		bound = {.certs = certs, .in_place = in_place};

	if (superuser())
		return;
	/* the statement or transaction may have taken its own snapshot long ago */
	PushActiveSnapshot(GetLatestSnapshot());
	bound.doors = find_doors();
	if (bound.doors != NIL)
	{
		bound.reach = read_reach();
		bound.databases_ask = databases_ask();
		act_as(bound.reach, find_reached_role(bound.reach, GetUserId()));
		act_as(bound.reach, find_reached_role(bound.reach, GetSessionUserId()));
		follow_doors(&bound);
	}
	PopActiveSnapshot();
}
