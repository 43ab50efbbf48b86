/*-------------------------------------------------------------------------
 *
 * largecerts.h
 *		Room in shared memory for packed certificates that their session's slot has
 *		none for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_LARGECERTS_H
#define SSLPOLICY_LARGECERTS_H

#define NO_LARGE_CERT (-1)

typedef struct LargeCerts LargeCerts;

extern size_t large_certs_size(void);
extern void init_large_certs(LargeCerts *room);
extern int	reserve_large_cert(LargeCerts *room, size_t size);
extern void fill_large_cert(LargeCerts *room, int cert, const char *bytes, size_t size);
extern char *copy_large_cert(const LargeCerts *room, int cert, size_t size);
extern void release_large_cert(LargeCerts *room, int cert);

#endif							/* SSLPOLICY_LARGECERTS_H */
