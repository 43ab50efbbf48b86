/*-------------------------------------------------------------------------
 *
 * policy.c
 *		The words of the policy language: names of keys, modes and TLS versions;
 *		and which keys a rule has.
 *
 *-------------------------------------------------------------------------
 */
#include "policy/policy.h"

static const char *const key_names[NUM_POLICY_KEYS] = {
	[KEY_ADDRESS] = "address",
	[KEY_DATABASE] = "database",
	[KEY_SSLMODE] = "sslmode",
	[KEY_MIN_PROTOCOL] = "min_protocol",
	[KEY_CIPHER] = "cipher",
	[KEY_CN] = "cn",
	[KEY_UID] = "uid",
	[KEY_EMAIL] = "email",
	[KEY_DN] = "dn",
	[KEY_SAN] = "san",
	[KEY_IGNORE_CASE] = "ignore_case",
	[KEY_OU] = "ou",
	[KEY_O] = "o",
	[KEY_FINGERPRINT] = "fingerprint",
	[KEY_ISSUER] = "issuer",
	[KEY_CA_FINGERPRINT] = "ca_fingerprint",
	[KEY_MAX_LIFETIME] = "max_lifetime",
	[KEY_ON_EXPIRY] = "on_expiry",
	[KEY_ACTION] = "action",
};

static const char *const sslmode_names[] = {
	[SSLMODE_REJECT] = "reject",
	[SSLMODE_DISABLE] = "disable",
	[SSLMODE_ALLOW] = "allow",
	[SSLMODE_PREFER] = "prefer",
	[SSLMODE_REQUIRE] = "require",
	[SSLMODE_VERIFY_CA] = "verify-ca",
	[SSLMODE_VERIFY_FULL] = "verify-full",
	[SSLMODE_CERT] = "cert",
};

static const char *const tls_version_names[] = {
	[TLS_NONE] = "none",
	[TLS_1_0] = "TLSv1",
	[TLS_1_1] = "TLSv1.1",
	[TLS_1_2] = "TLSv1.2",
	[TLS_1_3] = "TLSv1.3",
};

/*
 * Does the rule have a value of a key that may repeat?
 */
bool
rule_has_key(const PolicyRule *rule, PolicyKey key)
{
	for (int i = 0; i < rule->nvalues; i++)
		if (rule->values[i].key == key)
			return true;
	return false;
}

const char *
policy_key_name(PolicyKey key)
{
	return key_names[key];
}

/*
 * The attribute of the subject that a key asks for, as OpenSSL prints it; NULL for
 * other keys, and for cn, which is among the facts.
 */
const char *
subject_attribute(PolicyKey key)
{
	switch (key)
	{
		case KEY_UID:
			return "UID";
		case KEY_EMAIL:
			return "emailAddress";
		case KEY_OU:
			return "OU";
		case KEY_O:
			return "O";
		default:
			return NULL;
	}
}

const char *
sslmode_name(SslMode mode)
{
	return sslmode_names[mode];
}

/*
 * As ssl_min_protocol_version and pg_stat_ssl.version write it.
 */
const char *
tls_version_name(TlsVersion version)
{
	return tls_version_names[version];
}
