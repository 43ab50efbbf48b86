/*-------------------------------------------------------------------------
 *
 * world.c
 *		Policies, sessions and certificates out of the bytes of an input.
 *
 *-------------------------------------------------------------------------
 */
#include "world.h"

#define HOUR INT64CONST(3600)
#define DAY	 INT64CONST(86400)

/* One of a list, by the next byte. */
#define ONE_OF(from, list) ((list)[take_below(from, lengthof(list))])

/*
 * What name_pattern() makes of the patterns below: "^(?:", literal characters,
 * backslash and a literal character, ".*", and ")$".
 */
static bool
matches_from(const char *p, const char *text, bool ignore_case)
{
	if (strcmp(p, ")$") == 0)
		return *text == '\0';
	if (strncmp(p, ".*", 2) == 0)
	{
		for (;; text++)
		{
			if (matches_from(p + 2, text, ignore_case))
				return true;
			if (*text == '\0')
				return false;
		}
	}
	if (*p == '\\')
		p++;
	if (*text == '\0' || (ignore_case ? pg_tolower((unsigned char) *p) != pg_tolower((unsigned char) *text) : *p != *text))
		return false;
	return matches_from(p + 1, text + 1, ignore_case);
}

bool
simple_match(const char *pattern, const char *const *texts, int ntexts, bool ignore_case)
{
	HOLDS(strncmp(pattern, "^(?:", 4) == 0, "pattern %s", pattern);
	for (int i = 0; i < ntexts; i++)
		if (matches_from(pattern + 4, texts[i], ignore_case))
			return true;
	return false;
}

static void
add_match(Bytes *from, PolicyPlace place, StringInfo buf)
{
	static const char *const addresses[] = {
		"address=10.0.0.0/8",
		"address=10.1.2.3",
		"address=192.0.2.0/25",
		"address=0.0.0.0/0",
		"address=10.0.0.0/12",
		"address=2001:db8::/33",
		"address=::/0",
		"address=10.0.0.0/8 address=2001:db8::1",
	};
	static const char *const databases[] = {
		"database=d1",
		"database=d2",
		"database=replication",
		"database='replication'",
		"database=d1 database=d2",
	};
	unsigned	which = take_below(from, 3);

	if (which != 1 || place == PLACE_DATABASE)
		appendStringInfo(buf, "%s ", ONE_OF(from, addresses));
	if (which > 0 && place != PLACE_DATABASE)
		appendStringInfo(buf, "%s ", ONE_OF(from, databases));
}

/*
 * The text of a rule.
 */
char *
make_rule(Bytes *from, PolicyPlace place, bool last)
{
	static const char *const modes[] = {
		"reject",
		"disable",
		"allow",
		"prefer",
		"require",
		"verify-ca",
		"verify-full",
		"verify-full",
		"cert",
	};
	static const char *const requirements[] = {
		"min_protocol=TLSv1.3 ",
		"min_protocol=TLSv1.2 ",
		"cipher=A ",
		"cipher=A cipher=B ",
		"ou=Finance ",
		"ou=West ou=Finance ",
		"o=Acme ",
		"fingerprint=1111111111111111111111111111111111111111111111111111111111111111 ",
		"fingerprint=2222222222222222222222222222222222222222222222222222222222222222 ",
		"issuer=CN=Root ",
		"issuer=CN=Other issuer=CN=Root ",
		"ca_fingerprint=3333333333333333333333333333333333333333333333333333333333333333 ",
		"max_lifetime=1h ",
		"max_lifetime=2h ",
		"max_lifetime=30d ",
		"on_expiry=end ",
		"on_expiry=keep ",
	};
	static const char *const names[] = {
		"cn=app ",
		"cn=%u ",
		"cn=/^a.*$ ",
		"cn=/^%u$ ",
		"dn=CN=app,O=Acme ",
		"dn=CN=%u ",
		"dn=/^CN=%u.*$ ",
		"dn=/^CN=.*]$ ",
		"san=dns:app.example ",
		"san=dns:%u.example ",
		"san=dns:/^.*\\\\.EXAMPLE$ ",
		"san=uri:x:%u ",
		"san=email:a@b ",
		"san=ip:10.1.2.3 ",
		"san=upn:%u@corp ",
		"san=upn:/^.*$ ",
		"cn=other ",
		"cn=%u%% ",
		"cn=%u ignore_case=on ",
		"uid=%u ",
		"uid=%u ignore_case=on ",
		"uid=/^a.*$ ",
		"email=app ",
		"email=other uid=app ",
		"dn=UID=app,O=Acme ",
	};
	StringInfoData buf;
	PolicyError error;
	unsigned	mode = take_below(from, 12);
	bool		log_only;
	char	   *with_mode;

	initStringInfo(&buf);
	log_only = !last && take_below(from, 4) == 0;
	if (!last && !log_only)
		add_match(from, place, &buf);
	for (unsigned left = take_below(from, 4); left > 0; left--)
	{
		const char *text = place == PLACE_MINIMUM || place == PLACE_DATABASE || take_below(from, 2) == 0 ?
			ONE_OF(from, requirements) :
			ONE_OF(from, names);
		char	   *key = pnstrdup(text, strcspn(text, "=") + 1);

		/* cn, uid, email, dn and san may repeat */
		if (strstr(buf.data, key) == NULL || strchr("cueds", text[0]) != NULL)
			appendStringInfoString(&buf, text);
	}
	if (log_only)
		appendStringInfoString(&buf, "action=log ");
	if (mode >= lengthof(modes))
		mode = 0;

	/* a mode may be too weak for the keys; then they imply one */
	with_mode = psprintf("%ssslmode=%s", buf.data, modes[mode]);
	if (parse_policy(psprintf("%s; sslmode=reject", with_mode), place, NULL, &error) != NULL ||
		parse_policy(with_mode, place, NULL, &error) != NULL)
		return with_mode;
	if (parse_policy(psprintf("%s; sslmode=reject", buf.data), place, NULL, &error) != NULL ||
		parse_policy(buf.data, place, NULL, &error) != NULL)
		return buf.data;
	return last ? pstrdup("sslmode=require") : pstrdup("sslmode=require action=log");
}

