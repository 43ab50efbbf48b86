/*-------------------------------------------------------------------------
 *
 * probe.h
 *		What the running server has loaded, read from a process forked now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PROBE_H
#define SSLPOLICY_PROBE_H

#include "base/monotonic.h"
#include "material/tlscontext.h"

typedef struct ProbeReport
{
	uint64		number;			/* of the context in force; 0 if there is none */
	LoadedList *loaded;			/* NULL if there is none */
} ProbeReport;

extern void init_probe(void);
extern ProbeReport *probe_server(Moment deadline);
extern LoadedList *probe_loaded(void);

#endif							/* SSLPOLICY_PROBE_H */
