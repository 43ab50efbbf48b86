/*-------------------------------------------------------------------------
 *
 * checksum.h
 *		CRC-32C, by which a file of ours knows that it is damaged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CHECKSUM_H
#define SSLPOLICY_CHECKSUM_H

#include "base/pure.h"

#include "port/pg_crc32c.h"

static inline pg_crc32c
checksum(const void *bytes, size_t len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, bytes, len);
	FIN_CRC32C(crc);
	return crc;
}

#endif							/* SSLPOLICY_CHECKSUM_H */
