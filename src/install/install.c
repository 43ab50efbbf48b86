/*-------------------------------------------------------------------------
 *
 * install.c
 *		Installs TLS material: atomically, durably, and proved.
 *
 * In this order: write the new file beside the one that it replaces; make of it
 * the whole context that the server would make, and try a handshake with it; write
 * the versions and the history; rename; reload; wait for the truth.  If the server does not take it,
 * the old file is put back and the server reloads again.
 *
 * From the first change of what the server reads until the truth is known,
 * interrupts are held, for as long as the reload may take: a cancelled statement
 * leaves the old material or the new.  A killed one does, too, since each change
 * is one rename:
 *
 *	- CAs and CRLs are one file.  Where none is set, the file is written first,
 *	  and the setting changed after that.
 *	- The server's certificate and key are one file, which both settings name.
 *	  Where they are two files so far, the one file is made with the old
 *	  certificate and the old key, then each setting is changed to name it, and
 *	  only then are the new ones renamed over it: the server can start from each
 *	  of these states.
 *
 * One installation runs at a time in the cluster, by an advisory lock of no
 * database, which can be waited for, cancelled, and taken on a standby.  The function
 * holds it until it returns, not until the caller's transaction ends.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>

#include "access/xact.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/escape.h"
#include "base/files.h"
#include "base/logline.h"
#include "base/memory.h"
#include "base/preload.h"
#include "base/told.h"
#include "base/transaction.h"
#include "install/consent.h"
#include "install/install.h"
#include "install/place.h"
#include "install/replaceable.h"
#include "install/replicated.h"
#include "install/target.h"
#include "install/trial.h"
#include "labels/setpolicy.h"
#include "material/generation.h"
#include "material/reload.h"
#include "revocation/crlcopies.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "session/collect.h"
#include "settings/directory.h"
#include "settings/settings.h"

#define RELOAD_TIMEOUT_MS 10000

/* ten million entries take less */
#define CRL_TIMEOUT_MS 120000

/* "sslp" in ASCII; an application's advisory locks have a database */
#define LOCK_KEY 0x73736c70

/* How far an installation has come; for whoever has to undo it. */
typedef struct Progress
{
	Installation *inst;
	char	   *target;			/* links resolved */
	HistoryEntry *entry;
	List	   *unrecorded;		/* int: versions that the history does not have */
	TlsSetting	settings[2];	/* that are to name the file */
	int			nsettings;
	const char *setting_value;
	bool		changed_setting[2];
	bool		has_backup;		/* of the old material, beside target */
	Replacement replacement;	/* of target */
	bool		done;
} Progress;

/* the lock is held by this process */
static bool is_locked = false;

void
require_installation(void)
{
	require_preload();
	require_postmaster();
	require_current_settings();
	if (!installation_allowed())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("installation of TLS material is turned off"),
				 errdetail("sslpolicy.install is off."),
				 errhint("Where another agent owns the server's files, have that agent change them, and call sslpolicy.reload().")));
}

/*
 * Files know no rollback.  This is PreventInTransactionBlock() for a function.  Even a
 * single statement can have changed something before it comes here (DO).
 */
void
forbid_transaction_block(const char *action)
{
	if (IsTransactionBlock() || IsSubTransaction() ||
		((uint32) MyXactFlags & XACT_FLAGS_PIPELINING) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s() cannot run inside a transaction block", action),
				 errdetail("It takes effect at once, and cannot be rolled back."),
				 errhint("Call it in a statement of its own, outside BEGIN and COMMIT and outside a block with EXCEPTION.")));
	forbid_changes_before(psprintf("permission denied to call %s() in a transaction that has changed something", action),
						  "Call it in a statement of its own that changes nothing else.");
}

void
lock_installation(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, InvalidOid, LOCK_KEY, 0, 1);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	is_locked = true;
}

/*
 * Without waiting for the caller's transaction, which can go on for long.
 */
void
unlock_installation(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, InvalidOid, LOCK_KEY, 0, 1);
	is_locked = false;
	(void) LockRelease(&tag, ExclusiveLock, false);
}

/*
 * Run a function that may take the lock.  On an error, the server sends the message to
 * the client before it aborts the transaction, and the client may not read the message.
 * So release the lock first.
 */
Datum
run_installation(FunctionCallInfo fcinfo, PGFunction function)
{
	Datum		result;

	PG_TRY();
	{
		result = function(fcinfo);
	}
	PG_CATCH();
	{
		if (is_locked)
			unlock_installation();
		PG_RE_THROW();
	}
	PG_END_TRY();
	return result;
}

