/*-------------------------------------------------------------------------
 *
 * workersettings.c
 *		Settings of the server that background workers override.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "base/workersettings.h"

/*
 * Settings of the server, or of a database, that would get in the way of a worker's
 * transactions.
 */
void
override_settings(void)
{
	static const char *const settings[][2] = {
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_deferrable", "off"},
		{"statement_timeout", "0"},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"transaction_timeout", "0"},	/* since 17 */
		{"default_transaction_read_only", "off"},
		{"exit_on_error", "off"},
		{"row_security", "off"},
		{"search_path", "pg_catalog, pg_temp"},
		{"role", "none"}};

	for (int i = 0; i < (int) lengthof(settings); i++)
		if (GetConfigOption(settings[i][0], true, false) != NULL)
			SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}
