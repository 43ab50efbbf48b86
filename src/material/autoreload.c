/*-------------------------------------------------------------------------
 *
 * autoreload.c
 *		Has changed TLS files loaded without being told.
 *
 * With sslpolicy.auto_reload the worker looks at the files that ssl_cert_file,
 * ssl_key_file, ssl_ca_file and ssl_crl_file name.  Changed ones are checked as
 * sslpolicy.reload() checks them, and the server is told to load them.  Those
 * that it could not use, or that would lock every client out, are logged once
 * and left alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"

#include "base/compat.h"
#include "base/files.h"
#include "base/memory.h"
#include "material/autoreload.h"
#include "material/handshake.h"
#include "material/material.h"
#include "material/reload.h"
#include "material/tlscontext.h"
#include "settings/settings.h"

/* The files as they were when they were looked at; both made of stat(). */
static uint8 seen[FINGERPRINT_LEN];
static uint8 done[FINGERPRINT_LEN];
static bool known = false;		/* done is meaningful */

/*
 * What is wrong with the files; NULL if nothing is.
 */
static char *
objection(const MaterialFiles *files)
{
	TlsParameters parameters = parameters_in_force();
	char	   *error = NULL;
	SSL_CTX    *context = build_context(files, &error);

	if (context == NULL)
		return error;
	(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
	error = reload_objection(files, &parameters);
	return error ? error : handshake_objection(context, &parameters);
}

/*
 * Called now and then by the worker, in a memory context that is reset.
 *
 * Files are taken when they have been the same twice: they may be being
 * written, or be two of which only one has been replaced so far.
 */
void
load_changed_files(void)
{
	MaterialFiles files = {ssl_cert_file, ssl_key_file, ssl_ca_file, ssl_crl_file, ssl_crl_dir};
	const char *const paths[] = {ssl_cert_file, ssl_key_file, ssl_ca_file, ssl_crl_file};
	uint8		now[FINGERPRINT_LEN];
	bool		same;
	char	   *error;

	/* with ssl_sni the files may be those of pg_hosts.conf */
	if (!auto_reload() || !EnableSSL || compat_ssl_sni())
	{
		known = false;
		return;
	}
	files_signature(paths, lengthof(paths), now);
	same = memcmp(now, seen, FINGERPRINT_LEN) == 0;
	memcpy(seen, now, FINGERPRINT_LEN);
	if (!known)
	{
		/* those that the server has started with, or that were there before */
		memcpy(done, now, FINGERPRINT_LEN);
		known = true;
	}
	if (!same || memcmp(now, done, FINGERPRINT_LEN) == 0)
		return;

	memcpy(done, now, FINGERPRINT_LEN);
	error = objection(&files);
	if (error != NULL)
	{
		ereport(LOG_SERVER_ONLY,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("changed TLS files are not loaded: %s", error),
				 errhint("They are looked at again when they change.")));
		return;
	}
	ereport(LOG_SERVER_ONLY, (errmsg("TLS files have changed, and are loaded")));
	(void) kill(PostmasterPid, SIGHUP);
}
