/*-------------------------------------------------------------------------
 *
 * crlbuild.c
 *		Verifies CRLs, and builds the index of what they revoke.
 *
 * Runs in the worker, outside of any transaction.  Every file is read twice, as
 * a stream: once to verify it, once to take its entries.  If anything is wrong
 * with any of the files, the index stays as it is.
 *
 * Of several CRLs of one CA the newest counts.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libpq/libpq.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#include "base/datums.h"
#include "base/escape.h"
#include "base/files.h"
#include "base/memory.h"
#include "material/material.h"
#include "pki/x509.h"
#include "revocation/crlbuild.h"
#include "revocation/crlreader.h"
#include "revocation/crlstate.h"
#include "revocation/indexfile.h"
#include "settings/directory.h"
#include "settings/settings.h"

/* A file of CRLs. */
typedef struct Source
{
	char	   *path;
	int			fd;				/* -1: closed */
	CrlFile    *content;
} Source;

/* A CRL with one of the CAs that issued it. */
typedef struct Candidate
{
	Source	   *source;
	int			position;		/* in the file */
	const CrlFacts *facts;
	X509	   *ca;
	uint8		identity[CA_IDENTITY_LEN];
} Candidate;

typedef struct Build
{
	const CrlSet *set;
	STACK_OF(X509) *cas;
	List	   *sources;
	List	   *candidates;		/* one for each CA */
	IndexFile	old;
	bool		has_old;		/* it can be used */
	IndexedCrl *old_crls;
	int			nold_crls;
	CrlIndexLabel label;
	CrlIndexBuilder *builder;
	const Source *reading;
	char	   *error;
} Build;

static bool
fail(Build *b, char *error)
{
	b->error = error;
	return false;
}

static int
compare_paths(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * Does OpenSSL look for a CRL under this name: eight hexadecimal digits, ".r"
 * and a number?
 */
static bool
is_lookup_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == 8 && strncmp(name + 8, ".r", 2) == 0 &&
		name[10] != '\0' && strspn(name + 10, "0123456789") == strlen(name + 10);
}

/*
 * The files of a set, in the order of their names; hidden ones are left out, and
 * those that an installation is about to write.  NULL, with *error, if the
 * directory cannot be read.
 */
static bool
list_files(const CrlSet *set, List **paths, char **error)
{
	DIR		   *dir;
	struct dirent *entry;

	*paths = NIL;
	if (set->dir[0])
	{
		dir = opendir(set->dir);
		if (dir == NULL)
		{
			*error = psprintf("could not open directory \"%s\": %s", set->dir, strerror(errno));
			return false;
		}
		while (errno = 0, (entry = readdir(dir)) != NULL)
			if (entry->d_name[0] != '.' && !is_temporary_name(entry->d_name) &&
				(!set->of_core || is_lookup_name(entry->d_name)))
				*paths = lappend(*paths, psprintf("%s/%s", set->dir, entry->d_name));
		if (errno != 0)
		{
			*error = psprintf("could not read directory \"%s\": %s", set->dir, strerror(errno));
			closedir(dir);
			return false;
		}
		closedir(dir);
		list_sort(*paths, compare_paths);
	}
	if (set->file[0])
		*paths = lcons(pstrdup(set->file), *paths);
	return true;
}

/*
 * What tells that the files may have changed: as cheap as it can be, since it is
 * asked all the time.  ssl_crl_file is left out: the server goes on with what it
 * has loaded.
 */
void
crl_signature(const CrlSet *set, uint8 *digest)
{
	List	   *paths;
	const char **all;
	int			count = 0;
	char	   *error;
	ListCell   *cell;

	(void) list_files(set, &paths, &error);
	all = palloc(sizeof(char *) * (Size) (list_length(paths) + 3));
	all[count++] = set->dir;
	if (set->file[0] || set->dir[0])
		all[count++] = ssl_ca_file;
	foreach(cell, paths)
		if (!set->of_core || strcmp(lfirst(cell), set->file) != 0)
			all[count++] = lfirst(cell);
	files_signature(all, count, digest);
}

/*
 * What tells that somebody may have touched the index.
 */
void
index_signature(const CrlSet *set, uint8 *digest)
{
	const char *path = own_file(set->index);

	files_signature(&path, 1, digest);
}

