/*-------------------------------------------------------------------------
 *
 * generation.h
 *		Which TLS context the server has in force: proof of a reload.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_GENERATION_H
#define SSLPOLICY_GENERATION_H

#include "datatype/timestamp.h"

#include "material/tlscontext.h"

/* Of certificate, key, CAs and CRLs. */
#define NUM_LOADED_FILES 4

/*
 * Contexts are numbered from 1, from the start of the server.  Numbers grow
 * with each attempt to load material, also with those that fail.
 */
typedef struct LoadState
{
	uint64		attempt;		/* the newest context; 0 if none was made */
	uint64		in_force;		/* the one that serves; 0 if none, or not known */
	uint64		failed;			/* the last one that failed to load; 0 if none */
	TimestampTz loaded_at;		/* of in_force; 0 if none */
	uint64		files[NUM_LOADED_FILES];	/* file_signature() of those that in_force
											 * was loaded from, as it began */
	TimestampTz failed_at;		/* of failed; 0 if none */
	char	   *error;			/* core's message about failed, "" if not known */
} LoadState;

extern void init_generations(CaKeyMaker key_maker);
extern LoadState *load_state(void);
extern bool is_file_in_force(const LoadState *state, const char *path);
extern uint64 handshake_number(void);
extern uint64 number_in_force(void);
extern uint64 inherited_material(ContextMaterial **materials, int *count);

#endif							/* SSLPOLICY_GENERATION_H */
