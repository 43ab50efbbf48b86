/*-------------------------------------------------------------------------
 *
 * crlbuild.c
 *		Verifies CRLs, and builds the index of what they revoke.
 *
 * An index of sslpolicy's own CRLs comes into force with those that are good.  A CRL is kept
 * for each issuer, by name and key, and each scope (distpoint.c).  What a CRL that cannot be
 * used was to cover stays as it was: under the CRL in force, of which there is a copy, or
 * refused.  So a file that has gone bad, or is gone, withdraws nothing, and harms nobody but
 * those whom it is about.  Whoever sets other files, though, means those.
 *
 * Each file is read twice: to verify its CRLs, and then to take their entries and copies.
 * Not more than 32 bytes of each entry are in memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/escape.h"
#include "base/files.h"
#include "base/memory.h"
#include "material/material.h"
#include "pki/x509.h"
#include "revocation/crlbuild.h"
#include "revocation/crlcopies.h"
#include "revocation/crlsources.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "settings/directory.h"
#include "settings/settings.h"

/* in the text that says what is wrong */
#define MAX_PROBLEMS_TOLD 5

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

typedef struct Slot
{
	SlotKey		key;			/* first, for the hash table */
	List	   *candidates;
} Slot;

typedef struct Build
{
	const CrlSet *set;
	STACK_OF(X509) *cas;		/* of ssl_ca_file */
	STACK_OF(X509) *issuers;	/* these, and others that may sign CRLs */
	List	   *sources;
	HTAB	   *slots;
	List	   *slot_list;		/* in the order in which they were made */
	List	   *chosen;			/* of Candidate: what shall be in force */
	List	   *unread_issuers; /* X509 *: a CRL of that name could not be used */
	bool		dir_listed;		/* there is none, or its files are known */
	CrlSource  *copies;
	bool		copy_missing;	/* of a CRL that is to stay in force */
	IndexFile	old;
	bool		has_old;		/* it can be used, and is of these settings */
	IndexedCrl *old_crls;
	int			nold_crls;
	char	  **old_sources;
	int			nold_sources;
	CrlIndexLabel label;
	CrlIndexBuilder *builder;
	CopyWriter *writer;
	const CrlSource *reading;
	int			reading_number;
	StringInfoData problems;
	int			nproblems;
} Build;

static void
note_problem(Build *b, const char *problem)
{
	if (b->nproblems++ < MAX_PROBLEMS_TOLD)
		appendStringInfo(&b->problems, "%s%s", b->problems.len ? "; " : "", problem);
}

static char *
problems_text(Build *b)
{
	if (b->nproblems > MAX_PROBLEMS_TOLD)
		appendStringInfo(&b->problems, "; and %d more", b->nproblems - MAX_PROBLEMS_TOLD);
	return b->nproblems > 0 ? b->problems.data : NULL;
}

static char *
shown(const char *dn)
{
	return psprintf("\"%s\"", certificate_string(dn));
}

static char *
title(const char *path, const CrlFacts *facts)
{
	return psprintf("file \"%s\": the CRL of %s%s%s%s", path, shown(facts->issuer_dn),
					facts->scope.text ? " (" : "",
					facts->scope.text ? certificate_string(facts->scope.text) : "",
					facts->scope.text ? ")" : "");
}

static bool
has_expired(bool has_next_update, int64 next_update)
{
	return has_next_update && next_update <= (int64) time(NULL);
}

static Slot *
find_slot(const Build *b, const SlotKey *key)
{
	return hash_search(b->slots, key, HASH_FIND, NULL);
}

static Candidate *
new_candidate(CrlSource *source, const FileCrl *crl, X509 *ca)
{
	Candidate  *c = palloc0(sizeof(Candidate));

	c->source = source;
	c->number = crl->number;
	c->facts = crl->facts;
	c->ca = ca;
	c->path = source->path;
	if (!ca_identity(ca, c->key.identity))
		elog(ERROR, "CA %s cannot be read", shown(crl->facts->issuer_dn));
	memcpy(c->key.scope, crl->facts->scope.digest, POINT_LEN);
	return c;
}

