/*-------------------------------------------------------------------------
 *
 * lintpolicies.c
 *		Findings about policies and roles.
 *
 * Of names only those are found fault with that can be proved to match nothing:
 * which certificates clients have, nobody knows here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/ssl.h>

#include "catalog/catalog.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "base/datums.h"
#include "base/escape.h"
#include "base/memory.h"
#include "lint/lint.h"
#include "pki/chain.h"
#include "pki/x509.h"
#include "policy/dnpattern.h"
#include "settings/settings.h"

/*
 * The statement that sets the policy of this role or database.
 */
static char *
set_statement(const StoredPolicy *stored)
{
	if (stored->of_cluster)
		return psprintf("SELECT sslpolicy.set_%s_policy('...')", stored->source == SOURCE_MINIMUM ? "minimum" : "default");
	if (!OidIsValid(stored->object))
		return psprintf("ALTER SYSTEM SET %s = '...'; SELECT pg_reload_conf()", stored->name);
	return psprintf("SECURITY LABEL FOR sslpolicy ON %s %s IS '...'",
					stored->source == SOURCE_DATABASE ? "DATABASE" : "ROLE", quote_identifier(stored->name));
}

/*
 * Policies that cannot be read: they refuse everybody whom they bind.
 */
void
lint_stored_policies(Survey *survey)
{
	ListCell   *cell;

	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		if (stored->policy == NULL)
			add_finding(&survey->findings, refusal_severity(), "policy_unreadable", stored->title,
						psprintf("This policy cannot be read (%s): it refuses every login that it binds.", stored->error),
						psprintf("Write it anew: %s.", set_statement(stored)));
		else if (stored->misspelt != NULL)
			add_finding(&survey->findings, SEVERITY_WARNING, "policy_misspelt", stored->title,
						psprintf("This policy does not mean what it seems to, and would be refused if it were set now: %s.", stored->misspelt),
						psprintf("%s Write it anew: %s.", stored->hint, set_statement(stored)));
	}
}

/*
 * What policies ask for that the server, by its settings, cannot give.
 */
void
lint_demands(Survey *survey)
{
	bool		ssl = next_settings(survey)->ssl;
	const char *ca_file = next_files(survey).ca_file;
	ListCell   *cell;

	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		if (!ssl && policy_asks_for(stored->policy, SSLMODE_REQUIRE))
			add_finding_about(&survey->findings, refusal_severity(), "ssl_off", "setting ssl",
							  "ssl is off, and policies ask for TLS: they refuse every connection that they bind.",
							  "Set ssl_cert_file and ssl_key_file, or leave them as they are; then ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf().",
							  "Policies", stored->title);
		else if (ssl && ca_file[0] == '\0' && policy_asks_for(stored->policy, SSLMODE_VERIFY_CA))
			add_finding_about(&survey->findings, refusal_severity(), "ca_file_missing", "setting ssl_ca_file",
							  "ssl_ca_file is empty, so that the server accepts no client certificate, and policies ask for one: they refuse every connection that they bind.",
							  "SELECT * FROM sslpolicy.install_ca('-----BEGIN CERTIFICATE-----...'), or set ssl_ca_file and reload.",
							  "Policies", stored->title);
	}
}

static bool
is_database(const Survey *survey, const char *name)
{
	return survey->ndatabases > 0 &&
		bsearch(&name, survey->databases, (size_t) survey->ndatabases, sizeof(char *), pg_qsort_strcmp) != NULL;
}

static void
check_database_name(Survey *survey, const StoredPolicy *stored, const PolicyValue *value)
{
	char	   *object = psprintf("database \"%s\"", value->text);

	if (value->keyword || is_database(survey, value->text))
		return;
	add_finding_about(&survey->findings, SEVERITY_WARNING, "database_unknown", object,
					  psprintf("Rules match on database=%s, and there is no such database: they decide nothing.", value->text),
					  "Correct the name, or take the rule out of the policies.",
					  "Policies", stored->title);
}

/* What policies can pin of the CAs of ssl_ca_file, sorted by bytes. */
typedef struct Pinnable
{
	int			nsubjects;
	char	  **subjects;		/* as dn_text() writes them */
	int			nfingerprints;
	uint8	   *fingerprints;	/* FINGERPRINT_LEN bytes each */
} Pinnable;