static void
close_source(void *arg)
{
	Source	   *source = arg;

	if (source->fd >= 0)
		(void) close(source->fd);
	source->fd = -1;
}

static ssize_t
read_source(void *arg, char *buf, size_t size)
{
	ssize_t		got;

	do
		got = read(((Source *) arg)->fd, buf, size);
	while (got < 0 && errno == EINTR);
	return got;
}

/*
 * Read a file, without a sink to verify it, with one to take its entries.
 */
static CrlFile *
read_source_file(Build *b, Source *source, const CrlSink *sink)
{
	CrlInput	input = {read_source, source, b->set->pause};
	CrlReader  *reader;
	CrlFile    *content;
	char	   *error;
	struct stat st;

	source->fd = BasicOpenFile(source->path, O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (source->fd < 0)
	{
		(void) fail(b, psprintf("could not open file \"%s\": %s", source->path, strerror(errno)));
		return NULL;
	}
	if (fstat(source->fd, &st) != 0 || !S_ISREG(st.st_mode))
	{
		close_source(source);
		(void) fail(b, psprintf("\"%s\" is not a regular file", source->path));
		return NULL;
	}
	reader = free_at_reset(new_crl_reader(&input), free_crl_reader);
	content = read_crls(reader, sink ? NULL : b->cas, sink, &error);
	close_source(source);
	if (content == NULL)
		(void) fail(b, psprintf("file \"%s\": %s", source->path, error));
	return content;
}

/*
 * -1, 0 or 1 as one CRL comes before, with or after another one of its issuer:
 * by number (RFC 5280 section 5.2.3), then by thisUpdate.  One that has dropped
 * its number is not newer than one that had it.
 */
static int
compare_age(const char *a_number, int64 a_update, const char *b_number, int64 b_update)
{
	int			order = 0;

	if (a_number && b_number)
	{
		size_t		a_len = strlen(a_number);
		size_t		b_len = strlen(b_number);

		order = a_len != b_len ? (a_len < b_len ? -1 : 1) : strcmp(a_number, b_number);
	}
	else if (a_number || b_number)
		order = a_number ? 1 : -1;
	if (order == 0)
		order = a_update < b_update ? -1 : a_update > b_update;
	return order;
}

static IndexedCrl *
old_crl_of(const Build *b, const uint8 *identity)
{
	for (int i = 0; b->has_old && i < b->nold_crls; i++)
		if (memcmp(b->old_crls[i].identity, identity, CA_IDENTITY_LEN) == 0)
			return &b->old_crls[i];
	return NULL;
}

static char *
shown(const char *dn)
{
	return psprintf("\"%s\"", certificate_string(dn));
}

/*
 * Does a CRL take the place of the one in force?
 */
static bool
judge_against_old(Build *b, const Candidate *c)
{
	const IndexedCrl *old = old_crl_of(b, c->identity);
	const CrlFacts *facts = c->facts;
	int64		now = (int64) time(NULL);

	if (old == NULL || memcmp(old->fingerprint, facts->fingerprint, FINGERPRINT_LEN) == 0)
		return true;
	if (compare_age(facts->number, facts->this_update, old->number, old->this_update) < 0)
		return fail(b, psprintf("file \"%s\": the CRL of %s is older than the one in force", c->source->path, shown(facts->issuer_dn)));
	if (facts->has_next_update && facts->next_update <= now &&
		(!old->has_next_update || old->next_update > now))
		return fail(b, psprintf("file \"%s\": the CRL of %s has expired, and the one in force has not", c->source->path, shown(facts->issuer_dn)));
	return true;
}

/*
 * Keep a CRL for one of its CAs, unless there is a newer one.
 */
static void
add_candidate(Build *b, Source *source, int position, X509 *ca)
{
	const CrlFacts *facts = source->content->crls[position].facts;
	Candidate  *c = palloc0(sizeof(Candidate));
	ListCell   *cell;

	c->source = source;
	c->position = position;
	c->facts = facts;
	c->ca = ca;
	if (!ca_identity(ca, c->identity))
		elog(ERROR, "CA %s cannot be read", shown(facts->issuer_dn));
	foreach(cell, b->candidates)
	{
		const Candidate *other = lfirst(cell);

		if (memcmp(other->identity, c->identity, CA_IDENTITY_LEN) != 0)
			continue;
		if (compare_age(facts->number, facts->this_update,
						other->facts->number, other->facts->this_update) > 0)
			lfirst(cell) = c;
		return;
	}
	b->candidates = lappend(b->candidates, c);
}

/*
 * Is a CRL good?  What core has in force is for core to judge, and only left out
 * if it is of no use.
 */
static bool
judge_crl_file(Build *b, Source *source)
{
	int64		now = (int64) time(NULL);

	for (int i = 0; i < source->content->ncrls; i++)
	{
		const FileCrl *crl = &source->content->crls[i];
		const char *why = NULL;

		if (crl->facts->unsupported)
			why = psprintf("cannot be used: %s", crl->facts->unsupported);
		else if (crl->nissuers == 0)
			why = "is not signed by a CA in ssl_ca_file";
		else if (crl->facts->this_update > now)
			why = psprintf("is not valid before %s",
						   timestamptz_to_str(timestamp_from_unix(crl->facts->this_update)));
		if (why != NULL && b->set->of_core)
			continue;
		if (why != NULL)
			return fail(b, psprintf("file \"%s\": the CRL of %s %s", source->path, shown(crl->facts->issuer_dn), why));
		for (int k = 0; k < crl->nissuers; k++)
			add_candidate(b, source, i, crl->issuers[k]);
	}
	return true;
}

/*
 * Read and judge all files.
 */
static bool
verify_sources(Build *b)
{
	List	   *paths;
	ListCell   *cell;

	if (!list_files(b->set, &paths, &b->error))
		return false;
	foreach(cell, paths)
	{
		Source	   *source = palloc0(sizeof(Source));

		source->path = lfirst(cell);
		source->fd = -1;
		(void) free_at_reset(source, close_source);
		source->content = read_source_file(b, source, NULL);
		if (source->content == NULL && b->set->of_core)
		{
			ereport(LOG_SERVER_ONLY,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("a CRL file is left out in the check of live sessions: %s", b->error)));
			b->error = NULL;
			continue;
		}
		if (source->content == NULL || !judge_crl_file(b, source))
			return false;
		b->sources = lappend(b->sources, source);
	}
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
 * before the server is signaled, because everybody sees that it was.
 */
char *
new_crls_objection(const char *file, const char *dir)
{
	CrlSet		set = {OWN_INDEX, file, dir, false, true, check_interrupts};
	Build	   *b = palloc0(sizeof(Build));

	if ((file[0] == '\0' && dir[0] == '\0') ||
		(strcmp(file, crl_file()) == 0 && strcmp(dir, crl_dir()) == 0))
		return NULL;
	b->set = &set;
	b->cas = read_pem_file(ssl_ca_file)->content->certs;
	return verify_sources(b) ? NULL : told_of_crls(file, dir, b->error);
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
		check_crl_index(&b->old.index, b->set->pause, &error))
		b->old_crls = read_indexed_crls(&b->old.index, &b->nold_crls, &error);
	b->has_old = b->old_crls != NULL && error == NULL;
	if (!b->has_old)
		ereport(LOG_SERVER_ONLY,
				(errmsg("the index of revoked certificates is not usable, and is built anew: %s",
						error ? error : "its list of CRLs cannot be read")));
}

