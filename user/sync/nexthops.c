/* SPDX-License-Identifier: MIT */
#include "sync/nexthops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "io/conntrack.h"
#include "io/pmtu.h"
#include "io/udp.h"
#include "path/qsbr.h"
#include "util/log.h"

/* How long one turn of a round may take, so that handshakes are not held up. */
#define TURN_NS (5 * NS_PER_MS)
/* After the first "too big" the ICMP socket is not read for this long, so that a flood of such
 * messages costs no more than one read each time. The kernel has learned the new MTU by then. */
#define NARROWED_NS (10 * NS_PER_MS)

static const struct encap *encap_of(const struct peer *p)
{
	return atomic_load_explicit(&p->encap, memory_order_relaxed);
}

static void publish(struct nexthops *n, struct peer *p, struct encap *e)
{
	const struct encap *old = encap_of(p);

	if (old == e || (old && e && encap_same(old, e))) {
		free(e);
		return;
	}
	atomic_store_explicit(&p->encap, e, memory_order_release);
	if (old)
		qsbr_retire(n->config.qsbr, (void *)old, free);
}

void nexthops_forget(struct nexthops *n, struct peer *p)
{
	publish(n, p, NULL);
}

/* AF_XDP would send a flow that the host translates (NAT) untranslated, so such a peer takes the
 * UDP socket. The conntrack entry that tells is made by our first message and may have expired
 * since: then the last known state counts, unless a handshake has @just_now renewed the entry. */