/*
 * An error about what the caller gives.
 */
void
refuse_installation(const char *message, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 detail ? errdetail("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

void
check_encoded(bool ok)
{
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not encode TLS material")));
}

/*
 * An error if this kind is replicated.
 */
static void
forbid_replicated(MaterialKind kind)
{
	if (!is_replicated(kind))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("TLS material \"%s\" is replicated and cannot be changed on one node alone", material_kind_name(kind)),
			 errhint("Call sslpolicy.set_%s() on the primary. With NULL it ends replication, and each node keeps its files.", material_kind_name(kind))));
}

/*
 * Check that material may be installed, or set for every node, and lock out others.
 */
static void
begin_mode(MaterialKind kind, InstallMode mode, const char *action)
{
	switch (mode)
	{
		case INSTALL_HERE:
			require_installation();
			forbid_transaction_block(action);
			lock_installation();
			forbid_replicated(kind);
			break;
		case INSTALL_APPLY:
			require_installation();
			lock_installation();
			break;
		case INSTALL_REPLICATE:
			require_preload();
			require_postmaster();
			PreventCommandDuringRecovery(psprintf("sslpolicy.%s()", action));
			lock_cluster_labels();
			break;
	}
}

/*
 * Check that something may be installed now, and read what there is.  Other
 * installations wait from here until unlock_installation().
 */
Installation *
begin_installation(MaterialKind kind, InstallMode mode, const char *action, bool dry_run, bool force)
{
	Installation *inst = palloc0(sizeof(Installation));

	begin_mode(kind, mode, action);
	/* settings may have changed while this installation waited */
	require_current_settings();
	inst->kind = kind;
	inst->mode = mode;
	inst->action = action;
	inst->dry_run = dry_run;
	inst->force = force;
	inst->indexed = kind == MATERIAL_CRL && crl_file()[0];
	inst->parent = VERSION_IN_PLACE;
	inst->content = free_at_reset(new_pem_content(), free_pem_content);
	inst->configuration = read_configuration();
	inst->files = configured_files(inst->configuration);
	if (compat_certificates_by_host() && !inst->indexed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("ssl_sni is on, and the server takes certificates and CAs from pg_hosts.conf"),
				 errdetail("What is installed here would not be in force, and CRLs could not be checked against the CAs that are."),
				 errhint("Change the files that pg_hosts.conf names, and call sslpolicy.reload().")));
	if (inst->indexed)
	{
		inst->files.crl_file = crl_file();
		inst->files.crl_dir = crl_dir();
	}
	if (inst->configuration->error)
		inst->warnings = lappend(inst->warnings,
								 psprintf("the server's configuration files have an error, and their changes are not in force: %s",
										  inst->configuration->error));
	make_own_directory();
	/* before any message reveals what the file holds */
	if (!superuser() && is_one_file(inst))
		check_target_file(inst, path_in_place(inst), resolve_target(path_in_place(inst)));
	read_in_place(inst);
	read_all_replicated(inst);
	inst->history = read_history();
	return inst;
}

/*
 * The settings of this kind will change.
 */
static void
claim_settings(Progress *p)
{
	const MaterialPlace *place = material_place(p->inst->kind);

	require_writable_settings();
	for (int i = 0; i < place->count; i++)
	{
		p->settings[p->nsettings++] = place->settings[i];
		check_alter_tls_setting(p->inst->configuration, place->settings[i]);
	}
}

/*
 * A setting that is to name another file may name one now that another program renews
 * (certbot, cert-manager).  That program will write on where nobody reads.
 */
static void
warn_of_moved_settings(const Progress *p)
{
	Installation *inst = p->inst;

	for (int i = 0; i < p->nsettings; i++)
	{
		const char *name = tls_setting_name(p->settings[i]);
		const char *before = inst->configuration->settings[p->settings[i]].value;

		if (before[0] && leaves_file_of_others(before, p->target))
			inst->warnings = lappend(inst->warnings,
									 psprintf("%s moves from \"%s\" to \"%s\": the server no longer reads the old file, which a program such as certbot or cert-manager may renew. "
											  "Have that program call sslpolicy.install_%s(), or leave the file to it: set %s back, and call sslpolicy.reload() after each renewal",
											  name, before, p->setting_value, inst->kind == MATERIAL_SERVER ? "server_certificate" : material_kind_name(inst->kind), name));
	}
}

