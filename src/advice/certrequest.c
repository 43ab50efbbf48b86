/*-------------------------------------------------------------------------
 *
 * certrequest.c
 *		The names that a client certificate has to carry, and how to ask a CA
 *		for it.
 *
 * Of the names that policies accept one certificate's are chosen, and evaluate()
 * says whether these meet every policy.  Regular expressions are not solved:
 * they are met if a name met another way, or CN = role, happens to match.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "advice/certrequest.h"
#include "advice/clienttext.h"
#include "base/escape.h"
#include "pki/x509.h"
#include "policy/checktext.h"
#include "policy/matcher.h"

/*
 * The bytes of text in escaped form.
 */
static char *
unescape(const char *escaped)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *c = escaped; *c; c++)
	{
		int			high = *c == '\\' ? hex_value(c[1]) : -1;
		int			low = high >= 0 ? hex_value(c[2]) : -1;

		if (low < 0)
			appendStringInfoChar(&buf, *c);
		else
		{
			appendStringInfoChar(&buf, (char) (high << 4 | low));
			c += 2;
		}
	}
	return buf.data;
}

/*
 * Has it a value that is text, as a request by -subj needs it?
 */
static bool
can_be_requested(const DnAttribute *attribute)
{
	return !attribute->hex && attribute->value_len > 0 &&
		strlen(attribute->value) == (size_t) attribute->value_len;
}

static void
append_subject_value(StringInfo buf, const char *value)
{
	for (const char *c = value; *c; c++)
	{
		if (strchr("/+\\", *c))
			appendStringInfoChar(buf, '\\');
		appendStringInfoChar(buf, *c);
	}
}

/*
 * A name as it is printed once it has been encoded, which may change the order
 * within an RDN; NULL if it cannot be.
 */
static char *
encoded_dn(X509_NAME *name)
{
	unsigned char *der = NULL;
	const unsigned char *at;
	int			len = i2d_X509_NAME(name, &der);
	X509_NAME  *decoded;
	char	   *printed = NULL;

	at = der;
	decoded = len > 0 ? d2i_X509_NAME(NULL, &at, len) : NULL;
	if (decoded)
		printed = dn_text(decoded);
	X509_NAME_free(decoded);
	OPENSSL_free(der);
	return printed;
}

/*
 * Take a DN in RFC 2253 form as the subject.  False if it cannot be made into a
 * subject that is printed the same.
 */
static bool
set_subject(CertRequest *request, const char *dn)
{
	DnError		error;
	Dn		   *parsed = dn_read(dn, &error);
	X509_NAME  *name = X509_NAME_new();
	StringInfoData buf;
	bool		ok = name != NULL && parsed != NULL;
	char	   *printed;

	request->names.cn = NULL;
	request->names.cn_count = 0;
	for (int i = 0; ok && i < parsed->count; i++)
	{
		const DnAttribute *attribute = &parsed->attributes[i];

		ok = can_be_requested(attribute) && name_add_attribute(name, attribute);
		if (ok && strcmp(attribute->type, "CN") == 0)
		{
			request->names.cn = escape_bytes(attribute->value, attribute->value_len);
			request->names.cn_count++;
		}
	}
	if (request->names.cn_count > 1)
		request->names.cn = NULL;
	printed = ok ? encoded_dn(name) : NULL;
	X509_NAME_free(name);
	ERR_clear_error();
	if (printed == NULL || strcmp(printed, dn) != 0)
		return false;
	/* -subj has the attributes in the order of a certificate */
	initStringInfo(&buf);
	for (int i = parsed->count - 1; i >= 0; i--)
	{
		bool		joins = i + 1 < parsed->count && parsed->attributes[i + 1].joined;

		appendStringInfo(&buf, "%c%s=", joins ? '+' : '/', parsed->attributes[i].type);
		append_subject_value(&buf, parsed->attributes[i].value);
	}
	request->names.subject_dn = printed;
	request->subject = buf.data;
	return true;
}

static bool
set_common_name(CertRequest *request, const char *cn)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "CN=");
	append_dn_value(&buf, cn, true, true);
	return set_subject(request, buf.data);
}

/*
 * Does a check ask for something that the request has to have: a name, or an attribute
 * of the subject?
 */
bool
is_about_names(const Check *check)
{
	return check->key == KEY_CN || check->key == KEY_OU || check->key == KEY_O;
}

/*
 * The first check of names that the request does not meet; NULL if it meets all.
 */
static const Check *
unmet_names(const CertRequest *request, const Applicable *applicable, const Facts *facts)
{
	Facts		supposed = *facts;
	Verdict    *verdict;

	supposed.unknown = facts->unknown & (UNKNOWN_ADDRESS | UNKNOWN_DATABASE);
	supposed.ssl = true;
	supposed.verified = true;
	supposed.cert = &request->names;
	verdict = evaluate(applicable->policies, applicable->count, &supposed, regex_matches, 0);
	for (int i = 0; i < verdict->nchecks; i++)
		if (is_about_names(&verdict->checks[i]) && !verdict->checks[i].log_only &&
			verdict->checks[i].outcome != OUTCOME_OK)
			return &verdict->checks[i];
	return NULL;
}

