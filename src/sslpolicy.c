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

#include "base/preload.h"
#include "base/wakeup.h"
#include "cluster/applier.h"
#include "cluster/materiallabels.h"
#include "cluster/nodes.h"
#include "cluster/orders.h"
#include "enforce/auth.h"
#include "enforce/commits.h"
#include "enforce/worker.h"
#include "labels/labels.h"
#include "labels/ownschema.h"
#include "ledger/ended.h"
#include "ledger/ledger.h"
#include "material/anchors.h"
#include "material/generation.h"
#include "material/keymask.h"
#include "material/leftovers.h"
#include "material/ownkeys.h"
#include "material/probe.h"
#include "revocation/crlkey.h"
#include "revocation/crlstate.h"
#include "session/sessions.h"
#include "settings/settings.h"

PG_MODULE_MAGIC;

void _PG_init(void);

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
	init_leftovers();
	init_own_keys();
	init_own_schema();
	init_generations(make_ca_keys);
	init_anchors();
	init_key_mask();
	init_probe();
	init_ledger();
	init_nodes();
	init_orders();
	init_material_labels();
	init_auth();
	init_commits();
	init_worker();
	init_applier();
}
