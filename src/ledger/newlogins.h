/*-------------------------------------------------------------------------
 *
 * newlogins.h
 *		Writes down who has logged in.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_NEWLOGINS_H
#define SSLPOLICY_NEWLOGINS_H

#include "session/sessions.h"

extern void init_new_logins(void);
extern void leave_note_of_login(const LoginNote *note);
extern void note_new_logins(void);

#endif							/* SSLPOLICY_NEWLOGINS_H */
