/*-------------------------------------------------------------------------
 *
 * boundedtext.h
 *		Text in pieces of memory of fixed size; what was cut is marked.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_BOUNDEDTEXT_H
#define SSLPOLICY_BOUNDEDTEXT_H

#include "nodes/pg_list.h"

/* Room for the reasons of a refusal. */
#define REASONS_LEN 768

extern void copy_bounded_text(char *to, size_t size, const char *text);
extern char *join_lines(List *lines);
extern List *split_lines(const char *text);

#endif							/* SSLPOLICY_BOUNDEDTEXT_H */
