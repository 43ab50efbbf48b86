/*
 * For t/017_material_places.pl: another module with an openssl_tls_init_hook,
 * which gives the passphrase of the server's key and calls the hook before it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/libpq-be.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static openssl_tls_init_hook_typ previous_hook = NULL;

static int
passphrase(char *buf, int size, int rwflag, void *userdata)
{
	strlcpy(buf, "secret", (size_t) size);
	return (int) strlen(buf);
}

static void
set_passphrase(SSL_CTX *context, bool is_server_start)
{
	if (previous_hook)
		previous_hook(context, is_server_start);
	SSL_CTX_set_default_passwd_cb(context, passphrase);
}

void
_PG_init(void)
{
	previous_hook = openssl_tls_init_hook;
	openssl_tls_init_hook = set_passphrase;
}
