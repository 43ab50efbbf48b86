/*-------------------------------------------------------------------------
 *
 * compat.h
 *		What differs between the versions of PostgreSQL and OpenSSL.
 *
 * The only file that looks at PG_VERSION_NUM or OPENSSL_VERSION_NUMBER.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_COMPAT_H
#define SSLPOLICY_COMPAT_H

#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/opensslv.h>
#include <openssl/ssl.h>

#include "catalog/pg_auth_members.h"
#include "catalog/pg_database.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "postmaster/bgworker_internals.h"
#include "replication/walreceiver.h"
#include "storage/proc.h"
#include "common/string.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/guc.h"

/* in c.h since 18, where what PostgreSQL had before is gone */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

/* part of postgres.h until 15 */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "sslpolicy needs PostgreSQL 15 or later"
#endif

#ifndef USE_OPENSSL
#error "sslpolicy needs a PostgreSQL that was built with OpenSSL"
#endif

#if OPENSSL_VERSION_NUMBER < 0x30000000L
#error "sslpolicy needs OpenSSL 3.0 or later"
#endif

/*
 * The version that files of this server's own belong to.
 */
static inline uint32
compat_major_version(void)
{
	return PG_VERSION_NUM / 100;
}

/*
 * A number from 0 to below MaxBackends that is this backend's alone.
 */
static inline int
compat_proc_number(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyProc->pgprocno;
#endif
}

/*
 * The local id of a backend's running transaction.
 */
static inline LocalTransactionId
compat_transaction(const volatile PGPROC *proc)
{
#if PG_VERSION_NUM >= 170000
	return proc->vxid.lxid;
#else
	return proc->lxid;
#endif
}

/*
 * Is a background worker of this name registered?  RegisterBackgroundWorker()
 * does not say.
 */
static inline bool
compat_worker_registered(const char *name)
{
#if PG_VERSION_NUM >= 180000
	dlist_iter	iter;

	dlist_foreach(iter, &BackgroundWorkerList)
	{
		if (strcmp(dlist_container(RegisteredBgWorker, rw_lnode, iter.cur)->rw_worker.bgw_name, name) == 0)
			return true;
	}
#else
	slist_iter	iter;

	slist_foreach(iter, &BackgroundWorkerList)
	{
		if (strcmp(slist_container(RegisteredBgWorker, rw_lnode, iter.cur)->rw_worker.bgw_name, name) == 0)
			return true;
	}
#endif
	return false;
}

/*
 * Does a grant of membership let the member act with the role's privileges?
 * Until 15 every grant does; since 16 it needs INHERIT or SET.
 */
static inline bool
compat_grant_conveys(Form_pg_auth_members grant)
{
#if PG_VERSION_NUM >= 160000
	return grant->inherit_option || grant->set_option;
#else
	(void) grant;
	return true;
#endif
}

#if PG_VERSION_NUM >= 160000
#define COMPAT_CONVEYING_GRANTS "grants with INHERIT or SET"
#else
#define COMPAT_CONVEYING_GRANTS "all grants"
#endif

/*
 * May user change properties of role?  The rules are those of AlterRole(): since 16
 * that needs CREATEROLE and ADMIN OPTION on the role; on 15 CREATEROLE is enough for
 * every role but superusers and those with REPLICATION.  (The caller checks for
 * superusers.)
 */
static inline bool
compat_may_administer(Oid user, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return has_createrole_privilege(user) && is_admin_of_role(user, role);
#else
	return has_createrole_privilege(user) &&
		(superuser_arg(user) || !has_rolreplication(role));
#endif
}

#if PG_VERSION_NUM >= 160000
#define COMPAT_ADMIN_PRIVILEGE "CREATEROLE and ADMIN OPTION on the role"
#else
#define COMPAT_ADMIN_PRIVILEGE "CREATEROLE; for a role with REPLICATION you must be a superuser"
#endif

/*
 * Does CREATEROLE alone allow one to grant and to rename every role that is not a
 * superuser?  Since 16 that takes ADMIN OPTION on the role.
 */
static inline bool
compat_createrole_reaches_all(void)
{
#if PG_VERSION_NUM >= 160000
	return false;
#else
	return true;
#endif
}

/* Can a role with CREATEROLE grant itself roles like pg_execute_server_program? */
#if PG_VERSION_NUM >= 160000
#define COMPAT_CREATEROLE_IS_POWERFUL "false"
#else
#define COMPAT_CREATEROLE_IS_POWERFUL "true"
#endif

static inline bool
compat_owns_database(Oid database, Oid user)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, user);
#else
	return pg_database_ownercheck(database, user);
#endif
}

/*
 * Memory for the "extra" of a setting: guc.c frees it.
 */