static int
compare_fingerprints(const void *a, const void *b)
{
	return memcmp(a, b, FINGERPRINT_LEN);
}

static Pinnable *
list_pinnable(STACK_OF(X509) *cas)
{
	Pinnable   *result = palloc0(sizeof(Pinnable));
	int			count = Max(sk_X509_num(cas), 0);

	result->subjects = palloc(sizeof(char *) * (Size) (count + 1));
	result->fingerprints = palloc(FINGERPRINT_LEN * (Size) (count + 1));
	for (int i = 0; i < count; i++)
	{
		X509	   *ca = sk_X509_value(cas, i);
		const X509_NAME *name = X509_get_subject_name(ca);
		char	   *subject = is_garbled_name(name) ? NULL : dn_text(name);

		if (subject)
			result->subjects[result->nsubjects++] = subject;
		if (certificate_fingerprint(ca, result->fingerprints + FINGERPRINT_LEN * (Size) result->nfingerprints))
			result->nfingerprints++;
	}
	qsort(result->subjects, (size_t) result->nsubjects, sizeof(char *), pg_qsort_strcmp);
	qsort(result->fingerprints, (size_t) result->nfingerprints, FINGERPRINT_LEN, compare_fingerprints);
	return result;
}

static bool
is_ca_there(const Pinnable *cas, const PolicyValue *value)
{
	if (value->key == KEY_ISSUER)
		return bsearch(&value->text, cas->subjects, (size_t) cas->nsubjects, sizeof(char *), pg_qsort_strcmp) != NULL;
	return value->key == KEY_CA_FINGERPRINT &&
		bsearch(value->bytes, cas->fingerprints, (size_t) cas->nfingerprints, FINGERPRINT_LEN, compare_fingerprints) != NULL;
}

/*
 * A CA that a rule pins.  An intermediate that is not in ssl_ca_file can come
 * with the client's certificate; to have it there too does no harm.
 */
static void
check_ca_name(Survey *survey, const Pinnable *cas, const StoredPolicy *stored,
			  const PolicyRule *rule, const PolicyValue *value)
{
	bool		another = false;

	if (is_ca_there(cas, value))
		return;
	for (int i = 0; i < rule->nvalues; i++)
		another |= rule->values[i].key == value->key && is_ca_there(cas, &rule->values[i]);
	add_finding_about(&survey->findings, another || rule->log_only ? SEVERITY_INFO : SEVERITY_WARNING,
					  value->key == KEY_ISSUER ? "issuer_unknown" : "ca_fingerprint_unknown",
					  psprintf("%s=%s", policy_key_name(value->key), certificate_string(value->text)),
					  "No CA in ssl_ca_file is this one: only clients that send it as an intermediate with their certificate can meet it.",
					  "Correct the policies; or, if it is a CA that clients have, SELECT * FROM sslpolicy.add_ca('-----BEGIN CERTIFICATE-----...').",
					  "Policies", stored->title);
}

/*
 * Did another one of the CAs issue this one?
 */
static bool
has_issuer(const CasByName *cas, X509 *ca)
{
	int			first = find_cas_by_name(cas, X509_get_issuer_name(ca));

	for (int i = first; i < cas->count && cas->sorted[i].hash == cas->sorted[first].hash; i++)
	{
		X509	   *candidate = sk_X509_value(cas->cas, cas->sorted[i].position);

		if (X509_cmp(candidate, ca) != 0 && is_issued_by(ca, candidate))
			return true;
	}
	return false;
}

/*
 * Roots that are different CAs; an intermediate belongs to its root.
 */
static int
count_roots(STACK_OF(X509) *cas)
{
	CasByName  *by_name = sort_cas_by_name(cas);
	int			count = 0;

	for (int i = 0; i < sk_X509_num(cas); i++)
	{
		X509	   *ca = sk_X509_value(cas, i);
		List	   *same = same_cas(by_name, i);

		CHECK_FOR_INTERRUPTS();
		if ((same == NIL || linitial_int(same) >= i) && (!has_issuer(by_name, ca) || is_self_signed(ca)))
			count++;
	}
	return count;
}

