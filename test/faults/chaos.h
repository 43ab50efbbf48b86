/*-------------------------------------------------------------------------
 *
 * chaos.h
 *		What chaos.c and actors.c share.
 *
 * Everything runs in one thread, so "before" and "after" are the order of its
 * events: a change whose acknowledgement was read before a login began binds that
 * login, whatever was killed in between.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FAULTS_CHAOS_H
#define FAULTS_CHAOS_H

#include <stdbool.h>

#include "login.h"

/* How a client comes. */
typedef enum ClientKind
{
	PLAIN,						/* without TLS */
	TLS,						/* without a certificate */
	TLS12,						/* the same, TLSv1.2 */
	CERT,						/* with the certificate of its role */
	FOREIGN,					/* with that of another role */
	REVOKED,					/* with one that every other CRL revokes */
	SECOND,						/* with one of the CA that comes and goes */
	NUM_KINDS
} ClientKind;

/*
 * The states that something has been in, as numbers.  One of states[lo..hi] is
 * in force: lo < hi from the moment when a change is sent until it is known what
 * has become of it.
 */
typedef struct Ledger
{
	int		   *states;
	int			lo;
	int			hi;
} Ledger;

typedef enum ActorKind
{
	CELL,						/* policies of a role, a group and a database */
	CRL,
	CA,
	SERVER
} ActorKind;

typedef enum Phase
{
	DOWN,						/* connects again when it is due */
	CONNECTING,
	RESOLVING,					/* asks what has become of the last change */
	IDLE,						/* begins another change when it is due */
	RUNNING
} Phase;

#define MAX_STEPS 4
#define SQL_SIZE  1200

typedef struct Step
{
	char		sql[SQL_SIZE];
	const char *params[2];
	int			nparams;
	bool		decides;		/* from here on new_state may be in force */
	int			pause;			/* ms, before it */
} Step;

/* Who changes something, through a Unix socket, one change after the other. */
typedef struct Actor
{
	ActorKind	kind;
	int			number;			/* of a cell */
	Ledger		ledger;
	Login		login;
	Phase		phase;
	double		due;
	Step		steps[MAX_STEPS];
	int			nsteps;
	int			step;
	bool		sent;
	bool		failed;			/* the step, with an error of the server */
	bool		vanishes;		/* hangs up behind the last step */
	int			new_state;
	int			tries;			/* to resolve */
	char		answer[2][300]; /* of the last row that the server sent */
} Actor;

typedef struct Counts
{
	long		acknowledged,
		undone,					/* rolled back, on purpose */
		lost,					/* connections, with a change under way */
		lost_old,				/* and the old state was found afterwards */
		lost_new,
		resolved,				/* how often stored states were compared */
		wrong_stored,
		errors;
} Counts;

extern Counts counts;
extern const char *admin_conninfo;
extern const char *folder;

extern int	random_below(int n);
extern bool cell_admits(int state, ClientKind kind);
extern void describe_cell(int state, char *text, int size);
extern char *read_whole(const char *name);
extern void init_actor(Actor *actor, ActorKind kind, int number);
extern bool act(Actor *actor, bool stopping);
extern bool is_settled(const Actor *actor);
extern int	actor_fd(const Actor *actor, short *events);

#endif							/* FAULTS_CHAOS_H */
