/*-------------------------------------------------------------------------
 *
 * leftovers.h
 *		Removes the temporary files that a crash has left.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LEFTOVERS_H
#define SSLPOLICY_LEFTOVERS_H

extern void init_leftovers(void);

#endif							/* SSLPOLICY_LEFTOVERS_H */
