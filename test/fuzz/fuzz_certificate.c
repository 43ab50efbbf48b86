/*-------------------------------------------------------------------------
 *
 * fuzz_certificate.c
 *		DER to the facts of a certificate, and what names it matches.
 *
 * Of any certificate that OpenSSL can read:
 *
 *	1. it is not readable only for a reason that OpenSSL sees, too
 *	2. the names are as OpenSSL prints them, printable, and with the letters
 *	   outside ASCII put back as it prints them with those; but where an attribute
 *	   is of a type of ASCII and has something else, that is there in DER
 *	3. CN = role and cn= hold exactly for the role that the bytes of the only CN
 *	   spell, and never where PostgreSQL refuses the certificate for its CN; so
 *	   does dn=CN=%u where there is nothing else in the subject
 *	4. dn= with the DN that was read holds, with another one it does not; and
 *	   none holds where an attribute does not fit its type
 *	5. alternative names have the bytes that they have in the certificate, and a
 *	   DNS or e-mail name or address matches as X509_check_host() and its like
 *	   say; a user principal name in a string without doubt matches, if it is the
 *	   only one
 *	6. the serial number has the same key in the index of CRLs in decimal as in
 *	   its bytes; dates are those that OpenSSL reads into a calendar
 *	7. packed and unpacked the facts are the same; cut for want of room, nothing
 *	   that is said of them is untrue of the whole
 *	8. written as PEM and read again it is the same certificate
 *	9. issued by a CA it is verified, or not, as OpenSSL alone does it
 *	   (chain_oracle.c)
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "chain_oracle.h"
#include "core.h"
#include "revocation/crlkey.h"
#include "pki/der.h"
#include "der_mutator.h"
#include "base/escape.h"
#include "policy/evaluate.h"
#include "pki/pem.h"
#include "pki/x509.h"

static const char *
outcome_name(Outcome outcome)
{
	return outcome == OUTCOME_OK ? "holds" : outcome == OUTCOME_FAILED ? "fails" :
																		 "not known";
}

static bool
match_everything(const char *pattern, const char *const *texts, int ntexts, bool ignore_case)
{
	return ntexts > 0;
}

/*
 * The verdict on a role with this certificate, if that is its label.
 */
static Outcome
verdict(const CertFacts *cert, const char *label, const char *role)
{
	PolicyError error;
	AppliedPolicy applied = {.source = SOURCE_ROLE, .name = "role", .policy = parse_policy(label, PLACE_ROLE, NULL, &error)};
	Facts		facts = {
		.role = role,
		.database = "db",
		.address_len = 4,
		.ssl = true,
		.tls_version = TLS_1_3,
		.verified = true,
		.cert = cert,
	};

	HOLDS(applied.policy, "%s: %s", label, error.message);
	return evaluate(&applied, 1, &facts, match_everything, 0)->outcome;
}

/*
 * key='value', with what has a meaning in a policy made literal.  NULL if it
 * does not fit.
 */
static char *
label_for(const char *key, const char *value, size_t len)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s='", key);
	if (strchr(key, '=') != NULL)
	{
		resetStringInfo(&buf);
		appendStringInfo(&buf, "%.*s='%s", (int) strcspn(key, "="), key, strchr(key, '=') + 1);
	}
	for (size_t i = 0; i < len; i++)
	{
		if (value[i] == '\'' || value[i] == '\\')
			appendStringInfoChar(&buf, '\\');
		if (value[i] == '%')
			appendStringInfoChar(&buf, '%');
		appendStringInfoChar(&buf, value[i]);
	}
	appendStringInfoChar(&buf, '\'');
	return buf.len <= POLICY_MAX_BYTES && strlen(buf.data) == (size_t) buf.len ? buf.data : NULL;
}

/*
 * 1
 */
