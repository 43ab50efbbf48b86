/*-------------------------------------------------------------------------
 *
 * directory.c
 *		The files of our own, in sslpolicy.directory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "miscadmin.h"

#include "base/files.h"
#include "base/told.h"
#include "settings/directory.h"
#include "settings/settings.h"

/*
 * The path of a file in sslpolicy.directory.
 */
char *
own_file(const char *name)
{
	return psprintf("%s/%s", material_directory(), name);
}

void
make_own_directory(void)
{
	if (mkdir(material_directory(), S_IRWXU) == 0 || errno == EEXIST)
		return;
	ereport(told_level(ERROR),
			(errcode_for_file_access(),
			 errmsg("could not create directory \"%s\": %m", material_directory()),
			 errhint("Set sslpolicy.directory to a directory that the server may write.")));
	refuse_file();
}

/*
 * For tests of crashes, in builds with SSLPOLICY_STOP_POINTS: stop here as long
 * as the file stop.STEP is in sslpolicy.directory.  It is renamed to at.STEP to
 * say that the step is reached.  With fail.STEP there is an error.
 */
void
stop_point(const char *step)
{
#ifdef SSLPOLICY_STOP_POINTS
	char	   *stop = own_file(psprintf("stop.%s", step));
	char	   *at = own_file(psprintf("at.%s", step));

	if (file_exists(own_file(psprintf("fail.%s", step))))
		elog(ERROR, "failed at %s", step);
	if (rename(stop, at) != 0)
		return;
	while (file_exists(at))
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
#endif
}
