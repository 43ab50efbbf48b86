/*-------------------------------------------------------------------------
 *
 * reload.c
 *		Asks the server to load its TLS material, and learns whether it did.
 *
 * PostgreSQL's own pg_reload_conf() only says that the signal was sent.  Here
 * the numbers of generation.c say whether an attempt made after the signal took,
 * and a process forked afterwards (probe.c) has the material that is wanted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/postmaster.h"
#include "storage/latch.h"
#include "utils/wait_event.h"

#include "base/files.h"
#include "base/monotonic.h"
#include "material/generation.h"
#include "material/material.h"
#include "material/probe.h"
#include "material/reload.h"
#include "material/trust.h"
#include "settings/settings.h"

/* The postmaster may not wake us: it must not touch a latch. */
#define POLL_MS 1

static void
wait_for_reload(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 POLL_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static ReloadOutcome *
outcome(bool loaded, uint64 generation, char *error)
{
	ReloadOutcome *result = palloc0(sizeof(ReloadOutcome));

	result->loaded = loaded;
	result->generation = generation;
	result->error = error;
	return result;
}

/*
 * What a forked process found, compared with what is wanted.  NULL if it was
 * forked before the attempt that is waited for.
 */
static ReloadOutcome *
judge_report(const ProbeReport *report, uint64 before, SSL_CTX *expected)
{
	if (report->number <= before)
		return NULL;
	if (expected && !is_same_loaded(report->loaded, describe_context(expected)))
		return outcome(false, report->number,
					   pstrdup("the server has loaded other material than its files hold now"));
	return outcome(true, report->number, NULL);
}

/*
 * Signal the postmaster, and wait for the truth.
 *
 * expected is a context made of the files as they are now; NULL if they could
 * not be loaded.  An attempt with a higher number than the newest one before
 * the signal has begun after whatever the caller has written.
 */
ReloadOutcome *
reload_server(SSL_CTX *expected, int timeout_ms)
{
	uint64		before = load_state()->attempt;
	Moment		deadline = this_moment() + (int64) timeout_ms * 1000;
	LoadState  *state;
	bool		forked = true;

	if (kill(PostmasterPid, SIGHUP) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not send a signal to the server: %m")));

	while ((state = load_state()), this_moment() < deadline)
	{
		if (state->attempt > before && state->failed == state->attempt)
			return outcome(false, state->in_force,
						   state->error[0] ? state->error : pstrdup("the server could not load it; its log says why"));
		if (state->attempt > before && forked)
		{
			ProbeReport *report = probe_server(deadline);
			ReloadOutcome *result = report ? judge_report(report, before, expected) : NULL;

			if (result)
				return result;
			forked = report != NULL;
		}
		/* without a process to look, the numbers are proof enough where they speak */
		if (!forked && state->in_force > before)
			return outcome(true, state->in_force, NULL);
		wait_for_reload();
	}
	if (!forked)
		return outcome(false, state->in_force,
					   pstrdup("it cannot be told whether the server has loaded it, because no background worker could be started (max_worker_processes)"));
	if (state->attempt == 0)
		return outcome(false, 0,
					   pstrdup("it cannot be told whether the server has loaded it, because another module has replaced openssl_tls_init_hook"));
	return outcome(false, state->in_force,
				   psprintf("the server has not loaded it within %d ms", timeout_ms));
}

/*
 * Why the server should not be told to load these files: they would lock every
 * client out that has a certificate.  NULL if nothing speaks against it.
 */
char *
reload_objection(const MaterialFiles *files, const TlsParameters *parameters)
{
	int64		now = (int64) time(NULL);
	List	   *warnings = NIL;
	char	   *error;
	Trust	   *trust = read_trust(files, parameters, now, &error);
	Refusal    *refusal;

	if (trust == NULL)
		return error;
	if (files->ca_file[0] == '\0')
		return EnableSSL && ssl_ca_file[0] ?
			pstrdup("ssl_ca_file is empty now: no client certificate would be verified") :
			NULL;
	refusal = judge_cas(trust, NULL, &warnings);
	if (refusal)
		return psprintf("file \"%s\": %s%s%s", files->ca_file, refusal->message,
						refusal->detail ? ". " : "", refusal->detail ? refusal->detail : "");
	if (files->crl_file[0] &&
		sk_X509_CRL_num(read_pem_file(files->crl_file)->content->crls) == 0)
		return told_of_tls_files(psprintf("file \"%s\" holds no CRL: every client certificate would be refused",
										  files->crl_file));
	if (judge_expiry(trust, &error))
		return error;
	warnings = NIL;
	if (judge_revocation(trust, &warnings) == 0)
		return psprintf("every client certificate would be refused: %s",
						(char *) linitial(warnings));
	return NULL;
}

/*
 * Why the server should not be told to take these settings of sslpolicy's own
 * CRLs: until those have been read, every client certificate is refused.  NULL if
 * nothing speaks against it.  What is in the files, which may be long, only the
 * worker reads.
 */
char *
crl_objection(const Configuration *configuration)
{
	const char *const before[] = {crl_file(), crl_dir()};

	for (int i = 0; i < (int) lengthof(before); i++)
	{
		TlsSetting	setting = SETTING_OWN_CRL_FILE + i;
		const char *path = configuration->settings[setting].value;

		if (path[0] && strcmp(path, before[i]) != 0 && !is_readable_path(path, setting == SETTING_OWN_CRL_DIR))
			return psprintf("could not open \"%s\", which %s names now: %m", path, tls_setting_name(setting));
	}
	return NULL;
}
