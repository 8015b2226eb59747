/* SPDX-License-Identifier: MIT */
/*
 * rules.h - the rules that lead everything into the tunnel but its own messages, as wg-quick(8)
 * makes them for a default route:
 *
 *   0      from all lookup local                            the kernel's
 *   32764  from all lookup main suppress_prefixlength 0     ours: what has a route of its own
 *   32765  not from all fwmark MARK lookup MARK             ours: the rest, into the tunnel
 *   32766  from all lookup main                             the kernel's: the tunnel's messages
 *   32767  from all lookup default                          the kernel's, IPv4 only
 *
 * The kernel's rules are kept as well, because without them the tunnel's own messages find no
 * route (`ip rule flush` removes them).
 */
#ifndef WGXDP_RULES_H
#define WGXDP_RULES_H

#include "host/plan.h"
#include "io/netlink_rule.h"

#define RULES_MAX 8 /* four of ours and three of the kernel's */

struct rules {
	struct netlink_rule list[RULES_MAX]; /* in the order in which they are set */
	bool ours[RULES_MAX];		     /* else the kernel's, which is never deleted */
	unsigned count;
};

/* Chooses a number from 51820 that no rule names, as table or fwmark, and that is the number of an
 * empty table in both families. 0/-errno: -ENOSPC if a thousand numbers are in use. */
int rules_choose_mark(struct netlink *nl, uint32_t *mark);

/* Works out the rules for @plan, with the priorities that the kernel would choose if they were
 * added one after the other. Rules that @have has for the same mark stay as they are. 0/-errno. */
int rules_make(struct rules *r, struct netlink *nl, const struct plan *plan,
	       const struct rules *have);

/* Adds those rules that are missing. *@added (may be NULL) counts them. 0/-errno. */
int rules_set(const struct rules *r, struct netlink *nl, unsigned *added);
/* Deletes those of our rules that @except (may be NULL) has not. */
void rules_unset(const struct rules *r, struct netlink *nl, const struct rules *except);

/* Is there a rule of somebody else's that decides over packets? Then it is not known which packets
 * may leave beside the tunnel. Returns 1 or 0, or -errno. */
int rules_foreign(const struct rules *r, struct netlink *nl, uint8_t family);

#endif
