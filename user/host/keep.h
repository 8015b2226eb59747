/* SPDX-License-Identifier: MIT */
/*
 * keep.h - decides when to check whether our settings on the host are still present, and how often
 * they may be restored. A check is called a look:
 *
 *   an event of addresses, routes, rules, links or nftables ─▶ a look, KEEP_SETTLE_NS later
 *   a look restored something ─▶ this costs one of KEEP_AT_ONCE tokens; a new token comes every
 *                                KEEP_TOKEN_NS. Without a token the next look waits for one.
 *   a look failed ─▶ the next look waits, 1 s at first and at most 30 s
 *
 * So two programs that fight over a route cannot keep the host busy. Control thread.
 */
#ifndef WGXDP_KEEP_H
#define WGXDP_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"

/* Restoring waits for this time, because `ip route flush` repeats until there are no routes left
 * and would otherwise never end. */
#define KEEP_SETTLE_NS 20000000ULL
#define KEEP_AT_ONCE 10
#define KEEP_TOKEN_NS 3000000000ULL

/* Checks all settings (a look), and restores those that are missing. @damaged: tables of nftables
 * were deleted. Returns how many settings were missing, or -errno after logging the reason. */
typedef int (*keep_look_fn)(void *ctx, bool damaged);

struct netlink_watch;
struct nft_watch;

struct keep {
	struct loop *loop;
	keep_look_fn look;
	void *ctx;
	struct netlink_watch *watch;
	struct nft_watch *nft; /* NULL = no tables are watched */
	char table[64];	       /* name of the watched tables */
	struct loop_timer timer;
	uint64_t not_before_ns, token_ns; /* earliest next look; time of the last token */
	unsigned tokens, failures;
	bool damaged, fighting;
};

/* Begins to watch. Returns 0 or -errno. */
int keep_open(struct keep *k, struct loop *loop, keep_look_fn look, void *ctx);
void keep_close(struct keep *k); /* does nothing if *k is all zero */

/* Restricts the events that cause a look to routes by @ifindex (0 = all routes) and nftables tables
 * named @table (NULL = no tables). Returns 0 or -errno. */
int keep_follow(struct keep *k, uint32_t ifindex, const char *table);

/* Forgets the events that our own changes of nftables have caused. */
void keep_forget_nft(struct keep *k);

/* Schedules a look, as an event does. */
void keep_look_soon(struct keep *k);

#endif