Policy *
make_policy(Bytes *from, PolicyPlace place)
{
	StringInfoData buf;
	PolicyError error;
	unsigned	before = take_below(from, MAX_RULES);
	Policy	   *policy;

	initStringInfo(&buf);
	for (unsigned i = 0; i < before; i++)
		appendStringInfo(&buf, "%s; ", make_rule(from, place, false));
	appendStringInfoString(&buf, make_rule(from, place, true));
	policy = parse_policy(buf.data, place, NULL, &error);
	HOLDS(policy, "%s: %s", buf.data, error.message);
	return policy;
}

PolicyPlace
place_of(PolicySource source)
{
	return source == SOURCE_MINIMUM ? PLACE_MINIMUM : source == SOURCE_DEFAULT ? PLACE_DEFAULT :
		source == SOURCE_DATABASE											   ? PLACE_DATABASE :
																				 PLACE_ROLE;
}

/*
 * Policies that apply to one session: a minimum, that of the role or the
 * default, groups, a database.  Returns how many.
 */
int
make_applied(Bytes *from, AppliedPolicy *applied)
{
	unsigned	which = take(from);
	PolicySource sources[MAX_APPLIED];
	int			count = 0;

	if (which & 0x01)
		sources[count++] = SOURCE_MINIMUM;
	if (which & 0x02)
		sources[count++] = which & 0x04 ? SOURCE_ROLE : SOURCE_DEFAULT;
	if (which & 0x08)
		sources[count++] = SOURCE_GROUP;
	if (which & 0x10)
		sources[count++] = SOURCE_GROUP;
	if (which & 0x20)
		sources[count++] = SOURCE_DATABASE;
	for (int i = 0; i < count; i++)
	{
		bool		readable = take_below(from, 40) != 39;

		applied[i] = (AppliedPolicy){
			.source = sources[i],
			.name = "name",
			.policy = readable ? make_policy(from, place_of(sources[i])) : NULL,
			.error = readable ? NULL : "it is not readable",
		};
	}
	return count;
}

CertFacts *
make_cert(Bytes *from)
{
	static char *const cns[] = {"app", "other", "app%", "APP", NULL};
	static char *const dns[] = {
		"CN=app",
		"CN=app,O=Acme",
		"CN=other",
		"",
		"CN=app\\,O=Acme",
		"UID=app,O=Acme",
		"UID=App,OU=Finance",
		"UID=app,UID=app",
		"UID=app+emailAddress=app,OU=West,OU=Finance,O=Acme",
		"UID=#0403617070",
		"O=x\\,UID=app\\,OU=Finance",
		"emailAddress=other,OU=finance,O=Acme\\,Inc",
	};
	static char *const sans[] = {
		"dns:app.example",
		"dns:APP.example",
		"uri:x:app",
		"email:a@b",
		"ip:10.1.2.3",
		"upn:app@corp",
		"badupn:#0500",
		"other:",
		"dns:*.example",
	};
	static char *const issuers[] = {"CN=Root", "CN=Other"};
	static const int64 spans[] = {HOUR, HOUR + 300, HOUR + 301, 2 * HOUR + 360, 2 * HOUR + 361, 30 * DAY, 30 * DAY + 3900, 30 * DAY + 3901, -1};
	CertFacts  *cert = palloc0(sizeof(CertFacts));

	cert->cn = ONE_OF(from, cns);
	cert->cn_count = cert->cn ? 1 : 2;
	cert->subject_dn = ONE_OF(from, dns);
	cert->subject_garbled = take_below(from, 8) == 0;
	cert->issuer_dn = "CN=Root";
	cert->serial = "1";
	cert->key_algorithm = "EC";
	cert->signature_algorithm = "ecdsa-with-SHA256";
	cert->not_after = NOW + (int64) take_below(from, 3) - 1;
	cert->not_before = cert->not_after - ONE_OF(from, spans);
	memset(cert->fingerprint, take_below(from, 2) ? 0x11 : 0x22, FINGERPRINT_LEN);
	cert->nsans = (int) take_below(from, 4);
	cert->sans = palloc(sizeof(char *) * 4);
	for (int i = 0; i < cert->nsans; i++)
	{
		cert->sans[i] = ONE_OF(from, sans);
		cert->upn_count += strstr(cert->sans[i], "upn:") != NULL;
	}
	cert->ncas = (int) take_below(from, 3);
	cert->cas = palloc0(sizeof(CaFacts) * 3);
	for (int i = 0; i < cert->ncas; i++)
	{
		cert->cas[i].subject_dn = ONE_OF(from, issuers);
		cert->cas[i].garbled = take_below(from, 8) == 0;
		cert->cas[i].serial = "1";
		memset(cert->cas[i].fingerprint, take_below(from, 2) ? 0x33 : 0x44, FINGERPRINT_LEN);
	}
	return cert;
}