static void
check_issuer_pin(Survey *survey, int roots, const StoredPolicy *stored, const PolicyRule *rule)
{
	if (roots < 2 || !rule_has_key(rule, KEY_ISSUER) || rule->log_only ||
		rule_has_key(rule, KEY_CA_FINGERPRINT) || rule_has_key(rule, KEY_FINGERPRINT))
		return;
	add_finding_about(&survey->findings, SEVERITY_WARNING, "issuer_by_dn_only", "setting ssl_ca_file",
					  psprintf("Policies pin a CA by its DN alone (issuer=), and ssl_ca_file trusts %d CAs: each of them can issue an intermediate of that DN.", roots),
					  "Use ca_fingerprint= with the fingerprint_sha256 of the CA in sslpolicy.certificates, in place of issuer=.",
					  "Policies", stored->title);
}

/*
 * Ciphers that the server offers at all.
 */
static STACK_OF(SSL_CIPHER) *
offered_ciphers(Survey *survey, SSL_CTX *context)
{
	const char *suites = next_settings(survey)->settings[SETTING_SUITES].value;

	if (suites[0])
		(void) SSL_CTX_set_ciphersuites(context, suites);
	return SSL_CTX_get_ciphers(context);
}

/*
 * Ciphers and TLS versions of a rule that the server does not offer.
 */
static void
check_transport(Survey *survey, STACK_OF(SSL_CIPHER) *ciphers, const StoredPolicy *stored, const PolicyRule *rule)
{
	const char *highest = next_settings(survey)->settings[SETTING_MAX_VERSION].value;
	bool		offered = false;
	bool		usable = false;

	for (TlsVersion v = TLS_1_0; highest[0] && v < rule->min_protocol; v++)
		if (pg_strcasecmp(highest, tls_version_name(v)) == 0)
			add_finding_about(&survey->findings, rule->log_only ? SEVERITY_WARNING : refusal_severity(),
							  "protocol_not_offered", "setting ssl_max_protocol_version",
							  psprintf("The server offers at most %s, and policies ask for a higher min_protocol: nobody can meet them.", highest),
							  "ALTER SYSTEM RESET ssl_max_protocol_version; SELECT pg_reload_conf().",
							  "Policies", stored->title);
	if (!rule_has_key(rule, KEY_CIPHER))
		return;
	for (int i = 0; i < rule->nvalues; i++)
		for (int k = 0; rule->values[i].key == KEY_CIPHER && k < sk_SSL_CIPHER_num(ciphers); k++)
		{
			const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, k);

			if (strcmp(rule->values[i].text, SSL_CIPHER_get_name(cipher)) != 0)
				continue;
			offered = true;
			/* TLSv1.3 has ciphers of its own (RFC 8446, section B.4) */
			usable |= rule->min_protocol < TLS_1_3 ||
				strcmp(SSL_CIPHER_get_version(cipher), tls_version_name(TLS_1_3)) == 0;
		}
	if (offered && !usable)
		add_finding_about(&survey->findings, rule->log_only ? SEVERITY_WARNING : refusal_severity(),
						  "cipher_too_old", "policies",
						  "Policies ask for TLSv1.3, and for ciphers that all belong to older versions: nobody can meet them.",
						  "Name ciphers of TLSv1.3, such as TLS_AES_256_GCM_SHA384, or lower min_protocol.",
						  "Policies", stored->title);
	else if (!offered)
		add_finding_about(&survey->findings, rule->log_only ? SEVERITY_WARNING : refusal_severity(),
						  "cipher_not_offered", "setting ssl_ciphers",
						  "Policies ask for ciphers none of which the server offers: nobody can meet them.",
						  "Add them to ssl_ciphers and reload, or name others in the policies; SHOW ssl_ciphers, and \"openssl ciphers -v\" with it, lists what is offered.",
						  "Policies", stored->title);
}

/*
 * A pattern for a DN that the text of another attribute can match.
 */
static void
check_dn_pattern(Survey *survey, const StoredPolicy *stored, const PolicyRule *rule, const PolicyValue *value)
{
	if (!value->regex || !matches_other_attributes(value->text + 1))
		return;
	add_finding_about(&survey->findings, rule->log_only ? SEVERITY_INFO : SEVERITY_WARNING, "dn_pattern_not_safe",
					  psprintf("dn=%s", value->text),
					  "In this pattern, something follows a part that matches any text, even a backslash. A comma within an attribute is printed as \\,: so O=\"x,CN=bob\", printed as O=x\\,CN=bob, can be taken for CN=bob.",
					  "Ask for the attribute itself, with cn=, uid= or email=, and ou= and o= for what else must be there; or write [^,\\\\]* in place of .* and [^,]*.",
					  "Policies", stored->title);
}

