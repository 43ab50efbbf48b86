/*-------------------------------------------------------------------------
 *
 * probe.c
 *		What the running server has loaded, read from a process forked now.
 *
 * A process that the postmaster forks inherits the TLS context that new
 * connections are served with, and can read the certificates in it: no proof
 * is better.  So a background worker is started, which sends the fingerprints
 * of what it finds through a message queue, and ends.  It touches nothing else.
 *
 * A backend that was itself forked since the last load needs no worker: it has
 * the same context in its own memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "utils/wait_event.h"

#include "base/monotonic.h"
#include "base/preload.h"
#include "material/anchors.h"
#include "material/generation.h"
#include "material/probe.h"

#define QUEUE_SIZE 16384
#define POLL_MS	   10

/* How long probe_loaded() waits. */
#define PROBE_PATIENCE_MS INT64CONST(5000)

PGDLLEXPORT void sslpolicy_probe_main(Datum segment_handle);

/*
 * The worker: report the inherited context.
 */
static void
report_inherited(Datum segment_handle)
{
	dsm_segment *segment;
	shm_mq	   *queue;
	shm_mq_handle *handle;
	ContextMaterial *materials;
	int			count;
	uint64		number = inherited_material(&materials, &count);
	LoadedList *loaded;
	shm_mq_iovec parts[2];

	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(segment_handle));
	if (segment == NULL)
		return;					/* whoever asked has gone */
	queue = dsm_segment_address(segment);
	shm_mq_set_sender(queue, MyProc);
	handle = shm_mq_attach(queue, segment, NULL);

	/* says also whether the newest attempt has failed */
	(void) load_state();
	learn_inherited_anchors();
	loaded = number ? describe_materials(materials, count) : NULL;
	parts[0].data = (char *) &number;
	parts[0].len = sizeof(number);
	parts[1].data = loaded ? (char *) loaded->items : "";
	parts[1].len = loaded ? sizeof(Loaded) * (Size) loaded->count : 0;
	(void) shm_mq_sendv(handle, parts, 2, false, true);
	dsm_detach(segment);
}

/*
 * The worker as core starts it.
 */
void
sslpolicy_probe_main(Datum segment_handle)
{
	run_worker_main("sslpolicy_probe", segment_handle);
}

void
init_probe(void)
{
	offer_worker_main("sslpolicy_probe", report_inherited);
}

static BackgroundWorkerHandle *
start_worker(dsm_segment *segment)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS;
	worker.bgw_start_time = BgWorkerStart_PostmasterStart;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "sslpolicy probe");
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "sslpolicy probe");
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "%s", worker_library());
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "sslpolicy_probe_main");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

static ProbeReport *
read_report(const char *data, Size size)
{
	ProbeReport *report = palloc0(sizeof(ProbeReport));
	Size		rest = size - sizeof(uint64);

	if (size < sizeof(uint64) || rest % sizeof(Loaded) != 0)
		return NULL;
	memcpy(&report->number, data, sizeof(uint64));
	if (report->number == 0)
		return report;
	report->loaded = palloc0(sizeof(LoadedList));
	report->loaded->count = (int) (rest / sizeof(Loaded));
	report->loaded->items = palloc(rest + 1);
	memcpy(report->loaded->items, data + sizeof(uint64), rest);
	return report;
}

/*
 * Start a worker and wait for its report.  NULL if none can be started (all of
 * max_worker_processes are in use), or none has reported by the deadline.
 */
ProbeReport *
probe_server(Moment deadline)
{
	dsm_segment *segment = dsm_create(QUEUE_SIZE, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	ProbeReport *report = NULL;
	BackgroundWorkerHandle *worker;
	shm_mq	   *queue;
	shm_mq_handle *handle;
	shm_mq_result result = SHM_MQ_WOULD_BLOCK;
	Size		size;
	void	   *data;

	if (segment == NULL)
		return NULL;
	queue = shm_mq_create(dsm_segment_address(segment), QUEUE_SIZE);
	shm_mq_set_receiver(queue, MyProc);
	worker = start_worker(segment);
	if (worker == NULL)
	{
		dsm_detach(segment);
		return NULL;
	}
	handle = shm_mq_attach(queue, segment, worker);
	while ((result = shm_mq_receive(handle, &size, &data, true)) == SHM_MQ_WOULD_BLOCK &&
		   this_moment() < deadline)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 POLL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	if (result == SHM_MQ_SUCCESS)
		report = read_report(data, size);
	else if (result == SHM_MQ_WOULD_BLOCK)
		TerminateBackgroundWorker(worker);
	shm_mq_detach(handle);
	dsm_detach(segment);
	return report;
}

/*
 * What new connections are served with now; NULL if it is not known.
 */
LoadedList *
probe_loaded(void)
{
	LoadState  *state = load_state();
	ContextMaterial *materials;
	int			count;
	uint64		number = inherited_material(&materials, &count);
	ProbeReport *report;

	/* nothing newer is in force, and no newer attempt is under way */
	if (number != 0 && state->in_force == number &&
		(state->attempt == number || state->attempt == state->failed))
		return describe_materials(materials, count);
	report = probe_server(this_moment() + PROBE_PATIENCE_MS * 1000);
	return report ? report->loaded : NULL;
}
