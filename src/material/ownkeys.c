/*-------------------------------------------------------------------------
 *
 * ownkeys.c
 *		Is a client's certificate one of the server's own?
 *
 * A role that makes the server connect to itself (dblink, postgres_fdw, CREATE
 * SUBSCRIPTION) can name the server's files as the client's certificate and key,
 * without being able to read them.  So a certificate with one of the server's keys
 * that comes from the server's own machine does not prove who the client is, and
 * meets no policy (evaluate.c).
 *
 * The server's keys are those in force, that of ssl_cert_file, those of the versions
 * that sslpolicy.directory keeps, and the one that waits there for its certificate.
 * Shared memory has the public keys of the files, and by what one can see that the files
 * may have changed.  If they may have, the next login that needs the keys reads the files
 * again.  A key stays when its file has gone, because a client may have read the file
 * just before.  An installation adds its key before it writes any file.
 *
 * Keys are known by a hash that is cheap, since every login with a certificate needs one.
 * Whoever has a key made up so that it looks like one of the server's is refused for
 * that, and has gained nothing.
 *
 * Locking: shared->lock guards all that follows it.  Read files without it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "libpq/libpq.h"
#include "nodes/pg_list.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/sharedmem.h"
#include "material/generation.h"
#include "material/material.h"
#include "material/ownkeys.h"
#include "pki/pem.h"
#include "pki/x509.h"
#include "session/ownaddress.h"
#include "settings/directory.h"
#include "settings/settings.h"

/* There are two or three at a time; the others are earlier ones. */
#define MAX_KEYS 64

/*
 * Two changes within a tick of the file system's clock, some milliseconds, get the same
 * time.
 */
#define SETTLED_SECONDS 1

/* The state of a file, or a folder, when we looked at it; zero if there is none. */
typedef struct FileState
{
	uint64		device;
	uint64		inode;
	int64		size;
	int64		changed;		/* seconds since 1970, and the rest of them */
	int64		changed_ns;
} FileState;

/* Every file with a key is either the first, or comes and goes in the second. */
typedef struct KeyFiles
{
	FileState	cert_file;
	FileState	directory;
} KeyFiles;

typedef struct KeptKey
{
	uint64		hash;			/* public_key_hash() */
	uint64		reading;		/* the last reading that has found it */
} KeptKey;

typedef struct SharedKeys
{
	LWLock	   *lock;
	bool		read;			/* keys has all keys of the files */
	KeyFiles	files;			/* their state when they were read */
	uint64		readings;
	int			count;
	KeptKey		keys[MAX_KEYS];
} SharedKeys;

static SharedKeys *shared = NULL;

static const SharedPiece piece = {
	.name = "sslpolicy own keys",
	.where = (void **) &shared,
	.size = sizeof(SharedKeys),
	.tranche = "sslpolicy_own_keys",
};

void
init_own_keys(void)
{
	share_memory(&piece);
}

static FileState
file_state(const char *path)
{
	FileState	result = {0};
	struct stat st;

	if (stat(path, &st) != 0)
		return result;
	result.device = (uint64) st.st_dev;
	result.inode = (uint64) st.st_ino;
	result.size = (int64) st.st_size;
	result.changed = (int64) st.st_ctim.tv_sec;
	result.changed_ns = (int64) st.st_ctim.tv_nsec;
	return result;
}

static KeyFiles
look_at_files(void)
{
	KeyFiles	result = {file_state(ssl_cert_file), file_state(material_directory())};

	return result;
}

/*
 * Would a change of the file from now on show in its time?
 */
static bool
is_settled(const FileState *file)
{
	int64		age = (int64) time(NULL) - file->changed;

	return file->inode == 0 || age > SETTLED_SECONDS || age < -SETTLED_SECONDS;
}

/*
 * The files that have, or may have, a key of the server, including temporary ones of
 * installations.
 */
