/*-------------------------------------------------------------------------
 *
 * target.c
 *		Which file an installation may replace or create.
 *
 * A setting names the file, and the role that changes the setting need not be the one
 * that installs, nor a superuser.  Setting and installation together must not be a way
 * to write any file of the server.  So an installation replaces a file that is not
 * empty only if it already holds material of the same kind, and creates a file only
 * under a name that means nothing else to the server (recovery.signal would, or a name
 * in an include_dir).
 *
 * Callers who are not superusers get one answer for all of that, because they must not
 * learn which files there are and what they hold.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"

#include "base/files.h"
#include "base/privileged.h"
#include "base/told.h"
#include "install/place.h"
#include "install/target.h"
#include "settings/directory.h"
#include "settings/settings.h"

/* What separates paths in settings that hold more than one thing (conninfo, lists). */
#define SEPARATORS " \t\n\r\"',=;"

/* What a kind of file may hold; it must hold some of that. */
static const char *const blocks_of[NUM_MATERIAL_KINDS] = {
	[MATERIAL_SERVER] = "certificates and a private key",
	[MATERIAL_CA] = "certificates and CRLs",
	[MATERIAL_CRL] = "CRLs",
};

/*
 * The path of a folder, with links resolved; NULL if there is none.
 */
static char *
resolved_folder(const char *path)
{
	char		resolved[PATH_MAX];

	return realpath(path, resolved) ? pstrdup(resolved) : NULL;
}

static char *
folder_of(const char *path)
{
	char	   *folder = make_absolute_path(path);

	get_parent_directory(folder);
	return folder;
}

static const char *
name_in_folder(const char *path)
{
	const char *slash = last_dir_separator(path);

	return slash ? slash + 1 : path;
}

static bool
is_folder(const char *folder, const char *path)
{
	char	   *other = resolved_folder(path);

	return folder != NULL && other != NULL && strcmp(folder, other) == 0;
}

/*
 * Does sslpolicy.directory keep the file for something else: as an earlier version, or
 * for another kind of material?
 */
static bool
is_kept_for_others(const Installation *inst, const char *target)
{
	const char *name = name_in_folder(target);

	if (!is_folder(resolved_folder(folder_of(target)), material_directory()))
		return false;
	for (MaterialKind kind = 0; kind < NUM_MATERIAL_KINDS; kind++)
	{
		size_t		len = strlen(material_kind_name(kind));
		const char *rest = name + len;

		if (strncmp(name, material_kind_name(kind), len) != 0 || *rest != '.')
			continue;
		if (strcmp(rest, ".pem") == 0)
			return kind != inst->kind || inst->indexed;
		/* history_version_file() */
		rest += 1 + strspn(rest + 1, "0123456789");
		if (rest > name + len + 1 && strcmp(rest, ".pem") == 0)
			return true;
	}
	return false;
}

static bool
is_own_setting(const Installation *inst, const char *name)
{
	const MaterialPlace *place = material_place(inst->kind);

	if (inst->indexed)
		return strcmp(name, tls_setting_name(SETTING_OWN_CRL_FILE)) == 0;
	for (int i = 0; i < place->count; i++)
		if (strcmp(tls_setting_name(place->settings[i]), name) == 0)
			return true;
	return false;
}

/*
 * Does the value of a setting name the file, by itself or among other things?
 */
static bool
names_file(const char *value, const char *target)
{
	char	   *save = NULL;

	if (strcmp(resolve_target(value), target) == 0)
		return true;
	for (char *word = strtok_r(pstrdup(value), SEPARATORS, &save); word;
		 word = strtok_r(NULL, SEPARATORS, &save))
		if (strcmp(resolve_target(word), target) == 0)
			return true;
	return false;
}

/*
 * Another setting that names the file; NULL if there is none.  TLS settings count as the
 * next reload will find them, all others that are for the whole server as they are now.
 * A setting that names a folder of CRLs names every file in that folder.
 */
static const char *
other_setting_of(const Installation *inst, const char *target)
{
	QueryResult *rows;
	char	   *folder = resolved_folder(folder_of(target));

	for (TlsSetting setting = SETTING_CERT_FILE; setting <= SETTING_OWN_CRL_DIR; setting++)
	{
		const char *name = tls_setting_name(setting);
		const char *value = inst->configuration->settings[setting].value;
		bool		is_dir = setting == SETTING_CRL_DIR || setting == SETTING_OWN_CRL_DIR;

		if (value[0] && !is_own_setting(inst, name) &&
			(is_dir ? is_folder(folder, value) : names_file(value, target)))
			return name;
	}
	rows = privileged_query(
		"SELECT name, setting FROM pg_catalog.pg_settings "
		"WHERE vartype OPERATOR(pg_catalog.=) 'string' AND setting OPERATOR(pg_catalog.<>) '' "
		"AND context OPERATOR(pg_catalog.=) ANY (ARRAY['internal', 'postmaster', 'sighup']) ORDER BY name");
	for (int i = 0; i < rows->rows; i++)
	{
		const char *name = rows->values[i][0];
		bool		is_tls = false;

		for (TlsSetting setting = 0; setting < NUM_TLS_SETTINGS; setting++)
			is_tls |= strcmp(name, tls_setting_name(setting)) == 0;
		if (!is_tls && names_file(rows->values[i][1], target))
			return name;
	}
	return NULL;
}