void
lint_policy_names(Survey *survey)
{
	static const MaterialFiles none = {"", "", "", "", ""};
	TlsParameters parameters = configured_parameters(next_settings(survey));
	STACK_OF(X509) *cas = next_cas(survey);
	int			roots = count_roots(cas);
	Pinnable   *pinnable = list_pinnable(cas);
	char	   *error;
	SSL_CTX    *context = build_context_for(&none, &parameters, &error);
	STACK_OF(SSL_CIPHER) *ciphers = NULL;
	ListCell   *cell;

	if (context)
	{
		(void) free_at_reset(context, (void (*)(void *)) SSL_CTX_free);
		ciphers = offered_ciphers(survey, context);
	}
	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		for (int r = 0; stored->policy && r < stored->policy->nrules; r++)
		{
			const PolicyRule *rule = &stored->policy->rules[r];

			CHECK_FOR_INTERRUPTS();
			check_issuer_pin(survey, roots, stored, rule);
			if (context)
				check_transport(survey, ciphers, stored, rule);
			for (int i = 0; i < rule->nvalues; i++)
			{
				const PolicyValue *value = &rule->values[i];

				if (value->key == KEY_DN)
					check_dn_pattern(survey, stored, rule, value);
				if (value->key == KEY_DATABASE)
					check_database_name(survey, stored, value);
				/* without any CA, that is what is wrong */
				if ((value->key == KEY_ISSUER || value->key == KEY_CA_FINGERPRINT) && sk_X509_num(cas) > 0)
					check_ca_name(survey, pinnable, stored, rule, value);
			}
		}
	}
}

/*
 * sslpolicy.reserved_roles are names, which nobody keeps up to date.
 */
void
lint_reserved_roles(Survey *survey)
{
	char	   *names = pstrdup(GetConfigOption("sslpolicy.reserved_roles", false, false));
	List	   *roles;
	ListCell   *cell;

	if (!SplitIdentifierString(names, ',', &roles))
		return;
	foreach(cell, roles)
		if (!OidIsValid(get_role_oid(lfirst(cell), true)))
			add_finding(&survey->findings, SEVERITY_WARNING, "reserved_role_unknown",
						psprintf("role \"%s\"", (char *) lfirst(cell)),
						"sslpolicy.reserved_roles names this role, and there is none: it protects nobody, or somebody who has been renamed no longer.",
						"Correct sslpolicy.reserved_roles: ALTER SYSTEM SET sslpolicy.reserved_roles = '...'; SELECT pg_reload_conf().");
}

typedef struct RolePolicy
{
	Oid			role;
	StoredPolicy *stored;
} RolePolicy;

/*
 * The policies of roles by the oid of the role, in a hash table.
 */
static HTAB *
policies_by_role(const Survey *survey)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid), .entrysize = sizeof(RolePolicy), .hcxt = CurrentMemoryContext};
	HTAB	   *table = hash_create("sslpolicy policies of roles", list_length(survey->policies) + 1, &ctl,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ListCell   *cell;

	foreach(cell, survey->policies)
	{
		StoredPolicy *stored = lfirst(cell);

		if (stored->source == SOURCE_ROLE)
			((RolePolicy *) hash_search(table, &stored->object, HASH_ENTER, NULL))->stored = stored;
	}
	return table;
}

static StoredPolicy *
policy_of_role(HTAB *table, Oid role)
{
	RolePolicy *found = hash_search(table, &role, HASH_FIND, NULL);

	return found ? found->stored : NULL;
}

/*
 * Note of each policy of a role whether it binds a login role; and, if it is one of a
 * role that can log in itself, whether it has a member that it would bind as a group.
 */