/*
 * Take a CRL into account for one of its CAs.
 */
static void
add_candidate(Build *b, Candidate *c)
{
	bool		found;
	Slot	   *slot = hash_search(b->slots, &c->key, HASH_ENTER, &found);
	ListCell   *cell;

	if (!found)
	{
		slot->candidates = NIL;
		b->slot_list = lappend(b->slot_list, slot);
	}
	/* a CA with several certificates, or a CRL in several files */
	foreach(cell, slot->candidates)
		if (memcmp(((Candidate *) lfirst(cell))->facts->fingerprint, c->facts->fingerprint, FINGERPRINT_LEN) == 0)
			return;
	slot->candidates = lappend(slot->candidates, c);
}

/*
 * -1, 0 or 1 as one CRL gives way to, equals or replaces another one.  Core prefers one that
 * is current, and does not look at numbers.
 */
static int
compare_candidates(const Build *b, const Candidate *x, const Candidate *y)
{
	const CrlFacts *f = x->facts;
	const CrlFacts *g = y->facts;

	if (b->set->of_core)
	{
		int			order = (int) has_expired(g->has_next_update, g->next_update) -
			(int) has_expired(f->has_next_update, f->next_update);

		return order ? order : compare_crl_age(NULL, f->this_update, NULL, g->this_update);
	}
	return compare_crl_age(f->number, f->this_update, g->number, g->this_update);
}

static Candidate *
newest(const Build *b, List *candidates, bool numbered)
{
	Candidate  *result = NULL;
	ListCell   *cell;

	foreach(cell, candidates)
	{
		Candidate  *c = lfirst(cell);

		if ((c->facts->number != NULL) == numbered &&
			(result == NULL || compare_candidates(b, c, result) > 0))
			result = c;
	}
	return result;
}

/*
 * The CRL that counts in a slot.  First among those with a number and those without, since
 * all three ways to compare do not make one order.
 */
static Candidate *
choose(const Build *b, const Slot *slot)
{
	Candidate  *x = newest(b, slot->candidates, true);
	Candidate  *y = newest(b, slot->candidates, false);

	if (x == NULL || y == NULL)
		return x ? x : y;
	return compare_candidates(b, y, x) > 0 ? y : x;
}

/*
 * Why a CRL cannot be used; NULL if it can.
 */
static const char *
find_objection(const FileCrl *crl)
{
	if (crl->facts->unsupported)
		return psprintf("cannot be used: %s", crl->facts->unsupported);
	if (crl->nissuers == 0)
		return "is not signed by a CA in ssl_ca_file";
	if (crl->facts->this_update > (int64) time(NULL))
		return psprintf("is not valid before %s",
						timestamptz_to_str(timestamp_from_unix(crl->facts->this_update)));
	return NULL;
}

/*
 * Judge what is in a file.  What core has in force is for core to judge, and only left out
 * if it is of no use.
 */
static void
judge_source(Build *b, CrlSource *source)
{
	const CrlFile *content = source->content;

	for (int i = 0; i < Min(content->nbad, MAX_BAD_TOLD) && !b->set->of_core; i++)
		note_problem(b, psprintf("file \"%s\": %s", source->path, content->bad[i]));
	if (content->nbad > MAX_BAD_TOLD)
		b->nproblems += content->nbad - MAX_BAD_TOLD;
	for (int i = 0; i < content->ncrls; i++)
	{
		const FileCrl *crl = &content->crls[i];
		const char *why = find_objection(crl);

		if (why != NULL && !b->set->of_core)
		{
			source->bad = true;
			note_problem(b, psprintf("%s %s", title(source->path, crl->facts), why));
			for (int k = 0; k < crl->nnamed; k++)
				b->unread_issuers = lappend(b->unread_issuers, crl->named[k]);
		}
		for (int k = 0; k < crl->nissuers && why == NULL; k++)
			add_candidate(b, new_candidate(source, crl, crl->issuers[k]));
	}
	source->bad |= content->nbad > 0;
}

