/* SPDX-License-Identifier: MIT */
/*
 * peer->endpoint -> peer->encap, published for workers and kept true:
 *
 *   endpoint set or moved, session begun ──▶ reach_peer, at once
 *   a neighbour became valid, invalid, another MAC ──▶ reach_neighbour ──▶ the peers behind it
 *   links, addresses, routes, rules changed ──▶ reach_changed ──▶ all peers, some at a time, and not
 *                                               more often than every REACH_INTERVAL_NS
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node.h"
#include "io/udp.h"
#include "util/log.h"

#define REACH_INTERVAL_NS (50 * NS_PER_MS)
#define REACH_TURN_NS (5 * NS_PER_MS)

static void publish(struct node *n, struct peer *p, struct encap *e)
{
	const struct encap *old = atomic_load_explicit(&p->encap, memory_order_relaxed);

	if (old == e || (old && e && !memcmp(old, e, sizeof(*e)))) {
		free(e);
		return;
	}
	atomic_store_explicit(&p->encap, e, memory_order_release);
	if (old)
		grace_retire(n->grace, (void *)old, free);
}

void reach_forget(struct node *n, struct peer *p)
{
	publish(n, p, NULL);
}

void reach_peer(struct node *n, struct peer *p)
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
	uint32_t moved = atomic_load_explicit(&p->moved, memory_order_acquire);
	struct encap *e = NULL;
	const char *why = NULL;
	bool pending = false;

	/* A packet for a peer of low order would wait for ever. */
	if (p->endpoint.remote.sa.sa_family == AF_UNSPEC ||
	    noise_remote_unusable(&p->remote, &n->device.identity)) {
		reach_forget(n, p);
		return;
	}
	for (unsigned i = 0; i < n->nic_count && n->tx_xdp && n->up; i++)
		if (n->nics[i].queue_count)
			nics[env.nic_count++] = n->nics[i].ifindex;
	e = nexthop_resolve(&env, &p->endpoint, &pending, &why);
	if (!e) {
		log_error("out of memory: the next hop of a peer is not followed");
		return;
	}
	e->moved = moved;
	publish(n, p, e);
}

/* Also where the endpoint is as it was: workers must not go on to send elsewhere. */
void reach_moved(struct node *n, struct peer *p)
{
	const struct encap *e = atomic_load_explicit(&p->encap, memory_order_relaxed);

	if (e && e->moved != atomic_load_explicit(&p->moved, memory_order_acquire))
		reach_peer(n, p);
}

/* One of our own addresses is right for two nodes of one host alone, who meet on the loopback. */
bool reach_answerable(struct node *n, const struct endpoint *from)
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

void reach_neighbour(struct node *n, const struct netlink_neighbour_event *event)
{
	struct encap_next next = { .ifindex = event->ifindex, .family = event->family };

	memcpy(next.addr, event->addr, sizeof(next.addr));
	for (struct peer *p = n->device.first; p; p = p->list_next) {
		const struct encap *e = atomic_load_explicit(&p->encap, memory_order_relaxed);

		if (!e || memcmp(&e->next, &next, sizeof(next)) != 0)
			continue;
		if (e->direct != event->valid ||
		    (e->direct && memcmp(e->header, event->mac, sizeof(event->mac)) != 0))
			reach_peer(n, p);
	}
}

void reach_changed(struct node *n)
{
	uint64_t now_ns = loop_now_ns(), earliest_ns = n->reached_ns + REACH_INTERVAL_NS;

	if (n->reach_at_ns == UINT64_MAX)
		n->reach_at_ns = now_ns > earliest_ns ? now_ns : earliest_ns;
}

void reach_now(struct node *n)
{
	n->reach_at_ns = UINT64_MAX;
	n->reach_slot = 0;
	reach_tick(n, loop_now_ns());
}

/* Goes over all slots, as many in a turn as REACH_TURN_NS allows; what changes meanwhile makes for
 * another round after this one. */
void reach_tick(struct node *n, uint64_t now_ns)
{
	if (n->reach_slot == n->slot_cap && now_ns >= n->reach_at_ns) {
		n->reach_at_ns = UINT64_MAX;
		n->reach_slot = 0;
	}
	while (n->reach_slot < n->slot_cap) {
		struct peer *p = n->slots[n->reach_slot++];

		if (!p)
			continue;
		reach_peer(n, p);
		if (loop_now_ns() - now_ns > REACH_TURN_NS)
			return;
	}
	n->reached_ns = now_ns;
}

uint64_t reach_next(const struct node *n)
{
	return n->reach_slot < n->slot_cap ? 0 : n->reach_at_ns;
}

void reach_done(struct node *n)
{
	nexthop_release(n->netlink, &n->managed);
}
