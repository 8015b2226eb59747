/* SPDX-License-Identifier: MIT */
/*
 * peer->endpoint -> peer->encap, published for workers and kept true:
 *
 *   endpoint set or moved ──▶ nexthops_peer, at once; session begun ──▶ nexthops_met
 *   a neighbour became valid, invalid, another MAC ──▶ nexthops_neighbour ──▶ the peers behind it
 *   links, addresses, routes, rules changed ──▶ nexthops_changed ──▶ all peers, some at a time, and not
 *                                               more often than every REACH_INTERVAL_NS
 *   nothing at all for REACH_EVERY_NS ──▶ all peers: a path MTU that the kernel learned, or forgot,
 *                                         a sysctl
 *   a router says "too big" ──▶ on_narrowed ──▶ the peers there, a moment later
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/daemon.h"
#include "io/conntrack.h"
#include "io/udp.h"
#include "util/log.h"

#define REACH_INTERVAL_NS (50 * NS_PER_MS)
#define REACH_TURN_NS (5 * NS_PER_MS)
#define REACH_EVERY_NS (30 * NS_PER_S)
/* After the first "too big" others are waited for so long, and nobody listens: a flood of them costs no
 * more than that. The kernel, too, has learned by then. */
#define NARROWED_NS (10 * NS_PER_MS)

static void publish(struct daemon *n, struct peer *p, struct encap *e)
{
	const struct encap *old = atomic_load_explicit(&p->encap, memory_order_relaxed);

	if (old == e || (old && e && encap_same(old, e))) {
		free(e);
		return;
	}
	atomic_store_explicit(&p->encap, e, memory_order_release);
	if (old)
		qsbr_retire(n->qsbr, (void *)old, free);
}

void nexthops_forget(struct daemon *n, struct peer *p)
{
	publish(n, p, NULL);
}

/* What the host translates goes by the UDP socket: AF_XDP would send it as it is. The entry that tells
 * is made by our first message, and may have expired since: then what it said counts, unless there
 * has been a handshake @just_now, so that it would be there. */
static void mind_translation(struct daemon *n, const struct peer *p, struct encap *e, bool just_now)
{
	const struct encap *old = atomic_load_explicit(&p->encap, memory_order_relaxed);
	int translated;

	if (!e->xsk_ok)
		return;
	if (!n->netfilter)
		n->netfilter = netlink_open_netfilter();
	translated = conntrack_translates(n->netfilter, &e->endpoint, e->source_port);
	e->translated = translated > 0 || (translated < 0 && !just_now && old && old->translated &&
					   endpoint_same_remote(&old->endpoint, &e->endpoint));
	if (e->translated) {
		e->xsk_ok = false;
		e->why = "the host translates what goes to it (NAT)";
	}
}

static void resolve(struct daemon *n, struct peer *p, bool just_now)
{
	uint32_t nics[OPTIONS_NICS_MAX];
	struct nexthop_env env = {
		.nl = n->netlink,
		.fwmark = n->fwmark,
		.source_port = htons(n->udp.port),
		.ttl = n->up ? udp_default_ttl(n->udp.leader) : 0,
		.nics = nics,
		.managed = &n->managed,
		.tunnel = n->tun_watch ? n->tun.ifindex : 0,
	};
	uint32_t roam_count = atomic_load_explicit(&p->roam_count, memory_order_acquire);
	struct encap *e = NULL;

	/* A packet for a peer of low order would wait for ever. */
	if (p->endpoint.remote.sa.sa_family == AF_UNSPEC ||
	    noise_remote_unusable(&p->remote, &n->device.identity)) {
		nexthops_forget(n, p);
		return;
	}
	for (unsigned i = 0; i < n->nic_count && n->tx_xdp && n->up; i++)
		if (n->nics[i].queue_count)
			nics[env.nic_count++] = n->nics[i].ifindex;
	e = nexthop_resolve(&env, &p->endpoint);
	if (!e) {
		log_error("out of memory: the next hop of a peer is not followed");
		return;
	}
	e->roam_count = roam_count;
	mind_translation(n, p, e, just_now);
	publish(n, p, e);
}

void nexthops_peer(struct daemon *n, struct peer *p)
{
	resolve(n, p, false);
}

void nexthops_met(struct daemon *n, struct peer *p)
{
	resolve(n, p, true);
}

/* Also where the endpoint is as it was: workers must not go on to send elsewhere. */
void nexthops_moved(struct daemon *n, struct peer *p)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_relaxed);

	if (e && e->roam_count != atomic_load_explicit(&p->roam_count, memory_order_acquire))
		nexthops_peer(n, p);
}

