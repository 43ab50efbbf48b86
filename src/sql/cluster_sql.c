/*-------------------------------------------------------------------------
 *
 * cluster_sql.c
 *		The SQL functions about replicated material, and the nodes that have it.
 *
 * Arguments and tuples only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/monotonic.h"
#include "base/preload.h"
#include "base/rows.h"
#include "cluster/nodes.h"
#include "cluster/setmaterial.h"
#include "install/installcrl.h"
#include "settings/settings.h"
#include "sql/arguments.h"
#include "sql/installrows.h"

PG_FUNCTION_INFO_V1(sslpolicy_set_ca);
PG_FUNCTION_INFO_V1(sslpolicy_set_crl);
PG_FUNCTION_INFO_V1(sslpolicy_get_nodes);
PG_FUNCTION_INFO_V1(sslpolicy_wait_for_nodes);

#define NODE_COLUMNS 9

/* How often to look for changes that are not announced. */
#define LOOK_MS 200

static Datum
set_row(FunctionCallInfo fcinfo, const Installation *inst)
{
	Row			row = {0};

	row_add(&row, true, changes_datum(inst));
	row_add(&row, true, affected_datum(inst));
	row_add(&row, true, text_list(inst->warnings));
	return row_return(fcinfo, &row);
}

/*
 * sslpolicy.set_ca(pem text, force boolean) returns record, and the same with der bytea
 */
Datum
sslpolicy_set_ca(PG_FUNCTION_ARGS)
{
	require_preload();
	if (PG_ARGISNULL(0))
		return set_row(fcinfo, remove_replicated(MATERIAL_CA));
	return set_row(fcinfo, set_cas(pem_argument(fcinfo, 0, pem_argument_name(fcinfo, 0), MAX_PEM_BYTES, MAX_CERTIFICATES), flag_argument(fcinfo, 1)));
}

/*
 * sslpolicy.set_crl(pem text, force boolean) returns record, and the same with der bytea
 */
Datum
sslpolicy_set_crl(PG_FUNCTION_ARGS)
{
	require_preload();
	if (PG_ARGISNULL(0))
		return set_row(fcinfo, remove_replicated(MATERIAL_CRL));
	/* before it takes memory */
	check_crl_size(toast_raw_datum_size(PG_GETARG_DATUM(0)));
	return set_row(fcinfo, set_crls(pem_argument(fcinfo, 0, pem_argument_name(fcinfo, 0), max_crl_size(), MAX_CERTIFICATES), flag_argument(fcinfo, 1)));
}

static void
put_node(FunctionCallInfo fcinfo, const ClusterNode *node)
{
	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		const KindState *state = &node->kinds[kind];
		bool		heard = node->id != 0;
		const char *detail = detail_told(state);
		Row			row = {0};

		row_add(&row, true, CStringGetTextDatum(node->name));
		row_add(&row, true, BoolGetDatum(node->id == own_node_id()));
		row_add_text(&row, replicated_kind_name(kind));
		row_add_text(&row, state->has_wanted ? fingerprint_hex(state->wanted) : NULL);
		row_add_text(&row, node_state_name(state->state));
		/* messages are in the encoding of the database in which they arose */
		row_add(&row, detail != NULL, detail ? label_text(detail) : (Datum) 0);
		row_add(&row, heard && state->lsn != InvalidXLogRecPtr, LSNGetDatum(state->lsn));
		row_add(&row, heard, Int64GetDatum((int64) state->generation));
		row_add(&row, heard, TimestampTzGetDatum(node->heard));
		row_put(fcinfo, &row);
	}
}

static void
put_nodes(FunctionCallInfo fcinfo)
{
	ListCell   *cell;

	rows_begin(fcinfo, NODE_COLUMNS);
	foreach(cell, list_nodes())
		put_node(fcinfo, lfirst(cell));
}

/*
 * sslpolicy.get_nodes() returns setof record
 */
Datum
sslpolicy_get_nodes(PG_FUNCTION_ARGS)
{
	require_preload();
	put_nodes(fcinfo);
	return (Datum) 0;
}

static bool
is_kind_settled(ReplicatedKind kind, List *nodes)
{
	char	   *text = read_cluster_material(replicated_label(kind));
	uint8		wanted[FINGERPRINT_LEN];
	ListCell   *cell;

	if (text && !compute_sha256(text, strlen(text), wanted))
		elog(ERROR, "could not compute a SHA-256");
	foreach(cell, nodes)
		if (!is_settled(lfirst(cell), kind, text ? wanted : NULL))
			return false;
	return true;
}

/*
 * Has every node done what it can about what the catalog holds now?  What is read can be
 * long, and is read several times a second for up to an hour: it goes into this context.
 */
static bool
are_all_settled(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	bool		settled = true;
	List	   *nodes = list_nodes();

	for (int kind = 0; settled && kind < NUM_REPLICATED_KINDS; kind++)
		settled = is_kind_settled(kind, nodes);
	MemoryContextSwitchTo(old);
	MemoryContextReset(context);
	return settled;
}

/*
 * sslpolicy.wait_for_nodes(timeout interval) returns setof record
 *
 * Errors: active_sql_transaction (what it would wait for is not committed).
 */
Datum
sslpolicy_wait_for_nodes(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	int			timeout_ms;
	Moment		start = this_moment();

	require_preload();
	timeout_ms = timeout_argument(fcinfo, 0, "timeout");
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("wait_for_nodes() cannot run in a transaction that has changed something"),
				 errdetail("Nodes apply only what is committed."),
				 errhint("Commit the transaction, then call the function.")));
	context = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy nodes", ALLOCSET_DEFAULT_SIZES);
	prepare_to_wait_for_nodes();
	while (!are_all_settled(context) && !has_elapsed(start, timeout_ms))
	{
		CHECK_FOR_INTERRUPTS();
		(void) wait_for_node_change(Min(LOOK_MS, Max(1, timeout_ms - (int) (microseconds_since(start) / 1000))));
	}
	end_wait_for_nodes();
	MemoryContextDelete(context);
	put_nodes(fcinfo);
	return (Datum) 0;
}
