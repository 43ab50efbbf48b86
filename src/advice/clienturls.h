/*-------------------------------------------------------------------------
 *
 * clienturls.h
 *		A client's settings as one string for each kind of client.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTURLS_H
#define SSLPOLICY_CLIENTURLS_H

#include "advice/clientplan.h"

extern void put_connection_strings(const ClientPlan *plan, List **rows);

#endif							/* SSLPOLICY_CLIENTURLS_H */
