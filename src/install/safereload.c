/*-------------------------------------------------------------------------
 *
 * safereload.c
 *		Has the server load its files as they are now, unless that would lock
 *		clients out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/memory.h"
#include "base/told.h"
#include "install/safereload.h"
#include "material/generation.h"
#include "material/handshake.h"
#include "revocation/crlbuild.h"
#include "revocation/crlstate.h"

static void
require_ssl(const Configuration *configuration)
{
	if (!configuration->ssl)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("ssl is off: there is no TLS material to reload"),
				 errhint("Set ssl = on first.")));
}

/*
 * Why the server should not be told to reload; NULL if nothing speaks against it.
 * *context is made of the files as they are now; NULL if they cannot be loaded, or
 * if the server takes certificates from another file.
 */
static char *
find_objection(const Configuration *configuration, SSL_CTX **context)
{
	MaterialFiles files = configured_files(configuration);
	TlsParameters parameters = configured_parameters(configuration);
	char	   *error = NULL;

	*context = NULL;
	if (!compat_certificates_by_host())
	{
		*context = build_context_for(&files, &parameters, &error);
		if (*context)
			(void) free_at_reset(*context, (void (*)(void *)) SSL_CTX_free);
	}
	if (error == NULL)
		error = configuration->error;
	if (error == NULL && *context)
		error = reload_objection(&files, &parameters);
	if (error == NULL && *context)
		error = handshake_objection(*context, &parameters);
	if (error)
		return error;
	return files_may_be_told() ?
		crl_objection(configuration) :
		new_crls_objection(configuration->settings[SETTING_OWN_CRL_FILE].value,
						   configuration->settings[SETTING_OWN_CRL_DIR].value);
}

/*
 * With force, it is told even if something speaks against it, which then is no
 * error.  Waits timeout_ms for the server, and as long for the worker to read CRLs.
 */
ReloadOutcome *
reload_safely(int timeout_ms, bool force)
{
	Configuration *configuration = read_configuration();
	ReloadOutcome *result;
	SSL_CTX    *context;
	char	   *objection;

	require_ssl(configuration);
	objection = find_objection(configuration, &context);
	if (objection && !force)
	{
		result = palloc0(sizeof(ReloadOutcome));
		result->generation = load_state()->in_force;
		result->error = objection;
		log_withheld(objection);
		return result;
	}
	result = reload_server(context, timeout_ms);
	/* with an error in its files the server loads the material, but not their settings */
	if (result->loaded && configuration->error)
		result->error = objection;
	if (result->loaded && result->error == NULL)
		result->error = check_crls_now(timeout_ms, false);
	result->loaded = result->loaded && result->error == NULL;
	return result;
}