static void
check_unreadable(X509 *cert)
{
	int			critical;
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
	bool		bad_names = names == NULL && critical != -1;
	struct tm	tm;
	bool		valid_strings = true;
	X509_NAME  *both[] = {X509_get_subject_name(cert), X509_get_issuer_name(cert)};

	GENERAL_NAMES_free(names);
	for (int n = 0; n < 2; n++)
		for (int i = 0; i < X509_NAME_entry_count(both[n]); i++)
		{
			ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(both[n], i));
			size_t		len;

			valid_strings &= decoded_string(value, &len) != NULL;
		}
	HOLDS(bad_names || !valid_strings || ASN1_STRING_length(X509_get0_serialNumber(cert)) > MAX_SERIAL ||
			  ASN1_TIME_to_tm(X509_get0_notBefore(cert), &tm) != 1 ||
			  ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1,
		  "not readable for no reason");
}

static bool
is_printable(const char *text)
{
	for (const char *c = text; c && *c; c++)
		if (*c < 0x20 || *c > 0x7E)
			return false;
	return true;
}

/*
 * 2, of a name with attributes that do not fit their types: each of them is there, the
 * last one first.
 */
static void
check_dn_in_hex(const char *dn, const X509_NAME *name)
{
	const char *at = dn;

	HOLDS(is_printable(dn), "%s is not printable", dn);
	for (int i = X509_NAME_entry_count(name) - 1; i >= 0; i--)
	{
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i));
		unsigned char *der = NULL;
		int			len = i2d_ASN1_PRINTABLE(value, &der);
		StringInfoData hex;

		initStringInfo(&hex);
		appendStringInfoString(&hex, "=#");
		for (int k = 0; k < len; k++)
			appendStringInfo(&hex, "%02X", der[k]);
		OPENSSL_free(der);
		if (!is_other_than_ascii(value))
			continue;
		at = strstr(at, hex.data);
		HOLDS(at, "%s has no %s", dn, hex.data);
		at += hex.len;
		HOLDS(*at == '\0' || *at == ',' || *at == '+', "%s: something is behind %s", dn, hex.data);
	}
}

/*
 * 2
 */
static void
check_dn(const char *dn, const X509_NAME *name)
{
	char	   *printed = printed_dn(name, XN_FLAG_RFC2253);
	char	   *letters = printed_dn(name, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);

	HOLDS(printed && letters, "%s: OpenSSL does not print it", dn);
	if (has_other_than_ascii(name))
	{
		check_dn_in_hex(dn, name);
		return;
	}
	HOLDS(strcmp(dn, printed) == 0, "%s\nOpenSSL: %s", dn, printed);
	HOLDS(strcmp(unescape_high_bytes(dn), letters) == 0, "%s\nwith letters: %s\nOpenSSL: %s",
		  dn, unescape_high_bytes(dn), letters);
	HOLDS(is_printable(dn), "%s is not printable", dn);
}

/*
 * 3, of one role.  cn is what the only CN spells, NULL if that is nothing, or
 * PostgreSQL refuses it; dn_cn what it spells where nothing else is in the
 * subject.
 */
static void
check_role(const CertFacts *cert, const char *role, const char *cn, const char *dn_cn)
{
	Outcome		expected = same_text(cn, role) ? OUTCOME_OK : OUTCOME_FAILED;
	char	   *label;

	if (role[0] == '\0')
		return;
	HOLDS(verdict(cert, "sslmode=verify-full", role) == expected,
		  "role \"%s\", CN \"%s\": verify-full", role, shown(cn));
	HOLDS(verdict(cert, "cn=%u", role) == expected, "role \"%s\", CN \"%s\": cn=%%u", role, shown(cn));
	if (role[0] != '/' && (label = label_for("cn", role, strlen(role))) != NULL)
		HOLDS(verdict(cert, label, "other") == expected, "CN \"%s\": %s", shown(cn), label);
	HOLDS(verdict(cert, "dn=CN=%u", role) == (same_text(dn_cn, role) ? OUTCOME_OK : OUTCOME_FAILED),
		  "role \"%s\", CN \"%s\", DN \"%s\": dn=CN=%%u", role, shown(dn_cn), cert->subject_dn);
}