static bool
has_crl_without_issuer(const CrlSource *source)
{
	for (int i = 0; source->content && i < source->content->ncrls; i++)
		if (source->content->crls[i].nissuers == 0)
			return true;
	return false;
}

static STACK_OF(X509) *
set_of_certificates(STACK_OF(X509) *certs)
{
	STACK_OF(X509) *result = certs ? sk_X509_dup(certs) : sk_X509_new_null();

	if (result == NULL)
		elog(ERROR, "out of memory");
	return result;
}

/*
 * Read the files, and those whose CRLs have an issuer in another file again.
 */
static void
read_sources(Build *b)
{
	STACK_OF(X509) *given = set_of_certificates(b->set->given);
	int			known = sk_X509_num(b->issuers);
	ListCell   *cell;

	foreach(cell, b->sources)
	{
		CrlSource  *source = lfirst(cell);

		source->content = read_crl_source(b->set, source, b->issuers, NULL, &source->error);
		for (int i = 0; source->content && i < sk_X509_num(source->content->certs); i++)
			sk_X509_push(given, sk_X509_value(source->content->certs, i));
	}
	if (sk_X509_num(given) > 0)
		b->issuers = known_crl_issuers(b->cas, given);
	sk_X509_free(given);
	foreach(cell, b->sources)
	{
		CrlSource  *source = lfirst(cell);

		if (sk_X509_num(b->issuers) > known && has_crl_without_issuer(source))
			source->content = read_crl_source(b->set, source, b->issuers, NULL, &source->error);
	}
}

/*
 * Read and judge all files.
 */
static void
verify_sources(Build *b)
{
	List	   *paths;
	char	   *error;
	ListCell   *cell;

	if (!list_crl_files(b->set, &paths, &error))
		note_problem(b, error);
	b->dir_listed = error == NULL;
	foreach(cell, paths)
		b->sources = lappend(b->sources, open_crl_source(b->set, lfirst(cell)));
	read_sources(b);
	foreach(cell, b->sources)
	{
		CrlSource  *source = lfirst(cell);

		if (source->content)
			judge_source(b, source);
		else if (b->set->of_core)
			ereport(LOG_SERVER_ONLY,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("a CRL file is left out in the check of live sessions: %s", source->error)));
		else
			note_problem(b, source->error);
	}
}

static CrlSource *
source_of(const Build *b, const char *path)
{
	ListCell   *cell;

	foreach(cell, b->sources)
		if (strcmp(((CrlSource *) lfirst(cell))->path, path) == 0)
			return lfirst(cell);
	return NULL;
}

/*
 * The CRL in force as a candidate, from its copy.  NULL if its CA is no longer there.
 */
static Candidate *
find_copy(Build *b, const IndexedCrl *old)
{
	char	   *error;

	if (b->copies == NULL)
	{
		b->copies = open_crl_source(b->set, own_file(CRL_COPIES));
		b->copies->content = read_crl_source(b->set, b->copies, b->issuers, NULL, &error);
		b->copies->error = b->copies->content ? NULL : error;
	}
	for (int i = 0; b->copies->content && i < b->copies->content->ncrls; i++)
	{
		const FileCrl *crl = &b->copies->content->crls[i];

		if (memcmp(crl->facts->fingerprint, old->fingerprint, FINGERPRINT_LEN) != 0)
			continue;
		for (int k = 0; k < crl->nissuers; k++)
		{
			Candidate  *c = new_candidate(b->copies, crl, crl->issuers[k]);

			c->path = old->path;
			c->kept = true;
			if (memcmp(c->key.identity, old->identity, CA_IDENTITY_LEN) == 0)
				return c;
		}
		return NULL;
	}
	/* whoever goes back on purpose may lose it */
	b->copy_missing |= !b->set->accept_older;
	return NULL;
}

/*
 * Was a CRL that is in force taken out of a file that is good?  Then somebody means it.
 */
