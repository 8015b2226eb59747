/* SPDX-License-Identifier: MIT */
#include "sync/nexthops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "io/conntrack.h"
#include "io/ipsec.h"
#include "io/pmtu.h"
#include "io/udp.h"
#include "path/qsbr.h"
#include "sync/endpoint_rank.h"
#include "util/log.h"

/* A round resolves the peers that a change concerns (nexthops.h). A round runs for at most this
 * time in one turn of the event loop, so that handshakes are not delayed. */
#define TURN_NS (5 * NS_PER_MS)
/* After an ICMP "too big" message, the ICMP sockets are not read again for this time, so that a
 * flood of such messages costs little. Meanwhile the kernel learns the new MTU. */
#define NARROWED_NS (10 * NS_PER_MS)
/* A neighbour event resolves at most this many peers immediately, because each costs about five
 * netlink requests. */
#define AT_ONCE_MAX 32
/* A round skips peers that need not be resolved. While it skips peers, it reads the clock only once
 * for this many peers. */
#define PASSED_PER_CLOCK 256
/* Reading IPsec policies takes at most 1 / IPSEC_SHARE of the control thread's time. */
#define IPSEC_SHARE 10
#define IPSEC_RETRY_NS NS_PER_S

static bool prefix_has_endpoint(const struct prefix *p, const struct endpoint *e)
{
	struct prefix of = { .family = (uint8_t)e->remote.sa.sa_family, .length = p->length };

	if (of.family != p->family)
		return false;
	if (of.family == AF_INET)
		memcpy(of.addr, &e->remote.v4.sin_addr, 4);
	else
		memcpy(of.addr, &e->remote.v6.sin6_addr, 16);
	prefix_mask(&of);
	return !memcmp(of.addr, p->addr, sizeof(of.addr));
}

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
	neighbours_drop(&n->neighbours, p->slot);
	slot_index_remove(&n->remotes, p->slot);
	publish(n, p, NULL);
}

/* Points *@address at the address in @e, which is the key in n->remotes. Returns its length. */
static size_t address_of(const struct endpoint *e, const void **address)
{
	bool v4 = e->remote.sa.sa_family == AF_INET;

	*address = v4 ? (const void *)&e->remote.v4.sin_addr : &e->remote.v6.sin6_addr;
	return v4 ? 4 : 16;
}

/* Adds the peer to n->remotes. If memory is short, the peer is left out, so resolve_at() cannot
 * find it, and its path MTU is updated only by a round of all peers. */
static void index_remote(struct nexthops *n, const struct peer *p)
{
	const void *address;
	size_t len = address_of(&p->endpoint, &address);

	if (!slot_index_has(&n->remotes, p->slot, address, len))
		(void)slot_index_put(&n->remotes, p->slot, address, len);
}

/* Checks whether the host applies NAT to the flow to the peer. If so, messages must go through the
 * UDP socket, because AF_XDP would send them untranslated. The answer is in the conntrack entry
 * that our first message created. If the entry has expired, the last known state is used. If there
 * is no entry although a handshake was exchanged @just_now, the flow is not translated. */
static void check_translation(struct nexthops *n, const struct peer *p, struct encap *e,
			      bool just_now)
{
	const struct encap *old = encap_of(p);
	int translated;

	if (!e->xsk_ok)
		return;
	if (!n->netfilter)
		n->netfilter = conntrack_open();
	translated = conntrack_translates(n->netfilter, &e->endpoint, e->source_port);
	e->translated = translated > 0 || (translated < 0 && !just_now && old && old->translated &&
					   endpoint_same_remote(&old->endpoint, &e->endpoint));
	if (e->translated) {
		e->xsk_ok = false;
		e->why = "the host translates packets to the peer (NAT)";
	}
}

/* Sends data to the peer through the UDP socket if an IPsec policy would encrypt or refuse the
 * packets, because AF_XDP bypasses IPsec. If the user forced AF_XDP, only logs the bypass and
 * records it in e->why. */