/*
 * What the index is built from: the bytes of the files, and which CAs they
 * belong to.
 */
static void
label_build(Build *b)
{
	StringInfoData buf;
	ListCell   *cell;

	initStringInfo(&buf);
	foreach(cell, b->sources)
	{
		const Source *source = lfirst(cell);

		appendStringInfo(&buf, "%s ", source->path);
		append_hex(&buf, source->content->sha256, FINGERPRINT_LEN);
		appendStringInfoChar(&buf, '\n');
	}
	foreach(cell, b->candidates)
	{
		append_hex(&buf, ((Candidate *) lfirst(cell))->identity, CA_IDENTITY_LEN);
		appendStringInfoChar(&buf, '\n');
	}
	crl_settings_fingerprint(buf.data, "", b->label.sources);
	crl_settings_fingerprint(b->set->file, b->set->dir, b->label.settings);
	if (!pg_strong_random(b->label.build_id, CRL_BUILD_ID_LEN))
		elog(ERROR, "could not generate a random number");
}

static void
take_entry(void *arg, int crl, const uint8 *serial, int len, int64 since, int reason)
{
	Build	   *b = arg;
	ListCell   *cell;

	foreach(cell, b->candidates)
	{
		const Candidate *c = lfirst(cell);

		if (c->source == b->reading && c->position == crl)
			add_indexed_entry(b->builder, c->identity, serial, len, since, reason);
	}
}

