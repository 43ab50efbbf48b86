/*-------------------------------------------------------------------------
 *
 * installrows.h
 *		Columns that functions which change TLS material have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_INSTALLROWS_H
#define SSLPOLICY_INSTALLROWS_H

#include "install/install.h"

extern Datum changes_datum(const Installation *inst);
extern Datum affected_datum(const Installation *inst);

#endif							/* SSLPOLICY_INSTALLROWS_H */
