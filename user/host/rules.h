/* SPDX-License-Identifier: MIT */
/*
 * rules.h - the policy rules that route everything except the tunnel's own messages into the
 * tunnel, as wg-quick(8) makes them for a default route:
 *
 *   0      from all lookup local                            the kernel's
 *   32764  from all lookup main suppress_prefixlength 0     ours: destinations with specific routes
 *   32765  not from all fwmark MARK lookup MARK             ours: all others, into the tunnel
 *   32766  from all lookup main                             the kernel's: the tunnel's messages
 *   32767  from all lookup default                          the kernel's, IPv4 only
 *
 * The kernel's rules are restored as well if they are missing (`ip rule flush` removes them),
 * because without them the tunnel's own messages have no route.
 */
#ifndef WGXDP_RULES_H
#define WGXDP_RULES_H

#include "host/plan.h"
#include "io/netlink_rule.h"

/* Room for the old and the new rules when the mark changes. Each of the two sets has at most four
 * rules of wgxdp and three of the kernel. */
#define RULES_MAX 16

struct rules {
	struct netlink_rule list[RULES_MAX]; /* in the order in which they are set */
	bool ours[RULES_MAX];		     /* false = the kernel's rule, never deleted */
	unsigned count;
};

/* Takes the lock that a daemon of wgxdp holds from the choice of a mark and priorities until its
 * rules are set. Waits at most RULES_LOCK_MS for another daemon. Returns the file descriptor of the
 * lock, or -1 if the lock cannot be taken; the daemon then chooses without the lock. */
#define RULES_LOCK_MS 2000
int rules_lock(void);
void rules_unlock(int *lock_fd); /* sets *@lock_fd to -1; does nothing if *@lock_fd is -1 */

/* Chooses a number from 51820 on that no rule uses as table or fwmark, and whose routing table is
 * empty in both families. Returns 0 or -errno; -ENOSPC if a thousand numbers are in use. */
int rules_choose_mark(struct netlink *nl, uint32_t *mark);

/* Fills @r with the rules that @plan needs, but does not set them. Their priorities are those that
 * the kernel would choose if the rules were added one after the other without a priority. If @have
 * has rules for the mark of @plan, keeps them unchanged. Also adds the kernel's own rules (main and
 * default) that the host has. Returns 0 or -errno. */
int rules_make(struct rules *r, struct netlink *nl, const struct plan *plan,
	       const struct rules *have);

/* Sets *@r to the rules of @a and of @b, without duplicates. */
void rules_union(struct rules *r, const struct rules *a, const struct rules *b);

/* Adds to @r those rules of @from that are ours and not yet in @r. */
void rules_add_ours(struct rules *r, const struct rules *from);

/* Adds the missing rules to the kernel. Increments *@added (@added may be NULL) for each added
 * rule. Returns 0 or -errno. */
int rules_set(const struct rules *r, struct netlink *nl, unsigned *added);
/* Deletes our rules from the kernel, except those in @except (which may be NULL). Returns 0, also
 * if rules are gone already, or the first -errno. */
int rules_unset(const struct rules *r, struct netlink *nl, const struct rules *except);

/* Returns 1 if the kernel has a rule of @family that is not in @r and that may route packets past
 * the tunnel, 0 if there is no such rule, or -errno. */
int rules_foreign(const struct rules *r, struct netlink *nl, uint8_t family);

#endif