static void
check_common_name(const CertFacts *facts, X509 *cert)
{
	X509_NAME  *subject = X509_get_subject_name(cert);
	bool		accepted = core_accepts_cn(cert);
	int			count = 0;
	char	   *cn = NULL;
	char	   *dn_cn;
	char	   *roles[3] = {"app", "app", "app"};
	bool		garbled = false;
	int			index = -1;

	while ((index = X509_NAME_get_index_by_NID(subject, NID_commonName, index)) >= 0)
	{
		ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
		size_t		len = 0;
		char	   *text = is_other_than_ascii(value) ? NULL : decoded_string(value, &len);

		count++;
		garbled = text == NULL;
		cn = text && strlen(text) == len ? text : NULL;
		if (text)
			roles[count % 2] = text;
		roles[2] = pnstrdup((const char *) ASN1_STRING_get0_data(value),
							(Size) ASN1_STRING_length(value));
	}
	HOLDS(facts->cn_count == count, "%d CNs, not %d", facts->cn_count, count);
	HOLDS(facts->cn_garbled == (count == 1 && garbled), "CN \"%s\" is garbled, or is not", shown(facts->cn));
	dn_cn = count == 1 && X509_NAME_entry_count(subject) == 1 ? cn : NULL;
	if (count != 1 || !accepted)
		cn = NULL;
	for (int i = 0; i < 3; i++)
		check_role(facts, roles[i], cn, dn_cn);
	/* what matches by any pattern has a CN that PostgreSQL takes, too */
	HOLDS(verdict(facts, "cn=/^.*$", "app") == (cn ? OUTCOME_OK : OUTCOME_FAILED),
		  "CN \"%s\" (%s), read as \"%s\": a pattern", shown(cn),
		  accepted ? "accepted" : "refused by PostgreSQL", shown(facts->cn));
	HOLDS(is_printable(facts->cn), "CN %s is not printable", facts->cn);
}

/*
 * 4
 */
static void
check_dn_policy(const CertFacts *facts, X509 *cert)
{
	bool		garbled = has_other_than_ascii(X509_get_subject_name(cert));
	size_t		len = strlen(facts->subject_dn);
	char	   *label = label_for("dn", facts->subject_dn, len);
	char	   *other = label_for("dn", psprintf("%sx", facts->subject_dn), len + 1);

	HOLDS(facts->subject_garbled == garbled, "%s is garbled, or is not", facts->subject_dn);
	HOLDS(verdict(facts, "dn=/^.*$", "app") == (garbled ? OUTCOME_FAILED : OUTCOME_OK), "%s: a pattern", facts->subject_dn);
	if (len == 0 || label == NULL || other == NULL)
		return;
	HOLDS(verdict(facts, label, "app") == (garbled ? OUTCOME_FAILED : OUTCOME_OK),
		  "%s does not match, or is garbled and does", label);
	HOLDS(verdict(facts, other, "app") == OUTCOME_FAILED, "%s matches", other);
}

/*
 * 5: these bytes as a DNS name and as an e-mail address.
 */
