/*-------------------------------------------------------------------------
 *
 * target.c
 *		Which file an installation may replace or make.
 *
 * A setting names the file, and whoever may change the setting need not be who
 * installs, nor a superuser.  Together they must not be a way to write any file of
 * the server.  So a file that is not empty is replaced only if it already is what
 * is installed; and one that is new is made only under a name that means nothing
 * else to the server (recovery.signal would, or a name in an include_dir).
 *
 * To callers who are no superusers one answer is given for all of that: which files
 * there are, and what they hold, is not theirs to ask.
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

/* What a kind of file may hold, and must have some of. */
static const char *const blocks_of[NUM_MATERIAL_KINDS] = {
	[MATERIAL_SERVER] = "certificates and a private key",
	[MATERIAL_CA] = "certificates and CRLs",
	[MATERIAL_CRL] = "CRLs",
};

/*
 * A folder, links resolved; NULL if there is none.
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
 * Is the file one of those that sslpolicy.directory keeps for something else: a
 * version of before, or the file of another kind?
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
 * Another setting that names the file: the TLS settings as the next reload will
 * find them, all others that are for the whole server as they are.  A file in a
 * folder of CRLs is one of that setting's, too.  NULL if there is none.
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
 * What is wrong with replacing a file that is there, and not empty; NULL if
 * nothing is.
 */
static char *
content_problem(const Installation *inst, const PemFile *file)
{
	if (file->error)
		return psprintf("It cannot be read as PEM: %s.", full_text(file->error));
	if (!holds_only_its_blocks(inst, file->content))
		return psprintf("It is not empty, and what it holds is not %s alone, in PEM.", blocks_of[inst->kind]);
	if (!superuser() && has_text_outside_pem(file->bytes, file->len))
		return pstrdup("It holds other text than PEM, blank lines and comments.");
	return NULL;
}

static bool
has_pem_name(const char *path)
{
	const char *dot = strrchr(name_in_folder(path), '.');

	return dot && (strcmp(dot, ".pem") == 0 || strcmp(dot, ".crl") == 0 || strcmp(dot, ".crt") == 0);
}

/*
 * Where may callers who are no superusers have a file made?  Folders inside the
 * data directory are PostgreSQL's, also those that are links.
 */
static bool
is_open_folder(const char *path, const char *target)
{
	char	   *data = resolved_folder(DataDir);
	char	   *written = folder_of(path);
	char	   *folder = resolved_folder(folder_of(target));

	/* ~/.postgresql has what connections of the server's own go by */
	if (folder == NULL || data == NULL || strstr(written, "/.") || strstr(folder, "/."))
		return false;
	if (strcmp(folder, data) == 0 || is_folder(folder, material_directory()))
		return true;
	return !path_is_prefix_of_path(data, folder) && !path_is_prefix_of_path(data, written) &&
		!path_is_prefix_of_path(DataDir, written);
}

/*
 * What is wrong with making the file; NULL if nothing is.
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
		detail = psprintf("Callers who are no superusers replace a file only if it holds %s in PEM, and nothing else but blank lines and comments. "
						  "They make a new one only under a name that ends in \".pem\", \".crl\" or \".crt\", outside the data directory, directly in it, or in sslpolicy.directory. "
						  "No other setting may name it.",
						  blocks_of[inst->kind]);
	ereport(ERROR,
			(errcode(superuser() ? ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE : ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("file \"%s\" cannot be replaced", path),
			 errdetail("%s", detail),
			 errdetail_log("%s", problem),
			 errhint("Set %s to a file of its own.",
					 inst->indexed ? tls_setting_name(SETTING_OWN_CRL_FILE) :
									 tls_setting_name(material_place(inst->kind)->settings[0]))));
}

/*
 * An error if the file must not be replaced, or made.  path is as the setting has
 * it; target is the same with links resolved.
 */
void
check_target_file(const Installation *inst, const char *path, const char *target)
{
	const char *other = other_setting_of(inst, target);
	char	   *problem = NULL;

	if (other)
		problem = psprintf("It is %s as well.", other);
	else if (is_kept_for_others(inst, target))
		problem = pstrdup("In sslpolicy.directory it is kept for other material, or for a version of before.");
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
