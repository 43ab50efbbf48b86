/*-------------------------------------------------------------------------
 *
 * mailbox.c
 *		What PostgreSQL itself refuses, from the path of its log.
 *
 * Core refuses connections before and after the login hook: no pg_hba.conf line, a
 * wrong password, a TLS handshake that fails.  Of those no hook tells but the one
 * of the log.  It is called in any process at any moment, for a failed handshake
 * (until PostgreSQL 17) before the process has a PGPROC, so that it can take no
 * LWLock; and it may be ended by _exit() in a signal handler at any instruction, so
 * that a spinlock might stay taken.  Therefore it throws a letter into one of some
 * slots, without any lock, and whoever can look names up and take locks empties
 * them (ledger.c): the worker when it looks, and whoever asks.
 *
 * A slot is free, being written, or full.  Compare-and-exchange makes it a writer's,
 * with whose pid it is marked; if that process is gone without having filled it, it
 * is free again.  If all are full the letter is lost, and counted.
 *
 * Locking: state, written and lost are atomics, which anybody reads and changes
 * without a lock.  What is in a slot belongs to its writer from the moment that
 * state says so until it says that the slot is full; it is written before that, and
 * read after it, with barriers.  A full slot belongs to whoever holds mailbox->lock
 * (always exclusive): with it letters are copied out, and full slots freed.
 * Holding it, whoever notes the letters takes the locks of rejections.c and of
 * statistics.c, one after the other; it is held by nobody who has those.  Writers
 * of letters take no lock at all.
 *
 * Messages are told by severity, SQLSTATE and source file, not by their text, which
 * is translated.  Text is cut to size here, and made printable by who shows it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <errno.h>
#include <signal.h>

#include "libpq/hba.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "utils/elog.h"
#include "utils/timestamp.h"

#include "base/files.h"
#include "base/sharedmem.h"
#include "base/wakeup.h"
#include "ledger/mailbox.h"
#include "session/collect.h"
#include "session/failedcert.h"
#include "session/storedfacts.h"
#include "settings/directory.h"

#define NSLOTS 128

#define TEXT_LEN   512
#define SERIAL_LEN 64

/* The state of a slot: 0, or the writer's pid, shifted, with one of these */
#define WRITING	  1
#define FULL	  2
#define PID_SHIFT 2

typedef struct Slot
{
	pg_atomic_uint64 state;
	uint64		number;
	TimestampTz at;
	StoredFacts facts;			/* role is "" if not known */
	bool		has_cert;
	uint8		fingerprint[FINGERPRINT_LEN];
	char		client_dn[TEXT_LEN];
	char		client_serial[SERIAL_LEN];
	char		message[TEXT_LEN];
	char		detail[TEXT_LEN];	/* "" for none */
} Slot;

typedef struct Mailbox
{
	LWLock	   *lock;			/* for those who empty it */
	pg_atomic_uint64 written;	/* letters, and where to look for a free slot */
	pg_atomic_uint64 lost;
	Slot		slots[NSLOTS];
} Mailbox;

static Mailbox *mailbox = NULL;
static emit_log_hook_type previous_log_hook = NULL;

/* of this process: its refusal stands in the ledger, or in a letter */
static bool noted = false;
static bool writing = false;

static void
init_shared(void)
{
	pg_atomic_init_u64(&mailbox->written, 0);
	pg_atomic_init_u64(&mailbox->lost, 0);
	for (int i = 0; i < NSLOTS; i++)
		pg_atomic_init_u64(&mailbox->slots[i].state, 0);
}

static const SharedPiece piece = {
	.name = "sslpolicy mailbox",
	.where = (void **) &mailbox,
	.size = sizeof(Mailbox),
	.tranche = "sslpolicy_mailbox",
	.init = init_shared,
};

/*
 * This process has written down itself why it refuses its client.
 */
void
mailbox_refusal_is_noted(void)
{
	noted = true;
}

/*
 * Did the TLS handshake fail?  Whatever goes wrong in TLS before there is a
 * session is the handshake, or a client that has hung up.  With direct TLS
 * (PostgreSQL 17) one that succeeds without ALPN is refused by another file.
 */
