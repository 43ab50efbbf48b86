/*-------------------------------------------------------------------------
 *
 * sslpolicy.c
 *		Start of the library: settings, hooks, worker; nothing else.
 *
 * Preloaded, it enforces policies.  Loaded into a session it only lends its
 * functions, of which those that need shared memory or the label provider say
 * so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "auth.h"
#include "crlstate.h"
#include "ended.h"
#include "generation.h"
#include "labels.h"
#include "ledger.h"
#include "libraryfile.h"
#include "preload.h"
#include "probe.h"
#include "sessions.h"
#include "settings.h"
#include "wakeup.h"
#include "worker.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	note_library_file();
	if (!claim_preload())
		return;
	define_settings();
	init_wakeup();
	init_sessions();
	init_ended();
	init_crl_state();
	init_labels();
	init_generations();
	init_probe();
	init_ledger();
	init_auth();
	init_worker();
}
