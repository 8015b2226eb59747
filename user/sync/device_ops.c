/* SPDX-License-Identifier: MIT */
/* What the protocol core asks of the world: struct device_ops. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/daemon.h"
#include "io/encap.h"
#include "io/udp.h"
#include "path/tunnel_loop.h"

static void up_random(void *ctx, void *out, size_t n)
{
	(void)ctx;
	randombytes_buf(out, n);
}

static uint64_t up_unix_ns(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* AF41, "multimedia conferencing", which the kernel's WireGuard gives to handshakes. */
#define HANDSHAKE_TCLASS 0x88

static uint8_t tclass_of(const void *msg)
{
	const struct wire_header *header = msg;

	return header->type == WIRE_INITIATION || header->type == WIRE_RESPONSE ? HANDSHAKE_TCLASS
										: 0;
}

/* We may have been held up since the keepalive was sealed, as a worker may: see egress.c. */
static bool still_good(const struct daemon *n, const struct peer *peer)
{
	const struct session *s = atomic_load_explicit(&peer->current, memory_order_relaxed);

	return s && session_may_send(s, loop_now_ns()) && !suspend_stale(&n->suspend);
}

/* Both ways out use one source address: what nexthops.c resolved, if it is for this endpoint. */
static int up_send(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
		   size_t len)
{
	struct daemon *n = ctx;
	struct endpoint via = *to;
	bool local_gone = false;
	int err;

	if (!n->udp.leader)
		return -ENETDOWN;
	if (peer && ((const struct wire_header *)msg)->type == WIRE_DATA && !still_good(n, peer))
		return -ETIME;
	if (peer) {
		const struct encap *e = atomic_load_explicit(&peer->encap, memory_order_relaxed);

		if (e && endpoint_same_remote(&e->endpoint, to)) {
			via = e->endpoint;
			if (tunnel_loop_exists(n->device.allowed, e)) {
				n->device.counts[REASON_loop]++;
				return -ELOOP;
			}
		}
	}
	err = udp_send_one(n->udp.leader, &via, tclass_of(msg), msg, len, &local_gone);
	if (peer && local_gone) {
		endpoint_forget_local(&peer->endpoint);
		nexthops_peer(n, peer);
	}
	return err;
}

static int up_index_begin(void *ctx, uint32_t index, const struct peer *peer, bool pending)
{
	return mapsync_index(ctx, index, peer, pending);
}

static void up_index_end(void *ctx, uint32_t index)
{
	mapsync_index_end(ctx, index);
}

static int up_peer_begin(void *ctx, const struct peer *peer)
{
	struct daemon *n = ctx;
	int err;

	if (peer->slot >= n->slot_cap) {
		uint32_t cap = n->slot_cap ? n->slot_cap * 2 : 64;
		struct peer **slots;

		while (cap <= peer->slot)
			cap *= 2;
		slots = realloc(n->slots, cap * sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		memset(slots + n->slot_cap, 0, (cap - n->slot_cap) * sizeof(*slots));
		n->slots = slots;
		n->slot_cap = cap;
	}
	err = mapsync_peer(n, peer);
	if (err)
		return err;
	n->slots[peer->slot] =
		(struct peer *)peer; /* the device's, which it lets us see as const */
	return 0;
}

static void up_peer_end(void *ctx, const struct peer *peer)
{
	struct daemon *n = ctx;
	struct peer *p = n->slots[peer->slot];

	n->slots[peer->slot] = NULL;
	nexthops_forget(n, p);
	mapsync_peer_end(n, peer);
}

static void up_identity_changed(void *ctx)
{
	mapsync_identity(ctx);
}

static int up_allowed_begin(void *ctx, const struct prefix *prefix, const struct peer *peer)
{
	return mapsync_allowed(ctx, prefix, peer);
}

static void up_allowed_end(void *ctx, const struct prefix *prefix)
{
	mapsync_allowed_end(ctx, prefix);
}

struct peer *upcalls_peer(const struct daemon *n, const struct note *note)
{
	struct peer *p = note->slot < n->slot_cap ? n->slots[note->slot] : NULL;

	return p && p->serial == note->serial ? p : NULL;
}

static bool up_answerable(void *ctx, const struct endpoint *from)
{
	return nexthops_answerable(ctx, from);
}

static void up_peer_changed(void *ctx, struct peer *peer, bool endpoint_changed)
{
	struct daemon *n = ctx;

	if (endpoint_changed)
		nexthops_peer(n, peer);
	else
		nexthops_met(n, peer);
	mapsync_peer(n, peer);
}

static void up_flush(void *ctx, struct peer *peer)
{
	struct daemon *n = ctx;
	const struct session *s = atomic_load_explicit(&peer->current, memory_order_relaxed);

	/* The neighbour was perhaps unknown when the endpoint was set; the handshake found it. */
	nexthops_peer(n, peer);
	if (s && n->up)
		worker_flush(n->workers[peer->slot % n->worker_count].worker, s->local_index);
}

static void up_retire(void *ctx, void *object, void (*free_fn)(void *))
{
	struct daemon *n = ctx;

	qsbr_retire(n->qsbr, object, free_fn);
}

static void up_event(void *ctx, enum device_event event, const struct peer *peer,
		     const struct endpoint *from)
{
	diag_event(ctx, event, peer, from);
}

const struct device_mirror upcalls_mirror = {
	.index_begin = up_index_begin,
	.index_end = up_index_end,
	.peer_begin = up_peer_begin,
	.peer_end = up_peer_end,
	.identity_changed = up_identity_changed,
	.allowed_begin = up_allowed_begin,
	.allowed_end = up_allowed_end,
};

const struct device_ops upcalls = {
	.random = up_random,
	.unix_ns = up_unix_ns,
	.send = up_send,
	.answerable = up_answerable,
	.peer_changed = up_peer_changed,
	.flush = up_flush,
	.retire = up_retire,
	.event = up_event,
};