static bool
is_withdrawn(const Build *b, const IndexedCrl *old)
{
	const CrlSource *source = old->kept ? NULL : source_of(b, old->path);

	return source != NULL && source->content != NULL && !source->bad;
}

/*
 * Why a CRL does not take the place of the one in force; NULL if it does.
 */
static const char *
judge_against_old(const CrlFacts *facts, const IndexedCrl *old)
{
	if (memcmp(old->fingerprint, facts->fingerprint, FINGERPRINT_LEN) == 0)
		return NULL;
	if (compare_crl_age(facts->number, facts->this_update, old->number, old->this_update) < 0)
		return "is older than the one in force";
	if (has_expired(facts->has_next_update, facts->next_update) &&
		!has_expired(old->has_next_update, old->next_update))
		return "has expired, and the one in force has not";
	return NULL;
}

/*
 * Have a CRL that is in force stay in force.
 */
static void
keep_old(Build *b, const IndexedCrl *old, Slot *slot)
{
	Candidate  *copy = find_copy(b, old);

	if (copy == NULL)
		return;
	if (slot)
		slot->candidates = NIL;
	add_candidate(b, copy);
}

/*
 * Hold what was read against what is in force.
 */
static void
judge_all_against_old(Build *b)
{
	for (int i = 0; i < b->nold_crls; i++)
	{
		const IndexedCrl *old = &b->old_crls[i];
		SlotKey		key;
		Slot	   *slot;
		const Candidate *new;
		const char *why;

		memcpy(key.identity, old->identity, CA_IDENTITY_LEN);
		memcpy(key.scope, old->scope.digest, POINT_LEN);
		slot = find_slot(b, &key);
		new = slot && slot->candidates ? choose(b, slot) : NULL;
		if (new == NULL)
		{
			if (!is_withdrawn(b, old))
				keep_old(b, old, slot);
			continue;
		}
		why = b->set->accept_older ? NULL : judge_against_old(new->facts, old);
		if (why == NULL)
			continue;
		new->source->refused = true;
		note_problem(b, psprintf("%s %s", title(new->path, new->facts), why));
		keep_old(b, old, slot);
	}
}

/*
 * Take of each slot the CRL that counts.  Two that differ, though neither is newer, both do:
 * a certificate that one of them lists is refused.
 */
static void
choose_all(Build *b)
{
	ListCell   *cell;

	foreach(cell, b->slot_list)
	{
		const Slot *slot = lfirst(cell);
		const Candidate *best = slot->candidates ? choose(b, slot) : NULL;
		ListCell   *other;

		foreach(other, slot->candidates)
			if (compare_candidates(b, lfirst(other), best) == 0)
				b->chosen = lappend(b->chosen, lfirst(other));
	}
}

static bool
was_read(const Build *b, const char *path)
{
	for (int i = 0; i < b->nold_sources; i++)
		if (strcmp(b->old_sources[i], path) == 0)
			return true;
	return false;
}

/*
 * Paths that have been read, now or before; the others have b->label.unread set.
 */
static List *
read_paths(Build *b)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, b->sources)
	{
		CrlSource  *source = lfirst(cell);

		if ((source->content && source->content->nbad == 0) || was_read(b, source->path))
			result = lappend(result, source->path);
		else
			b->label.unread = 1;
	}
	if (b->set->dir[0])
	{
		if (b->dir_listed || was_read(b, b->set->dir))
			result = lappend(result, pstrdup(b->set->dir));
		else
			b->label.unread = 1;
	}
	/* of those that are gone, as long as a CRL of theirs is in force */
	foreach(cell, b->chosen)
	{
		const Candidate *c = lfirst(cell);

		if (c->kept && source_of(b, c->path) == NULL)
			result = lappend(result, pstrdup(c->path));
	}
	return result;
}

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/*
 * The index that is there, if it can be used.  Checked to its end, because
 * something has touched it, or this process is new.
 */