static void
check_wanted_name(const CertFacts *facts, X509 *cert, const char *bytes, size_t len)
{
	char	   *label = label_for("san=dns:", bytes, len);
	bool		ascii = true;

	for (size_t i = 0; i < len; i++)
		ascii &= (bytes[i] & 0x80) == 0;
	if (!ascii)
	{
		HOLDS(label == NULL || verdict(facts, label, "app") == OUTCOME_FAILED, "%s matches", label);
		return;
	}

	/* to OpenSSL a leading dot stands for any name before it */
	if (label && bytes[0] != '.')
		HOLDS((verdict(facts, label, "app") == OUTCOME_OK) ==
				  (X509_check_host(cert, bytes, len, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1),
			  "%s: not as X509_check_host()", label);
	label = label_for("san=email:", bytes, len);
	if (label && verdict(facts, label, "app") == OUTCOME_OK)
		HOLDS(X509_check_email(cert, bytes, len, 0) == 1, "%s: not as X509_check_email()", label);
}

/*
 * 5, of one name: text is what was read, value is what stands in the
 * certificate.
 */
static void
check_string_name(const CertFacts *facts, X509 *cert, int type, const char *text,
				  const ASN1_STRING *value)
{
	const char *bytes = (const char *) ASN1_STRING_get0_data(value);
	size_t		len = (size_t) ASN1_STRING_length(value);
	const char *prefix = type == GEN_DNS ? "dns:" : type == GEN_EMAIL ? "email:" :
																		"uri:";
	bool		garbled = is_other_than_ascii(value);
	char	   *expected = psprintf("%s%s%s", garbled ? "bad" : "", prefix, escape_bytes(bytes, (int) len));
	char	   *label;

	HOLDS(strcmp(text, expected) == 0, "%s, not %s", text, expected);
	if (len == 0 || bytes[0] == '/' || memchr(bytes, '\0', len))
		return;
	label = label_for(psprintf("san=%s", prefix), bytes, len);
	if (label)
		HOLDS(verdict(facts, label, "app") == (garbled ? OUTCOME_FAILED : OUTCOME_OK),
			  "%s does not match, or is garbled and does", label);

	/* the same bytes as names of the other types, and in the other case */
	check_wanted_name(facts, cert, bytes, len);
	label = pnstrdup(bytes, len);
	for (size_t i = 0; i < len; i++)
		if ((label[i] >= 'a' && label[i] <= 'z') || (label[i] >= 'A' && label[i] <= 'Z'))
			label[i] ^= 0x20;
	check_wanted_name(facts, cert, label, len);
}

static bool
is_user_principal_name(const GENERAL_NAME *name)
{
	char		oid[64] = "";

	if (name->type == GEN_OTHERNAME)
		OBJ_obj2txt(oid, sizeof(oid), name->d.otherName->type_id, 1);
	return strcmp(oid, "1.3.6.1.4.1.311.20.2.3") == 0;
}

/*
 * 5, of one user principal name of so many.
 */
static void
check_user_principal_name(const CertFacts *facts, const ASN1_TYPE *value, int count, const char *text)
{
	bool		string = value->type == V_ASN1_UTF8STRING || value->type == V_ASN1_BMPSTRING ||
		value->type == V_ASN1_UNIVERSALSTRING || value->type == V_ASN1_PRINTABLESTRING ||
		value->type == V_ASN1_IA5STRING || value->type == V_ASN1_NUMERICSTRING ||
		value->type == V_ASN1_VISIBLESTRING;
	const ASN1_STRING *content = string ? value->value.asn1_string : NULL;
	size_t		len = 0;
	char	   *name = NULL;
	char	   *label;

	if (string && !is_other_than_ascii(content) && (value->type != V_ASN1_UTF8STRING || is_utf8(content)))
		name = decoded_string(content, &len);
	if (name && strlen(name) != len)
		name = NULL;
	HOLDS(name ? strcmp(text, psprintf("upn:%s", escape_bytes(name, (int) len))) == 0 :
				 strncmp(text, "badupn:#", 8) == 0,
		  "user principal name \"%s\" of type %d reads as %s", shown(name), value->type, text);
	label = name && len > 0 && name[0] != '/' ? label_for("san=upn:", name, len) : NULL;
	if (label)
		HOLDS(verdict(facts, label, "app") == (count == 1 ? OUTCOME_OK : OUTCOME_FAILED), "%s, of %d", label, count);
	HOLDS(verdict(facts, "san=upn:/^.*$", "app") == (name && count == 1 ? OUTCOME_OK : OUTCOME_FAILED),
		  "%s, of %d: a pattern", text, count);
}

static void
check_alternative_names(const CertFacts *facts, X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int			upns = 0;

	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++)
		upns += is_user_principal_name(sk_GENERAL_NAME_value(names, i));
	HOLDS(facts->upn_count == upns, "%d user principal names, not %d", facts->upn_count, upns);
	if (upns == 0)
		HOLDS(verdict(facts, "san=upn:/^.*$", "app") == OUTCOME_FAILED, "a user principal name matches, and there is none");
	HOLDS(facts->nsans == (names ? sk_GENERAL_NAME_num(names) : 0), "%d names", facts->nsans);
	for (int i = 0; i < facts->nsans; i++)
	{
		int			type;
		const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
		const char *text = facts->sans[i];

		HOLDS(is_printable(text), "%s is not printable", text);
		if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI)
			check_string_name(facts, cert, type, text, value);
		else if (type == GEN_IPADD)
		{
			int			len = ASN1_STRING_length(value);

			HOLDS((strncmp(text, "ip:", 3) == 0) == (len == 4 || len == 16), "%s of %d bytes", text, len);
			if (strncmp(text, "ip:", 3) == 0)
				HOLDS(X509_check_ip(cert, ASN1_STRING_get0_data(value), (size_t) len, 0) == 1 &&
						  X509_check_ip_asc(cert, text + 3, 0) == 1 &&
						  verdict(facts, psprintf("san=%s", text), "app") == OUTCOME_OK,
					  "%s does not match", text);
		}
		else if (is_user_principal_name(sk_GENERAL_NAME_value(names, i)))
			check_user_principal_name(facts, sk_GENERAL_NAME_value(names, i)->d.otherName->value, upns, text);
		else
			HOLDS(strncmp(text, "dns:", 4) != 0 && strncmp(text, "upn:", 4) != 0 && strncmp(text, "ip:", 3) != 0 &&
					  strncmp(text, "uri:", 4) != 0 && strncmp(text, "email:", 6) != 0,
				  "type %d reads as %s", type, text);
	}
	GENERAL_NAMES_free(names);
}

