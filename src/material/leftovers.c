/*-------------------------------------------------------------------------
 *
 * leftovers.c
 *		Removes the temporary files that a crash has left: of an installation
 *		that it interrupted, and in sslpolicy.directory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <unistd.h>

#include "libpq/libpq.h"

#include "base/files.h"
#include "base/sharedmem.h"
#include "material/leftovers.h"
#include "settings/directory.h"
#include "settings/settings.h"

static void
remove_leftover(const char *target)
{
	char	   *path;

	if (target == NULL || target[0] == '\0')
		return;
	target = resolve_target(target);
	for (int i = 0; i < 2; i++)
	{
		/* the new file, and the copy of the old one */
		path = temporary_name(i == 0 ? target : psprintf("%s.old", target));
		if (unlink(path) == 0)
			ereport(LOG_SERVER_ONLY,
					(errmsg("removed file \"%s\", which an interrupted installation had left", path)));
	}
}

/*
 * At the start of the server, and after a crash: remove temporary files.
 */
static void
remove_leftovers(void)
{
	DIR		   *dir = opendir(material_directory());
	struct dirent *entry;

	remove_leftover(ssl_cert_file);
	remove_leftover(ssl_ca_file);
	remove_leftover(ssl_crl_file);
	remove_leftover(crl_file());
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
	{
		if (is_temporary_name(entry->d_name))
			(void) unlink(own_file(entry->d_name));
	}
	closedir(dir);
}

/* no memory: only the moments at which it is made */
static const SharedPiece piece = {
	.name = "sslpolicy leftovers",
	.init = remove_leftovers,
};

void
init_leftovers(void)
{
	share_memory(&piece);
}