static void
read_old(Build *b)
{
	char	   *error = NULL;

	if (!file_exists(own_file(b->set->index)))
		return;
	if (open_index_file(&b->old, b->set->index, &error) &&
		check_crl_index(&b->old.index, b->set->pause, &error) &&
		(b->old_crls = read_indexed_crls(&b->old.index, &b->nold_crls, &error)) != NULL)
		b->old_sources = read_indexed_sources(&b->old.index, &b->nold_sources, &error);
	b->has_old = b->old_sources != NULL && error == NULL;
	if (!b->has_old)
		ereport(LOG_SERVER_ONLY,
				(errmsg("the index of revoked certificates is not usable, and is built anew: %s",
						error ? error : "its list of CRLs cannot be read")));
	/* whoever has set other files means those */
	if (!b->has_old || !is_index_of_settings(&b->old, b->set->file, b->set->dir))
	{
		b->has_old = false;
		b->nold_crls = b->nold_sources = 0;
	}
}

/*
 * What the index is built from: the bytes of the files, and the CRLs that are in force.
 */
static void
label_build(Build *b, List *paths)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, b->sources)
	{
		const CrlSource *source = lfirst(cell);

		appendStringInfo(&buf, "%s ", source->path);
		if (source->content)
			append_hex(&buf, source->content->sha256, FINGERPRINT_LEN);
		appendStringInfoChar(&buf, '\n');
	}
	foreach(cell, b->chosen)
	{
		const Candidate *c = lfirst(cell);

		appendStringInfo(&buf, "%d ", c->kept);
		append_hex(&buf, c->key.identity, CA_IDENTITY_LEN);
		append_hex(&buf, c->facts->fingerprint, FINGERPRINT_LEN);
		appendStringInfoChar(&buf, '\n');
	}
	foreach(cell, b->unread_issuers)
	{
		uint8		identity[CA_IDENTITY_LEN];

		if (ca_identity(lfirst(cell), identity))
			append_hex(&buf, identity, CA_IDENTITY_LEN);
	}
	foreach(cell, paths)
		appendStringInfo(&buf, "\n%s", (char *) lfirst(cell));
	crl_settings_fingerprint(buf.data, b->label.unread ? "unread" : "", b->label.sources);
	crl_settings_fingerprint(b->set->file, b->set->dir, b->label.settings);
	if (!pg_strong_random(b->label.build_id, CRL_BUILD_ID_LEN))
		elog(ERROR, "could not generate a random number");
}

/*
 * Have each source know its CRLs that shall be in force, by their number.
 */
static void
sort_chosen(Build *b)
{
	ListCell   *cell;

	foreach(cell, b->chosen)
	{
		Candidate  *c = lfirst(cell);
		CrlSource  *source = c->source;

		if (source->chosen == NULL)
		{
			const CrlFile *content = source->content;

			source->nchosen = content->crls[content->ncrls - 1].number + 1;
			source->chosen = palloc0(sizeof(List *) * (Size) source->nchosen);
		}
		source->chosen[c->number] = lappend(source->chosen[c->number], c);
	}
}

static List *
chosen_of(const CrlSource *source, int number)
{
	return number < source->nchosen ? source->chosen[number] : NIL;
}

static void
take_entry(void *arg, int crl, const uint8 *serial, int len, int64 since, int reason)
{
	Build	   *b = arg;
	ListCell   *cell;

	foreach(cell, chosen_of(b->reading, crl))
		add_indexed_entry(b->builder, ((Candidate *) lfirst(cell))->key.identity, serial, len, since, reason);
}

static bool
take_der(void *arg, int crl, const uint8 *bytes, size_t len)
{
	Build	   *b = arg;

	return chosen_of(b->reading, crl) == NIL ||
		append_crl_copy(b->writer, b->reading_number, crl, bytes, len);
}

