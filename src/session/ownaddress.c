/*-------------------------------------------------------------------------
 *
 * ownaddress.c
 *		Does a client come from the server's own machine?
 *
 * It does if its address is a loopback address, the one that it has connected to, or
 * that of any interface of the machine.  We cannot tell if the connection has gone
 * through a proxy, or through a router that translates addresses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "libpq/ifaddr.h"

#include "session/ownaddress.h"

/* The bytes of an address; an IPv4 address that is mapped to IPv6 is one of IPv4. */
typedef struct PlainAddress
{
	int			len;			/* 4, 16, or 0 if it is neither */
	uint8		bytes[16];
} PlainAddress;

/* What match_interface() compares with. */
typedef struct InterfaceSearch
{
	PlainAddress wanted;
	bool		found;
} InterfaceSearch;

/*
 * ::ffff:127.0.0.1 is 127.0.0.1 (RFC 4291 section 2.5.5.2).
 */
static PlainAddress
plain_address(const uint8 *bytes, int len)
{
	static const uint8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	PlainAddress result = {.len = len};

	if (len == 16 && memcmp(bytes, mapped, sizeof(mapped)) == 0)
	{
		result.len = 4;
		bytes += sizeof(mapped);
	}
	memcpy(result.bytes, bytes, (size_t) result.len);
	return result;
}

static PlainAddress
plain_sockaddr(const struct sockaddr *address)
{
	PlainAddress none = {0};

	if (address == NULL)
		return none;
	if (address->sa_family == AF_INET)
		return plain_address((const uint8 *) &((const struct sockaddr_in *) address)->sin_addr, 4);
	if (address->sa_family == AF_INET6)
		return plain_address((const uint8 *) &((const struct sockaddr_in6 *) address)->sin6_addr, 16);
	return none;
}

static bool
is_same_address(const PlainAddress *a, const PlainAddress *b)
{
	return a->len > 0 && a->len == b->len && memcmp(a->bytes, b->bytes, (size_t) a->len) == 0;
}

static bool
is_loopback(const PlainAddress *address)
{
	static const uint8 ipv6[16] = {[15] = 1};

	return address->len == 4 ? address->bytes[0] == 127 :
							   address->len == 16 && memcmp(address->bytes, ipv6, sizeof(ipv6)) == 0;
}

static void
match_interface(struct sockaddr *address, struct sockaddr *netmask, void *arg)
{
	InterfaceSearch *search = arg;
	PlainAddress own = plain_sockaddr(address);

	search->found |= is_same_address(&own, &search->wanted);
}

/*
 * port is that of the connection, or NULL if there is none.  Look at interfaces last,
 * because that asks the kernel.  If the kernel does not answer, every address may be
 * one of ours.
 */
bool
is_own_address(const Facts *facts, const Port *port)
{
	InterfaceSearch search = {.wanted = plain_address(facts->address, facts->address_len)};

	if (search.wanted.len == 0)
		return false;
	if (is_loopback(&search.wanted))
		return true;
	if (port != NULL)
	{
		PlainAddress server = plain_sockaddr((const struct sockaddr *) &port->laddr.addr);

		if (is_same_address(&server, &search.wanted))
			return true;
	}
	return pg_foreach_ifaddr(match_interface, &search) != 0 || search.found;
}
