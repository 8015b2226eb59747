/* SPDX-License-Identifier: MIT */
#include "host/keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "io/netlink.h"
#include "io/nft_watch.h"
#include "util/log.h"

#define RELEVANT                                                                                   \
	(NETLINK_CHANGED_LINK | NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_ROUTE |                  \
	 NETLINK_CHANGED_RULE | NETLINK_CHANGED_LOST)
#define CHECK_SHARE 5 /* checks run for at most a fifth of the time */
#define NS_PER_SECOND 1000000000ULL
#define FAILURES_MAX 5 /* each failed check doubles the next wait, up to 2^5 s */

void keep_check_soon(struct keep *k)
{
	uint64_t at_ns = loop_now_ns() + KEEP_SETTLE_NS;

	k->due = k->held;
	if (!k->held)
		loop_timer_arm_sooner(&k->timer,
				      at_ns > k->not_before_ns ? at_ns : k->not_before_ns);
}

void keep_hold(struct keep *k)
{
	k->held = true;
	k->due |= loop_timer_armed(&k->timer);
	loop_timer_cancel(&k->timer);
}

void keep_release(struct keep *k)
{
	k->held = false;
	if (k->due)
		keep_check_soon(k);
}

static void on_netlink(void *ctx, int fd, uint32_t events)
{
	struct keep *k = ctx;

	(void)fd;
	(void)events;
	if (netlink_watch_read(k->watch, NULL, NULL) & RELEVANT)
		keep_check_soon(k);
}

static void on_nft(void *ctx, int fd, uint32_t events)
{
	struct keep *k = ctx;

	(void)fd;
	(void)events;
	if (!nft_watch_read(k->nft, k->table))
		return;
	k->damaged = true;
	keep_check_soon(k);
}

static void count_tokens(struct keep *k, uint64_t now_ns)
{
	uint64_t back = (now_ns - k->token_ns) / KEEP_TOKEN_NS;

	if (k->tokens + back >= KEEP_AT_ONCE) {
		k->tokens = KEEP_AT_ONCE;
		k->token_ns = now_ns;
		k->fighting = false;
		return;
	}
	k->tokens += (unsigned)back;
	k->token_ns += back * KEEP_TOKEN_NS;
}

static void take_token(struct keep *k)
{
	if (k->tokens)
		k->tokens--;
	if (k->tokens)
		return;
	k->not_before_ns = k->token_ns + KEEP_TOKEN_NS;
	if (!k->fighting)
		log_error("another program keeps removing addresses, routes or rules of this "
			  "tunnel; from now on, they are restored at most once every %u s",
			  (unsigned)(KEEP_TOKEN_NS / NS_PER_SECOND));
	k->fighting = true;
}

static void on_timer(void *ctx, uint64_t now_ns)
{
	struct keep *k = ctx;

	count_tokens(k, now_ns);
	k->checked_damage = k->damaged;
	k->damaged = false;
	k->began_ns = now_ns;
	keep_hold(k);
	k->check(k->ctx, k->checked_damage);
}

void keep_checked(struct keep *k, int missing)
{
	uint64_t now_ns = k->began_ns, after_ns = loop_now_ns();

	k->not_before_ns = now_ns + (after_ns > now_ns ? (after_ns - now_ns) * CHECK_SHARE : 0);
	if (missing < 0) {
		k->damaged |= k->checked_damage;
		k->not_before_ns = now_ns + (NS_PER_SECOND << k->failures);
		k->failures += k->failures < FAILURES_MAX;
		k->due = true;
	} else {
		k->failures = 0;
	}
	if (missing > 0)
		take_token(k);
	keep_release(k);
}

int keep_open(struct keep *k, struct loop *loop, keep_check_fn check, void *ctx)
{
	int err;

	*k = (struct keep){
		.loop = loop,
		.check = check,
		.ctx = ctx,
		.tokens = KEEP_AT_ONCE,
		.token_ns = loop_now_ns(),
	};
	k->watch = netlink_watch_open();
	if (!k->watch)
		return -errno;
	loop_timer_init(&k->timer, loop, on_timer, k);
	err = loop_add(loop, netlink_watch_fd(k->watch), EPOLLIN, on_netlink, k);
	if (err)
		keep_close(k);
	return err;
}

static void unwatch_nft(struct keep *k)
{
	if (!k->nft)
		return;
	loop_delete(k->loop, nft_watch_fd(k->nft));
	nft_watch_close(k->nft);
	k->nft = NULL;
}

void keep_close(struct keep *k)
{
	loop_timer_done(&k->timer);
	unwatch_nft(k);
	if (!k->watch)
		return;
	loop_delete(k->loop, netlink_watch_fd(k->watch));
	netlink_watch_close(k->watch);
	k->watch = NULL;
}

int keep_follow(struct keep *k, uint32_t ifindex, const char *table)
{
	int err;

	netlink_watch_routes_by(k->watch, ifindex);
	if (!table) {
		unwatch_nft(k);
		return 0;
	}
	snprintf(k->table, sizeof(k->table), "%s", table);
	if (k->nft)
		return 0;
	k->nft = nft_watch_open();
	if (!k->nft)
		return -errno;
	err = loop_add(k->loop, nft_watch_fd(k->nft), EPOLLIN, on_nft, k);
	if (err) {
		nft_watch_close(k->nft);
		k->nft = NULL;
	}
	return err;
}

void keep_forget_nft(struct keep *k, uint32_t families)
{
	k->damaged = k->nft && nft_watch_read_added(k->nft, k->table, families);
	if (k->damaged)
		keep_check_soon(k);
}
