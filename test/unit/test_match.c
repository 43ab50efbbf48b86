/*-------------------------------------------------------------------------
 *
 * test_match.c
 *		Which rule of a policy decides: addresses, databases, order, action=log.
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>

#include "session.h"
#include "tap.h"

/*
 * A session without TLS from an address, or from none of TCP's.
 */
static Facts
session_from(const char *address)
{
	Facts		facts = plain_session(NULL);

	facts.ssl = false;
	facts.tls_version = TLS_NONE;
	facts.cipher = NULL;
	memset(facts.address, 0, sizeof(facts.address));
	facts.address_len = address == NULL ? 0 : strchr(address, ':') ? 16 :
																	 4;
	if (address != NULL &&
		inet_pton(facts.address_len == 4 ? AF_INET : AF_INET6, address,
				  facts.address) != 1)
		ok(false, "address %s of a test", address);
	return facts;
}

static void
test_addresses(void)
{
	static const struct
	{
		const char *network;
		const char *address;
		bool		fits;
	} cases[] =
		{
			{"0.0.0.0/0", "0.0.0.0", true},
			{"0.0.0.0/0", "255.255.255.255", true},
			{"0.0.0.0/1", "127.255.255.255", true},
			{"0.0.0.0/1", "128.0.0.0", false},
			{"128.0.0.0/1", "128.0.0.0", true},
			{"128.0.0.0/1", "127.255.255.255", false},
			{"10.0.0.0/7", "11.255.255.255", true},
			{"10.0.0.0/7", "12.0.0.0", false},
			{"10.0.0.0/7", "9.255.255.255", false},
			{"10.0.0.0/8", "10.255.255.255", true},
			{"10.0.0.0/8", "11.0.0.0", false},
			{"10.0.0.0/8", "9.255.255.255", false},
			{"10.128.0.0/9", "10.128.0.0", true},
			{"10.128.0.0/9", "10.255.255.255", true},
			{"10.128.0.0/9", "10.127.255.255", false},
			{"10.128.0.0/9", "11.128.0.0", false},
			{"10.1.0.0/16", "10.1.255.255", true},
			{"10.1.0.0/16", "10.2.0.0", false},
			{"192.0.2.0/24", "192.0.2.255", true},
			{"192.0.2.0/24", "192.0.3.0", false},
			{"192.0.2.0/24", "192.0.1.255", false},
			{"192.0.2.128/25", "192.0.2.127", false},
			{"192.0.2.128/25", "192.0.2.128", true},
			{"192.0.2.10/31", "192.0.2.9", false},
			{"192.0.2.10/31", "192.0.2.10", true},
			{"192.0.2.10/31", "192.0.2.11", true},
			{"192.0.2.10/31", "192.0.2.12", false},
			{"192.0.2.10/32", "192.0.2.10", true},
			{"192.0.2.10/32", "192.0.2.11", false},
			{"192.0.2.10/32", "192.0.2.138", false},
			{"192.0.2.10", "192.0.2.10", true},
			{"192.0.2.10", "192.0.2.9", false},
			{"192.0.2.10", "193.0.2.10", false},

			{"::/0", "::", true},
			{"::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
			{"::/1", "7fff::1", true},
			{"::/1", "8000::", false},
			{"8000::/1", "ffff::", true},
			{"8000::/1", "7fff::", false},
			{"fc00::/7", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
			{"fc00::/7", "fe00::", false},
			{"fc00::/7", "fbff::", false},
			{"fd00::/8", "fdff::", true},
			{"fd00::/8", "fe00::", false},
			{"fd80::/9", "fd80::", true},
			{"fd80::/9", "fd7f::", false},
			{"2001:db8::/31", "2001:db9:ffff::", true},
			{"2001:db8::/31", "2001:dba::", false},
			{"2001:db8::/31", "2001:db7:ffff::", false},
			{"2001:db8::/32", "2001:db8:ffff::", true},
			{"2001:db8::/32", "2001:db9::", false},
			{"2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true},
			{"2001:db8::/64", "2001:db8:0:1::", false},
			{"2001:db8::2/127", "2001:db8::3", true},
			{"2001:db8::2/127", "2001:db8::4", false},
			{"2001:db8::2/127", "2001:db8::1", false},
			{"2001:db8::1/128", "2001:db8::1", true},
			{"2001:db8::1/128", "2001:db8::2", false},
			{"2001:db8::1", "2001:db8::1", true},
			{"2001:db8::1", "2001:db8::8001", false},
			{"::1", "::1", true},

			/* families never mix */
			{"0.0.0.0/0", "::", false},
			{"0.0.0.0/0", "::1", false},
			{"::/0", "0.0.0.0", false},
			{"::/0", "127.0.0.1", false},
			{"127.0.0.1", "::1", false},
			{"127.0.0.1", "7f00:1::", false},
			{"::1", "127.0.0.1", false},
			{"7f00::/8", "127.0.0.1", false},
			{"::ffff:0:0/96", "127.0.0.1", false},
			{"127.0.0.1", "::ffff:127.0.0.1", false},
			{"::ffff:127.0.0.1", "::ffff:127.0.0.1", true},

			/* no TCP */
			{"0.0.0.0/0", NULL, false},
			{"::/0", NULL, false},
			{"0.0.0.0", NULL, false},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Facts		facts = session_from(cases[i].address);

		is_str(judgement_of_role(psprintf("address=%s sslmode=prefer; sslmode=reject",
										  cases[i].network),
								 &facts),
			   cases[i].fits ? "allow" : "deny; role 2 sslmode",
			   "address=%s %s %s", cases[i].network,
			   cases[i].fits ? "fits" : "does not fit",
			   cases[i].address ? cases[i].address : "a session without address");
	}
}

/*
 * For every prefix length: the first and the last address of a network, and
 * the neighbours on either side.
 */
static void
test_every_prefix(void)
{
	for (int len = 4; len <= 16; len += 12)
	{
		int			wrong = 0;

		for (int bits = 2; bits < len * 8; bits++)
		{
			uint8		first[16] = {0};
			uint8		last[16];
			char		text[INET6_ADDRSTRLEN];
			char	   *policy;

			/* not at either end of the address space: it has two neighbours */
			first[0] = 0x40;
			first[(bits - 1) / 8] |= (uint8) (0x80 >> ((bits - 1) % 8));
			memcpy(last, first, sizeof(last));
			for (int bit = bits; bit < len * 8; bit++)
				last[bit / 8] |= (uint8) (0x80 >> (bit % 8));
			inet_ntop(len == 4 ? AF_INET : AF_INET6, first, text, sizeof(text));
			policy = psprintf("address=%s/%d sslmode=prefer; sslmode=reject", text, bits);

			for (int side = 0; side < 4; side++)
			{
				Facts		facts = session_from(NULL);
				bool		inside = side == 1 || side == 2;

				facts.address_len = len;
				memcpy(facts.address, side < 2 ? first : last, (size_t) len);
				if (side == 0)	/* one below the first */
					for (int byte = len - 1; facts.address[byte]-- == 0; byte--)
						;
				if (side == 3)	/* one above the last */
					for (int byte = len - 1; ++facts.address[byte] == 0; byte--)
						;
				if ((strcmp(judgement_of_role(policy, &facts), "allow") == 0) != inside)
				{
					wrong++;
					fprintf(stderr, "# %s, side %d\n", policy, side);
				}
			}
		}
		is_int(wrong, 0, "both ends of networks of every prefix length, %d bytes", len);
	}
}

static void
test_databases(void)
{
	static const struct
	{
		const char *value;
		const char *database;
		bool		fits;
	} cases[] =
		{
			{"shop", "shop", true},
			{"shop", "Shop", false},
			{"shop", "shop2", false},
			{"shop", "sho", false},
			{"'my shop'", "my shop", true},
			{"shop", NULL, false},
			{"replication", NULL, true},
			{"replication", "replication", false},
			{"replication", "shop", false},
			{"'replication'", "replication", true},
			{"'replication'", NULL, false},
			{"'replication'", "shop", false},
			{"Replication", "Replication", true},
			{"Replication", NULL, false},
			{"all", "shop", false},
			{"all", "all", true},
			{"sh%u", "shapp", false},
			{"/^shop$", "shop", false},
			{"shop database=store", "shop", true},
			{"shop database=store", "store", true},
			{"shop database=store", "other", false},
			{"shop database=replication", NULL, true},
			{"shop database=replication", "shop", true},
			{"replication database='replication'", NULL, true},
			{"replication database='replication'", "replication", true},
		};

	for (int i = 0; i < (int) lengthof(cases); i++)
	{
		Facts		facts = session_from("192.0.2.10");

		facts.database = cases[i].database;
		is_str(judgement_of_role(psprintf("database=%s sslmode=prefer; sslmode=reject",
										  cases[i].value),
								 &facts),
			   cases[i].fits ? "allow" : "deny; role 2 sslmode",
			   "database=%s %s %s", cases[i].value,
			   cases[i].fits ? "fits" : "does not fit",
			   cases[i].database ? cases[i].database : "physical replication");
	}
}

/*
 * The session is from 192.0.2.10, on database shop, without TLS.
 */
static void
test_order(void)
{
	static const struct
	{
		const char *policy;
		const char *verdict;
	} cases[] =
		{
			/* any of the values of a key, but all keys */
			{"address=10.0.0.0/8 address=192.0.2.0/24 sslmode=prefer; sslmode=reject",
			 "allow"},
			{"address=192.0.2.0/24 address=10.0.0.0/8 sslmode=prefer; sslmode=reject",
			 "allow"},
			{"address=::/0 address=192.0.2.10 sslmode=prefer; sslmode=reject", "allow"},
			{"address=::/0 address=10.0.0.0/8 sslmode=prefer; sslmode=reject",
			 "deny; role 2 sslmode"},
			{"address=192.0.2.0/24 database=shop sslmode=prefer; sslmode=reject", "allow"},
			{"address=192.0.2.0/24 database=other sslmode=prefer; sslmode=reject",
			 "deny; role 2 sslmode"},
			{"address=10.0.0.0/8 database=shop sslmode=prefer; sslmode=reject",
			 "deny; role 2 sslmode"},
			{"database=other address=10.0.0.0/8 address=192.0.2.10 database=shop"
			 " sslmode=prefer; sslmode=reject",
			 "allow"},

			/* the first that fits decides, for better or worse */
			{"address=192.0.2.10 sslmode=reject; address=192.0.2.0/24 sslmode=prefer;"
			 " sslmode=prefer",
			 "deny; role 1 sslmode"},
			{"address=192.0.2.0/24 sslmode=prefer; address=192.0.2.10 sslmode=reject;"
			 " sslmode=reject",
			 "allow"},
			{"address=10.0.0.0/8 sslmode=reject; address=192.0.2.10 sslmode=require;"
			 " sslmode=prefer",
			 "deny; role 2 sslmode"},
			{"address=10.0.0.0/8 sslmode=reject; database=other sslmode=reject;"
			 " sslmode=disable",
			 "allow"},
			{"address=10.0.0.0/8 sslmode=prefer; database=other sslmode=prefer;"
			 " sslmode=require",
			 "deny; role 3 sslmode"},

			/* action=log: reported, and on to the next */
			{"sslmode=verify-full action=log; sslmode=require",
			 "deny; role 1 sslmode (log); role 1 cn=role (log);"
			 " role 2 sslmode"},
			{"sslmode=verify-ca action=log; sslmode=prefer", "allow; role 1 sslmode (log)"},
			{"sslmode=reject action=log; sslmode=prefer", "allow; role 1 sslmode (log)"},
			{"sslmode=prefer action=log; sslmode=reject", "deny; role 2 sslmode"},
			{"sslmode=require action=log; sslmode=verify-ca action=log; sslmode=prefer",
			 "allow; role 1 sslmode (log); role 2 sslmode (log)"},
			{"min_protocol=TLSv1.3 cipher=A action=log; sslmode=disable",
			 "allow; role 1 sslmode (log); role 1 min_protocol (log);"
			 " role 1 cipher (log)"},
			/* only if its match keys fit */
			{"address=10.0.0.0/8 sslmode=require action=log; sslmode=prefer", "allow"},
			{"address=192.0.2.0/24 sslmode=require action=log; sslmode=prefer",
			 "allow; role 1 sslmode (log)"},
			{"database=other sslmode=require action=log; sslmode=prefer", "allow"},
			/* only before the rule that decides */
			{"address=192.0.2.10 sslmode=prefer; sslmode=require action=log; sslmode=reject",
			 "allow"},
			{"address=10.0.0.0/8 sslmode=prefer; sslmode=require action=log; sslmode=prefer",
			 "allow; role 2 sslmode (log)"},
			/* action=reject is what a rule does anyway */
			{"sslmode=require action=reject", "deny; role 1 sslmode"},
			{"address=192.0.2.10 sslmode=require action=reject; sslmode=prefer",
			 "deny; role 1 sslmode"},
		};
	Facts		facts = session_from("192.0.2.10");

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_str(judgement_of_role(cases[i].policy, &facts), cases[i].verdict,
			   "%s", cases[i].policy);
}

/*
 * Each policy picks its own rule.
 */
static void
test_several_policies(void)
{
	static const struct
	{
		Written		written[MAX_WRITTEN];
		const char *verdict;
	} cases[] =
		{
			{{MINIMUM("address=192.0.2.10 sslmode=prefer; sslmode=reject"),
			  ROLE("address=10.0.0.0/8 sslmode=prefer; sslmode=require")},
			 "deny; role 2 sslmode"},
			{{MINIMUM("database=shop sslmode=require; sslmode=prefer"),
			  ROLE("sslmode=prefer")},
			 "deny; minimum 1 sslmode"},
			{{MINIMUM("sslmode=require action=log; sslmode=prefer"),
			  ROLE("sslmode=verify-ca action=log; sslmode=disable"),
			  DATABASE("address=192.0.2.10 sslmode=require; sslmode=prefer")},
			 "deny; minimum 1 sslmode (log); role 1 sslmode (log);"
			 " database 1 sslmode"},
			{{ROLE("sslmode=prefer"), GROUP("g1", "database=shop sslmode=reject; sslmode=prefer"),
			  GROUP("g2", "database=other sslmode=reject; sslmode=prefer")},
			 "deny; g1 1 sslmode"},
		};
	Facts		facts = session_from("192.0.2.10");

	for (int i = 0; i < (int) lengthof(cases); i++)
		is_str(judgement(cases[i].written, &facts), cases[i].verdict,
			   "each policy picks its own rule, case %d", i + 1);
}

int
main(void)
{
	test_addresses();
	test_every_prefix();
	test_databases();
	test_order();
	test_several_policies();
	return done_testing();
}
