/* SPDX-License-Identifier: MIT */
/*
 * guard.h - the nftables tables of a tunnel with a default route, "wgxdp-IFACE" in the families ip
 * and ip6 as far as they have one. Three chains are those of wg-quick(8):
 *
 *   preraw      drops what others send to an address of the tunnel by another interface
 *   premangle   gives a packet of the tunnel's peers the mark of its connection, so that a strict
 *               reverse-path filter (with src_valid_mark) finds it arrives where it should
 *   postmangle  saves that mark
 *
 * One is ours. While routes and rules are whole it drops nothing:
 *
 *   leak        drops what would leave by a default route of table main without our mark, though
 *               main has no route of its own for it. Such packets exist only after another program
 *               has removed our rules or routes, until they are back, and where a program binds its
 *               socket to the NIC. There is no such chain while somebody else's rules decide over
 *               packets, because what they let out is not known here.
 *
 * The work is done by libnftables, in this process.
 */
#ifndef WGXDP_GUARD_H
#define WGXDP_GUARD_H

#include "host/plan.h"
#include "host/rules.h"
#include "util/buffer.h"

#define GUARD_EXITS_MAX 8
#define GUARD_LOCAL_MAX 1024 /* prefixes beside a default route; with more there is no chain leak */

/* One next hop of a default route in table main, and the prefixes that table main leads to the same
 * next hop. */
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

/* What is in the kernel now. */
struct guard {
	char *text; /* the commands that made the tables; NULL = none were made */
	bool v4, v6;
};

/* What the tables are for. All is borrowed. */
struct guard_target {
	const char *interface;
	uint32_t tunnel; /* its index */
	const struct plan *plan;
	const struct rules *rules;
};

/* Writes the commands that replace the table of @family (AF_INET, AF_INET6). @exits may be empty.
 * The buffer has failed if memory ran out. */
void guard_text(struct buffer *b, const char *interface, const struct plan *plan, uint8_t family,
		const struct guard_exits *exits);

/* Finds the exits among the routes of table main. Those by @tunnel do not count. 0/-errno. */
int guard_find_exits(struct guard_exits *e, struct netlink *nl, uint8_t family, uint32_t tunnel);
void guard_free_exits(struct guard_exits *e);

/* Sets the tables that to->plan needs, and deletes those that it does not. If they are in the
 * kernel as they should be (and not @damaged) nothing is done. Returns 1 if the tables were set,
 * 0, or -errno with @f. */
int guard_set(struct guard *g, struct netlink *nl, const struct guard_target *to, bool damaged,
	      struct fault *f);

/* Deletes the tables of @interface in the families of which it had one; a table may be gone
 * already. 0/-errno with @f. */
int guard_delete(const char *interface, bool v4, bool v6, struct fault *f);
void guard_done(struct guard *g); /* frees the text; the tables stay */

#define GUARD_TABLE_LEN 64
/* The name of the tables: "wgxdp-wg0". nftables takes no '=' or '+' in names. */
void guard_table(const char *interface, char table[static GUARD_TABLE_LEN]);

#endif
