/*-------------------------------------------------------------------------
 *
 * login.h
 *		Logins that are under way, many at once, in one thread.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FAULTS_LOGIN_H
#define FAULTS_LOGIN_H

#include <stdbool.h>

#include <libpq-fe.h>

typedef enum Outcome
{
	LET_IN,
	REFUSED_POLICY,
	REFUSED_REVOKED,
	REFUSED_SINCE,				/* after the handshake, by what is in force now: its
								 * CA is removed, or its certificate revoked */
	REFUSED_BLOCKED,
	REFUSED_CA,					/* in the handshake: nobody knows its CA */
	REFUSED_CORE,				/* by PostgreSQL itself: password, pg_hba.conf, no
								 * such role */
	INTERRUPTED,				/* nothing was decided: a crash, a full server */
	STRANGE,					/* what should not happen */
	NUM_OUTCOMES
} Outcome;

typedef struct Login
{
	PGconn	   *connection;		/* NULL: not under way */
	PostgresPollingStatusType wants;
	double		began;			/* ms */
} Login;

extern const char *const outcome_names[NUM_OUTCOMES];

extern double now_ms(void);
extern void start_login(Login *login, const char *conninfo);
extern bool go_on_with_login(Login *login);
extern short login_events(const Login *login);
extern Outcome login_outcome(const Login *login);
extern Outcome outcome_of_message(const char *message);
extern bool served_by(const Login *login, char *cn, int size);
extern void end_login(Login *login);

#endif							/* FAULTS_LOGIN_H */
