/* SPDX-License-Identifier: MIT */
/*
 * guard.h - the nftables tables of a tunnel with a default route: "wgxdp-IFACE" in family ip for an
 * IPv4 default route, and in family ip6 for an IPv6 default route. Three chains are the same as in
 * wg-quick(8):
 *
 *   preraw      drops packets from other hosts to an address of the tunnel if they arrive on
 *               another interface
 *   premangle   gives each UDP packet the mark of its connection, so that a strict reverse-path
 *               filter (with src_valid_mark) accepts packets of the tunnel's peers
 *   postmangle  saves the mark of the tunnel's UDP packets in their connection (ct mark)
 *
 * wgxdp adds one more chain:
 *
 *   leak        drops packets without our mark that would leave by a default route of table
 *               main, unless table main has a more specific route. Such packets exist if a program
 *               binds its socket to the NIC, or for a moment after another program has removed our
 *               rules or routes. The chain is absent while routing rules of other programs apply,
 *               because we cannot know which packets these rules intend to let out.
 *
 * The tables are set with libnftables, in this process.
 */
#ifndef WGXDP_GUARD_H
#define WGXDP_GUARD_H

#include "host/plan.h"
#include "host/rules.h"
#include "util/buffer.h"

/* The most exits of one family, and the most prefixes that table main routes to one exit. If there
 * are more, the chain "leak" of this family is absent. See struct guard_exit. */
#define GUARD_EXITS_MAX 8
#define GUARD_LOCAL_MAX 1024

/* An exit: one next hop of a default route in table main, and the prefixes that table main routes
 * to this next hop or, if it has no gateway, to its NIC. */
struct guard_exit {
	char nic[16];
	bool has_gateway;
	uint8_t gateway[16];
	struct prefix *local;
	size_t local_count;
};

struct guard_exits {
	struct guard_exit list[GUARD_EXITS_MAX];
	unsigned count;
};

/* The tables that are in the kernel now. */
struct guard {
	char *text; /* commands that last set the tables; NULL = no table was set */
	bool v4, v6;
};

/* What the tables are made from. All pointers are borrowed. */
struct guard_target {
	const char *interface;
	uint32_t tunnel; /* ifindex of the interface */
	const struct plan *plan;
	const struct rules *rules;
};

/* Writes the commands that replace the table of @family (AF_INET, AF_INET6). @exits may be empty.
 * Sets b->failed when out of memory. */
void guard_text(struct buffer *b, const char *interface, const struct plan *plan, uint8_t family,
		const struct guard_exits *exits);

/* Finds the exits among the routes of table main. Ignores routes into @tunnel. Returns 0, -E2BIG
 * (more exits or prefixes than there is room for) or another -errno. */
int guard_find_exits(struct guard_exits *e, struct netlink *nl, uint8_t family, uint32_t tunnel);
void guard_free_exits(struct guard_exits *e);

/* Sets the tables that to->plan needs, and deletes our other tables. Does nothing if the last call
 * set the same tables, unless @damaged is true: another program may have deleted a part of them.
 * Returns 1 if tables were set or deleted, 0 if nothing was done, or -errno with @f filled in. */
int guard_set(struct guard *g, struct netlink *nl, const struct guard_target *to, bool damaged,
	      struct fault *f);

/* Returns the families in which guard_set() last set a table: the bits 1 << NFPROTO_IPV4 and 1 <<
 * NFPROTO_IPV6. */
uint32_t guard_families(const struct guard *g);

/* Deletes the IPv4 table (if @v4) and the IPv6 table (if @v6) of @interface. A missing table is no
 * error. Returns 0, or -errno with @f filled in. */
int guard_delete(const char *interface, bool v4, bool v6, struct fault *f);
void guard_done(struct guard *g); /* frees the text; does not delete the tables */

#define GUARD_TABLE_LEN 64
/* Writes the name of the tables: "wgxdp-wg0". nftables does not allow '=' and '+' in names, so
 * they become "/3d" and "/2b". */
void guard_table(const char *interface, char table[static GUARD_TABLE_LEN]);

#endif
