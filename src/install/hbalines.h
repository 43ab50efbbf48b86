/*-------------------------------------------------------------------------
 *
 * hbalines.h
 *		The lines of pg_hba.conf, and whom they concern.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_HBALINES_H
#define SSLPOLICY_HBALINES_H

#include "nodes/pg_list.h"

typedef struct HbaEntry
{
	char	   *place;			/* "pg_hba.conf, line 12" */
	bool		local;			/* Unix sockets; otherwise one or both of: */
	bool		with_tls;
	bool		without_tls;
	List	   *databases;		/* as pg_hba_file_rules has them */
	List	   *users;
	int			address_len;	/* 4 or 16; 0: all addresses, or a name */
	bool		any_address;
	uint8		address[16];	/* masked */
	uint8		mask[16];
	char	   *method;
	bool		asks_certificate;	/* method cert, or clientcert */
} HbaEntry;

extern List *read_hba_lines(List **errors);
extern bool hba_names_role(const HbaEntry *line, Oid role, const char *name, bool in_doubt);
extern bool hba_takes_database(const HbaEntry *line, Oid role, const char *role_name,
							   const char *database);
extern bool hba_takes_address(const HbaEntry *line, const uint8 *address, int len);
extern bool hba_is_keyword(const char *database);

#endif							/* SSLPOLICY_HBALINES_H */
