/*-------------------------------------------------------------------------
 *
 * trial.c
 *		Tries new TLS material before it is put in place.
 *
 * The server must be able to load it, and ordinary clients to make a handshake with
 * what comes of it: with the settings, too, that the next reload will find, since
 * loading the material is such a reload.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/memory.h"
#include "base/told.h"
#include "install/place.h"
#include "install/trial.h"
#include "material/handshake.h"

/*
 * With force, it is a warning.  But everybody who may install may pass force, and not
 * everybody may shut all clients out.
 */
static void
override_refusal(Installation *inst, const char *message, const Handshakes *handshakes)
{
	char	   *failures = handshake_failures(handshakes);

	if (!any_handshake_works(handshakes) && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to install material with which %s", message),
				 errdetail("Because: %s.", failures),
				 errhint("A superuser can install it with force => true.")));
	inst->warnings = lappend(inst->warnings, psprintf("%s: %s", message, failures));
}

static void
check_handshakes(Installation *inst, SSL_CTX *context, const TlsParameters *parameters)
{
	Handshakes *handshakes;
	char	   *message;

	/* ssl is off */
	if (SSL_CTX_get0_certificate(context) == NULL)
		return;
	handshakes = try_handshakes(context, parameters);
	if (handshake_failures(handshakes) == NULL)
		return;
	message = judge_handshakes(handshakes, try_handshakes_in_force(), inst->kind == MATERIAL_SERVER,
							   &inst->warnings);
	if (message == NULL)
		return;
	if (inst->force)
		override_refusal(inst, message, handshakes);
	else
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("with this material %s", message),
				 errdetail("Because: %s.", handshake_failures(handshakes)),
				 errhint("%s force => true installs it all the same.", CLIENTS_ACCEPT)));
}

/*
 * What some clients do not take.
 */
static void
warn_of_sizes(Installation *inst, SSL_CTX *context)
{
	char	   *problem = NULL;

	if (inst->kind == MATERIAL_CA)
		problem = ca_names_problem(context);
	else if (inst->kind == MATERIAL_SERVER)
		problem = chain_problem(context);
	if (problem)
		inst->warnings = lappend(inst->warnings, problem);
}

/*
 * Make the context that the server would make with the new file, and try it.  NULL if
 * the server never sees the file.
 */
SSL_CTX *
try_material(Installation *inst, const char *file)
{
	MaterialFiles files = files_with(inst, file);
	TlsParameters parameters = configured_parameters(inst->configuration);
	SSL_CTX    *context;
	char	   *error;

	/* the worker tells what is wrong with them */
	if (inst->indexed)
		return NULL;
	context = build_context_for(&files, &parameters, &error);
	if (context == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("the server could not load this material"),
				 errdetail("%s", error),
				 errdetail_log("%s", full_text(error))));
	(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
	check_handshakes(inst, context, &parameters);
	warn_of_sizes(inst, context);
	return context;
}
