/* SPDX-License-Identifier: MIT */
#include "daemon/device_ops.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "io/encap.h"
#include "io/udp.h"
#include "path/qsbr.h"
#include "path/tunnel_loop.h"
#include "util/clock.h"

static void fill_random(void *ctx, void *out, size_t n)
{
	(void)ctx;
	randombytes_buf(out, n);
}

static uint64_t unix_ns(void *ctx)
{
	(void)ctx;
	return clock_ns(CLOCK_REALTIME);
}

static uint64_t boot_ns(void *ctx)
{
	(void)ctx;
	return loop_now_ns();
}

/* AF41, "multimedia conferencing": the kernel's WireGuard gives this class to handshakes. */
#define HANDSHAKE_TCLASS 0x88

static uint8_t type_of(const void *msg)
{
	return ((const struct wire_header *)msg)->type;
}

static uint8_t tclass_of(const void *msg)
{
	return type_of(msg) == WIRE_INITIATION || type_of(msg) == WIRE_RESPONSE ? HANDSHAKE_TCLASS
										: 0;
}

/* Returns true if a keepalive that has just been sealed may still be sent. Like a worker, this
 * thread may have been suspended between sealing and sending (seal.c: stage_expired()). */
static bool may_still_send(const struct device_ops_env *env, const struct peer *peer)
{
	const struct session *s = atomic_load_explicit(&peer->current, memory_order_relaxed);

	return s && session_may_send(s, loop_now_ns()) && !suspend_stale(env->suspend);
}

/* Sets *@via to the endpoint @to with the local address that nexthops has resolved, so that the UDP
 * socket sends from the same source address as AF_XDP. Returns 0, or -ELOOP if the route leads back
 * into this tunnel. */
static int choose_source(struct device_ops_env *env, const struct peer *peer,
			 const struct endpoint *to, struct endpoint *via)
{
	const struct encap *e = atomic_load_explicit(&peer->encap, memory_order_relaxed);

	*via = *to;
	if (!e || !endpoint_same_remote(&e->endpoint, to))
		return 0;
	*via = e->endpoint;
	if (!tunnel_loop_exists(env->device->allowed, e))
		return 0;
	env->device->counts[REASON_loop]++;
	return -ELOOP;
}

static int send_message(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
			size_t len)
{
	struct device_ops_env *env = ctx;
	struct transport *leader = env->dataplane->udp.leader;
	struct endpoint via = *to;
	bool local_gone = false;
	int err = 0;

	if (!leader)
		return -ENETDOWN;
	if (peer && type_of(msg) == WIRE_DATA && !may_still_send(env, peer))
		return -ETIME;
	if (peer)
		err = choose_source(env, peer, to, &via);
	if (err)
		return err;
	err = udp_send_one(leader, &via, tclass_of(msg), msg, len, &local_gone);
	if (peer && local_gone) {
		endpoint_forget_local(&peer->endpoint);
		nexthops_peer(env->nexthops, peer);
	}
	return err;
}

static bool answerable(void *ctx, const struct endpoint *from)
{
	const struct device_ops_env *env = ctx;

	return nexthops_answerable(env->nexthops, from);
}

static void peer_changed(void *ctx, struct peer *peer, enum peer_change change)
{
	const struct device_ops_env *env = ctx;

	switch (change) {
	case PEER_CHANGE_ENDPOINT:
		dataplane_network_changed(env->dataplane);
		nexthops_peer(env->nexthops, peer);
		break;
	case PEER_CHANGE_HANDSHAKE:
		nexthops_met(env->nexthops, peer);
		break;
	case PEER_CHANGE_NAME:
		break;
	}
	mapsync_peer_changed(env->mapsync, peer);
}

static void unanswered(void *ctx, struct peer *peer)
{
	const struct device_ops_env *env = ctx;

	endpoint_names_unanswered(env->names, peer, loop_now_ns());
}

static void peer_removed(void *ctx, struct peer *peer)
{
	const struct device_ops_env *env = ctx;

	nexthops_forget(env->nexthops, peer);
	endpoint_names_forget(env->names, peer);
}

static void flush(void *ctx, struct peer *peer)
{
	const struct device_ops_env *env = ctx;
	const struct session *s = atomic_load_explicit(&peer->current, memory_order_relaxed);

	/* Resolve the peer's next hop again, because the kernel may have learned the MAC address of
	 * the next hop when the handshake was sent. */
	nexthops_peer(env->nexthops, peer);
	if (s && env->dataplane->up)
		workers_flush(&env->dataplane->workers, peer->slot, s->local_index);
}

static void retire(void *ctx, void *object, void (*free_fn)(void *))
{
	const struct device_ops_env *env = ctx;

	qsbr_retire(env->qsbr, object, free_fn);
}

static void report_event(void *ctx, enum device_event event, const struct peer *peer,
			 const struct endpoint *from)
{
	const struct device_ops_env *env = ctx;

	diag_event(env->diag, event, peer, from);
}

const struct device_ops device_ops_all = {
	.random = fill_random,
	.unix_ns = unix_ns,
	.boot_ns = boot_ns,
	.send = send_message,
	.answerable = answerable,
	.peer_changed = peer_changed,
	.unanswered = unanswered,
	.peer_removed = peer_removed,
	.flush = flush,
	.retire = retire,
	.event = report_event,
};