static void check_translation(struct nexthops *n, const struct peer *p, struct encap *e,
			      bool just_now)
{
	const struct encap *old = encap_of(p);
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

static void resolve(struct nexthops *n, struct peer *p, bool just_now)
{
	const struct dataplane *d = n->config.dataplane;
	uint32_t nics[OPTIONS_NICS_MAX];
	struct nexthop_env env = {
		.nl = n->config.netlink,
		.fwmark = d->fwmark,
		.source_port = htons(d->udp.port),
		.ttl = d->udp.leader ? udp_default_ttl(d->udp.leader) : 0,
		.nics = nics,
		.managed = &n->managed,
		.tunnel = n->tunnel,
	};
	uint32_t roam_count = atomic_load_explicit(&p->roam_count, memory_order_acquire);
	struct encap *e = NULL;

	/* No handshake with a low-order key ever succeeds, so its packets would wait for ever. */
	if (p->endpoint.remote.sa.sa_family == AF_UNSPEC ||
	    noise_remote_unusable(&p->remote, &n->config.device->identity)) {
		nexthops_forget(n, p);
		return;
	}
	for (unsigned i = 0; i < d->paths.nic_count && d->paths.tx_xdp && d->up; i++)
		if (d->paths.nics[i].queue_count)
			nics[env.nic_count++] = d->paths.nics[i].ifindex;
	e = nexthop_resolve(&env, &p->endpoint);
	if (!e) {
		log_error("out of memory: the next hop of a peer is not followed");
		return;
	}
	e->roam_count = roam_count;
	check_translation(n, p, e, just_now);
	publish(n, p, e);
}

void nexthops_peer(struct nexthops *n, struct peer *p)
{
	resolve(n, p, false);
}

void nexthops_met(struct nexthops *n, struct peer *p)
{
	resolve(n, p, true);
}

/* Resolves even if the endpoint is unchanged: workers send elsewhere until they see an encap with
 * the present roam_count. */
void nexthops_roamed(struct nexthops *n, struct peer *p)
{
	const struct encap *e = encap_of(p);

	if (e && e->roam_count != atomic_load_explicit(&p->roam_count, memory_order_acquire))
		nexthops_peer(n, p);
}

/* One of this host's own addresses is a valid endpoint only for two nodes on one host, which
 * meet on the loopback interface. */
bool nexthops_answerable(struct nexthops *n, const struct endpoint *from)
{
	struct netlink *nl = n->config.netlink;
	struct netlink_route route;
	struct netlink_link link;
	int err = netlink_route(nl, from, n->config.dataplane->fwmark, &route);

	if (err)
		return err != -EACCES; /* a broadcast; a missing route may appear soon */
	if (!route.local)
		return true;
	return !netlink_link(nl, NULL, from->ifindex, &link) && link.loopback;
}

void nexthops_neighbour(struct nexthops *n, const struct netlink_neighbour_event *event)
{
	struct encap_next next = { .ifindex = event->ifindex, .family = event->family };

	memcpy(next.addr, event->addr, sizeof(next.addr));
	for (struct peer *p = n->config.device->first; p; p = p->list_next) {
		const struct encap *e = encap_of(p);

		if (!e || !encap_next_same(&e->next, &next))
			continue;
		if (e->xsk_ok != event->valid ||
		    (e->xsk_ok && memcmp(e->header, event->mac, sizeof(event->mac)) != 0))
			nexthops_peer(n, p);
	}
}

/* Path MTUs
 * ------------------------------------------------------------------------------------- */

static void on_narrowed(void *ctx, int fd, uint32_t events)
{
	struct nexthops *n = ctx;

	(void)events;
	n->narrowed_count = pmtu_read(n->pmtu, htons(n->config.dataplane->udp.port), n->narrowed,
				      NEXTHOPS_NARROWED_MAX);
	loop_delete(n->config.loop, fd);
	loop_timer_arm(&n->narrowed_timer, loop_now_ns() + NARROWED_NS);
}

static bool is_narrowed(const struct nexthops *n, const struct peer *p)
{
	for (unsigned i = 0; i < n->narrowed_count; i++)
		if (endpoint_same_remote(&p->endpoint, &n->narrowed[i]))
			return true;
	return false;
}

static void resolve_narrowed(void *ctx, uint64_t now_ns)
{
	struct nexthops *n = ctx;

	(void)now_ns;
	for (struct peer *p = n->config.device->first; p && n->narrowed_count; p = p->list_next)
		if (is_narrowed(n, p))
			nexthops_peer(n, p);
	n->narrowed_count = 0;
	if (loop_add(n->config.loop, pmtu_fd(n->pmtu), EPOLLIN, on_narrowed, n))
		log_error("path MTUs are followed every 30 s only");
}

void nexthops_watch(struct nexthops *n)
{
	n->pmtu = pmtu_open();
	if (!n->pmtu || loop_add(n->config.loop, pmtu_fd(n->pmtu), EPOLLIN, on_narrowed, n))
		log_info("path MTUs are followed every 30 s only: %s", strerror(errno));
}

/* All peers
 * ------------------------------------------------------------------------------------- */

/* One turn of a round over all slots. A change during a round leads to another round after it. */
static void resolve_some(void *ctx, uint64_t now_ns)
{
	struct nexthops *n = ctx;
	const struct device *device = n->config.device;

	while (n->next_slot < device->next_slot) {
		struct peer *p = device->by_slot[n->next_slot++];

		if (!p)
			continue;
		nexthops_peer(n, p);
		if (loop_now_ns() - now_ns > TURN_NS && n->next_slot < device->next_slot) {
			loop_timer_arm(&n->round_timer, 0);
			return;
		}
	}
	n->next_slot = 0;
	n->last_round_ns = now_ns;
	if (n->again) {
		n->again = false;
		nexthops_changed(n);
	} else {
		loop_timer_arm(&n->round_timer, now_ns + NEXTHOPS_EVERY_NS);
	}
}

void nexthops_changed(struct nexthops *n)
{
	uint64_t now_ns = loop_now_ns(), earliest_ns = n->last_round_ns + NEXTHOPS_INTERVAL_NS;

	if (n->next_slot)
		n->again = true;
	else
		loop_timer_arm_sooner(&n->round_timer, now_ns > earliest_ns ? now_ns : earliest_ns);
}

void nexthops_now(struct nexthops *n)
{
	loop_timer_cancel(&n->round_timer);
	n->next_slot = 0;
	n->again = false;
	resolve_some(n, loop_now_ns());
}

void nexthops_set_tunnel(struct nexthops *n, uint32_t ifindex)
{
	n->tunnel = ifindex;
}

void nexthops_init(struct nexthops *n, const struct nexthops_config *config)
{
	*n = (struct nexthops){ .config = *config };
	loop_timer_init(&n->round_timer, config->loop, resolve_some, n);
	loop_timer_init(&n->narrowed_timer, config->loop, resolve_narrowed, n);
}

void nexthops_done(struct nexthops *n)
{
	loop_timer_done(&n->round_timer);
	loop_timer_done(&n->narrowed_timer);
	nexthop_release(n->config.netlink, &n->managed);
	pmtu_close(n->pmtu);
	netlink_close(n->netfilter);
}
