/*-------------------------------------------------------------------------
 *
 * serverfuncs.h
 *		The server's certificate, for the function that goes back to an earlier one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_SERVERFUNCS_H
#define SSLPOLICY_SERVERFUNCS_H

#include "install/install.h"

extern void judge_old_identity(Installation *inst);

#endif							/* SSLPOLICY_SERVERFUNCS_H */
