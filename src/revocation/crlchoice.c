/*-------------------------------------------------------------------------
 *
 * crlchoice.c
 *		Which CRLs shall be in force.
 *
 * Of sslpolicy's own CRLs, the good ones come into force.  Those of one issuer (by name and
 * key) and one scope (distpoint.c) replace each other.  If a CRL cannot be used, nothing
 * changes for the certificates that it was to cover: they stay under the CRL in force, of
 * which there is a copy, or are refused.  So a damaged or missing file withdraws no CRL, and harms nobody whom
 * it does not concern.  But when other files are set, only those count.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "libpq/libpq.h"
#include "nodes/pg_list.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/escape.h"
#include "base/files.h"
#include "base/memory.h"
#include "material/material.h"
#include "pki/x509.h"
#include "revocation/crlchoice.h"
#include "revocation/crlcopies.h"
#include "settings/directory.h"

/* in the text that says what is wrong */
#define MAX_PROBLEMS_TOLD 5

typedef struct Slot
{
	SlotKey		key;			/* first, for the hash table */
	List	   *candidates;
	bool		refused;		/* they are not better than what is in force */
} Slot;

void
note_problem(CrlChoice *choice, const char *problem)
{
	if (choice->nproblems++ < MAX_PROBLEMS_TOLD)
		appendStringInfo(&choice->problems, "%s%s", choice->problems.len ? "; " : "", problem);
}

