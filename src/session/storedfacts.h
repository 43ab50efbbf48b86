/*-------------------------------------------------------------------------
 *
 * storedfacts.h
 *		Facts in shared memory, but for the certificate, and other text of fixed
 *		size.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_STOREDFACTS_H
#define SSLPOLICY_STOREDFACTS_H

#include "nodes/pg_list.h"

#include "policy/facts.h"

/* OpenSSL's names of ciphers and groups, and pg_hba's of methods, are shorter. */
#define STORED_NAME_LEN 48

/* Room for the reasons of a refusal. */
#define REASONS_LEN 768

typedef struct StoredFacts
{
	NameData	role;			/* as at login */
	NameData	database;
	bool		has_database;
	Facts		facts;			/* without its pointers */
	char		version[STORED_NAME_LEN];
	char		cipher[STORED_NAME_LEN];
	char		key_exchange[STORED_NAME_LEN];
	char		auth_method[STORED_NAME_LEN];
} StoredFacts;

extern void store_facts(StoredFacts *stored, const Facts *facts);
extern Facts load_facts(const StoredFacts *stored, const CertFacts *cert);
extern bool is_stored_text(const char *text, size_t size);
extern bool is_stored_facts(const StoredFacts *stored);
extern void copy_bounded_text(char *to, size_t size, const char *text);
extern char *join_lines(List *lines);
extern List *split_lines(const char *text);

#endif							/* SSLPOLICY_STOREDFACTS_H */
