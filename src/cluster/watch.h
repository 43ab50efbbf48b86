/*-------------------------------------------------------------------------
 *
 * watch.h
 *		Notices what the catalog holds for every node, and has it applied.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_WATCH_H
#define SSLPOLICY_WATCH_H

extern void begin_watching_cluster(void);
extern void note_settings_for_cluster(void);
extern void watch_cluster(void);

#endif							/* SSLPOLICY_WATCH_H */
