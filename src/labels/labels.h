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
#include "catalog/objectaddress.h"
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
extern bool is_label_of(HeapTuple tuple, TupleDesc desc, const char *provider);
extern bool is_our_label(HeapTuple tuple, TupleDesc desc);
extern char *label_of_row(HeapTuple tuple, TupleDesc desc);
extern char *our_label(HeapTuple tuple, TupleDesc desc);
extern List *all_labels(void);
extern char *labelled_name(const Label *label);
extern void expect_label(Oid user, Oid class, Oid object);
extern bool is_label_expected(void);
extern void check_expected(const ObjectAddress *object);
extern void note_label_change(const ObjectAddress *object, const char *provider,
							  const char *title, const char *text, bool hashed);
extern void check_policy_label(const char *text, PolicyPlace place);
extern Policy *parse_policy_or_error(const char *text, PolicyPlace place);

#endif							/* SSLPOLICY_LABELS_H */