/*
 * 6
 */
static void
check_serial(const CertFacts *facts, X509 *cert)
{
	static const uint8 identity[CA_IDENTITY_LEN] = "identity of some CA";
	unsigned char *der = NULL;
	int			len = i2d_ASN1_INTEGER(X509_get_serialNumber(cert), &der);
	Slice		from = {der, der + len};
	Slice		content;
	uint8		by_bytes[CRL_KEY_LEN];
	uint8		by_text[CRL_KEY_LEN];

	HOLDS(next_der_integer(&from, &content) && from.pos == from.end, "serial %s", facts->serial);
	HOLDS(crl_entry_key(identity, content.pos, (int) slice_len(&content), by_bytes) &&
			  decimal_crl_entry_key(identity, facts->serial, by_text),
		  "no key for serial %s", facts->serial);
	HOLDS(memcmp(by_bytes, by_text, CRL_KEY_LEN) == 0, "two keys for serial %s", facts->serial);
	OPENSSL_free(der);
}

static void
check_date(int64 seconds, const ASN1_TIME *time)
{
	struct tm	tm;

	HOLDS(ASN1_TIME_to_tm(time, &tm) == 1 && seconds == timegm(&tm), "%lld, not %lld",
		  (long long) seconds, (long long) timegm(&tm));
}

/*
 * 7
 */
