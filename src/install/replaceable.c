/*-------------------------------------------------------------------------
 *
 * replaceable.c
 *		May the server replace a file, and could it put back what is there?
 *
 * Asked before anything is touched, so that an installation never has to undo what it
 * could not do.  A new file takes the place of the old one by a rename: for this the
 * server must be able to write to the folder, and to open the old file for writing.  It
 * must own the old file.  What another user owns, somebody else looks after, and would
 * not find again as it was.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "base/files.h"
#include "base/told.h"
#include "install/place.h"
#include "install/replaceable.h"

static char *
user_text(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user ? psprintf("\"%s\"", user->pw_name) : psprintf("%u", (unsigned) uid);
}

static char *
group_text(gid_t gid)
{
	const struct group *group = getgrgid(gid);

	return group ? psprintf("\"%s\"", group->gr_name) : psprintf("%u", (unsigned) gid);
}

static char *
state_text(const struct stat *st)
{
	return psprintf("belongs to user %s and group %s, with mode %04o", user_text(st->st_uid), group_text(st->st_gid),
					(unsigned) (st->st_mode & 07777));
}

/*
 * error is an errno that tells what is the matter.
 */
static void
refuse(const char *path, int error, char *detail, char *hint)
{
	errno = error;
	ereport(told_level(ERROR),
			(errcode_for_file_access(),
			 errmsg("file \"%s\" cannot be replaced", path),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
	refuse_file();
}

static void
check_folder(const char *path, const char *target, const char *setting)
{
	char	   *folder = make_absolute_path(target);
	struct stat st;
	int			error;

	get_parent_directory(folder);
	if (access(folder, W_OK | X_OK) == 0)
		return;
	error = errno;
	refuse(path, error,
		   stat(folder, &st) == 0 ?
			   psprintf("The new file is written beside it, and the server cannot write to folder \"%s\": %s. The folder %s; the server runs as user %s.",
						folder, strerror(error), state_text(&st), user_text(geteuid())) :
			   psprintf("There is no folder \"%s\" that the server could write to: %s.", folder, strerror(error)),
		   psprintf("Let the server write to that folder, or set %s to a file elsewhere; without a file there, what is installed is kept in sslpolicy.directory.", setting));
}

/*
 * An error if the file cannot be replaced, or created.  path is as the setting has it;
 * target is the same with links resolved.
 */
void
require_replaceable(const Installation *inst, const char *path, const char *target)
{
	const char *setting = tls_setting_name(inst->indexed ? SETTING_OWN_CRL_FILE : material_place(inst->kind)->settings[0]);
	struct stat st;
	char	   *hint = psprintf("Let user %s own and write the file, or set %s to another file. If another program looks after it, have that program change it, and call sslpolicy.reload().",
								user_text(geteuid()), setting);

	check_folder(path, target, setting);
	if (stat(target, &st) != 0)
	{
		if (lstat(target, &st) == 0)
			refuse(path, ENOENT, pstrdup("It is a symbolic link to a file that does not exist."),
				   psprintf("Remove the link, or set %s to the file itself.", setting));
		return;
	}
	if (st.st_uid != geteuid())
		refuse(path, EPERM,
			   psprintf("It %s. The server runs as user %s, and could not put it back like that.", state_text(&st), user_text(geteuid())),
			   hint);
	if (!is_writable_file(target))
	{
		int			error = errno;

		refuse(path, error,
			   psprintf("It %s, and the server cannot write it: %s.", state_text(&st), strerror(error)), hint);
	}
}

/*
 * An error if ALTER SYSTEM cannot write down what it sets.
 */
void
require_writable_settings(void)
{
	struct stat st;
	char	   *path = make_absolute_path(PG_AUTOCONF_FILENAME);
	int			error;

	if (access(DataDir, W_OK | X_OK) == 0 && (!file_exists(path) || is_writable_file(path)))
		return;
	error = errno;
	refuse(path, error,
		   stat(path, &st) == 0 ?
			   psprintf("It %s; the server runs as user %s: %s.", state_text(&st), user_text(geteuid()), strerror(error)) :
			   psprintf("The server cannot write to its data directory: %s.", strerror(error)),
		   pstrdup("A setting has to change with this installation: let the server write that file, or set it by hand to the file in sslpolicy.directory first."));
}

/*
 * From here on the file may change.
 */
void
begin_replacing(Replacement *replacement, const char *target)
{
	if (replacement->begun)
		return;
	replacement->before = file_signature(target);
	replacement->begun = true;
}

/*
 * Has it changed?
 */
bool
is_replaced(const Replacement *replacement, const char *target)
{
	return replacement->begun && file_signature(target) != replacement->before;
}
