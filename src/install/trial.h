/*-------------------------------------------------------------------------
 *
 * trial.h
 *		Tries new TLS material before it is put in place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_TRIAL_H
#define SSLPOLICY_TRIAL_H

#include "install/install.h"

extern SSL_CTX *try_material(Installation *inst, const char *file);

#endif							/* SSLPOLICY_TRIAL_H */