static List *
key_files(void)
{
	List	   *paths = list_make1(pstrdup(ssl_cert_file));
	char	   *prefix = psprintf("%s.", material_kind_name(MATERIAL_SERVER));
	DIR		   *dir = opendir(material_directory());
	struct dirent *entry;

	if (dir == NULL)
		return paths;
	while ((entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 ||
			strncmp(entry->d_name, PENDING_KEY, strlen(PENDING_KEY)) == 0)
			paths = lappend(paths, own_file(entry->d_name));
	closedir(dir);
	return paths;
}

/*
 * The hash of the server's public key in a file: that of the first certificate, which
 * OpenSSL takes, too, or else that of the private key.  NULL if there is none.
 */
static uint64 *
read_key_file(const char *path)
{
	uint64	   *hash = palloc(sizeof(uint64));
	size_t		len;
	char	   *error;
	char	   *bytes = path[0] ? read_whole_file(path, &len, &error) : NULL;
	X509	   *cert;
	EVP_PKEY   *key = NULL;
	bool		ok;

	if (bytes == NULL)
		return NULL;
	cert = read_pem_first_certificate(bytes, len);
	if (cert == NULL)
		key = read_pem_private_key(bytes, len, &error);
	wipe_memory(bytes, len);
	ok = cert ? public_key_hash(cert, hash) : key && private_key_hash(key, hash);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok ? hash : NULL;
}

static List *
read_key_files(void)
{
	List	   *hashes = NIL;
	ListCell   *cell;

	foreach(cell, key_files())
	{
		uint64	   *hash = read_key_file(lfirst(cell));

		if (hash != NULL)
			hashes = lappend(hashes, hash);
	}
	return hashes;
}

static bool
is_listed(List *hashes, uint64 hash)
{
	ListCell   *cell;

	foreach(cell, hashes)
		if (*(const uint64 *) lfirst(cell) == hash)
			return true;
	return false;
}

/*
 * The caller holds the lock, at least shared.
 */
static KeptKey *
find_kept(uint64 hash)
{
	for (int i = 0; i < shared->count; i++)
		if (shared->keys[i].hash == hash)
			return &shared->keys[i];
	return NULL;
}

/*
 * Room for one more key.  If there is none, take that of the key which no reading has
 * found for the longest time; NULL if the last reading has found all keys.
 */
static KeptKey *
find_room(void)
{
	KeptKey    *oldest = &shared->keys[0];

	if (shared->count < MAX_KEYS)
		return &shared->keys[shared->count++];
	for (int i = 1; i < MAX_KEYS; i++)
		if (shared->keys[i].reading < oldest->reading)
			oldest = &shared->keys[i];
	return oldest->reading < shared->readings ? oldest : NULL;
}

/*
 * Keep the keys that were read from the files; files is their state before that.
 */
static void
keep_keys(List *hashes, const KeyFiles *files)
{
	ListCell   *cell;
	bool		all = true;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->readings++;
	foreach(cell, hashes)
	{
		uint64		hash = *(const uint64 *) lfirst(cell);
		KeptKey    *key = find_kept(hash);

		if (key == NULL && (key = find_room()) != NULL)
			key->hash = hash;
		if (key != NULL)
			key->reading = shared->readings;
		all &= key != NULL;
	}
	/* without room for all keys, the next login must read the files again */
	shared->read = all && is_settled(&files->cert_file) && is_settled(&files->directory);
	shared->files = *files;
	LWLockRelease(shared->lock);
}

/*
 * Is it a key that a file has, or has had before?
 */
static bool
is_key_of_files(uint64 hash)
{
	KeyFiles	files = look_at_files();
	List	   *hashes;
	bool		known;
	bool		found;

	LWLockAcquire(shared->lock, LW_SHARED);
	known = shared->read && memcmp(&shared->files, &files, sizeof(KeyFiles)) == 0;
	found = find_kept(hash) != NULL;
	LWLockRelease(shared->lock);
	if (found || known)
		return found;

	hashes = read_key_files();
	keep_keys(hashes, &files);
	return is_listed(hashes, hash);
}

/*
 * Is it the key of the certificate that the server uses for this connection, or of one
 * that was in force when this process was started?
 */
static bool
is_key_in_force(X509 *cert, Port *port)
{
	X509	   *used = port ? SSL_get_certificate(port->ssl) : NULL;
	ContextMaterial *materials;
	int			count;

	if (used != NULL && is_same_public_key(cert, used))
		return true;
	(void) inherited_material(&materials, &count);
	for (int i = 0; i < count; i++)
		if (is_same_public_key(cert, materials[i].leaf))
			return true;
	return false;
}

/*
 * Is the key of a client's certificate one of the server's?  port is that of the
 * connection, or NULL if there is none.
 */
bool
has_own_key(X509 *cert, Port *port)
{
	uint64		hash;

	/* a certificate that cannot be read has not proved anything, either */
	if (!public_key_hash(cert, &hash))
		return false;
	return is_key_in_force(cert, port) || is_key_of_files(hash);
}

/*
 * Remember the key of a certificate that is about to become the server's, and the keys
 * of files that may go.  cert can be NULL.
 */
void
remember_own_key(X509 *cert)
{
	KeyFiles	files = look_at_files();
	List	   *hashes = read_key_files();
	uint64		hash;

	if (cert != NULL && public_key_hash(cert, &hash))
		hashes = lappend(hashes, &hash);
	keep_keys(hashes, &files);
}

/*
 * Is the client the server itself, with a certificate of the server's?
 *
 * Look at the key before the address: for clients on other machines, that is cheaper.
 */
void
note_own_certificate(Facts *facts, Port *port)
{
	if (facts->verified || facts->unreadable)
		facts->own_certificate = has_own_key(port->peer, port) && is_own_address(facts, port);
}
