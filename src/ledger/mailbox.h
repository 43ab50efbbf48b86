/*-------------------------------------------------------------------------
 *
 * mailbox.h
 *		What PostgreSQL itself refuses, from the path of its log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_MAILBOX_H
#define SSLPOLICY_MAILBOX_H

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "policy/facts.h"

typedef struct Letter
{
	int			slot;			/* where it lies */
	uint64		number;			/* of this letter alone */
	TimestampTz at;
	Facts		facts;			/* role is NULL if none was named yet */
	char	   *client_dn;		/* NULL if there was no verified certificate */
	char	   *client_serial;
	uint8		fingerprint[FINGERPRINT_LEN];
	char	   *message;
	char	   *detail;			/* NULL if there is none */
} Letter;

extern void init_mailbox(void);
extern void mailbox_refusal_is_noted(void);
extern bool mailbox_has_letters(void);
extern List *mailbox_letters_read(void);
extern void mailbox_begin_taking(void);
extern bool mailbox_take_letter(const Letter *letter);
extern int64 mailbox_take_lost(void);
extern void mailbox_end_taking(void);

#endif							/* SSLPOLICY_MAILBOX_H */