/*
 * Which file to replace, and which settings must come to name it.
 */
static void
find_target(Progress *p)
{
	Installation *inst = p->inst;

	if (is_one_file(inst))
		p->setting_value = path_in_place(inst);
	else
	{
		p->setting_value = own_material_file(inst->kind);
		claim_settings(p);
	}
	p->target = resolve_target(p->setting_value);
	check_target_file(inst, p->setting_value, p->target);
	require_replaceable(inst, p->setting_value, p->target);
	warn_of_moved_settings(p);
}

/*
 * The setting that is to name no file any more.
 */
static void
find_removed(Progress *p)
{
	p->setting_value = path_in_place(p->inst);
	p->target = resolve_target(p->setting_value);
	claim_settings(p);
}

static void
write_version(Progress *p, int version, const char *bytes, size_t len)
{
	Installation *inst = p->inst;

	p->unrecorded = lappend_int(p->unrecorded, version);
	replace_file(history_version_file(inst->kind, version), bytes, len);
}

/*
 * Write the version in place, if it is not known, and the new one, and the
 * entry that says that it is coming.
 */
static void
record_start(Progress *p)
{
	Installation *inst = p->inst;
	char	   *old_sha = inst->old_bytes ? bytes_fingerprint(inst->old_bytes, inst->old_len) : "";
	char	   *new_sha = inst->bytes ? bytes_fingerprint(inst->bytes->data, (size_t) inst->bytes->len) : "";
	HistoryEntry *current = inst->old_bytes ? history_entry_in_place(inst->history, inst->kind, old_sha) : NULL;
	HistoryEntry *entry;
	int			parent = current ? current->version : 0;

	if (current && current->state == STATE_STARTED)
		current->state = STATE_INSTALLED;
	if (inst->old_bytes && current == NULL)
	{
		parent = next_history_version(inst->history, inst->kind);
		write_version(p, parent, inst->old_bytes, inst->old_len);
		entry = new_history_entry(inst->kind, "found", parent, 0, old_sha, inst->old);
		entry->by = "";
		entry->state = STATE_INSTALLED;
		inst->history = lappend(inst->history, entry);
	}
	if (inst->bytes && inst->version == 0)
	{
		inst->version = next_history_version(inst->history, inst->kind);
		write_version(p, inst->version, inst->bytes->data, (size_t) inst->bytes->len);
	}
	if (inst->parent == VERSION_IN_PLACE)
		inst->parent = parent;
	entry = new_history_entry(inst->kind, inst->action, inst->version, inst->parent, new_sha,
							  inst->content);
	if (inst->mode == INSTALL_APPLY)
		entry->by = "replication";
	inst->history = lappend(inst->history, entry);
	write_history(inst->history);
	p->unrecorded = NIL;
	p->entry = entry;
}

static void
set_settings(Progress *p)
{
	for (int i = 0; i < p->nsettings; i++)
	{
		p->changed_setting[i] = true;
		alter_tls_setting(p->settings[i], p->setting_value);
		stop_point(psprintf("setting%d", i + 1));
	}
}

/*
 * As they were: what ALTER SYSTEM had set, or nothing.
 */
static void
reset_settings(Progress *p)
{
	for (int i = p->nsettings - 1; i >= 0; i--)
	{
		const ConfiguredSetting *s = &p->inst->configuration->settings[p->settings[i]];

		if (p->changed_setting[i])
			alter_tls_setting(p->settings[i], s->altered ? s->value : NULL);
		p->changed_setting[i] = false;
	}
}

/*
 * The old file under another name, so that putting it back is one rename, which
 * needs no space on the disk.
 */
static char *
backup_name(const Progress *p)
{
	return psprintf("%s.old", p->target);
}

/*
 * Several settings cannot be changed at once: first let all of them name one file
 * that holds what the server has now.
 */
static void
unite_old_files(Progress *p)
{
	Installation *inst = p->inst;

	begin_replacing(&p->replacement, p->target);
	replace_file(p->target, inst->old_bytes, inst->old_len);
	stop_point("migrated");
	set_settings(p);
	write_temporary_file(p->target, inst->bytes->data, (size_t) inst->bytes->len);
}

/*
 * Change what the server reads.
 */
