/*-------------------------------------------------------------------------
 *
 * collect.c
 *		A connection's Port as facts, and who it is that calls.
 *
 * The only reader of SSL, except for the server's own certificate (ownkeys.c) and for
 * handshakes that fail (failedcert.c).  Looks at what is in use on the socket, never at
 * what the client asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <openssl/ssl.h>

#include "miscadmin.h"
#include "replication/walsender.h"

#include "base/escape.h"
#include "pki/x509.h"
#include "session/collect.h"

static TlsVersion
tls_version(const SSL *ssl)
{
	switch (SSL_version(ssl))
	{
		case TLS1_VERSION:
			return TLS_1_0;
		case TLS1_1_VERSION:
			return TLS_1_1;
		case TLS1_2_VERSION:
			return TLS_1_2;
		case TLS1_3_VERSION:
			return TLS_1_3;
		default:
			return TLS_NONE;
	}
}

/*
 * How the keys of the session were agreed on: the group's name for (EC)DHE and
 * everything in TLS 1.3, else the method ("RSA").
 */
static const char *
key_exchange(SSL *ssl)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	int			method = cipher ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;

	if (method == NID_kx_ecdhe || method == NID_kx_any || method == NID_kx_dhe)
	{
		int			group = (int) SSL_get_negotiated_group(ssl);
		const char *name = group != NID_undef ? SSL_group_to_name(ssl, group) : NULL;

		if (name)
			return name;
	}
	switch (method)
	{
		case NID_kx_rsa:
			return "RSA";
		case NID_kx_dhe:
			return "DHE";
		case NID_kx_ecdhe:
			return "ECDHE";
		case NID_kx_psk:
			return "PSK";
		default:
			return NULL;
	}
}

static void
collect_address(const SockAddr *peer, Facts *facts)
{
	if (peer->addr.ss_family == AF_UNIX)
		facts->local = true;
	else if (peer->addr.ss_family == AF_INET)
	{
		facts->address_len = 4;
		memcpy(facts->address,
			   &((const struct sockaddr_in *) &peer->addr)->sin_addr, 4);
	}
	else if (peer->addr.ss_family == AF_INET6)
	{
		facts->address_len = 16;
		memcpy(facts->address,
			   &((const struct sockaddr_in6 *) &peer->addr)->sin6_addr, 16);
	}
}

/*
 * The facts of a connection.
 *
 * auth_method is passed in, because the Port knows it only during
 * authentication.  The result points into port and OpenSSL's memory, and is
 * valid as long as the connection.
 */
Facts *
collect_facts(Port *port, const char *auth_method)
{
	Facts	   *facts = palloc0(sizeof(Facts));

	facts->role = port->user_name;
	facts->database = am_walsender && !am_db_walsender ? NULL : port->database_name;
	facts->auth_method = auth_method;
	collect_address(&port->raddr, facts);

	if (!port->ssl_in_use || port->ssl == NULL)
		return facts;

	facts->ssl = true;
	facts->tls_version = tls_version(port->ssl);
	facts->version = SSL_get_version(port->ssl);
	facts->cipher = SSL_get_cipher(port->ssl);
	facts->bits = SSL_get_cipher_bits(port->ssl, NULL);
	facts->key_exchange = key_exchange(port->ssl);
	if (port->peer != NULL && port->peer_cert_valid &&
		SSL_get_verify_result(port->ssl) == X509_V_OK)
	{
		facts->cert = read_certificate(port->peer,
									   SSL_get0_verified_chain(port->ssl));
		facts->verified = facts->cert != NULL;
		facts->unreadable = facts->cert == NULL;
	}
	return facts;
}

/*
 * Did the server ask the client for a certificate?  It does if it has CAs to verify one.
 */
bool
asked_for_certificate(const Port *port)
{
	return port->ssl != NULL && (SSL_get_verify_mode(port->ssl) & SSL_VERIFY_PEER) != 0;
}

/*
 * The client's certificate; NULL if the client has sent none.  *sent are the others that
 * it has sent with it, or NULL.  All belong to the connection.
 */
X509 *
peer_certificate(const Port *port, STACK_OF(X509) **sent)
{
	*sent = port->ssl ? SSL_get_peer_cert_chain(port->ssl) : NULL;
	return port->peer;
}

/*
 * The client's address for the log; "[local]" for a Unix socket.
 */
char *
client_address(Port *port)
{
	Facts		facts = {0};

	if (port != NULL)
		collect_address(&port->raddr, &facts);
	return address_text(&facts);
}

static char *
role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return quoted_name(name ? name : "?");
}

/*
 * The user who acts, the session's where it is another one, and the address:
 * user "team" (session user "bob") from 10.0.0.7.
 */
char *
caller_for_log(Oid user)
{
	Oid			session_user = GetSessionUserId();
	char	   *session = session_user == user ? "" :
										   psprintf(" (session user %s)", role_name(session_user));

	return psprintf("user %s%s from %s", role_name(user), session, client_address(MyProcPort));
}