static bool
is_failed_handshake(const ErrorData *edata)
{
	if (edata->elevel != COMMERROR || !IsInitProcessingMode() ||
		edata->sqlerrcode != ERRCODE_PROTOCOL_VIOLATION || edata->filename == NULL)
		return false;
	return strcmp(edata->filename, "be-secure-openssl.c") == 0 ||
		(strcmp(edata->filename, "backend_startup.c") == 0 && edata->funcname &&
		 strcmp(edata->funcname, "ProcessSSLStartup") == 0);
}

/*
 * Was the client refused?  Some of it comes behind authentication: that there is
 * no such role, or that it may not log in.
 */
static bool
is_refusal(const ErrorData *edata)
{
	return edata->elevel == FATAL &&
		ERRCODE_TO_CATEGORY(edata->sqlerrcode) == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION &&
		IsInitProcessingMode();
}

/*
 * Make a free slot this process's.
 */
static Slot *
claim_slot(uint64 number)
{
	for (uint64 i = 0; i < NSLOTS; i++)
	{
		Slot	   *slot = &mailbox->slots[(number + i) % NSLOTS];
		uint64		expected = 0;

		if (pg_atomic_compare_exchange_u64(&slot->state, &expected,
										   (uint64) MyProcPid << PID_SHIFT | WRITING))
			return slot;
	}
	return NULL;
}

static void
write_text(char *to, const char *text)
{
	copy_bounded_text(to, TEXT_LEN, text ? text : "");
}

/*
 * The detail for the log without the text of the line of pg_hba.conf, which can hold
 * passwords; NULL if it cannot be told apart.
 */
static const char *
without_hba_line(const ErrorData *edata)
{
	const HbaLine *hba = MyProcPort->hba;
	const char *line = hba && hba->rawline ? hba->rawline : "";
	const char *found = line[0] ? strstr(edata->detail_log, line) : NULL;

	if (found != NULL)
		return psprintf("%.*s%s%s", (int) (found - edata->detail_log), edata->detail_log,
						hba_authname(hba->auth_method), found + strlen(line));
	if (edata->funcname && strcmp(edata->funcname, "auth_failed") == 0)
		return NULL;
	return edata->detail_log;
}

static void
fill_slot(Slot *slot, uint64 number, const ErrorData *edata)
{
	Facts	   *facts = collect_facts(MyProcPort, NULL);
	const char *detail = edata->detail_log ? without_hba_line(edata) : edata->detail;

	if (facts->role == NULL)
		facts->role = "";
	/* a handshake that failed before anything was agreed on */
	if (facts->cipher && strcmp(facts->cipher, "(NONE)") == 0)
		facts->version = facts->cipher = NULL;
	slot->number = number;
	slot->at = GetCurrentTimestamp();
	store_facts(&slot->facts, facts);
	slot->has_cert = facts->cert != NULL;
	if (facts->cert)
	{
		memcpy(slot->fingerprint, facts->cert->fingerprint, FINGERPRINT_LEN);
		write_text(slot->client_dn, facts->cert->subject_dn);
		copy_bounded_text(slot->client_serial, SERIAL_LEN, facts->cert->serial);
	}
	write_text(slot->message, edata->message);
	write_text(slot->detail, detail);
}

static void
write_letter(const ErrorData *edata)
{
	uint64		number = pg_atomic_fetch_add_u64(&mailbox->written, 1);
	Slot	   *slot = claim_slot(number);

	if (slot == NULL)
	{
		(void) pg_atomic_fetch_add_u64(&mailbox->lost, 1);
		return;
	}
	stop_point("letter");
	fill_slot(slot, number, edata);
	pg_write_barrier();
	pg_atomic_write_u64(&slot->state, (uint64) MyProcPid << PID_SHIFT | FULL);
	/* many at once cannot wait until it looks by itself */
	if (number % (NSLOTS / 4) == 0)
		wake_worker();
}

/*
 * Add to the log what core leaves out: why the client's certificate was not accepted.
 * Core does not send this message to the client.
 */
static void
add_reason(ErrorData *edata)
{
	char	   *why = edata->detail || edata->detail_log ? NULL : why_certificate_failed(MyProcPort);

	if (why != NULL)
		edata->detail_log = MemoryContextStrdup(edata->assoc_context, why);
}