static void
put_in_place(Progress *p)
{
	Installation *inst = p->inst;
	bool		unite = p->nsettings > 1 && inst->old_bytes != NULL;

	if (inst->bytes == NULL)
	{
		p->changed_setting[0] = true;
		alter_tls_setting(p->settings[0], NULL);
		return;
	}
	if (inst->old_bytes)
	{
		/* the file itself if it can be, which keeps its owner and mode */
		if (p->nsettings > 0 || !link_temporary_file(p->target, backup_name(p)))
			write_temporary_file(backup_name(p), inst->old_bytes, inst->old_len);
		p->has_backup = true;
	}
	if (unite)
		unite_old_files(p);
	begin_replacing(&p->replacement, p->target);
	move_temporary_file(p->target);
	stop_point("renamed");
	if (!unite)
		set_settings(p);
}

static void
undo_setting_reset(Progress *p)
{
	alter_tls_setting(p->settings[0], p->setting_value);
}

static void
undo_file(Progress *p)
{
	if (durable_rename(temporary_name(backup_name(p)), p->target, told_level(ERROR)) != 0)
		refuse_file();
}

/*
 * A step whose failure must neither keep others from being taken nor hide what
 * has become of the installation: then it is a warning.  Once the material is in
 * force it is only logged, since even a warning can end in an error, where the
 * client's encoding cannot express it.
 */
static bool
attempt(void (*step)(Progress *), Progress *p, const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	uint32		held = InterruptHoldoffCount;
	volatile bool ok = true;

	PG_TRY();
	{
		step(p);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		/* the error has set it to 0, and callers hold interrupts */
		InterruptHoldoffCount = held;
		if (p->inst->installed)
			log_line(what, error->message);
		else
			ereport(WARNING,
					(errcode(error->sqlerrcode),
					 errmsg("%s: %s", what, error->message)));
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

/*
 * Undo what put_in_place() did.  Runs after errors, and when the process ends.
 */
static void
abandon(int code, Datum arg)
{
	Progress   *p = (Progress *) DatumGetPointer(arg);
	Installation *inst = p->inst;
	bool		replaced = is_replaced(&p->replacement, p->target);
	bool		changed = replaced || p->changed_setting[0];
	ListCell   *cell;

	if (p->done)
		return;
	p->done = true;
	HOLD_INTERRUPTS();
	remove_file(temporary_name(p->target));
	foreach(cell, p->unrecorded)
	{
		int			version = lfirst_int(cell);

		remove_file(history_version_file(inst->kind, version));
	}
	if (inst->bytes == NULL && p->changed_setting[0])
		(void) attempt(undo_setting_reset, p, "could not put back the setting before");
	else
	{
		/* old file before old settings: the server can start in between */
		if (replaced && p->has_backup)
			(void) attempt(undo_file, p, "could not put back the TLS material before");
		(void) attempt(reset_settings, p, "could not put back the settings before");
		if (replaced && !p->has_backup && !p->changed_setting[0])
			remove_file(p->target);
	}
	remove_file(temporary_name(backup_name(p)));
	if (changed)
		(void) kill(PostmasterPid, SIGHUP);
	RESUME_INTERRUPTS();
}

static void
record_end(Progress *p)
{
	write_history(p->inst->history);
	prune_history_versions(p->inst->history, p->inst->kind);
}

static char *
list_of_fingerprints(const HistoryEntry *entry)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < entry->count; i++)
		appendStringInfo(&buf, "%s[%s] %s", i ? ", " : "", entry->subjects[i],
						 entry->fingerprints[i]);
	return buf.len ? buf.data : "nothing";
}

static void
log_installation(Progress *p)
{
	Installation *inst = p->inst;

	ereport(LOG_SERVER_ONLY,
			(errmsg("TLS material \"%s\" changed by %s: %s(), version %d, generation " UINT64_FORMAT,
					material_kind_name(inst->kind), p->entry->by, inst->action,
					inst->version, inst->generation),
			 errdetail_log("Now: %s.", list_of_fingerprints(p->entry))));
}

/*
 * Have the new material loaded, and wait for the truth: by the server, or, CRLs
 * that it never sees, by the worker.  NULL if ssl is off.
 */
static ReloadOutcome *
load_material(Installation *inst, SSL_CTX *context)
{
	ReloadOutcome *result;

	if (inst->indexed)
	{
		result = palloc0(sizeof(ReloadOutcome));
		result->error = check_crls_now(CRL_TIMEOUT_MS, inst->goes_back);
		/* something may be wrong with other files */
		result->loaded = result->error == NULL || are_crls_in_force(inst->content->crls);
		if (result->loaded && result->error)
			inst->warnings = lappend(inst->warnings, result->error);
		result->generation = load_state()->in_force;
		return result;
	}
	return inst->configuration->ssl ? reload_server(context, RELOAD_TIMEOUT_MS) : NULL;
}

