/*-------------------------------------------------------------------------
 *
 * crlbuild.c
 *		Builds the index of what CRLs revoke.
 *
 * Each file is read twice: crlchoice.c has its CRLs verified, and here their entries are
 * read and the CRLs copied.  No more than 32 bytes of each entry are kept in memory.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/x509v3.h>

#include "miscadmin.h"
#include "nodes/pg_list.h"

#include "base/datums.h"
#include "base/escape.h"
#include "base/files.h"
#include "base/memory.h"
#include "pki/chain.h"
#include "pki/x509.h"
#include "revocation/crlbuild.h"
#include "revocation/crlchoice.h"
#include "revocation/crlcopies.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "settings/directory.h"
#include "settings/settings.h"

typedef struct Build
{
	CrlChoice  *choice;
	CrlIndexLabel label;
	CrlIndexBuilder *builder;
	CopyWriter *writer;
	const CrlSource *reading;
	int			reading_number;
} Build;

/*
 * What the index is built from: the bytes of the files, and the CRLs that are in force.
 */
static void
label_build(Build *b, List *paths)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, b->choice->sources)
	{
		const CrlSource *source = lfirst(cell);

		appendStringInfo(&buf, "%s ", source->path);
		if (source->content)
			append_hex(&buf, source->content->sha256, FINGERPRINT_LEN);
		appendStringInfoChar(&buf, '\n');
	}
	foreach(cell, b->choice->chosen)
	{
		const Candidate *c = lfirst(cell);

		appendStringInfo(&buf, "%d ", c->kept);
		append_hex(&buf, c->key.identity, CA_IDENTITY_LEN);
		append_hex(&buf, c->facts->fingerprint, FINGERPRINT_LEN);
		appendStringInfoChar(&buf, '\n');
	}
	foreach(cell, b->choice->unread_issuers)
	{
		uint8		identity[CA_IDENTITY_LEN];

		if (ca_identity(lfirst(cell), identity))
			append_hex(&buf, identity, CA_IDENTITY_LEN);
	}
	foreach(cell, b->choice->unread_names)
		appendStringInfo(&buf, "\n%s", (char *) lfirst(cell));
	foreach(cell, paths)
		appendStringInfo(&buf, "\n%s", (char *) lfirst(cell));
	b->label.unread = (b->choice->unread ? UNREAD_FILE : 0) | (b->choice->unread_names ? UNREAD_NAMES : 0);
	crl_settings_fingerprint(buf.data, b->choice->unread ? "unread" : "", b->label.sources);
	crl_settings_fingerprint(b->choice->set->file, b->choice->set->dir, b->label.settings);
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

	foreach(cell, b->choice->chosen)
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
		elog(ERROR, "the CA \"%s\" cannot be read", certificate_string(c->facts->issuer_dn));
	add_indexed_crl(b->builder, &crl);
}

/*
 * Fill the builder, and the copies.  False if a file is no longer what was verified.
 */
static bool
take_all(Build *b, List *paths)
{
	CrlSink		sink = {take_entry, b->writer ? take_der : NULL, b};
	List	   *sources = b->choice->copies ? lappend(list_copy(b->choice->sources), b->choice->copies) : b->choice->sources;
	ListCell   *cell;

	foreach(cell, b->choice->chosen)
		add_chosen(b, lfirst(cell));
	foreach(cell, b->choice->unread_issuers)
	{
		uint8		identity[CA_IDENTITY_LEN];

		if (ca_identity(lfirst(cell), identity))
			add_unread_issuer(b->builder, identity);
	}
	foreach(cell, b->choice->unread_names)
		add_unread_name(b->builder, lfirst(cell));
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
		again = read_crl_source(b->choice->set, source, NULL, &sink, &error);
		if (again == NULL || memcmp(again->sha256, source->content->sha256, FINGERPRINT_LEN) != 0)
		{
			note_problem(b->choice, again ? psprintf("file \"%s\" was changed while it was read", source->path) : error);
			return false;
		}
	}
	return true;
}

/*
 * The certificates of issuers other than roots: those that only clients send, and those that
 * may be taken out of ssl_ca_file and go on to be sent.
 */
static void
keep_issuers(Build *b)
{
	STACK_OF(X509) *others = new_certificates();
	ListCell   *cell;

	foreach(cell, b->choice->chosen)
	{
		X509	   *ca = ((Candidate *) lfirst(cell))->ca;

		/* it may have a CRL for each of many distribution points */
		if ((X509_get_extension_flags(ca) & EXFLAG_SS) == 0)
			(void) add_certificate_once(others, ca);
	}
	keep_crl_issuers(COPIED_ISSUERS, others);
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
	char	   *target = own_file(b->choice->set->index);
	TemporaryFile *volatile file = NULL;
	volatile bool ok = false;

	make_own_directory();
	b->builder = free_at_reset(new_crl_index_builder(b->choice->set->pause), free_crl_index_builder);
	b->writer = b->choice->set->of_core ? NULL : begin_crl_copies();
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
				note_problem(b->choice, error);
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

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
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
	CrlChoice  *choice;

	if ((file[0] == '\0' && dir[0] == '\0') ||
		(strcmp(file, crl_file()) == 0 && strcmp(dir, crl_dir()) == 0))
		return NULL;
	choice = choose_crls(&set);
	return is_good_choice(choice) ? NULL : told_of_crls(file, dir, problems_text(choice));
}

/*
 * What the worker would object to if the file held these bytes, and the given certificates,
 * which may be NULL, were known; NULL if nothing.  So a dry run says what an installation
 * would.  cas are those that ssl_ca_file will have by then; NULL: those that it has.
 */
char *
crl_bytes_objection(StringInfo bytes, STACK_OF(X509) *given, STACK_OF(X509) *cas, bool accept_older)
{
	CrlSet		set = {OWN_INDEX, crl_file(), crl_dir(), false, accept_older, bytes, given, cas, check_interrupts};
	CrlChoice  *choice = choose_crls(&set);
	const CrlSource *source = source_of(choice, crl_file());

	if (source->content && !source->bad && !source->refused && is_good_choice(choice))
		return NULL;
	return told_of_crls(crl_file(), crl_dir(), problems_text(choice));
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
	b->choice = choose_crls(set);
	if (is_good_choice(b->choice))
	{
		List	   *paths = read_paths(b->choice);

		label_build(b, paths);
		if (b->choice->has_old && memcmp(b->label.sources, b->choice->old.index.label.sources, FINGERPRINT_LEN) == 0 &&
			(set->of_core ||
			 (crl_file_digest(set, own_file(CRL_COPIES), copies) &&
			  memcmp(copies, b->choice->old.index.label.copies, FINGERPRINT_LEN) == 0)))
			result = CRLS_UNCHANGED;
		else if (write_all(b, paths))
			result = CRLS_BUILT;
	}
	*error = problems_text(b->choice);
	return result;
}
