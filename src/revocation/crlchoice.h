/*-------------------------------------------------------------------------
 *
 * crlchoice.h
 *		Which CRLs shall be in force.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CRLCHOICE_H
#define SSLPOLICY_CRLCHOICE_H

#include "utils/hsearch.h"

#include "revocation/crlsources.h"
#include "revocation/indexfile.h"

/* An issuer, and those of its certificates that a CRL is for. */
typedef struct SlotKey
{
	uint8		identity[CA_IDENTITY_LEN];
	uint8		scope[POINT_LEN];
} SlotKey;

/* A CRL with a CA that issued it. */
typedef struct Candidate
{
	CrlSource  *source;
	int			number;			/* in the file */
	const CrlFacts *facts;
	X509	   *ca;
	SlotKey		key;
	const char *path;			/* where it came from */
	bool		kept;			/* though it is not there any more */
} Candidate;

/* What has been read, and what comes of it. */
typedef struct CrlChoice
{
	const CrlSet *set;
	STACK_OF(X509) *cas;		/* of ssl_ca_file */
	STACK_OF(X509) *issuers;	/* these, and others that may sign CRLs */
	CasByName  *by_name;		/* the issuers */
	List	   *sources;
	bool		dir_listed;		/* there is none, or its files are known */
	HTAB	   *slots;
	List	   *slot_list;		/* in the order in which they were made */
	List	   *chosen;			/* of Candidate: what shall be in force */
	List	   *unread_issuers; /* X509 *: a CRL of that name could not be used */
	List	   *unread_names;	/* char *: that of its issuer, whoever has it */
	bool		unread;			/* a file has never been read; set by read_paths() */
	CrlSource  *copies;
	bool		copy_missing;	/* of a CRL that is to stay in force */

	/* the index in force, as far as it is of these settings */
	IndexFile	old;
	bool		has_old;
	IndexedCrl *old_crls;
	int			nold_crls;
	char	  **old_sources;
	int			nold_sources;

	StringInfoData problems;
	int			nproblems;
} CrlChoice;

extern CrlChoice *choose_crls(const CrlSet *set);
extern bool is_good_choice(const CrlChoice *choice);
extern List *read_paths(CrlChoice *choice);
extern CrlSource *source_of(const CrlChoice *choice, const char *path);
extern void note_problem(CrlChoice *choice, const char *problem);
extern char *problems_text(CrlChoice *choice);

#endif							/* SSLPOLICY_CRLCHOICE_H */