/*
 * Add the first attribute to the subject that a check accepts and that is no regular
 * expression: a user ID or an e-mail address before what is there, the others behind it.
 * False if there is none, or it is there: two of the same name nobody.
 */
static bool
add_attribute(CertRequest *request, const Check *check, const char *role)
{
	for (int i = 0; !check->role_cn && i < check->asks->nvalues; i++)
	{
		const PolicyValue *value = &check->asks->values[i];
		bool		name = check->key == KEY_CN;
		StringInfoData attribute;
		char	  **there;
		int			count;

		if (value->regex || (name ? value->key != KEY_UID && value->key != KEY_EMAIL : value->key != check->key))
			continue;
		there = subject_values(&request->names, value->key, &count);
		if (count < 0 || (name && count > 0))
			continue;
		for (int k = 0; k < count; k++)
			if (there[k] && strcmp(there[k], escape_bytes(value->text, (int) strlen(value->text))) == 0)
				return false;
		initStringInfo(&attribute);
		appendStringInfo(&attribute, "%s=", subject_attribute(value->key));
		append_dn_value(&attribute, name ? unescape(expand_name(value, role)) : value->text, true, true);
		return set_subject(request, name ? psprintf("%s,%s", attribute.data, request->names.subject_dn) : psprintf("%s,%s", request->names.subject_dn, attribute.data));
	}
	return false;
}

/*
 * Can a certificate have this alternative name?  All but user principal names are
 * ASCII.
 */
static bool
is_possible_san(const char *san)
{
	if (strncmp(san, "upn:", 4) == 0)
		return true;
	for (const char *c = unescape(san); *c; c++)
		if (IS_HIGHBIT_SET(*c))
			return false;
	return true;
}

/*
 * Add the first subject alternative name that a check accepts and that is no
 * regular expression.  False if there is none, or it is there.
 */
static bool
add_alt_name(CertRequest *request, const Check *check, const char *role)
{
	CertFacts  *names = &request->names;

	for (int i = 0; check->key == KEY_CN && !check->role_cn && i < check->asks->nvalues; i++)
	{
		const PolicyValue *value = &check->asks->values[i];
		char	   *san;

		if (value->key != KEY_SAN || value->regex)
			continue;
		san = expand_name(value, role);
		if (!is_possible_san(san))
			continue;
		for (int k = 0; k < names->nsans; k++)
			if (strcmp(names->sans[k], san) == 0)
				return false;
		names->sans = names->sans ?
			repalloc(names->sans, sizeof(char *) * (Size) (names->nsans + 1)) :
			palloc(sizeof(char *));
		names->sans[names->nsans++] = san;
		names->upn_count += strncmp(san, "upn:", 4) == 0;
		return true;
	}
	return false;
}

/*
 * Does the subject do, together with attributes that must be there, and as few alternative
 * names as possible?
 */
static bool
complete(CertRequest *request, const Applicable *applicable, const Facts *facts,
		 bool alt_names_allowed)
{
	const Check *unmet;

	request->names.nsans = 0;
	request->names.upn_count = 0;
	request->names.sans = NULL;
	while ((unmet = unmet_names(request, applicable, facts)) != NULL)
		if (!add_attribute(request, unmet, facts->role) &&
			(!alt_names_allowed || !add_alt_name(request, unmet, facts->role)))
			return false;
	return true;
}

/*
 * Try CN = role, then every name of every rule that may be asked for.
 */
static bool
find_names(CertRequest *request, const Applicable *applicable, const Facts *facts,
		   const Verdict *verdict, bool alt_names_allowed)
{
	if (set_common_name(request, facts->role) &&
		complete(request, applicable, facts, alt_names_allowed))
		return true;
	for (int i = 0; i < verdict->nchecks; i++)
	{
		const Check *check = &verdict->checks[i];

		if (check->key != KEY_CN || check->role_cn || check->log_only)
			continue;
		for (int v = 0; v < check->asks->nvalues; v++)
		{
			const PolicyValue *value = &check->asks->values[v];
			char	   *name;

			if ((value->key != KEY_CN && value->key != KEY_DN) || value->regex)
				continue;
			name = expand_name(value, facts->role);
			if ((value->key == KEY_DN ? set_subject(request, name) :
										set_common_name(request, unescape(name))) &&
				complete(request, applicable, facts, alt_names_allowed))
				return true;
		}
	}
	return false;
}

/*
 * Can the value of an alternative name stand in OpenSSL's configuration language
 * and its list of names as it is?
 */
