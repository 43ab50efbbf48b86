/*-------------------------------------------------------------------------
 *
 * dnform.h
 *		Distinguished names as other programs write them, in the form of the facts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_DNFORM_H
#define SSLPOLICY_DNFORM_H

#include "base/pure.h"

extern char *dn_meant(const char *text);

#endif							/* SSLPOLICY_DNFORM_H */