static bool
take_entries(Build *b)
{
	CrlSink		sink = {take_entry, b};
	ListCell   *cell;

	b->builder = free_at_reset(new_crl_index_builder(b->set->pause), free_crl_index_builder);
	foreach(cell, b->candidates)
	{
		const Candidate *c = lfirst(cell);
		IndexedCrl	crl = {
			.path = c->source->path,
			.issuer_dn = c->facts->issuer_dn,
			.number = c->facts->number,
			.this_update = c->facts->this_update,
			.has_next_update = c->facts->has_next_update,
			.next_update = c->facts->next_update,
			.entries = c->facts->entries,
		};

		memcpy(crl.fingerprint, c->facts->fingerprint, FINGERPRINT_LEN);
		memcpy(crl.identity, c->identity, CA_IDENTITY_LEN);
		if (!certificate_fingerprint(c->ca, crl.ca_fingerprint))
			elog(ERROR, "CA %s cannot be read", shown(c->facts->issuer_dn));
		add_indexed_crl(b->builder, &crl);
	}
	foreach(cell, b->sources)
	{
		Source	   *source = lfirst(cell);
		CrlFile    *again;

		b->reading = source;
		again = read_source_file(b, source, &sink);
		if (again == NULL)
			return false;
		if (memcmp(again->sha256, source->content->sha256, FINGERPRINT_LEN) != 0)
			return fail(b, psprintf("file \"%s\" was changed while it was read", source->path));
	}
	return true;
}

static bool
write_part(void *arg, const void *bytes, size_t len)
{
	return append_temporary_file(arg, bytes, len);
}

static bool
write_index(Build *b)
{
	char	   *target = own_file(b->set->index);
	TemporaryFile *volatile file = NULL;
	volatile bool ok = false;

	make_own_directory();
	file = create_temporary_file(target);
	PG_TRY();
	{
		CrlIndexOutput output = {write_part, file};

		ok = write_crl_index(b->builder, &b->label, &output, &b->error);
		if (ok)
			finish_temporary_file(file);
	}
	PG_CATCH();
	{
		discard_temporary_file(file);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (!ok)
	{
		discard_temporary_file(file);
		return false;
	}
	stop_point("index_written");
	move_temporary_file(target);
	return true;
}

/*
 * Bring the index up to date with the files.  *error says why it was not.
 * Everything is in the current memory context, which the caller resets.
 */
CrlOutcome
refresh_crl_index(const CrlSet *set, char **error)
{
	Build	   *b = palloc0(sizeof(Build));
	CrlOutcome	result = CRLS_FAILED;
	ListCell   *cell;

	*error = NULL;
	b->set = set;
	if (set->file[0] == '\0' && set->dir[0] == '\0')
	{
		remove_file(own_file(set->index));
		return CRLS_UNCHANGED;
	}
	b->cas = read_pem_file(ssl_ca_file)->content->certs;
	read_old(b);
	if (verify_sources(b))
	{
		bool		judged = true;

		label_build(b);
		if (b->has_old && memcmp(b->label.settings, b->old.index.label.settings, FINGERPRINT_LEN) != 0)
		{
			/* whoever has set other files means those */
			b->nold_crls = 0;
		}
		else if (b->has_old && memcmp(b->label.sources, b->old.index.label.sources, FINGERPRINT_LEN) == 0)
			return CRLS_UNCHANGED;
		foreach(cell, b->candidates)
			judged = judged && (set->of_core || set->accept_older || judge_against_old(b, lfirst(cell)));
		if (judged && take_entries(b) && write_index(b))
			result = CRLS_BUILT;
	}
	*error = b->error;
	return result;
}
