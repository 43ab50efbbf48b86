/*-------------------------------------------------------------------------
 *
 * clientplan.h
 *		What a client must do: how it verifies the server, which TLS versions and
 *		ciphers it offers, and where it keeps its files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTPLAN_H
#define SSLPOLICY_CLIENTPLAN_H

#include "nodes/pg_list.h"

#include "advice/clientneeds.h"
#include "advice/serverhost.h"
#include "material/serverca.h"

#define DEFAULT_CLIENT_DIRECTORY "/etc/ssl/postgresql"

/* The names under which libpq and pgJDBC look for them in ~/.postgresql. */
#define ROOT_FILE		  "root.crt"
#define CERT_FILE		  "postgresql.crt"
#define KEY_FILE		  "postgresql.key"
#define REQUEST_FILE	  "postgresql.csr"
#define JDBC_KEY_FILE	  "postgresql.pk8"
#define OPENSSL_CONF_FILE "openssl.cnf"

typedef struct ClientPlan
{
	const Facts *facts;
	const char *directory;		/* of its files, in UTF-8 */
	ClientNeeds *needs;
	ServerIdentity *server;
	ServerHost *host;			/* a name in the server's certificate */
	const char *sslmode;		/* of the client */
	const char *sslmode_note;
	TlsVersion	min_protocol;	/* of the client */
	List	   *problems;		/* texts: what no client can change */
} ClientPlan;

extern ClientPlan *plan_client(const Facts *facts, const char *directory);
extern bool client_verifies(const ClientPlan *plan);
extern bool client_uses_tls(const ClientPlan *plan);
extern bool client_presents_certificate(const ClientPlan *plan);
extern bool is_physical_replication(const ClientPlan *plan);
extern const char *client_host(const ClientPlan *plan);
extern char *client_file(const ClientPlan *plan, const char *name);
extern char *client_openssl_conf(const ClientPlan *plan);
extern char *join_texts(List *texts, const char *separator);

#endif							/* SSLPOLICY_CLIENTPLAN_H */