static bool
holds_only_its_blocks(const Installation *inst, const PemContent *content)
{
	int			ncerts = sk_X509_num(content->certs);
	int			ncrls = sk_X509_CRL_num(content->crls);
	bool		parameters = content->nothers == 1 && strcmp(content->other, "EC PARAMETERS") == 0;

	switch (inst->kind)
	{
		case MATERIAL_SERVER:
			/* parameters are what "openssl ecparam" puts before the key */
			return ncerts + content->nkeys > 0 && ncrls == 0 && (content->nothers == 0 || parameters);
		case MATERIAL_CA:
			return ncerts + ncrls > 0 && content->nkeys == 0 && content->nothers == 0;
		case MATERIAL_CRL:
			return ncrls > 0 && ncerts == 0 && content->nkeys == 0 && content->nothers == 0;
	}
	return false;
}

/*
 * Why a file that exists and is not empty cannot be replaced; NULL if it can.
 */
static char *
content_problem(const Installation *inst, const PemFile *file)
{
	if (file->error)
		return psprintf("It cannot be read as PEM: %s.", full_text(file->error));
	if (!holds_only_its_blocks(inst, file->content))
		return psprintf("It is not empty, and holds something other than %s in PEM.", blocks_of[inst->kind]);
	if (!superuser() && has_text_outside_pem(file->bytes, file->len))
		return pstrdup("It holds text other than PEM blocks, blank lines and comments.");
	return NULL;
}

static bool
has_pem_name(const char *path)
{
	const char *dot = strrchr(name_in_folder(path), '.');

	return dot && (strcmp(dot, ".pem") == 0 || strcmp(dot, ".crl") == 0 || strcmp(dot, ".crt") == 0);
}

/*
 * May callers who are not superusers have a file created here?  Folders inside the data
 * directory belong to PostgreSQL, even those that are links.
 */
static bool
is_open_folder(const char *path, const char *target)
{
	char	   *data = resolved_folder(DataDir);
	char	   *written = folder_of(path);
	char	   *folder = resolved_folder(folder_of(target));

	/* the server's own connections as a client use files of ~/.postgresql */
	if (folder == NULL || data == NULL || strstr(written, "/.") || strstr(folder, "/."))
		return false;
	if (strcmp(folder, data) == 0 || is_folder(folder, material_directory()))
		return true;
	return !path_is_prefix_of_path(data, folder) && !path_is_prefix_of_path(data, written) &&
		!path_is_prefix_of_path(DataDir, written);
}

/*
 * Why the file cannot be created; NULL if it can.
 */
static char *
name_problem(const char *path, const char *target)
{
	if (!has_pem_name(path) || !has_pem_name(target))
		return pstrdup("It is new or empty, and its name does not end in \".pem\", \".crl\" or \".crt\": the server could take it for something else.");
	if (!superuser() && !is_open_folder(path, target))
		return pstrdup("It is new or empty, and lies in a folder of the data directory.");
	return NULL;
}

static void
refuse_target(const Installation *inst, const char *path, char *problem)
{
	char	   *detail = problem;

	if (!superuser())
		detail = psprintf("Callers who are not superusers can replace a file only if it holds %s in PEM, and nothing else but blank lines and comments. "
						  "They can create a file only if its name ends in \".pem\", \".crl\" or \".crt\", and only outside the data directory, directly in it, or in sslpolicy.directory. "
						  "No other setting may name the file.",
						  blocks_of[inst->kind]);
	ereport(ERROR,
			(errcode(superuser() ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("file \"%s\" cannot be replaced", path),
			 errdetail("%s", detail),
			 errdetail_log("%s", problem),
			 inst->indexed ?
				 errhint("Set %s to a file of its own. If you move this one away, the CRLs that are in force from it are restored.", tls_setting_name(SETTING_OWN_CRL_FILE)) :
				 errhint("Set %s to a file of its own.", tls_setting_name(material_place(inst->kind)->settings[0]))));
}

/*
 * An error if the file must not be replaced, or created.  path is as the setting has it;
 * target is the same with links resolved.
 */
void
check_target_file(const Installation *inst, const char *path, const char *target)
{
	const char *other = other_setting_of(inst, target);
	char	   *problem = NULL;

	if (other)
		problem = psprintf("It is %s as well.", other);
	else if (is_kept_for_others(inst, target))
		problem = pstrdup("sslpolicy.directory keeps it for other material, or as an earlier version.");
	else if (file_exists(target))
	{
		PemFile    *file = read_pem_file(target);

		problem = file->bytes && file->len == 0 ? name_problem(path, target) : content_problem(inst, file);
	}
	else
		problem = name_problem(path, target);
	if (problem)
		refuse_target(inst, path, problem);
}

/*
 * A setting that names one file is to name another.  Does the file that it leaves look as
 * if something else than this server writes it?  It does outside the data directory, and
 * where a link stands for it or for its folder.  For callers who are not superusers, only
 * the path tells: whether there is a link is not for them.
 */
bool
leaves_file_of_others(const char *path, const char *to)
{
	char	   *written = make_absolute_path(path);
	char	   *target = resolve_target(path);
	char	   *data = resolved_folder(DataDir);

	if (data == NULL || strcmp(target, to) == 0 || is_folder(resolved_folder(folder_of(path)), material_directory()))
		return false;
	if (!path_is_prefix_of_path(DataDir, written) && !path_is_prefix_of_path(data, written))
		return true;
	return superuser() && file_exists(path) &&
		(strcmp(name_in_folder(target), name_in_folder(written)) != 0 || !path_is_prefix_of_path(data, target));
}
