/*-------------------------------------------------------------------------
 *
 * reach.c
 *		Which roles a caller can act as, and what that lets the caller do to other
 *		roles.
 *
 * A role can act as every role that it is a member of: by SET ROLE, or after it has
 * used its ADMIN OPTION.  So every membership counts, whatever its options.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/acl.h"

#include "base/compat.h"
#include "base/privileged.h"
#include "install/reach.h"

/*
 * All roles, and whether each is a superuser or has equivalent rights: it can become a
 * superuser, read or write the server's files, run programs or load code there, copy
 * the whole cluster, read the passwords of all roles, switch off what sslpolicy
 * enforces, or grant itself any of that.  Only functions of this database are seen: a
 * transaction cannot read pg_proc of another one.
 */
static const char *const all_roles =
	"SELECT r.oid, r.rolname, r.rolsuper, r.rolcanlogin, r.rolcreaterole, r.rolreplication, "
	"r.rolsuper OR r.rolreplication OR (" COMPAT_CREATEROLE_IS_POWERFUL " AND r.rolcreaterole) OR EXISTS ("
	"SELECT FROM pg_catalog.pg_authid p "
	"WHERE (p.rolsuper OR p.rolreplication OR (" COMPAT_CREATEROLE_IS_POWERFUL " AND p.rolcreaterole) "
	"OR p.rolname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files', 'pg_read_all_data']::pg_catalog.name[])) "
	"AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER')) "
	"OR EXISTS (SELECT FROM pg_catalog.pg_parameter_acl p, pg_catalog.aclexplode(p.paracl) a "
	"WHERE p.parname OPERATOR(pg_catalog.=) ANY (ARRAY['archive_command', 'archive_library', 'archive_cleanup_command', 'restore_command', 'recovery_end_command', "
	"'ssl_passphrase_command', 'shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries', 'dynamic_library_path', 'extension_control_path', "
	"'jit_provider', 'allow_system_table_mods', 'config_file', 'data_directory', 'hba_file', 'ident_file', 'hosts_file', 'ssl_ca_file', 'ssl_crl_file', 'ssl_crl_dir', 'primary_conninfo', 'log_directory', 'log_filename', 'external_pid_file', "
	"'sslpolicy.enforcement', 'sslpolicy.minimum_policy', 'sslpolicy.reserved_roles', 'sslpolicy.blocked_fingerprints', 'sslpolicy.directory']) "
	"AND (a.grantee OPERATOR(pg_catalog.=) 0 OR pg_catalog.pg_has_role(r.oid, a.grantee, 'MEMBER'))) "
	"OR EXISTS (SELECT FROM pg_catalog.pg_proc f, pg_catalog.aclexplode(f.proacl) a "
	"WHERE f.proname OPERATOR(pg_catalog.=) ANY (ARRAY['lo_import', 'lo_export', 'pg_read_file', 'pg_read_binary_file', 'pg_file_write', 'pg_file_rename', 'pg_file_unlink', "
	"'dblink_connect_u']::pg_catalog.name[]) "
	"AND (a.grantee OPERATOR(pg_catalog.=) 0 OR pg_catalog.pg_has_role(r.oid, a.grantee, 'MEMBER'))) "
	"OR EXISTS (SELECT FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a "
	"WHERE c.relname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_authid', 'pg_shadow']::pg_catalog.name[]) "
	"AND (a.grantee OPERATOR(pg_catalog.=) 0 OR pg_catalog.pg_has_role(r.oid, a.grantee, 'MEMBER'))) "
	"FROM pg_catalog.pg_authid r ORDER BY r.oid";

static bool
is_true(const char *value)
{
	return value && value[0] == 't';
}

static Oid
read_oid(const char *value)
{
	return (Oid) strtoul(value, NULL, 10);
}

Reach *
read_reach(void)
{
	Reach	   *reach = palloc0(sizeof(Reach));
	QueryResult *roles = privileged_query(all_roles);
	QueryResult *grants = privileged_query("SELECT roleid, member, admin_option FROM pg_catalog.pg_auth_members");

	reach->nroles = roles->rows;
	reach->roles = palloc0(sizeof(ReachedRole) * (Size) (roles->rows + 1));
	for (int i = 0; i < roles->rows; i++)
	{
		char	  **r = roles->values[i];
		ReachedRole *role = &reach->roles[i];

		role->oid = read_oid(r[0]);
		role->name = r[1];
		role->is_superuser = is_true(r[2]);
		role->can_login = is_true(r[3]);
		role->can_create_roles = is_true(r[4]);
		role->can_replicate = is_true(r[5]);
		role->is_powerful = is_true(r[6]);
	}
	reach->grants = palloc0(sizeof(RoleGrant) * (Size) (grants->rows + 1));
	for (int i = 0; i < grants->rows; i++)
	{
		char	  **r = grants->values[i];
		RoleGrant  *grant = &reach->grants[reach->ngrants];

		grant->role = find_reached_role(reach, read_oid(r[0]));
		grant->member = find_reached_role(reach, read_oid(r[1]));
		grant->admin = is_true(r[2]);
		if (grant->role >= 0 && grant->member >= 0)
			reach->ngrants++;
	}
	return reach;
}