/*
 * Is the message the refusal of a client, in a process that serves one?  Only the
 * first of a process counts: it ends then.
 */
static void
watch_refusals(ErrorData *edata)
{
	if (!noted && !writing && mailbox != NULL && IsUnderPostmaster && MyProcPort != NULL &&
		(is_refusal(edata) || is_failed_handshake(edata)))
	{
		writing = true;
		if (is_failed_handshake(edata))
			add_reason(edata);
		write_letter(edata);
		writing = false;
		noted = true;
	}
	if (previous_log_hook)
		previous_log_hook(edata);
}

void
init_mailbox(void)
{
	share_memory(&piece);
	previous_log_hook = emit_log_hook;
	emit_log_hook = watch_refusals;
}

/*
 * Has the process that was writing into the slot ended?
 */
static bool
is_abandoned(uint64 state)
{
	return (state & WRITING) != 0 && kill((pid_t) (state >> PID_SHIFT), 0) != 0 &&
		errno == ESRCH;
}

static void
free_abandoned(Slot *slot)
{
	uint64		state = pg_atomic_read_u64(&slot->state);

	if (is_abandoned(state))
		(void) pg_atomic_compare_exchange_u64(&slot->state, &state, 0);
}

static bool
is_full(Slot *slot)
{
	return (pg_atomic_read_u64(&slot->state) & FULL) != 0;
}

/*
 * Is there anything to be taken?
 */
bool
mailbox_has_letters(void)
{
	if (pg_atomic_read_u64(&mailbox->lost) > 0)
		return true;
	for (int i = 0; i < NSLOTS; i++)
	{
		free_abandoned(&mailbox->slots[i]);
		if (is_full(&mailbox->slots[i]))
			return true;
	}
	return false;
}

static Letter *
copy_letter(const Slot *slot)
{
	Letter	   *letter = palloc0(sizeof(Letter));

	letter->slot = (int) (slot - mailbox->slots);
	letter->number = slot->number;
	letter->at = slot->at;
	letter->facts = load_facts(&slot->facts, NULL);
	if (letter->facts.role[0] == '\0')
		letter->facts.role = NULL;
	if (slot->has_cert)
	{
		letter->client_dn = pstrdup(slot->client_dn);
		letter->client_serial = pstrdup(slot->client_serial);
		memcpy(letter->fingerprint, slot->fingerprint, FINGERPRINT_LEN);
	}
	letter->message = pstrdup(slot->message);
	letter->detail = slot->detail[0] ? pstrdup(slot->detail) : NULL;
	return letter;
}

/*
 * Copies of the letters that lie there, in the current memory context.  They stay
 * there until they are taken.
 */
List *
mailbox_letters_read(void)
{
	List	   *letters = NIL;

	LWLockAcquire(mailbox->lock, LW_EXCLUSIVE);
	for (int i = 0; i < NSLOTS; i++)
	{
		if (!is_full(&mailbox->slots[i]))
			continue;
		pg_read_barrier();
		letters = lappend(letters, copy_letter(&mailbox->slots[i]));
	}
	LWLockRelease(mailbox->lock);
	return letters;
}

/*
 * Letters are taken, and what they say is noted, between these two: whoever finds
 * no letter afterwards finds the note.
 */
void
mailbox_begin_taking(void)
{
	LWLockAcquire(mailbox->lock, LW_EXCLUSIVE);
}

void
mailbox_end_taking(void)
{
	LWLockRelease(mailbox->lock);
}

/*
 * False if somebody else has taken it.
 */
bool
mailbox_take_letter(const Letter *letter)
{
	Slot	   *slot = &mailbox->slots[letter->slot];

	if (!is_full(slot))
		return false;
	pg_read_barrier();
	if (slot->number != letter->number)
		return false;
	pg_memory_barrier();
	pg_atomic_write_u64(&slot->state, 0);
	return true;
}

/*
 * How many letters were lost since the last call.
 */
int64
mailbox_take_lost(void)
{
	return (int64) pg_atomic_exchange_u64(&mailbox->lost, 0);
}
