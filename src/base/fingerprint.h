/*-------------------------------------------------------------------------
 *
 * fingerprint.h
 *		SHA-256 fingerprints: computed, read and written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_FINGERPRINT_H
#define SSLPOLICY_FINGERPRINT_H

#include <openssl/evp.h>

#include "base/pure.h"

#define FINGERPRINT_LEN 32		/* bytes of a SHA-256 */

extern const EVP_MD *openssl_sha256(void);
extern bool compute_sha256(const char *bytes, size_t len, uint8 *digest);
extern char *fingerprint_hex(const uint8 *digest);
extern bool parse_fingerprint(const char *value, uint8 *bytes);
extern bool is_fingerprint_listed(const uint8 *fingerprint, const uint8 *list, int count);
extern uint8 *parse_fingerprints(const char *list, int *count, char **bad);

#endif							/* SSLPOLICY_FINGERPRINT_H */