static void
check_packing(const CertFacts *facts)
{
	static const char *const labels[] = {
		"sslmode=verify-full",
		"cn=/^.*$",
		"dn=/^.*$",
		"cn=app",
		"dn=CN=app",
		"san=dns:app",
		"san=uri:/^.*$ cn=a",
		"san=upn:app",
		"max_lifetime=90d",
		"sslmode=verify-ca on_expiry=end",
	};
	size_t		size;
	char	   *bytes = pack_cert(facts, 1000000, &size);
	CertFacts  *whole = unpack_cert(bytes, size);

	HOLDS(whole && !whole->cut && strcmp(whole->subject_dn, facts->subject_dn) == 0 &&
			  strcmp(whole->issuer_dn, facts->issuer_dn) == 0 && same_text(whole->cn, facts->cn) &&
			  whole->cn_count == facts->cn_count && whole->cn_garbled == facts->cn_garbled && whole->upn_count == facts->upn_count &&
			  whole->subject_garbled == facts->subject_garbled && strcmp(whole->serial, facts->serial) == 0 &&
			  strcmp(whole->key_algorithm, facts->key_algorithm) == 0 &&
			  strcmp(whole->signature_algorithm, facts->signature_algorithm) == 0 &&
			  whole->key_bits == facts->key_bits && whole->not_before == facts->not_before &&
			  whole->not_after == facts->not_after && whole->nsans == facts->nsans && whole->ncas == 0 &&
			  memcmp(whole->fingerprint, facts->fingerprint, FINGERPRINT_LEN) == 0,
		  "unpacked it is another certificate");
	for (int i = 0; i < facts->nsans; i++)
		HOLDS(strcmp(whole->sans[i], facts->sans[i]) == 0, "unpacked it has the name %s", whole->sans[i]);

	for (size_t limit = 0; limit < size; limit = limit * 3 / 2 + 8)
	{
		size_t		cut_size;
		char	   *cut_bytes = pack_cert(facts, limit, &cut_size);
		CertFacts  *cut = unpack_cert(cut_bytes, cut_size);

		for (int i = 0; i < (int) lengthof(labels); i++)
		{
			Outcome		said = verdict(cut, labels[i], "app");
			Outcome		truth = verdict(facts, labels[i], "app");

			HOLDS(said == truth || said == OUTCOME_UNKNOWN,
				  "%s: %s, of %zu bytes %s", labels[i], outcome_name(truth), limit, outcome_name(said));
		}
	}
}

/*
 * 8
 */
static void
check_pem(X509 *cert)
{
	StringInfoData buf;
	PemContent *content;
	char	   *error;

	initStringInfo(&buf);
	HOLDS(append_pem_certificate(&buf, cert), "it cannot be written");
	content = read_pem(buf.data, (size_t) buf.len, &error);
	HOLDS(content, "%s: %s", error, buf.data);
	HOLDS(sk_X509_num(content->certs) == 1 && X509_cmp(sk_X509_value(content->certs, 0), cert) == 0 &&
			  sk_X509_CRL_num(content->crls) == 0 && content->nkeys == 0 && content->nothers == 0,
		  "another certificate: %s", buf.data);
	free_pem_content(content);
}

void
fuzz_one(const uint8 *data, size_t size)
{
	const unsigned char *pos = data;
	X509	   *cert = d2i_X509(NULL, &pos, (long) size);
	CertFacts  *facts;

	ERR_clear_error();
	if (cert == NULL)
		return;
	facts = read_certificate(cert, NULL);
	HOLDS(ERR_peek_error() == 0, "OpenSSL's error queue is not empty");
	if (facts == NULL)
		check_unreadable(cert);
	else
	{
		check_dn(facts->subject_dn, X509_get_subject_name(cert));
		check_dn(facts->issuer_dn, X509_get_issuer_name(cert));
		check_common_name(facts, cert);
		check_dn_policy(facts, cert);
		check_alternative_names(facts, cert);
		check_serial(facts, cert);
		check_date(facts->not_before, X509_get0_notBefore(cert));
		check_date(facts->not_after, X509_get0_notAfter(cert));
		check_packing(facts);
		check_pem(cert);
	}
	check_verification(cert);
	X509_free(cert);
}

extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed);

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size, unsigned seed)
{
	return der_mutate(data, size, max_size, seed);
}
