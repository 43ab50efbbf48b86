/*-------------------------------------------------------------------------
 *
 * place.c
 *		Where each kind of TLS material lies, and what is there.
 *
 * Each kind is one file.  CAs and CRLs have a setting that names it; for the
 * server's certificate and key there are two, and two files as long as these
 * differ.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/told.h"
#include "install/place.h"
#include "settings/directory.h"

static const MaterialPlace places[NUM_MATERIAL_KINDS] = {
	[MATERIAL_SERVER] = {2, {SETTING_CERT_FILE, SETTING_KEY_FILE}},
	[MATERIAL_CA] = {1, {SETTING_CA_FILE}},
	[MATERIAL_CRL] = {1, {SETTING_CRL_FILE}},
};

const MaterialPlace *
material_place(MaterialKind kind)
{
	return &places[kind];
}

/*
 * The file that is made where no setting names one.
 */
const char *
own_material_file(MaterialKind kind)
{
	return own_file(psprintf("%s.pem", material_kind_name(kind)));
}

static const char **
named_by(MaterialFiles *files, TlsSetting setting)
{
	switch (setting)
	{
		case SETTING_CERT_FILE:
			return &files->cert_file;
		case SETTING_KEY_FILE:
			return &files->key_file;
		case SETTING_CA_FILE:
			return &files->ca_file;
		case SETTING_CRL_FILE:
			return &files->crl_file;
		default:
			elog(ERROR, "setting \"%s\" names no file of TLS material", tls_setting_name(setting));
	}
}

static const char *
path_of_setting(const Installation *inst, int i)
{
	MaterialFiles files = inst->files;

	return *named_by(&files, places[inst->kind].settings[i]);
}

/*
 * The file, or the first of them; "" if none is set.
 */
const char *
path_in_place(const Installation *inst)
{
	return path_of_setting(inst, 0);
}

/*
 * Do all settings of the kind name the same file?
 */
bool
is_one_file(const Installation *inst)
{
	const char *path = path_in_place(inst);

	if (path[0] == '\0')
		return false;
	for (int i = 1; i < places[inst->kind].count; i++)
		if (strcmp(resolve_target(path_of_setting(inst, i)), resolve_target(path)) != 0)
			return false;
	return true;
}

/*
 * What the server would read if this file were in place; "" for none.
 */
MaterialFiles
files_with(const Installation *inst, const char *file)
{
	MaterialFiles files = inst->files;

	if (!inst->configuration->ssl)
		files.cert_file = files.key_file = "";
	for (int i = 0; i < places[inst->kind].count; i++)
		*named_by(&files, places[inst->kind].settings[i]) = file;
	return files;
}

/*
 * CAs and CRLs: a new file keeps what the old one holds, which must be known.
 */
static void
require_readable(const Installation *inst, const PemFile *file)
{
	/* of sslpolicy's own CRLs there are copies */
	if (file->error && file_exists(file->path) && !inst->indexed)
	{
		ereport(told_level(ERROR),
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the file that is in place cannot be read"),
				 errdetail("%s", full_text(file->error)),
				 errhint("What it holds would be lost. Replace it by hand, or set %s to another file.",
						 tls_setting_name(places[inst->kind].settings[0]))));
		refuse_file();
	}
}

/*
 * The server's key behind its certificate, if it is a file of its own.
 */
static void
read_key_in_place(Installation *inst)
{
	PemFile    *key;
	StringInfo	both;

	if (inst->old_bytes == NULL || is_one_file(inst))
		return;
	key = read_pem_file(inst->files.key_file);
	if (key->bytes == NULL)
	{
		/* nothing that a server could start with */
		inst->old_bytes = NULL;
		return;
	}
	both = makeStringInfo();
	wipe_at_reset(both);
	enlargeStringInfo(both, (int) (inst->old_len + key->len) + 1);
	appendBinaryStringInfo(both, inst->old_bytes, (int) inst->old_len);
	appendStringInfoChar(both, '\n');
	appendBinaryStringInfo(both, key->bytes, (int) key->len);
	inst->old_bytes = both->data;
	inst->old_len = (size_t) both->len;
}

/*
 * Read the material until now.  The server's is certificate and key together.
 */
void
read_in_place(Installation *inst)
{
	PemFile    *file = read_pem_file(path_in_place(inst));

	inst->old = file->content;
	inst->old_bytes = file->bytes;
	inst->old_len = file->len;
	inst->unreadable = file->error != NULL ||
		(inst->indexed && sk_X509_CRL_num(file->content->crls) == 0);
	if (inst->kind == MATERIAL_SERVER)
		read_key_in_place(inst);
	else
		require_readable(inst, file);
}
