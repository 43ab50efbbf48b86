/*
 * For PostgreSQL built with -DUSE_VALGRIND: what its allocators tell valgrind
 * goes to AddressSanitizer.
 *
 * PostgreSQL takes memory from malloc in large blocks and hands out pieces, so
 * that to AddressSanitizer all pieces of a block are one: an overflow from one
 * into the next, or into a freed one, goes unseen.  But its allocators say of
 * each piece when it begins, ends and dies, for valgrind's sake, and that is all
 * that AddressSanitizer has to know.
 *
 * Whether memory is initialized is nothing that AddressSanitizer follows: there
 * "undefined" is as good as "defined".
 */
#ifndef ASAN_MEMCHECK_H
#define ASAN_MEMCHECK_H

#include <sanitizer/asan_interface.h>

#define VALGRIND_MAKE_MEM_NOACCESS(addr, size) \
	ASAN_POISON_MEMORY_REGION((addr), (size))
#define VALGRIND_MAKE_MEM_UNDEFINED(addr, size) \
	ASAN_UNPOISON_MEMORY_REGION((addr), (size))
#define VALGRIND_MAKE_MEM_DEFINED(addr, size) \
	ASAN_UNPOISON_MEMORY_REGION((addr), (size))

#define VALGRIND_MEMPOOL_ALLOC(context, addr, size) \
	ASAN_UNPOISON_MEMORY_REGION((addr), (size))
#define VALGRIND_MEMPOOL_CHANGE(context, old, addr, size) \
	ASAN_UNPOISON_MEMORY_REGION((addr), (size))

/* the allocators have made the piece inaccessible themselves */
#define VALGRIND_MEMPOOL_FREE(context, addr)			((void) 0)
#define VALGRIND_CREATE_MEMPOOL(context, redzone, zeroed)	((void) 0)
#define VALGRIND_DESTROY_MEMPOOL(context)				((void) 0)
#define VALGRIND_CHECK_MEM_IS_DEFINED(addr, size)		((void) 0)
#define VALGRIND_GET_VBITS(addr, bits, size)			0
#define VALGRIND_SET_VBITS(addr, bits, size)			0

#endif							/* ASAN_MEMCHECK_H */
