/*-------------------------------------------------------------------------
 *
 * ownaddress.h
 *		Does a client come from the server's own machine?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_OWNADDRESS_H
#define SSLPOLICY_OWNADDRESS_H

#include "libpq/libpq-be.h"

#include "policy/facts.h"

extern bool is_own_address(const Facts *facts, const Port *port);

#endif							/* SSLPOLICY_OWNADDRESS_H */