/*
 * A session of which everything is known, as at a login.
 */
Facts
make_session(Bytes *from)
{
	static const char *const roles[] = {"app", "other", "App"};
	static const char *const databases[] = {"d1", "d2", "replication", NULL};
	static const char *const ciphers[] = {"A", "B", "C"};
	static const char *const methods[] = {"cert", "scram-sha-256", NULL};
	static const struct
	{
		int			len;
		uint8		bytes[16];
	} addresses[] = {
		{4, {10, 1, 2, 3}},
		{4, {10, 200, 0, 1}},
		{4, {10, 17, 0, 1}},
		{4, {192, 0, 2, 127}},
		{4, {192, 0, 2, 128}},
		{16, {0x20, 0x01, 0x0D, 0xB8, 0x7F}},
		{16, {0x20, 0x01, 0x0D, 0xB8, 0x80}},
		{16, {0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	};
	Facts		facts = {0};
	unsigned	address = take_below(from, lengthof(addresses));
	unsigned	odd;

	facts.role = ONE_OF(from, roles);
	facts.database = ONE_OF(from, databases);
	facts.address_len = addresses[address].len;
	memcpy(facts.address, addresses[address].bytes, 16);
	facts.auth_method = ONE_OF(from, methods);
	facts.ssl = take_below(from, 8) != 7;
	if (facts.ssl)
	{
		facts.tls_version = (TlsVersion) (TLS_1_0 + take_below(from, 4));
		facts.cipher = ONE_OF(from, ciphers);
		facts.verified = take_below(from, 4) != 3;
		odd = facts.verified ? take_below(from, 16) : 0;
		facts.unreadable = odd == 15;
		facts.own_certificate = odd == 14;
		if (facts.verified && !facts.unreadable)
			facts.cert = make_cert(from);
		facts.anchor_gone = facts.verified && take_below(from, 16) == 15;
	}
	return facts;
}

/*
 * The same session with some of it not known.  What is not known is something
 * else there.
 */
Facts
with_unknowns(Bytes *from, const Facts *facts)
{
	unsigned	hide = take(from);
	Facts		result = *facts;

	result.unknown = (int) (hide & 0x7F);
	if (hide & UNKNOWN_DATABASE)
		result.database = take_below(from, 2) ? "d1" : NULL;
	if (hide & UNKNOWN_ADDRESS)
		result.address_len = 0;
	if (hide & UNKNOWN_AUTH_METHOD)
		result.auth_method = NULL;
	if (!(hide & UNKNOWN_SSL) && !facts->ssl)
		return result;

	if ((hide & UNKNOWN_SSL) && !facts->ssl)
	{
		/* what it would have over TLS: anything */
		Facts		other = make_session(from);

		result.tls_version = other.tls_version;
		result.cipher = other.cipher;
		result.verified = other.verified;
		result.unreadable = other.unreadable;
		result.own_certificate = other.own_certificate;
		result.cert = other.cert;
		result.anchor_gone = other.anchor_gone;
	}
	if (hide & UNKNOWN_SSL)
		result.ssl = take_below(from, 2) != 0;
	if (hide & UNKNOWN_TLS_VERSION)
		result.tls_version = TLS_NONE;
	if (hide & UNKNOWN_CIPHER)
		result.cipher = NULL;
	if (hide & UNKNOWN_CERTIFICATE)
	{
		result.cert = NULL;
		result.unreadable = false;
		/* that there is one may be known all the same */
		if (!(hide & 0x80))
			result.verified = false;
	}
	return result;
}
