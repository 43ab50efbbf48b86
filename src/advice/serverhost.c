/*-------------------------------------------------------------------------
 *
 * serverhost.c
 *		The host name under which clients can verify the server: one of those in
 *		its certificate.
 *
 * As libpq compares them (verify_peer_name_matches_certificate()): a DNS name,
 * also with a wildcard for its first label, or an IP address; the common name
 * only if there is no DNS name.
 *
 *-------------------------------------------------------------------------
 */
#include "advice/serverhost.h"

typedef struct Candidate
{
	const char *name;
	bool		dns;
	bool		common_name;
} Candidate;

static bool
is_host_name(const char *text)
{
	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	return text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(text);
}

static bool
is_loopback(const char *host)
{
	return pg_strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
		strcmp(host, "::1") == 0;
}

/*
 * How good is a name for this client?  More is better; names of this host are
 * good for clients on it alone.
 */
static int
worth(const Candidate *candidate, const char *client_address)
{
	bool		near = client_address != NULL && is_loopback(client_address);

	if (near && strcmp(candidate->name, client_address) == 0)
		return 6;
	if (is_loopback(candidate->name))
		return near ? 5 : candidate->dns ? 1 :
										   0;
	if (candidate->name[0] == '*')
		return 2;
	return candidate->dns ? 4 : 3;
}

/*
 * The best name for a client at this address (NULL: not known).
 */
ServerHost *
server_host(const CertFacts *server, const char *client_address)
{
	ServerHost *host = palloc0(sizeof(ServerHost));
	Candidate  *candidates = palloc0(sizeof(Candidate) * (Size) (server->nsans + 1));
	int			count = 0;
	int			best = 0;
	bool		has_dns = false;
	StringInfoData others;

	for (int i = 0; i < server->nsans; i++)
	{
		const char *san = server->sans[i];
		bool		dns = strncmp(san, "dns:", 4) == 0;

		has_dns |= dns;
		if (dns && is_host_name(san + 4))
			candidates[count++] = (Candidate){san + 4, true, false};
		else if (strncmp(san, "ip:", 3) == 0)
			candidates[count++] = (Candidate){san + 3, false, false};
	}
	if (!has_dns && server->cn && is_host_name(server->cn))
		candidates[count++] = (Candidate){server->cn, true, true};
	if (count == 0)
		return host;

	for (int i = 1; i < count; i++)
		if (worth(&candidates[i], client_address) > worth(&candidates[best], client_address))
			best = i;
	host->wildcard = candidates[best].name[0] == '*';
	host->common_name = candidates[best].common_name;
	host->name = host->wildcard ? psprintf(HOST_PLACEHOLDER "%s", candidates[best].name + 1) :
								  pstrdup(candidates[best].name);
	initStringInfo(&others);
	for (int i = 0; i < count; i++)
		if (i != best)
			appendStringInfo(&others, "%s%s", others.len ? ", " : "", candidates[i].name);
	host->others = others.data;
	return host;
}