static inline void *
compat_guc_malloc(size_t size)
{
#if PG_VERSION_NUM >= 160000
	return guc_malloc(LOG, size);
#else
	return malloc(size);
#endif
}

/*
 * Is ALTER SYSTEM allowed at all?  A setting since 17.
 */
static inline bool
compat_allow_alter_system(void)
{
#if PG_VERSION_NUM >= 170000
	return AllowAlterSystem;
#else
	return true;
#endif
}

/*
 * The status of a backend, counted from 1, in the snapshot of this process.
 */
static inline LocalPgBackendStatus *
compat_local_backend_status(int index)
{
#if PG_VERSION_NUM >= 160000
	return pgstat_get_local_beentry_by_index(index);
#else
	return pgstat_fetch_stat_local_beentry(index);
#endif
}

/*
 * Open a connection for physical replication.  NULL, with *error, if that fails.
 */
static inline WalReceiverConn *
compat_connect_walreceiver(const char *conninfo, const char *name, char **error)
{
#if PG_VERSION_NUM >= 170000
	return walrcv_connect(conninfo, true, false, false, name, error);
#elif PG_VERSION_NUM >= 160000
	return walrcv_connect(conninfo, false, false, name, error);
#else
	return walrcv_connect(conninfo, false, name, error);
#endif
}

/*
 * A name as core stores application_name: only printable ASCII.
 */
static inline char *
compat_clean_ascii(const char *name)
{
#if PG_VERSION_NUM >= 160000
	return pg_clean_ascii(name, 0);
#else
	char	   *result = pstrdup(name);

	pg_clean_ascii(result);
	return result;
#endif
}

/* The name of the setting with the groups of key exchange. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_GROUPS_SETTING "ssl_groups"
#else
#define COMPAT_GROUPS_SETTING "ssl_ecdh_curve"
#endif

/*
 * Set the groups of a server's context as the server does, from the value of that
 * setting: a list since 18, the name of one curve before.
 */
static inline bool
compat_set_groups(SSL_CTX *context, const char *value)
{
#if PG_VERSION_NUM >= 180000
	return SSL_CTX_set1_groups_list(context, value) == 1;
#else
	int			nid = OBJ_sn2nid(value);
	EC_GROUP   *group = nid == NID_undef ? NULL : EC_GROUP_new_by_curve_name(nid);

	if (group == NULL)
		return false;
	EC_GROUP_free(group);
	/* one that TLS does not know leaves OpenSSL's own, without an error */
	(void) SSL_CTX_set1_groups(context, &nid, 1);
	return true;
#endif
}

/*
 * Does the server choose its certificate by the host name that the client asks
 * for?  Since 19, with ssl_sni.
 */
static inline bool
compat_ssl_sni(void)
{
#if PG_VERSION_NUM >= 190000
	return ssl_sni;
#else
	return false;
#endif
}

/*
 * Do certificates and CAs stand in pg_hosts.conf?  Then the server does not look
 * at ssl_cert_file, ssl_key_file and ssl_ca_file.  True also if that file cannot
 * be read: the server does not go back to the settings then.
 */
static inline bool
compat_certificates_by_host(void)
{
#if PG_VERSION_NUM >= 190000
	List	   *hosts = NIL;
	char	   *error = NULL;
	HostsFileLoadResult result = ssl_sni ? load_hosts(&hosts, &error) : HOSTSFILE_DISABLED;

	return result == HOSTSFILE_LOAD_OK || result == HOSTSFILE_LOAD_FAILED;
#else
	return false;
#endif
}

/*
 * Does PostgreSQL itself log why a handshake did not accept the client's certificate?
 * Since 16.
 */
#if PG_VERSION_NUM >= 160000
#define COMPAT_LOGS_FAILED_CERTIFICATE true
#else
#define COMPAT_LOGS_FAILED_CERTIFICATE false
#endif

/*
 * Is this the postmaster's message about a pg_hosts.conf that it cannot load?
 */
static inline bool
compat_is_hosts_file_error(const ErrorData *edata)
{
#if PG_VERSION_NUM >= 190000
	return ssl_sni && edata->message_id != NULL && edata->message != NULL &&
		strncmp(edata->message_id, "could not load ", strlen("could not load ")) == 0 &&
		HostsFileName && strstr(edata->message, HostsFileName) != NULL;
#else
	(void) edata;
	return false;
#endif
}

/*
 * Is this the message that follows whatever was wrong with a load?
 */
static inline bool
compat_is_sni_kept(const ErrorData *edata)
{
	return edata->message_id != NULL &&
		strncmp(edata->message_id, "SSL configuration not reloaded", strlen("SSL configuration not reloaded")) == 0;
}

#endif							/* SSLPOLICY_COMPAT_H */
