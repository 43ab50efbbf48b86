/*-------------------------------------------------------------------------
 *
 * keymask.c
 *		Keeps private keys out of the log.
 *
 * Statements that carry a private key (log_statement, log_min_duration_statement,
 * auto_explain, parameters) must not bring it into the log.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "tcop/tcopprot.h"
#include "utils/elog.h"

#include "base/privatekeys.h"
#include "material/keymask.h"

static emit_log_hook_type previous_log_hook = NULL;

static void
mask_log(ErrorData *edata)
{
	/* the STATEMENT line, which cannot be changed */
	if (debug_query_string && has_private_key(debug_query_string))
		edata->hide_stmt = true;
	mask_private_keys(edata->message);
	mask_private_keys(edata->detail);
	mask_private_keys(edata->detail_log);
	mask_private_keys(edata->hint);
	mask_private_keys(edata->context);
	mask_private_keys(edata->internalquery);
	if (previous_log_hook)
		previous_log_hook(edata);
}

void
init_key_mask(void)
{
	previous_log_hook = emit_log_hook;
	emit_log_hook = mask_log;
}
