/*-------------------------------------------------------------------------
 *
 * sessions.h
 *		The table of live sessions in shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SESSIONS_H
#define SSLPOLICY_SESSIONS_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "base/monotonic.h"
#include "policy/facts.h"
#include "session/storedfacts.h"

/* Packed certificates up to this size are of ordinary size: two or three names and
 * a chain of two CAs have room. */
#define INLINE_CERTIFICATE 1280

/* With more CAs than that in its chain, a certificate is not let in. */
#define MAX_SESSION_CAS 24

/* Does a session meet its policies? */
typedef enum Compliance
{
	COMPLIANCE_UNKNOWN,			/* nobody looked: enforcement is off */
	COMPLIANCE_NO,
	COMPLIANCE_YES
} Compliance;

/* A copy of one entry of the table. */
typedef struct Session
{
	int			slot;			/* which entry: the PGPROC number */
	int			pid;
	Oid			role;
	Oid			database;		/* InvalidOid for physical replication */
	TimestampTz backend_start;
	Compliance	compliance;
	bool		replication;	/* a walsender */
	uint64		handshake;		/* number of the TLS context of its handshake; 0: not known */
	int64		end_at;			/* its policy says on_expiry=end: notAfter of its
								 * certificate; 0 otherwise */
	Moment		refused_at;		/* since when a recheck waits for the end of its
								 * transaction; 0: it does not */
	int			refused_for;	/* what had changed then, as recheck.h has it */
	bool		ending;			/* has been told to end */
	bool		complete;		/* core has looked role and database up */
	bool		misjudged;		/* and they are not those that were judged */
	bool		failing;		/* the last recheck could not judge it */
	bool		certificate_told;	/* it has been logged that its certificate must not
									 * be used, though it goes on */
	Facts		facts;
} Session;

/* What the ledger wants to know of a login, until it has written it down. */
typedef struct LoginNote
{
	TimestampTz at;				/* 0: there is nothing to write down, or no longer */
	bool		is_protected;	/* a superuser, or a reserved role */
	Compliance	compliance;		/* as the login was decided: a recheck can come before this is
								 * written down */
	uint64		certificate;	/* hash of its names; 0: there is none */
} LoginNote;

/* A copy of a slot with such a note. */
typedef struct NotedLogin
{
	int			slot;
	int			pid;
	TimestampTz backend_start;
	Oid			role;
	Oid			database;
	LoginNote	note;
	StoredFacts facts;
	const char *cert;			/* packed; NULL: none */
	size_t		cert_size;
} NotedLogin;

/* What has become of a session that was not complete. */
typedef enum SessionProgress
{
	SESSION_INCOMPLETE,			/* it is not yet */
	SESSION_SETTLED,			/* it is what it was judged as, or has ended */
	SESSION_MISJUDGED
} SessionProgress;

/* Which sessions live that policies apply to? */
typedef enum LiveSessions
{
	LIVE_NONE,
	LIVE_SEEN,					/* only some that have been copied before */
	LIVE_OTHERS					/* others as well, or logins under way */
} LiveSessions;

/* What a recheck has found out about a session. */
typedef struct SessionState
{
	Compliance	compliance;
	int64		end_at;
	Moment		refused_at;
	int			refused_for;
	bool		failing;		/* it could not judge it */
	bool		certificate_told;
} SessionState;

extern void init_sessions(void);
extern bool publish_session(const Facts *facts, uint64 handshake, SerialDigest digest);
extern void admit_session(Oid role, Oid database, Compliance compliance, int64 end_at);
extern const char *my_auth_method(void);
extern void leave_login_note(const LoginNote *note);
extern int	my_session_slot(void);
extern int	session_slots(void);
extern bool has_login_note(int slot);
extern NotedLogin *copy_noted_login(int slot);
extern void clear_login_note(const NotedLogin *login);
extern List *copy_sessions(void);
extern LiveSessions live_sessions(const List *seen);
extern void begin_session_recheck(bool basis);
extern SessionProgress session_progress(const Session *session);
extern void set_session_state(const Session *session, const SessionState *state);
extern bool end_session(const Session *session);
extern bool is_session_in_transaction(const Session *session);

#endif							/* SSLPOLICY_SESSIONS_H */
