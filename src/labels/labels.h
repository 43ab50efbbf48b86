/*-------------------------------------------------------------------------
 *
 * labels.h
 *		Policies as security labels.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LABELS_H
#define SSLPOLICY_LABELS_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "policy/policy.h"

#define LABEL_PROVIDER "sslpolicy"

typedef struct Label
{
	Oid			class;			/* AuthIdRelationId or DatabaseRelationId */
	Oid			object;
	char	   *text;
} Label;

extern void init_labels(void);
extern char *read_label(Oid class, Oid object);
extern bool is_our_label(HeapTuple tuple, TupleDesc desc);
extern char *our_label(HeapTuple tuple, TupleDesc desc);
extern List *all_labels(void);
extern char *labelled_name(const Label *label);
extern void expect_label(Oid user, Oid class, Oid object);
extern Policy *parse_policy_or_error(const char *text, PolicyPlace place);

#endif							/* SSLPOLICY_LABELS_H */