/*
 * Put it in place, and wait for the truth.
 */
static void
change_server(Progress *p, SSL_CTX *context)
{
	Installation *inst = p->inst;
	HistoryEntry *entry = p->entry;
	ReloadOutcome *result = NULL;

	HOLD_INTERRUPTS();
	if (inst->crl_issuers)
		keep_crl_issuers(INSTALLED_ISSUERS, inst->crl_issuers);
	put_in_place(p);
	/* on a standby, it could hold up replay while this process waits for the server */
	if (!ActiveSnapshotSet())
		InvalidateCatalogSnapshot();
	stop_point("in_place");
	result = load_material(inst, context);
	if (result == NULL)
	{
		(void) kill(PostmasterPid, SIGHUP);
		inst->warnings = lappend(inst->warnings, "ssl is off: the material is in place, and nothing is served with it");
	}
	stop_point("reloaded");
	if (result && !result->loaded)
	{
		abandon(0, PointerGetDatum(p));
		entry->state = STATE_FAILED;
		(void) attempt(record_end, p, "could not write the history of TLS material");
		(void) load_material(inst, NULL);
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the server did not load the new material, and the old one was put back"),
				 errdetail("The error was: %s.", result->error)));
	}
	p->done = true;
	remove_file(temporary_name(backup_name(p)));
	inst->installed = true;
	inst->generation = result ? result->generation : 0;
	entry->state = STATE_INSTALLED;
	if (!attempt(record_end, p, "could not write the history of TLS material"))
		inst->warnings = lappend(inst->warnings, "sslpolicy.material_history does not have it: the server log says why");
	stop_point("recorded");
	(void) attempt(log_installation, p, "could not log the installation");
	RESUME_INTERRUPTS();
}

/*
 * Is the new material what is there already?
 */
static bool
is_in_place(const Progress *p)
{
	const Installation *inst = p->inst;

	return p->nsettings == 0 && inst->bytes && inst->old_bytes &&
		(size_t) inst->bytes->len == inst->old_len &&
		memcmp(inst->bytes->data, inst->old_bytes, inst->old_len) == 0;
}

/*
 * What is to be installed is in place already: see to it that the server has
 * loaded it.
 */
static void
confirm(Installation *inst, SSL_CTX *context)
{
	inst->warnings = lappend(inst->warnings, "the file already holds just this, and was not written again");
	inst->installed = true;
	if (inst->configuration->ssl || inst->indexed)
	{
		ReloadOutcome *result = load_material(inst, context);

		if (!result->loaded)
			ereport(ERROR,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("the server did not load the material"),
					 errdetail("The error was: %s.", result->error)));
		inst->generation = result->generation;
	}
}

/*
 * Install inst->bytes, or, with dry_run, do everything up to where something
 * would change.
 */
void
finish_installation(Installation *inst)
{
	Progress	progress = {.inst = inst};
	Progress   *p = &progress;
	MemoryContext caller = CurrentMemoryContext;
	SSL_CTX *volatile context = NULL;

	check_affected(inst);
	/* each node puts it in place */
	if (inst->mode == INSTALL_REPLICATE)
		return;
	if (inst->bytes)
		find_target(p);
	else
		find_removed(p);

	before_shmem_exit(abandon, PointerGetDatum(p));
	PG_TRY();
	{
		if (inst->bytes)
		{
			write_temporary_file(p->target, inst->bytes->data, (size_t) inst->bytes->len);
			stop_point("written");
			context = try_material(inst, temporary_name(p->target));
		}
		else
			context = try_material(inst, "");
		if (inst->dry_run || is_in_place(p))
			remove_file(temporary_name(p->target));
		else
		{
			record_start(p);
			stop_point("started");
			change_server(p, context);
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* putting back can fail in steps of its own, which are caught */
		cancel_before_shmem_exit(abandon, PointerGetDatum(p));
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		abandon(0, PointerGetDatum(p));
		ReThrowError(error);
	}
	PG_END_TRY();
	cancel_before_shmem_exit(abandon, PointerGetDatum(p));
	if (inst->dry_run)
		inst->generation = load_state()->in_force;
	else if (!inst->installed)
		confirm(inst, context);
	ERR_clear_error();
}