static void
add_chosen(Build *b, const Candidate *c)
{
	IndexedCrl	crl = {
		.path = pstrdup(c->path),
		.issuer_dn = c->facts->issuer_dn,
		.number = c->facts->number,
		.this_update = c->facts->this_update,
		.has_next_update = c->facts->has_next_update,
		.next_update = c->facts->next_update,
		.entries = c->facts->entries,
		.scope = c->facts->scope,
		.kept = c->kept,
	};

	memcpy(crl.fingerprint, c->facts->fingerprint, FINGERPRINT_LEN);
	memcpy(crl.identity, c->key.identity, CA_IDENTITY_LEN);
	if (!certificate_fingerprint(c->ca, crl.ca_fingerprint))
		elog(ERROR, "CA %s cannot be read", shown(c->facts->issuer_dn));
	add_indexed_crl(b->builder, &crl);
}

/*
 * Fill the builder, and the copies.  False if a file is no longer what was verified.
 */
static bool
take_all(Build *b, List *paths)
{
	CrlSink		sink = {take_entry, b->writer ? take_der : NULL, b};
	List	   *sources = b->copies ? lappend(list_copy(b->sources), b->copies) : b->sources;
	ListCell   *cell;

	foreach(cell, b->chosen)
		add_chosen(b, lfirst(cell));
	foreach(cell, b->unread_issuers)
	{
		uint8		identity[CA_IDENTITY_LEN];

		if (ca_identity(lfirst(cell), identity))
			add_unread_issuer(b->builder, identity);
	}
	foreach(cell, paths)
		add_indexed_source(b->builder, lfirst(cell));
	sort_chosen(b);
	foreach(cell, sources)
	{
		CrlSource  *source = lfirst(cell);
		CrlFile    *again;
		char	   *error;

		if (source->chosen == NULL)
			continue;
		b->reading = source;
		b->reading_number++;
		again = read_crl_source(b->set, source, NULL, &sink, &error);
		if (again == NULL || memcmp(again->sha256, source->content->sha256, FINGERPRINT_LEN) != 0)
		{
			note_problem(b, again ? psprintf("file \"%s\" was changed while it was read", source->path) : error);
			return false;
		}
	}
	return true;
}

/*
 * The certificates of issuers that are not in ssl_ca_file.
 */
static void
keep_issuers(Build *b)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	ListCell   *cell;

	foreach(cell, b->chosen)
	{
		X509	   *ca = ((Candidate *) lfirst(cell))->ca;
		bool		known = false;

		for (int i = 0; i < sk_X509_num(b->cas) && !known; i++)
			known = sk_X509_value(b->cas, i) == ca;
		if (!known)
			sk_X509_push(others, ca);
	}
	keep_crl_issuers(COPIED_ISSUERS, others);
	sk_X509_free(others);
}

static bool
write_part(void *arg, const void *bytes, size_t len)
{
	return append_temporary_file(arg, bytes, len);
}

/*
 * Write copies and index.  A crash between the two leaves newer copies than the index has,
 * which its successor finds again by their fingerprints.
 */
static bool
write_all(Build *b, List *paths)
{
	char	   *target = own_file(b->set->index);
	TemporaryFile *volatile file = NULL;
	volatile bool ok = false;

	make_own_directory();
	b->builder = free_at_reset(new_crl_index_builder(b->set->pause), free_crl_index_builder);
	b->writer = b->set->of_core ? NULL : begin_crl_copies();
	PG_TRY();
	{
		char	   *error = NULL;

		ok = take_all(b, paths);
		if (ok && b->writer)
			finish_crl_copies(b->writer, b->label.copies);
		if (ok)
		{
			CrlIndexOutput output = {write_part, NULL};

			file = create_temporary_file(target);
			output.arg = file;
			ok = write_crl_index(b->builder, &b->label, &output, &error);
			if (!ok)
				note_problem(b, error);
		}
		if (ok)
		{
			finish_temporary_file(file);
			if (b->writer)
				keep_issuers(b);
		}
	}
	PG_CATCH();
	{
		if (file)
			discard_temporary_file(file);
		if (b->writer)
			discard_crl_copies(b->writer);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!ok)
	{
		if (file)
			discard_temporary_file(file);
		if (b->writer)
			discard_crl_copies(b->writer);
		return false;
	}
	stop_point("index_written");
	if (b->writer)
		move_temporary_file(own_file(CRL_COPIES));
	move_temporary_file(target);
	return true;
}

