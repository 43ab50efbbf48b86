/*-------------------------------------------------------------------------
 *
 * rollback.c
 *		Goes back to the TLS material before.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/files.h"
#include "base/memory.h"
#include "install/installca.h"
#include "install/installcrl.h"
#include "install/installserver.h"
#include "install/place.h"
#include "install/rollback.h"

/* What going back is for each kind. */
typedef struct WayBack
{
	void		(*check_allowed)(bool force);	/* NULL: to whoever may call it */
	void		(*judge)(Installation *inst);	/* and say who is affected */
	bool		to_none;		/* there may have been no file before the first */
	bool		returns;		/* the next one undoes this one; of the other kinds,
								 * it goes further back */
} WayBack;

static const WayBack ways_back[NUM_MATERIAL_KINDS] = {
	[MATERIAL_SERVER] = {NULL, judge_earlier_identity, .returns = true},
	[MATERIAL_CA] = {NULL, judge_earlier_cas, .to_none = true},
	[MATERIAL_CRL] = {check_earlier_crls_allowed, judge_earlier_crls, .to_none = true},
};

/*
 * What was installed last.
 */
static HistoryEntry *
last_installed(const Installation *inst)
{
	HistoryEntry *last = NULL;
	ListCell   *cell;

	foreach(cell, inst->history)
	{
		HistoryEntry *e = lfirst(cell);

		if (e->kind == inst->kind && e->state == STATE_INSTALLED)
			last = e;
	}
	return last;
}

/*
 * Is the file one of ours, which was made where there was none?
 */
static bool
began_without(const Installation *inst, const HistoryEntry *current)
{
	return current && current->parent == 0 && !inst->indexed &&
		ways_back[inst->kind].to_none &&
		strcmp(path_in_place(inst), own_material_file(inst->kind)) == 0;
}

pg_noreturn static void
raise_no_earlier(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no earlier version to go back to"),
			 errhint("The view sslpolicy.material_history has the versions that are kept.")));
}

/*
 * The version to go back to; NULL if that is no file at all.
 */
static HistoryEntry *
version_before(const Installation *inst)
{
	HistoryEntry *current = inst->old_bytes == NULL ? NULL :
													  history_entry_in_place(inst->history, inst->kind, bytes_fingerprint(inst->old_bytes, inst->old_len));
	HistoryEntry *target;

	/* something else changed the file: back to what was installed here */
	if (current == NULL)
		target = last_installed(inst);
	else
		target = current->parent ? history_entry_of_version(inst->history, inst->kind, current->parent) : NULL;
	if (target && target->version != 0)
		return target;
	if (!began_without(inst, current))
		raise_no_earlier();
	return NULL;
}

static void
take_version(Installation *inst, const HistoryEntry *target)
{
	PemFile    *file = read_pem_file(history_version_file(inst->kind, target->version));

	if (file->bytes == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d is not kept any more", target->version),
				 errdetail("The error was: %s.", file->error)));
	if (strcmp(bytes_fingerprint(file->bytes, file->len), target->sha256) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the file of version %d is not what was installed", target->version),
				 errdetail("Its SHA-256 is not the one in the history.")));
	inst->bytes = makeStringInfo();
	enlargeStringInfo(inst->bytes, (int) file->len);
	wipe_at_reset(inst->bytes);
	appendBinaryStringInfo(inst->bytes, file->bytes, (int) file->len);
	wipe_memory(file->bytes, file->len);
	inst->content = file->content;
	inst->version = target->version;
}

/*
 * Go back to the version before the one in place.  With INSTALL_REPLICATE, a version in the
 * history of this node becomes what is replicated.
 */
Installation *
roll_back(MaterialKind kind, InstallMode mode, bool dry_run, bool force)
{
	const WayBack *way = &ways_back[kind];
	Installation *inst;
	HistoryEntry *target;

	if (way->check_allowed)
		way->check_allowed(force);
	inst = begin_installation(kind, mode, "rollback", dry_run, force);
	inst->goes_back = true;
	target = version_before(inst);
	if (target == NULL && mode == INSTALL_REPLICATE)
		raise_no_earlier();
	if (target)
		take_version(inst, target);
	if (!way->returns)
		inst->parent = target ? target->parent : 0;
	way->judge(inst);
	finish_installation(inst);
	return inst;
}