char *
problems_text(CrlChoice *choice)
{
	if (choice->nproblems > MAX_PROBLEMS_TOLD)
		appendStringInfo(&choice->problems, "; and %d more", choice->nproblems - MAX_PROBLEMS_TOLD);
	return choice->nproblems > 0 ? choice->problems.data : NULL;
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
find_slot(const CrlChoice *choice, const SlotKey *key)
{
	return hash_search(choice->slots, key, HASH_FIND, NULL);
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
add_candidate(CrlChoice *choice, Candidate *c)
{
	bool		found;
	Slot	   *slot = hash_search(choice->slots, &c->key, HASH_ENTER, &found);
	ListCell   *cell;

	if (!found)
	{
		slot->candidates = NIL;
		slot->refused = false;
		choice->slot_list = lappend(choice->slot_list, slot);
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
compare_candidates(const CrlChoice *choice, const Candidate *x, const Candidate *y)
{
	const CrlFacts *f = x->facts;
	const CrlFacts *g = y->facts;

	if (choice->set->of_core)
	{
		int			order = (int) has_expired(g->has_next_update, g->next_update) -
			(int) has_expired(f->has_next_update, f->next_update);

		return order ? order : compare_crl_age(NULL, f->this_update, NULL, g->this_update);
	}
	return compare_crl_age(f->number, f->this_update, g->number, g->this_update);
}

static Candidate *
newest(const CrlChoice *choice, List *candidates, bool numbered)
{
	Candidate  *result = NULL;
	ListCell   *cell;

	foreach(cell, candidates)
	{
		Candidate  *c = lfirst(cell);

		if ((c->facts->number != NULL) == numbered &&
			(result == NULL || compare_candidates(choice, c, result) > 0))
			result = c;
	}
	return result;
}

/*
 * The CRL that counts in a slot.  First among those with a number and those without, since
 * all three ways to compare do not make one order.
 */
static Candidate *
choose(const CrlChoice *choice, const Slot *slot)
{
	Candidate  *x = newest(choice, slot->candidates, true);
	Candidate  *y = newest(choice, slot->candidates, false);

	if (x == NULL || y == NULL)
		return x ? x : y;
	return compare_candidates(choice, y, x) > 0 ? y : x;
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
judge_source(CrlChoice *choice, CrlSource *source)
{
	const CrlFile *content = source->content;

	for (int i = 0; i < Min(content->nbad, MAX_BAD_TOLD) && !choice->set->of_core; i++)
		note_problem(choice, psprintf("file \"%s\": %s", source->path, content->bad[i]));
	if (content->nbad > MAX_BAD_TOLD)
		choice->nproblems += content->nbad - MAX_BAD_TOLD;
	for (int i = 0; i < content->ncrls; i++)
	{
		const FileCrl *crl = &content->crls[i];
		const char *why = find_objection(crl);

		if (why != NULL && !choice->set->of_core)
		{
			source->bad = true;
			note_problem(choice, psprintf("%s %s", title(source->path, crl->facts), why));
			choice->unread_names = lappend(choice->unread_names, crl->facts->issuer_dn);
			for (int k = 0; k < crl->nnamed; k++)
				choice->unread_issuers = lappend(choice->unread_issuers, crl->named[k]);
		}
		for (int k = 0; k < crl->nissuers && why == NULL; k++)
			add_candidate(choice, new_candidate(source, crl, crl->issuers[k]));
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

static void
add_certificates(STACK_OF(X509) *set, STACK_OF(X509) *certs)
{
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (X509_up_ref(sk_X509_value(certs, i)))
			sk_X509_push(set, sk_X509_value(certs, i));
}

/*
 * Read the files, and those whose CRLs have an issuer in another file again.
 */
static void
read_sources(CrlChoice *choice)
{
	STACK_OF(X509) *given = new_certificates();
	int			known = sk_X509_num(choice->issuers);
	ListCell   *cell;

	foreach(cell, choice->sources)
	{
		CrlSource  *source = lfirst(cell);

		source->content = read_crl_source(choice->set, source, choice->by_name, NULL, &source->error);
		if (source->content)
			add_certificates(given, source->content->certs);
	}
	if (sk_X509_num(given) > 0)
	{
		add_certificates(given, choice->set->given);
		choice->issuers = known_crl_issuers(choice->cas, given);
		choice->by_name = sort_cas_by_name(choice->issuers);
	}
	foreach(cell, choice->sources)
	{
		CrlSource  *source = lfirst(cell);

		if (sk_X509_num(choice->issuers) > known && has_crl_without_issuer(source))
			source->content = read_crl_source(choice->set, source, choice->by_name, NULL, &source->error);
	}
}

/*
 * Read and judge all files.
 */
static void
verify_sources(CrlChoice *choice)
{
	List	   *paths;
	char	   *error;
	ListCell   *cell;

	if (!list_crl_files(choice->set, &paths, &error))
		note_problem(choice, error);
	choice->dir_listed = error == NULL;
	foreach(cell, paths)
		choice->sources = lappend(choice->sources, open_crl_source(choice->set, lfirst(cell)));
	read_sources(choice);
	foreach(cell, choice->sources)
	{
		CrlSource  *source = lfirst(cell);

		if (source->content)
			judge_source(choice, source);
		else if (choice->set->of_core)
			ereport(LOG_SERVER_ONLY,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("a CRL file is left out in the check of live sessions: %s", source->error)));
		else
			note_problem(choice, source->error);
	}
}

CrlSource *
source_of(const CrlChoice *choice, const char *path)
{
	ListCell   *cell;

	foreach(cell, choice->sources)
		if (strcmp(((CrlSource *) lfirst(cell))->path, path) == 0)
			return lfirst(cell);
	return NULL;
}

/*
 * The CRL in force as a candidate, from its copy.  NULL if its CA is no longer there.
 */
static Candidate *
find_copy(CrlChoice *choice, const IndexedCrl *old)
{
	char	   *error;

	if (choice->copies == NULL)
	{
		choice->copies = open_crl_source(choice->set, own_file(CRL_COPIES));
		choice->copies->content = read_crl_source(choice->set, choice->copies, choice->by_name, NULL, &error);
		choice->copies->error = choice->copies->content ? NULL : error;
	}
	for (int i = 0; choice->copies->content && i < choice->copies->content->ncrls; i++)
	{
		const FileCrl *crl = &choice->copies->content->crls[i];

		if (memcmp(crl->facts->fingerprint, old->fingerprint, FINGERPRINT_LEN) != 0)
			continue;
		for (int k = 0; k < crl->nissuers; k++)
		{
			Candidate  *c = new_candidate(choice->copies, crl, crl->issuers[k]);

			c->path = old->path;
			c->kept = true;
			if (memcmp(c->key.identity, old->identity, CA_IDENTITY_LEN) == 0)
				return c;
		}
		/* its CA is gone, or sent by clients with another certificate */
		choice->unread_names = lappend(choice->unread_names, old->issuer_dn);
		return NULL;
	}
	/* whoever goes back on purpose may lose it */
	choice->copy_missing |= !choice->set->accept_older;
	return NULL;
}

/*
 * Was a CRL that is in force taken out of a file that is good?  Then somebody means it.
 */
static bool
is_withdrawn(const CrlChoice *choice, const IndexedCrl *old)
{
	const CrlSource *source = old->kept ? NULL : source_of(choice, old->path);

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

static Slot *
slot_of_old(const CrlChoice *choice, const IndexedCrl *old)
{
	SlotKey		key;

	memcpy(key.identity, old->identity, CA_IDENTITY_LEN);
	memcpy(key.scope, old->scope.digest, POINT_LEN);
	return find_slot(choice, &key);
}

/*
 * Does a CRL in force have to stay there, because none has been read that could take its
 * place?  Marks the slot if what was read is older.
 */
static bool
judge_old(CrlChoice *choice, const IndexedCrl *old)
{
	Slot	   *slot = slot_of_old(choice, old);
	const Candidate *new;
	const char *why;

	if (slot == NULL)
		return !is_withdrawn(choice, old);
	new = choose(choice, slot);
	why = choice->set->accept_older ? NULL : judge_against_old(new->facts, old);
	if (why != NULL && !slot->refused)
	{
		slot->refused = true;
		new->source->refused = true;
		note_problem(choice, psprintf("%s %s", title(new->path, new->facts), why));
	}
	return false;
}

/*
 * Hold what was read against what is in force.  There can be several of one issuer and scope
 * in force, of which none is newer: where one stays, all do.
 */
static void
judge_all_against_old(CrlChoice *choice)
{
	bool	   *stays = palloc0(sizeof(bool) * (Size) (choice->nold_crls + 1));
	ListCell   *cell;

	for (int i = 0; i < choice->nold_crls; i++)
		stays[i] = judge_old(choice, &choice->old_crls[i]);
	for (int i = 0; i < choice->nold_crls; i++)
	{
		const Slot *slot = slot_of_old(choice, &choice->old_crls[i]);

		stays[i] |= slot && slot->refused;
	}
	foreach(cell, choice->slot_list)
	{
		Slot	   *slot = lfirst(cell);

		if (slot->refused)
			slot->candidates = NIL;
	}
	for (int i = 0; i < choice->nold_crls; i++)
	{
		Candidate  *copy = stays[i] ? find_copy(choice, &choice->old_crls[i]) : NULL;

		if (copy)
			add_candidate(choice, copy);
	}
}

/*
 * Take of each slot the CRL that counts.  Two that differ, though neither is newer, both do:
 * a certificate that one of them lists is refused.
 */
static void
choose_all(CrlChoice *choice)
{
	ListCell   *cell;

	foreach(cell, choice->slot_list)
	{
		const Slot *slot = lfirst(cell);
		const Candidate *best = slot->candidates ? choose(choice, slot) : NULL;
		ListCell   *other;

		foreach(other, slot->candidates)
			if (compare_candidates(choice, lfirst(other), best) == 0)
				choice->chosen = lappend(choice->chosen, lfirst(other));
	}
}

static bool
was_read(const CrlChoice *choice, const char *path)
{
	for (int i = 0; i < choice->nold_sources; i++)
		if (strcmp(choice->old_sources[i], path) == 0)
			return true;
	return false;
}

/*
 * Paths that have been read, now or before; the others have choice->label.unread set.
 */
List *
read_paths(CrlChoice *choice)
{
	List	   *result = NIL;
	ListCell   *cell;

	foreach(cell, choice->sources)
	{
		CrlSource  *source = lfirst(cell);

		if ((source->content && source->content->nbad == 0) || was_read(choice, source->path))
			result = lappend(result, source->path);
		else
			choice->unread = true;
	}
	if (choice->set->dir[0])
	{
		if (choice->dir_listed || was_read(choice, choice->set->dir))
			result = lappend(result, pstrdup(choice->set->dir));
		else
			choice->unread = true;
	}
	/* of those that are gone, as long as a CRL of theirs is in force */
	foreach(cell, choice->chosen)
	{
		const Candidate *c = lfirst(cell);

		if (c->kept && source_of(choice, c->path) == NULL)
			result = lappend(result, pstrdup(c->path));
	}
	return result;
}

/*
 * The index that is there, if it can be used.  Checked to its end, because
 * something has touched it, or this process is new.
 */
static void
read_old(CrlChoice *choice)
{
	char	   *error = NULL;

	if (!file_exists(own_file(choice->set->index)))
		return;
	if (open_index_file(&choice->old, choice->set->index, &error) &&
		check_crl_index(&choice->old.index, choice->set->pause, &error) &&
		(choice->old_crls = read_indexed_crls(&choice->old.index, &choice->nold_crls, &error)) != NULL)
		choice->old_sources = read_indexed_sources(&choice->old.index, &choice->nold_sources, &error);
	choice->has_old = choice->old_sources != NULL && error == NULL;
	if (!choice->has_old)
		ereport(LOG_SERVER_ONLY,
				(errmsg("the index of revoked certificates is not usable, and is built anew: %s",
						error ? error : "its list of CRLs cannot be read")));
	/* whoever has set other files means those */
	if (!choice->has_old || !is_index_of_settings(&choice->old, choice->set->file, choice->set->dir))
	{
		choice->has_old = false;
		choice->nold_crls = choice->nold_sources = 0;
	}
}

/*
 * Read and judge everything.
 */
CrlChoice *
choose_crls(const CrlSet *set)
{
	CrlChoice  *choice = palloc0(sizeof(CrlChoice));
	HASHCTL		ctl = {
		.keysize = sizeof(SlotKey),
		.entrysize = sizeof(Slot),
		.hcxt = CurrentMemoryContext,
	};

	choice->set = set;
	initStringInfo(&choice->problems);
	choice->slots = hash_create("sslpolicy CRLs", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	choice->cas = set->cas ? set->cas : read_pem_file(ssl_ca_file)->content->certs;
	choice->issuers = known_crl_issuers(choice->cas, set->given);
	choice->by_name = sort_cas_by_name(choice->issuers);
	read_old(choice);
	verify_sources(choice);
	if (!set->of_core)
		judge_all_against_old(choice);
	if (choice->copy_missing)
		note_problem(choice, psprintf("the copies in \"%s\" are missing or damaged", own_file(CRL_COPIES)));
	choose_all(choice);
	return choice;
}

/*
 * Can it come into force?  Not if no CRL would be, or one that is in force would be lost.
 */
bool
is_good_choice(const CrlChoice *choice)
{
	return !choice->copy_missing && (choice->chosen != NIL || choice->set->of_core);
}