static void check_ipsec(struct nexthops *n, struct encap *e)
{
	const struct netlink_flow flow = { n->config.dataplane->fwmark, e->source_port };

	if (!e->xsk_ok || !ipsec_applies(n->ipsec, &e->endpoint, &flow, e->ifindex))
		return;
	if (n->config.dataplane->config.options->tx == OPTIONS_PATH_XDP) {
		if (!n->ipsec_bypassed)
			log_error("--tx xdp bypasses an IPsec policy (ip xfrm policy)");
		n->ipsec_bypassed = true;
		e->why = "AF_XDP bypasses an IPsec policy (ip xfrm policy) that applies to packets "
			 "to the peer";
		return;
	}
	e->xsk_ok = false;
	e->why = "an IPsec policy (ip xfrm policy) applies to packets to the peer";
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
		.neighbours = &n->neighbours,
		.user = p->slot,
		.tunnel = n->tunnel,
	};
	uint32_t roam_count = atomic_load_explicit(&p->roam_count, memory_order_acquire);
	struct encap *e = NULL;

	/* No handshake is possible without an endpoint or with a key of low order. The peer then
	 * gets no encap, so that workers drop packets to it instead of queueing them. */
	if (p->endpoint.remote.sa.sa_family == AF_UNSPEC ||
	    noise_remote_unusable(&p->remote, &n->config.device->identity)) {
		nexthops_forget(n, p);
		return;
	}
	index_remote(n, p);
	for (unsigned i = 0; i < d->paths.nic_count && d->up; i++)
		if (nics_sends(&d->paths.env, &d->paths.nics[i]))
			nics[env.nic_count++] = d->paths.nics[i].ifindex;
	e = nexthop_resolve(&env, &p->endpoint);
	if (!e) {
		log_error("out of memory: the next hop of a peer is not updated");
		return;
	}
	e->roam_count = roam_count;
	check_ipsec(n, e);
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

/* Resolves the peer even if p->endpoint has not changed. Workers send to p->moved_to until they see
 * an encap that has the current roam_count (path/roaming.h). */
void nexthops_roamed(struct nexthops *n, struct peer *p)
{
	const struct encap *e = encap_of(p);

	if (e && e->roam_count != atomic_load_explicit(&p->roam_count, memory_order_acquire))
		nexthops_peer(n, p);
}

/* Refuses this host's own addresses, unless both ends run on this host and use the loopback
 * interface. */
bool nexthops_answerable(struct nexthops *n, const struct endpoint *from)
{
	const struct netlink_flow flow = { n->config.dataplane->fwmark,
					   htons(n->config.dataplane->udp.port) };
	struct netlink *nl = n->config.netlink;
	struct netlink_route route;
	struct netlink_link link;
	int err = netlink_route(nl, from, &flow, &route);

	if (err)
		return err != -EACCES; /* -EACCES: broadcast; other errors may be temporary */
	if (!route.local)
		return true;
	return !netlink_link(nl, NULL, from->ifindex, &link) && link.loopback;
}

unsigned nexthops_rank(struct nexthops *n, const struct endpoint *e)
{
	const struct netlink_flow flow = { n->config.dataplane->fwmark,
					   htons(n->config.dataplane->udp.port) };

	return endpoint_rank(n->config.netlink, e, &flow, n->tunnel);
}

/* Path MTUs --------------------------------------------------------------------------------- */

static void on_narrowed(void *ctx, int fd, uint32_t events)
{
	struct nexthops *n = ctx;

	(void)events;
	n->narrowed_count = pmtu_read(n->pmtu, htons(n->config.dataplane->udp.port), n->narrowed,
				      NEXTHOPS_NARROWED_MAX);
	loop_delete(n->config.loop, fd);
	loop_timer_arm(&n->narrowed_timer, loop_now_ns() + NARROWED_NS);
}

/* Resolves the peers at the address and port of @remote. */
static void resolve_at(struct nexthops *n, const struct endpoint *remote)
{
	const struct device *device = n->config.device;
	const void *address;
	size_t len = address_of(remote, &address);
	uint32_t slot = slot_index_first(&n->remotes, address, len), next;

	for (; slot != SLOT_INDEX_NONE; slot = next) {
		struct peer *p = device->by_slot[slot];

		next = slot_index_next(&n->remotes, slot);
		if (endpoint_same_remote(&p->endpoint, remote))
			nexthops_peer(n, p);
	}
}

static void log_no_pmtu(int err)
{
	log_error("cannot watch for changes of path MTUs: %s; the MTUs are updated only every 30 s",
		  strerror(-err));
}