/*
 * The index of a role, or -1.  Roles are in the order of their oids.
 */
int
find_reached_role(const Reach *reach, Oid role)
{
	int			low = 0;
	int			high = reach->nroles - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;

		if (reach->roles[middle].oid == role)
			return middle;
		if (reach->roles[middle].oid < role)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

/*
 * Mark a role, and every role that it is a member of, as roles that the caller can act
 * as.
 */
void
act_as(Reach *reach, int role)
{
	bool		more = role >= 0;

	if (role >= 0)
		reach->roles[role].acting = true;
	while (more)
	{
		more = false;
		for (int i = 0; i < reach->ngrants; i++)
		{
			const RoleGrant *grant = &reach->grants[i];

			if (reach->roles[grant->member].acting && !reach->roles[grant->role].acting)
				more = reach->roles[grant->role].acting = true;
		}
	}
}

static bool
is_superuser(const Reach *reach)
{
	for (int i = 0; i < reach->nroles; i++)
		if (reach->roles[i].acting && reach->roles[i].is_superuser)
			return true;
	return false;
}

bool
can_make_roles(const Reach *reach)
{
	for (int i = 0; i < reach->nroles; i++)
		if (reach->roles[i].acting && reach->roles[i].can_create_roles)
			return true;
	return is_superuser(reach);
}

static bool
has_admin_option(const Reach *reach, int role)
{
	for (int i = 0; i < reach->ngrants; i++)
		if (reach->grants[i].role == role && reach->grants[i].admin &&
			reach->roles[reach->grants[i].member].acting)
			return true;
	return false;
}

/*
 * Can the caller rename the role?  The rules are those of RenameRole().
 */
bool
can_rename(const Reach *reach, int role)
{
	if (is_superuser(reach))
		return true;
	return can_make_roles(reach) && !reach->roles[role].is_superuser &&
		(compat_createrole_reaches_all() || has_admin_option(reach, role));
}

/*
 * Can the caller set the policy of the role, if that function is granted?  The rules are
 * those of compat_may_administer().
 */
bool
can_administer(const Reach *reach, int role)
{
	if (compat_createrole_reaches_all() && reach->roles[role].can_replicate)
		return is_superuser(reach);
	return can_rename(reach, role);
}

/*
 * Can the caller change the setting by ALTER SYSTEM?
 */
bool
can_set(const Reach *reach, const char *setting)
{
	for (int i = 0; i < reach->nroles; i++)
		if (reach->roles[i].acting &&
			pg_parameter_aclcheck(setting, reach->roles[i].oid, ACL_ALTER_SYSTEM) == ACLCHECK_OK)
			return true;
	return false;
}

/*
 * Can the caller grant the role?  The rules are those of GRANT.
 */
static bool
can_grant(const Reach *reach, int role)
{
	return is_superuser(reach) || has_admin_option(reach, role) ||
		(compat_createrole_reaches_all() && can_make_roles(reach) && !reach->roles[role].is_superuser);
}

/*
 * Can the caller make anybody a member of the group, by granting the group itself or a
 * role that is a member of it, at any depth?
 */
bool
can_put_anybody_into(const Reach *reach, Oid group)
{
	bool	   *inside = palloc0(sizeof(bool) * (Size) (reach->nroles + 1));
	int			top = find_reached_role(reach, group);
	bool		more = top >= 0;

	if (top >= 0)
		inside[top] = true;
	while (more)
	{
		more = false;
		for (int i = 0; i < reach->ngrants; i++)
			if (inside[reach->grants[i].role] && !inside[reach->grants[i].member])
				more = inside[reach->grants[i].member] = true;
	}
	for (int i = 0; i < reach->nroles; i++)
		if (inside[i] && can_grant(reach, i))
			return true;
	return false;
}

/*
 * Does the name of the role, or of a role that it is a member of, at any depth, match?
 */
bool
is_member_of_any(const Reach *reach, int role, bool (*matches)(const char *name))
{
	for (int i = 0; i < reach->nroles; i++)
		if (matches(reach->roles[i].name) &&
			(i == role || is_member_of_role_nosuper(reach->roles[role].oid, reach->roles[i].oid)))
			return true;
	return false;
}