static bool
is_plain(const char *value)
{
	return value[0] != '\0' &&
		strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/*%@?&=+") == strlen(value) &&
		strcmp(value, "copy") != 0 && strcmp(value, "move") != 0;
}

/*
 * A user principal name.
 */
static GENERAL_NAME *
make_upn(const char *value)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_OBJECT *oid = OBJ_nid2obj(NID_ms_upn);
	ASN1_STRING *string = ASN1_UTF8STRING_new();
	ASN1_TYPE  *typed = ASN1_TYPE_new();

	if (name && string && typed && ASN1_STRING_set(string, value, -1) == 1)
	{
		ASN1_TYPE_set(typed, V_ASN1_UTF8STRING, string);
		if (GENERAL_NAME_set0_othername(name, oid, typed) == 1)
			return name;
		string = NULL;
	}
	GENERAL_NAME_free(name);
	ASN1_STRING_free(string);
	ASN1_TYPE_free(typed);
	return NULL;
}

static bool
push_name(GENERAL_NAMES *names, int type, const char *value)
{
	GENERAL_NAME *name = type == GEN_OTHERNAME ? make_upn(value) :
												 a2i_GENERAL_NAME(NULL, NULL, NULL, type, value, 0);

	if (name == NULL)
		return false;
	return sk_GENERAL_NAME_push(names, name) > 0;
}

/*
 * The alternative names as DER, for names that OpenSSL's configuration language
 * would read differently.
 */
static char *
alt_names_der(const int *types, char **values, int count)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	unsigned char *der = NULL;
	int			len = -1;
	bool		ok = names != NULL;
	StringInfoData buf;

	for (int i = 0; ok && i < count; i++)
		ok = push_name(names, types[i], values[i]);
	if (ok)
		len = i2d_GENERAL_NAMES(names, &der);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	ERR_clear_error();
	if (len <= 0)
		return NULL;
	initStringInfo(&buf);
	appendStringInfoString(&buf, "DER:");
	append_hex(&buf, der, len);
	OPENSSL_free(der);
	return buf.data;
}

static const struct
{
	const char *prefix;
	const char *openssl;
	int			type;
} alt_types[] = {
	{"dns:", "DNS", GEN_DNS},
	{"email:", "email", GEN_EMAIL},
	{"uri:", "URI", GEN_URI},
	{"ip:", "IP", GEN_IPADD},
	{"upn:", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8", GEN_OTHERNAME},
};

static char *
alt_names_text(const CertFacts *names)
{
	StringInfoData buf;
	char	  **values = palloc(sizeof(char *) * (Size) (names->nsans + 1));
	int		   *types = palloc(sizeof(int) * (Size) (names->nsans + 1));
	bool		plain = true;

	initStringInfo(&buf);
	for (int i = 0; i < names->nsans; i++)
		for (int t = 0; t < (int) lengthof(alt_types); t++)
		{
			size_t		len = strlen(alt_types[t].prefix);

			if (strncmp(names->sans[i], alt_types[t].prefix, len) != 0)
				continue;
			values[i] = unescape(names->sans[i] + len);
			types[i] = alt_types[t].type;
			plain &= is_plain(values[i]);
			appendStringInfo(&buf, "%s%s:%s", i > 0 ? "," : "", alt_types[t].openssl, values[i]);
		}
	return plain ? buf.data : alt_names_der(types, values, names->nsans);
}

/*
 * Choose names for a certificate.
 *
 * facts has the role, the address and the database, as far as they are known.
 * role_first: CN = role is better than a shorter request, because pg_hba.conf
 * asks for it too.
 */
CertRequest *
plan_certificate_request(const Applicable *applicable, const Facts *facts, bool role_first)
{
	CertRequest *request = palloc0(sizeof(CertRequest));
	Verdict    *verdict = evaluate(applicable->policies, applicable->count, facts, regex_matches, 0);
	StringInfoData wanted;

	request->possible = (role_first && set_common_name(request, facts->role) &&
						 complete(request, applicable, facts, true)) ||
		find_names(request, applicable, facts, verdict, false) ||
		find_names(request, applicable, facts, verdict, true);
	if (request->possible && request->names.nsans > 0)
	{
		request->alt_names = alt_names_text(&request->names);
		request->possible = request->alt_names != NULL;
	}
	if (request->possible)
		return request;
	initStringInfo(&wanted);
	for (int i = 0; i < verdict->nchecks; i++)
		if (is_about_names(&verdict->checks[i]) && !verdict->checks[i].log_only)
			appendStringInfo(&wanted, "%s%s", wanted.len ? "; and " : "",
							 check_required(&verdict->checks[i], facts->role));
	request->wanted = wanted.data;
	return request;
}

/*
 * The command that makes a key and the request, for a POSIX shell.
 */
char *
certificate_request_command(const CertRequest *request, const char *key_file, const char *request_file)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "openssl req -new -utf8 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout");
	append_shell_word(&buf, key_file);
	appendStringInfoString(&buf, " -out");
	append_shell_word(&buf, request_file);
	appendStringInfoString(&buf, " -subj");
	append_shell_word(&buf, request->subject);
	if (request->alt_names)
	{
		appendStringInfoString(&buf, " -addext");
		append_shell_word(&buf, psprintf("subjectAltName=%s", request->alt_names));
	}
	return buf.data;
}