/* One of our own addresses is right for two nodes of one host alone, who meet on the loopback. */
bool nexthops_answerable(struct daemon *n, const struct endpoint *from)
{
	struct netlink_route route;
	struct netlink_link link;
	int err = netlink_route(n->netlink, from, n->fwmark, &route);

	if (err)
		return err != -EACCES; /* a broadcast; without a route there may be one soon */
	if (!route.local)
		return true;
	return !netlink_link(n->netlink, NULL, from->ifindex, &link) && link.loopback;
}

void nexthops_neighbour(struct daemon *n, const struct netlink_neighbour_event *event)
{
	struct encap_next next = { .ifindex = event->ifindex, .family = event->family };

	memcpy(next.addr, event->addr, sizeof(next.addr));
	for (struct peer *p = n->device.first; p; p = p->list_next) {
		const struct encap *e = atomic_load_explicit(&p->encap, memory_order_relaxed);

		if (!e || !encap_next_same(&e->next, &next))
			continue;
		if (e->xsk_ok != event->valid ||
		    (e->xsk_ok && memcmp(e->header, event->mac, sizeof(event->mac)) != 0))
			nexthops_peer(n, p);
	}
}

void nexthops_changed(struct daemon *n)
{
	uint64_t now_ns = loop_now_ns(), earliest_ns = n->reached_ns + REACH_INTERVAL_NS;
	uint64_t at_ns = now_ns > earliest_ns ? now_ns : earliest_ns;

	if (at_ns < n->nexthops_at_ns)
		n->nexthops_at_ns = at_ns;
}

/* Path MTUs ------------------------------------------------------------------------------------- */

static void on_narrowed(void *ctx, int fd, uint32_t events)
{
	struct daemon *n = ctx;

	(void)events;
	n->narrowed_count = pmtu_read(n->pmtu, htons(n->udp.port), n->narrowed, NARROWED_MAX);
	loop_delete(n->loop, fd);
	n->narrowed_at_ns = loop_now_ns() + NARROWED_NS;
}

static bool is_narrowed(const struct daemon *n, const struct peer *p)
{
	for (unsigned i = 0; i < n->narrowed_count; i++)
		if (endpoint_same_remote(&p->endpoint, &n->narrowed[i]))
			return true;
	return false;
}

static void resolve_narrowed(struct daemon *n)
{
	for (struct peer *p = n->device.first; p && n->narrowed_count; p = p->list_next)
		if (is_narrowed(n, p))
			nexthops_peer(n, p);
	n->narrowed_count = 0;
	n->narrowed_at_ns = UINT64_MAX;
	if (loop_add(n->loop, pmtu_fd(n->pmtu), EPOLLIN, on_narrowed, n))
		log_error("path MTUs are followed every 30 s only");
}

void nexthops_watch(struct daemon *n)
{
	n->pmtu = pmtu_open();
	if (!n->pmtu || loop_add(n->loop, pmtu_fd(n->pmtu), EPOLLIN, on_narrowed, n))
		log_info("path MTUs are followed every 30 s only: %s", strerror(errno));
}

/* All peers ------------------------------------------------------------------------------------- */

void nexthops_now(struct daemon *n)
{
	n->nexthops_at_ns = UINT64_MAX;
	n->nexthops_slot = 0;
	nexthops_tick(n, loop_now_ns());
}

/* Goes over all slots, as many in a turn as REACH_TURN_NS allows; what changes meanwhile makes for
 * another round after this one. */
void nexthops_tick(struct daemon *n, uint64_t now_ns)
{
	if (now_ns >= n->narrowed_at_ns)
		resolve_narrowed(n);
	if (n->nexthops_slot == n->slot_cap) {
		if (now_ns < n->nexthops_at_ns)
			return;
		n->nexthops_at_ns = UINT64_MAX;
		n->nexthops_slot = 0;
	}
	while (n->nexthops_slot < n->slot_cap) {
		struct peer *p = n->slots[n->nexthops_slot++];

		if (!p)
			continue;
		nexthops_peer(n, p);
		if (loop_now_ns() - now_ns > REACH_TURN_NS)
			return;
	}
	n->reached_ns = now_ns;
	if (n->nexthops_at_ns == UINT64_MAX && n->slot_cap)
		n->nexthops_at_ns = now_ns + REACH_EVERY_NS;
}

uint64_t nexthops_next(const struct daemon *n)
{
	if (n->nexthops_slot < n->slot_cap)
		return 0;
	return n->narrowed_at_ns < n->nexthops_at_ns ? n->narrowed_at_ns : n->nexthops_at_ns;
}

void nexthops_done(struct daemon *n)
{
	nexthop_release(n->netlink, &n->managed);
	pmtu_close(n->pmtu);
	netlink_close(n->netfilter);
}