static void resolve_narrowed(void *ctx, uint64_t now_ns)
{
	struct nexthops *n = ctx;

	int err;

	(void)now_ns;
	for (unsigned i = 0; i < n->narrowed_count; i++)
		resolve_at(n, &n->narrowed[i]);
	n->narrowed_count = 0;
	err = loop_add(n->config.loop, pmtu_fd(n->pmtu), EPOLLIN, on_narrowed, n);
	if (err)
		log_no_pmtu(err);
}

/* Reads all policies, which takes long if there are many. After an error, AF_XDP might bypass a new
 * policy, so the policies are read again later. */
static void read_ipsec(void *ctx, uint64_t now_ns)
{
	struct nexthops *n = ctx;
	int err = ipsec_read(n->ipsec);

	n->ipsec_next_ns = loop_now_ns() + IPSEC_SHARE * (loop_now_ns() - now_ns);
	if (err) {
		log_error("IPsec policies cannot be read: %s", strerror(-err));
		loop_timer_arm_sooner(&n->ipsec_timer, now_ns + IPSEC_RETRY_NS);
		return;
	}
	n->ipsec_bypassed = false;
	nexthops_changed(n);
}

static void on_ipsec(void *ctx, int fd, uint32_t events)
{
	struct nexthops *n = ctx;
	uint64_t now_ns = loop_now_ns();

	(void)fd;
	(void)events;
	ipsec_drain(n->ipsec);
	loop_timer_arm_sooner(&n->ipsec_timer,
			      now_ns > n->ipsec_next_ns ? now_ns : n->ipsec_next_ns);
}

static void watch_ipsec(struct nexthops *n)
{
	n->ipsec = ipsec_open();
	if (n->ipsec && !loop_add(n->config.loop, ipsec_fd(n->ipsec), EPOLLIN, on_ipsec, n))
		return;
	if (errno != EPROTONOSUPPORT) /* EPROTONOSUPPORT: the kernel has no IPsec */
		log_info("IPsec policies cannot be watched: %s; AF_XDP may bypass them",
			 strerror(errno));
}

void nexthops_watch(struct nexthops *n)
{
	int err;

	watch_ipsec(n);
	n->pmtu = pmtu_open();
	err = n->pmtu ? loop_add(n->config.loop, pmtu_fd(n->pmtu), EPOLLIN, on_narrowed, n)
		      : -errno;
	if (err)
		log_no_pmtu(err);
}

/* Rounds --------------------------------------------------------------------------------------- */

static bool scope_is_empty(const struct nexthops_scope *scope)
{
	return !scope->all && !scope->prefix_count && !scope->hop_count;
}

static bool scope_has(const struct nexthops_scope *scope, const struct peer *p)
{
	const struct encap *e = encap_of(p);

	if (scope->all)
		return true;
	for (unsigned i = 0; i < scope->hop_count; i++)
		if (e && encap_next_same(&e->next, &scope->hops[i]))
			return true;
	for (unsigned i = 0; i < scope->prefix_count; i++)
		if (prefix_has_endpoint(&scope->prefixes[i], &p->endpoint))
			return true;
	return false;
}

static void schedule_round(struct nexthops *n)
{
	uint64_t now_ns = loop_now_ns();

	if (n->next_slot) /* end_round() will schedule the next round */
		return;
	loop_timer_arm_sooner(&n->round_timer,
			      now_ns > n->quiet_until_ns ? now_ns : n->quiet_until_ns);
}

static void end_round(struct nexthops *n)
{
	uint64_t now_ns = loop_now_ns(), pause_ns = 4 * n->round_cost_ns;

	n->next_slot = 0;
	n->quiet_until_ns =
		now_ns + (pause_ns > NEXTHOPS_INTERVAL_NS ? pause_ns : NEXTHOPS_INTERVAL_NS);
	if (n->now.all)
		loop_timer_arm(&n->refresh_timer, now_ns + NEXTHOPS_EVERY_NS);
	if (!scope_is_empty(&n->next))
		schedule_round(n);
}

