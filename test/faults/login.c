/*-------------------------------------------------------------------------
 *
 * login.c
 *		Logins that are under way, many at once, in one thread.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "login.h"

const char *const outcome_names[NUM_OUTCOMES] = {
	"let_in",
	"policy",
	"revoked",
	"since",
	"blocked",
	"ca",
	"core",
	"interrupted",
	"strange",
};

/* What a message is known by, in the order in which it is looked for. */
static const struct
{
	const char *text;
	Outcome		outcome;
} messages[] =
	{
		{"does not meet its TLS policy", REFUSED_POLICY},
		{" is revoked", REFUSED_REVOKED},
		{"alert certificate revoked", REFUSED_REVOKED},
		{" is not accepted any more", REFUSED_SINCE},
		{"in sslpolicy.blocked_fingerprints", REFUSED_BLOCKED},
		{"is blocked on every node", REFUSED_BLOCKED},
		{"alert unknown ca", REFUSED_CA},
		{"password authentication failed", REFUSED_CORE},
		{"pg_hba.conf rejects connection", REFUSED_CORE},
		{"no pg_hba.conf entry", REFUSED_CORE},
		{"\" does not exist", REFUSED_CORE},
		{"server closed the connection unexpectedly", INTERRUPTED},
		{"Connection refused", INTERRUPTED},
		{"Connection reset", INTERRUPTED},
		{"No such file or directory", INTERRUPTED}, /* of the Unix socket */
		{"SSL SYSCALL error", INTERRUPTED},
		/* of a postmaster that does not listen yet, or a process that is told to quit */
		{"error response during SSL exchange", INTERRUPTED},
		{"SSL connection has been closed unexpectedly", INTERRUPTED},
		{"unexpected eof", INTERRUPTED},
		{"could not receive data from server", INTERRUPTED},
		{"could not send", INTERRUPTED},
		{"no connection to the server", INTERRUPTED},
		{"the database system is starting up", INTERRUPTED},
		{"the database system is in recovery mode", INTERRUPTED},
		{"the database system is shutting down", INTERRUPTED},
		{"the database system is not yet accepting connections", INTERRUPTED},
		{"because of crash of another server process", INTERRUPTED},
		{"due to administrator command", INTERRUPTED},	/* a recheck */
		{"unexpected postmaster exit", INTERRUPTED},
		{"sorry, too many clients already", INTERRUPTED},
		{"remaining connection slots are reserved", INTERRUPTED},
		{NULL, STRANGE},
};

double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/* A crash is told as a notice, before the connection breaks. */
static void
ignore_notice(void *arg, const char *message)
{
	(void) arg;
	(void) message;
}

void
start_login(Login *login, const char *conninfo)
{
	login->began = now_ms();
	login->connection = PQconnectStart(conninfo);
	if (login->connection == NULL)
	{
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	PQsetNoticeProcessor(login->connection, ignore_notice, NULL);
	login->wants = PQstatus(login->connection) == CONNECTION_BAD ?
		PGRES_POLLING_FAILED :
		PGRES_POLLING_WRITING;
}

/*
 * Something has happened on its socket.  True if it has ended, either way.
 */
bool
go_on_with_login(Login *login)
{
	if (login->wants != PGRES_POLLING_FAILED && login->wants != PGRES_POLLING_OK)
		login->wants = PQconnectPoll(login->connection);
	return login->wants == PGRES_POLLING_FAILED || login->wants == PGRES_POLLING_OK;
}

/*
 * What to wait for; 0 if it has ended already.
 */
short
login_events(const Login *login)
{
	switch (login->wants)
	{
		case PGRES_POLLING_WRITING:
			return POLLOUT;
		case PGRES_POLLING_READING:
			return POLLIN;
		default:
			return 0;
	}
}

Outcome
outcome_of_message(const char *message)
{
	for (int i = 0;; i++)
		if (messages[i].text == NULL || strstr(message, messages[i].text))
			return messages[i].outcome;
}

Outcome
login_outcome(const Login *login)
{
	if (login->wants == PGRES_POLLING_OK)
		return LET_IN;
	return outcome_of_message(PQerrorMessage(login->connection));
}

/*
 * The common name in the server's certificate; false without TLS.
 */
bool
served_by(const Login *login, char *cn, int size)
{
	SSL		   *ssl = PQsslStruct(login->connection, "OpenSSL");
	X509	   *cert = ssl ? SSL_get1_peer_certificate(ssl) : NULL;
	bool		found = cert &&
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, size) > 0;

	X509_free(cert);
	return found;
}

void
end_login(Login *login)
{
	PQfinish(login->connection);
	login->connection = NULL;
}
