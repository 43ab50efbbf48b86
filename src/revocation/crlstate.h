/*-------------------------------------------------------------------------
 *
 * crlstate.h
 *		What the worker makes of the CRLs, for everybody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLSTATE_H
#define SSLPOLICY_CRLSTATE_H

#include "datatype/timestamp.h"

typedef struct CrlState
{
	TimestampTz checked_at;		/* 0: the worker has not looked yet */
	TimestampTz built_at;		/* of the index in force; 0: not known */
	char	   *error;			/* why the CRLs as they are now are not in force;
								 * NULL if they are */
} CrlState;

extern void init_crl_state(void);
extern uint64 crls_requested(void);
extern void crls_checked(uint64 request, bool built, const char *error);
extern void suspect_index(void);
extern bool take_index_suspicion(void);
extern void set_core_index_material(uint64 number);
extern uint64 core_index_material(void);
extern CrlState *crl_state(void);
extern char *told_of_crls(const char *file, const char *dir, char *full);
extern bool is_older_crl_accepted(uint64 request);
extern char *check_crls_now(int timeout_ms, bool accept_older);

#endif							/* SSLPOLICY_CRLSTATE_H */