static void
note_members(Survey *survey)
{
	HTAB	   *table = policies_by_role(survey);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy policies of a role",
												  ALLOCSET_DEFAULT_SIZES);
	ListCell   *cell;

	foreach(cell, survey->logins)
	{
		const Login *login = lfirst(cell);
		MemoryContext old = MemoryContextSwitchTo(scratch);
		List	   *binding = list_make1_oid(login->oid);
		List	   *passed_over = NIL;
		StoredPolicy *stored;
		ListCell   *role;

		CHECK_FOR_INTERRUPTS();
		add_labelled_groups(policies_of_login(survey, login), &binding, &passed_over);
		/* one that has been set or has gone since is not among the policies */
		foreach(role, binding)
			if ((stored = policy_of_role(table, lfirst_oid(role))) != NULL)
				stored->binds = true;
		foreach(role, passed_over)
			if (login->bound_by_groups && (stored = policy_of_role(table, lfirst_oid(role))) != NULL)
				stored->passes_over = true;
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	hash_destroy(table);
}

/*
 * Policies of roles that cannot log in and that no login role is a member of; and
 * those of login roles that were perhaps meant for their members.
 */
void
lint_groups(Survey *survey)
{
	ListCell   *cell;

	note_members(survey);
	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		if (stored->source == SOURCE_ROLE && !stored->binds)
			add_finding_about(&survey->findings, SEVERITY_WARNING, "policy_binds_nobody", "policies of roles",
							  "These roles have a policy, cannot log in, and have no member whom it binds (superusers and sslpolicy.reserved_roles are bound by no group).",
							  "GRANT the role to those whom its policy is for, or remove it: SECURITY LABEL FOR sslpolicy ON ROLE ... IS NULL.",
							  "Roles", psprintf("\"%s\"", stored->name));
		if (stored->source == SOURCE_ROLE && stored->passes_over)
			add_finding_about(&survey->findings, SEVERITY_INFO, "members_not_bound", "policies of roles",
							  "These roles have a policy and members, and can log in: their policy binds them, not their members.",
							  "If the policy is for the members: ALTER ROLE ... NOLOGIN, or set it for a role that cannot log in.",
							  "Roles", psprintf("\"%s\"", stored->name));
	}
}

/*
 * Policies of predefined roles, which no dump carries.
 */
void
lint_predefined_roles(Survey *survey)
{
	ListCell   *cell;

	foreach(cell, survey->policies)
	{
		const StoredPolicy *stored = lfirst(cell);

		if (stored->source == SOURCE_ROLE && OidIsValid(stored->object) && IsReservedName(stored->name))
			add_finding(&survey->findings, SEVERITY_WARNING, "predefined_role", stored->title,
						"The role is predefined: pg_dumpall and pg_upgrade lose its policy.",
						psprintf("Set the policy for a role of your own that is granted instead, or set it again afterwards: %s.", set_statement(stored)));
	}
}

/*
 * Can anybody at all come in over TCP as this role, as far as can be told?
 */
static bool
comes_by_tcp(const Survey *survey, const Login *login)
{
	ListCell   *cell;

	foreach(cell, survey->hba)
	{
		const HbaEntry *line = lfirst(cell);

		if (!line->local && strcmp(line->method, "reject") != 0 &&
			hba_names_role(line, login->oid, login->name, false))
			return true;
	}
	return !survey->hba_known;
}

/*
 * Superusers of whom no policy asks anything.
 */
void
lint_superusers(Survey *survey)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "sslpolicy policies of a role",
												  ALLOCSET_DEFAULT_SIZES);
	ListCell   *cell;

	foreach(cell, survey->logins)
	{
		const Login *login = lfirst(cell);
		MemoryContext old = MemoryContextSwitchTo(scratch);

		CHECK_FOR_INTERRUPTS();
		if (login->superuser && policies_of_login(survey, login)->count == 0 && comes_by_tcp(survey, login))
			add_finding_about(&survey->findings, SEVERITY_WARNING, "superuser_without_policy", "superusers",
							  "No policy binds these superusers, whom pg_hba.conf lets in over TCP: they have none of their own, and neither sslpolicy.default_policy nor sslpolicy.minimum_policy is set.",
							  "SECURITY LABEL FOR sslpolicy ON ROLE ... IS 'sslmode=verify-full' (Unix sockets stay open), or set sslpolicy.minimum_policy.",
							  "Roles", psprintf("\"%s\"", login->name));
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
}