/* Begins a round, or continues it, for at most TURN_NS. */
static void resolve_some(void *ctx, uint64_t now_ns)
{
	struct nexthops *n = ctx;
	const struct device *device = n->config.device;
	uint64_t used_ns = 0;

	if (!n->next_slot) {
		n->now = n->next;
		n->next = (struct nexthops_scope){ 0 };
		n->round_cost_ns = 0;
	}
	for (unsigned passed = 0; n->next_slot < device->next_slot && used_ns <= TURN_NS;
	     passed++) {
		struct peer *p = device->by_slot[n->next_slot++];
		bool concerned = p && scope_has(&n->now, p);

		if (concerned)
			nexthops_peer(n, p);
		if (concerned || passed % PASSED_PER_CLOCK == 0)
			used_ns = loop_now_ns() - now_ns;
	}
	n->round_cost_ns += loop_now_ns() - now_ns;
	if (n->next_slot < device->next_slot)
		loop_timer_arm(&n->round_timer, 0);
	else
		end_round(n);
}

void nexthops_changed(struct nexthops *n)
{
	n->next.all = true;
	schedule_round(n);
}

void nexthops_route_changed(struct nexthops *n, const struct prefix *destination)
{
	struct nexthops_scope *next = &n->next;

	if (next->prefix_count == NEXTHOPS_PREFIXES_MAX)
		next->all = true;
	else
		next->prefixes[next->prefix_count++] = *destination;
	schedule_round(n);
}

static void hop_changed(struct nexthops *n, const struct encap_next *hop)
{
	struct nexthops_scope *next = &n->next;

	for (unsigned i = 0; i < next->hop_count; i++)
		if (encap_next_same(&next->hops[i], hop))
			return;
	if (next->hop_count == NEXTHOPS_HOPS_MAX)
		next->all = true;
	else
		next->hops[next->hop_count++] = *hop;
	schedule_round(n);
}

/* Returns true if the event changes nothing for @e: @e already has the MAC of the event, or the
 * neighbour is not valid and @e does not use AF_XDP anyway. */
static bool is_up_to_date(const struct encap *e, const struct netlink_neighbour_event *event)
{
	return e->xsk_ok == event->valid &&
	       (!e->xsk_ok || !memcmp(e->header, event->mac, sizeof(event->mac)));
}

/* Resolves at most AT_ONCE_MAX peers now. If more peers are behind the neighbour, which may be a
 * gateway, the next round resolves all of them. */
void nexthops_neighbour(struct nexthops *n, const struct netlink_neighbour_event *event)
{
	struct encap_next hop = { .ifindex = event->ifindex, .family = event->family };
	uint32_t slot, next;
	unsigned count = 0;

	memcpy(hop.addr, event->addr, sizeof(hop.addr));
	slot = neighbours_first(&n->neighbours, &hop);
	for (; slot != SLOT_INDEX_NONE && count <= AT_ONCE_MAX; slot = next) {
		struct peer *p = n->config.device->by_slot[slot];
		const struct encap *e = encap_of(p);

		next = neighbours_next(&n->neighbours, slot);
		if (++count > AT_ONCE_MAX)
			hop_changed(n, &hop);
		else if (!e || !is_up_to_date(e, event))
			nexthops_peer(n, p);
	}
}

static void refresh(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	nexthops_changed(ctx);
}

void nexthops_now(struct nexthops *n)
{
	loop_timer_cancel(&n->round_timer);
	n->next_slot = 0;
	n->next.all = true;
	resolve_some(n, loop_now_ns());
}

void nexthops_set_tunnel(struct nexthops *n, uint32_t ifindex)
{
	n->tunnel = ifindex;
}

void nexthops_init(struct nexthops *n, const struct nexthops_config *config)
{
	*n = (struct nexthops){ .config = *config };
	neighbours_init(&n->neighbours, config->netlink, config->neighbour_managed, config->ctx);
	slot_index_init(&n->remotes);
	loop_timer_init(&n->round_timer, config->loop, resolve_some, n);
	loop_timer_init(&n->refresh_timer, config->loop, refresh, n);
	loop_timer_init(&n->narrowed_timer, config->loop, resolve_narrowed, n);
	loop_timer_init(&n->ipsec_timer, config->loop, read_ipsec, n);
}

void nexthops_done(struct nexthops *n)
{
	loop_timer_done(&n->round_timer);
	loop_timer_done(&n->narrowed_timer);
	loop_timer_done(&n->refresh_timer);
	loop_timer_done(&n->ipsec_timer);
	neighbours_done(&n->neighbours);
	slot_index_done(&n->remotes);
	pmtu_close(n->pmtu);
	netlink_close(n->netfilter);
	ipsec_close(n->ipsec);
}