/*
 * Read and judge everything.  False if no CRL is left to be in force, or one that is in force
 * would be lost.
 */
static bool
judge_everything(Build *b, const CrlSet *set)
{
	HASHCTL		ctl = {
		.keysize = sizeof(SlotKey),
		.entrysize = sizeof(Slot),
		.hcxt = CurrentMemoryContext,
	};

	b->set = set;
	initStringInfo(&b->problems);
	b->slots = hash_create("sslpolicy CRLs", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	b->cas = read_pem_file(ssl_ca_file)->content->certs;
	b->issuers = known_crl_issuers(b->cas, set->given);
	read_old(b);
	verify_sources(b);
	if (!set->of_core)
		judge_all_against_old(b);
	if (b->copy_missing)
		note_problem(b, psprintf("the copies in \"%s\" are missing or damaged", own_file(CRL_COPIES)));
	choose_all(b);
	return !b->copy_missing && (b->chosen != NIL || set->of_core);
}

/*
 * Why these settings should not come into force, as a text for users who may not know
 * what is in the files; NULL if there is no objection.  An objection must be found
 * before the server is signaled, because everybody sees that it was.  One bad CRL among
 * others is none: those come into force, and the settings with them.
 */
char *
new_crls_objection(const char *file, const char *dir)
{
	CrlSet		set = {.index = OWN_INDEX, .file = file, .dir = dir, .accept_older = true, .pause = check_interrupts};
	Build	   *b = palloc0(sizeof(Build));

	if ((file[0] == '\0' && dir[0] == '\0') ||
		(strcmp(file, crl_file()) == 0 && strcmp(dir, crl_dir()) == 0))
		return NULL;
	return judge_everything(b, &set) ? NULL : told_of_crls(file, dir, problems_text(b));
}

/*
 * What the worker would object to if the file held these bytes, and the given certificates,
 * which may be NULL, were known; NULL if nothing.  So a dry run says what an installation
 * would.
 */
char *
crl_bytes_objection(StringInfo bytes, STACK_OF(X509) *given, bool accept_older)
{
	CrlSet		set = {OWN_INDEX, crl_file(), crl_dir(), false, accept_older, bytes, given, check_interrupts};
	Build	   *b = palloc0(sizeof(Build));
	CrlSource  *source;

	(void) judge_everything(b, &set);
	source = source_of(b, crl_file());
	if (source->content && !source->bad && !source->refused)
		return NULL;
	return told_of_crls(crl_file(), crl_dir(), problems_text(b));
}

/*
 * Bring the index up to date with the files.  *error says what is not in force as the files
 * have it, or is NULL.  Everything is in the current memory context, which the caller resets.
 */
CrlOutcome
refresh_crl_index(const CrlSet *set, char **error)
{
	Build	   *b = palloc0(sizeof(Build));
	CrlOutcome	result = CRLS_FAILED;
	uint8		copies[FINGERPRINT_LEN];

	*error = NULL;
	if (set->file[0] == '\0' && set->dir[0] == '\0')
	{
		remove_file(own_file(set->index));
		if (!set->of_core)
		{
			remove_file(own_file(CRL_COPIES));
			remove_file(own_file(COPIED_ISSUERS));
		}
		return CRLS_UNCHANGED;
	}
	if (judge_everything(b, set))
	{
		List	   *paths = read_paths(b);

		label_build(b, paths);
		if (b->has_old && memcmp(b->label.sources, b->old.index.label.sources, FINGERPRINT_LEN) == 0 &&
			(set->of_core ||
			 (crl_file_digest(set, own_file(CRL_COPIES), copies) &&
			  memcmp(copies, b->old.index.label.copies, FINGERPRINT_LEN) == 0)))
			result = CRLS_UNCHANGED;
		else if (write_all(b, paths))
			result = CRLS_BUILT;
	}
	*error = problems_text(b);
	return result;
}
