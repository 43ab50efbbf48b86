/*-------------------------------------------------------------------------
 *
 * anchors.h
 *		The CAs in force, by which live sessions are judged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_ANCHORS_H
#define SSLPOLICY_ANCHORS_H

#include "material/generation.h"
#include "policy/facts.h"

/* Name and key of each CA; a copy. */
typedef struct Anchors
{
	bool		known;			/* false: judge no session by them */
	int			count;
	uint8		(*identities)[CA_IDENTITY_LEN]; /* sorted */
} Anchors;

extern void init_anchors(void);
extern void learn_inherited_anchors(void);
extern void learn_loaded_anchors(const LoadState *state);
extern uint64 number_of_anchors(void);
extern Anchors *anchors_in_force(void);
extern void judge_anchor(Facts *facts, const Anchors *anchors);

#endif							/* SSLPOLICY_ANCHORS_H */
