/* SPDX-License-Identifier: MIT */
/*
 * keep.h - decides when to check whether our settings on the host are still present, and how often
 * they may be restored:
 *
 *   an event about addresses, routes, rules, links, nftables ─▶ a check, KEEP_SETTLE_NS later
 *   a check restored something ─▶ this costs one of KEEP_AT_ONCE tokens; a new token comes every
 *                                 KEEP_TOKEN_NS. Without a token, the next check waits for a token.
 *   a check failed ─▶ the next check waits, 1 s at first and at most 32 s
 *
 * So the host is not kept busy by another program that removes a route whenever we restore it. Only
 * the control thread calls these functions.
 */
#ifndef WGXDP_KEEP_H
#define WGXDP_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"

/* The delay between an event and the check. The delay is needed because `ip route flush` repeats
 * until there are no routes left, and would never end if each route were restored immediately. */
#define KEEP_SETTLE_NS 20000000ULL
#define KEEP_AT_ONCE 10
#define KEEP_TOKEN_NS 3000000000ULL

/* Begins to check all settings and to restore those that are missing. @damaged: our nftables
 * tables, or a part of them, may have been deleted. The check ends with keep_checked(). */
typedef void (*keep_check_fn)(void *ctx, bool damaged);

struct netlink_watch;
struct nft_watch;

struct keep {
	struct loop *loop;
	keep_check_fn check;
	void *ctx;
	struct netlink_watch *watch;
	struct nft_watch *nft; /* NULL = no tables are watched */
	char table[64];	       /* name of the watched tables */
	struct loop_timer timer;
	uint64_t not_before_ns, token_ns; /* earliest next check; when the last token was added */
	uint64_t began_ns;		  /* beginning of the last check */
	unsigned tokens, failures;
	bool damaged, fighting;
	bool checked_damage; /* argument @damaged of the last check */
	bool held;	     /* a check runs, or the settings are being changed */
	bool due;	     /* a check is wanted when @held becomes false */
};

/* Begins to watch. Returns 0 or -errno. */
int keep_open(struct keep *k, struct loop *loop, keep_check_fn check, void *ctx);
void keep_close(struct keep *k); /* does nothing if *k is all zero */

/* Chooses the events that cause a check. Of the events about routes, only those of the link
 * @ifindex count (0 = of all links). Of the events about nftables, only those of tables named
 * @table count (NULL = none). Returns 0 or -errno. */
int keep_follow(struct keep *k, uint32_t ifindex, const char *table);

/* Reads the events about nftables and ignores those that our own changes have caused. @families:
 * the families to which our table has just been added (bits 1 << NFPROTO_…). If another program has
 * deleted a part of such a table since then, or if events were lost, schedules a check of the
 * tables. */
void keep_forget_nft(struct keep *k, uint32_t families);

/* Schedules a check, as an event does. */
void keep_check_soon(struct keep *k);

/* Ends a check. @missing: how many settings were missing, or -errno if they could not be restored;
 * the caller has logged the reason. */
void keep_checked(struct keep *k, int missing);

/* Delay all checks while the caller changes the settings. No check may be running. */
void keep_hold(struct keep *k);
void keep_release(struct keep *k);

#endif
