/* SPDX-License-Identifier: MIT */
/*
 * world.h - devices joined by a simulated network and clock, for test_device.c and
 * test_simulation.c. A node is a device and the least that a worker does: it seals, opens, stages,
 * and tells the device what a worker would note.
 *
 *   node_send ─▶ seal ─┐                         ┌─▶ open ─▶ node->received_data
 *   device ─▶ ops.send ─┴─▶ loss, delay ─▶ queue ─┴─▶ device_input
 *
 * Checked all the time: no nonce twice under a key; a message's sender index was begun before; the
 * index table, what was begun and not ended, and the peers' sessions agree.
 */
#ifndef WGXDP_WORLD_H
#define WGXDP_WORLD_H

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/aead.h"
#include "wg/device.h"
#include "wgxdp/limits.h"
#include "wgxdp/wire.h"

#define NODES_MAX 3
#define INDICES_MAX 64
#define NONCES_MAX (1U << 17)
#define PACKET_MAX 128
#define SECONDS(n) ((uint64_t)((n)*1e9))

struct datagram {
	struct datagram *next;
	uint64_t at_ns;
	struct endpoint from, to;
	size_t len;
	uint8_t data[wire_data_len(PACKET_MAX)];
};

struct retired {
	struct retired *next;
	void *object;
	void (*free_fn)(void *object);
};

struct payload {		    /* the inner packet */
	uint8_t from[WIRE_KEY_LEN]; /* public key under which it was sealed */
	uint32_t serial;
};

#define MAP_MAX 256

struct node {
	struct world *world;
	struct device device;
	uint8_t private[WIRE_KEY_LEN];
	struct endpoint address;
	int64_t unix_offset_ns;
	bool under_load;
	int send_error, index_error, peer_error, allowed_error; /* what the ops say, 0 or -errno */
	struct {
		uint32_t index;
		bool pending;
	} begun[INDICES_MAX];
	unsigned begun_count, peers_begun;
	struct { /* the twin of the trie that the ops are told of */
		struct prefix prefix;
		uint32_t slot;
	} map[MAP_MAX];
	unsigned map_count;
	struct retired *retired;
	unsigned sends;		      /* calls of the op, refused ones included */
	unsigned sent[WIRE_DATA + 1]; /* by type */
	unsigned received_data, received_empty, last_serial;
	unsigned events[DEVICE_EVENTS], flushes, endpoint_changes, identity_changes;
	enum reason last; /* of the last message given to device_input */
};

struct world {
	uint64_t now_ns;
	uint64_t random;
	unsigned loss_percent;
	uint64_t delay_ns, delay_jitter_ns;
	struct node nodes[NODES_MAX];
	unsigned node_count;
	struct datagram *queue; /* by time of arrival */
	struct datagram last;	/* newest datagram given to the network, for tests to replay */
	uint64_t (*nonces)[2];
	unsigned nonce_count;
	uint32_t serial;
};

/* xorshift64*: repeatable, which is all that is asked of it. */
static inline uint64_t world_random(struct world *w)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * 0x2545f4914f6cdd1dULL;
}

static inline void world_note_nonce(struct world *w, const uint8_t key[static AEAD_KEY_LEN],
				    uint64_t counter)
{
	uint64_t id;
	unsigned i;

	memcpy(&id, key, sizeof(id));
	for (i = (id ^ counter * 0x9e3779b97f4a7c15ULL) % NONCES_MAX; w->nonces[i][0];
	     i = (i + 1) % NONCES_MAX)
		assert_false(w->nonces[i][0] == id && w->nonces[i][1] == counter);
	w->nonces[i][0] = id;
	w->nonces[i][1] = counter;
	assert_in_range(++w->nonce_count, 1, NONCES_MAX / 2);
}

static inline void world_transmit(struct world *w, const struct endpoint *from,
				  const struct endpoint *to, const void *msg, size_t len)
{
	struct datagram *dg = calloc(1, sizeof(*dg)), **link = &w->queue;

	assert_non_null(dg);
	assert_in_range(len, 1, sizeof(dg->data));
	dg->from = *from;
	dg->to = *to;
	dg->len = len;
	dg->at_ns = w->now_ns + w->delay_ns;
	if (w->delay_jitter_ns)
		dg->at_ns += world_random(w) % w->delay_jitter_ns;
	memcpy(dg->data, msg, len);
	w->last = *dg;
	if (world_random(w) % 100 < w->loss_percent) {
		free(dg);
		return;
	}
	while (*link && (*link)->at_ns <= dg->at_ns)
		link = &(*link)->next;
	dg->next = *link;
	*link = dg;
}

/* struct device_ops ---------------------------------------------------------------------------- */

static inline void node_random(void *ctx, void *out, size_t n)
{
	struct node *node = ctx;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)(world_random(node->world) >> 32);
}

static inline uint64_t node_unix_ns(void *ctx)
{
	struct node *n = ctx;

	return 1700000000 * NS_PER_S + n->world->now_ns + n->unix_offset_ns;
}

static inline int node_find_begun(const struct node *n, uint32_t index)
{
	for (unsigned i = 0; i < n->begun_count; i++)
		if (n->begun[i].index == index)
			return (int)i;
	return -1;
}

static inline int node_ops_send(void *ctx, struct peer *peer, const struct endpoint *to,
				const void *msg, size_t len)
{
	const struct wire_initiation *m = msg; /* all but a cookie reply have their index there */
	struct node *n = ctx;
	int at;

	n->sends++;
	assert_in_range(m->header.type, WIRE_INITIATION, WIRE_DATA);
	assert_false(endpoint_martian(to));
	assert_int_equal(!peer, m->header.type == WIRE_COOKIE);
	if (m->header.type <= WIRE_RESPONSE) {
		at = node_find_begun(n, le32toh(m->sender_index));
		assert_true(at >= 0);
		assert_int_equal(n->begun[at].pending, m->header.type == WIRE_INITIATION);
	}
	if (m->header.type == WIRE_DATA)
		world_note_nonce(n->world, atomic_load(&peer->current)->send_key,
				 le64toh(((const struct wire_data *)msg)->counter));
	if (n->send_error)
		return n->send_error;
	n->sent[m->header.type]++;
	world_transmit(n->world, &n->address, to, msg, len);
	return 0;
}

static inline int node_index_begin(void *ctx, uint32_t index, const struct peer *peer, bool pending)
{
	struct node *n = ctx;
	int at = node_find_begun(n, index);

	(void)peer;
	if (n->index_error)
		return n->index_error;
	if (at < 0) {
		assert_in_range(n->begun_count, 0, INDICES_MAX - 1);
		at = (int)n->begun_count++;
	} else {
		assert_true(n->begun[at].pending && !pending); /* the only change there is */
	}
	n->begun[at].index = index;
	n->begun[at].pending = pending;
	return 0;
}

static inline void node_index_end(void *ctx, uint32_t index)
{
	struct node *n = ctx;
	int at = node_find_begun(n, index);

	assert_true(at >= 0);
	n->begun[at] = n->begun[--n->begun_count];
}

static inline int node_peer_begin(void *ctx, const struct peer *peer)
{
	struct node *n = ctx;

	assert_in_range(peer->slot, 0, PEERS_MAX - 1);
	if (n->peer_error)
		return n->peer_error;
	n->peers_begun++;
	return 0;
}

static inline void node_peer_end(void *ctx, const struct peer *peer)
{
	(void)peer;
	((struct node *)ctx)->peers_begun--;
}

static inline void node_identity_changed(void *ctx)
{
	((struct node *)ctx)->identity_changes++;
}

static inline unsigned node_map_find(const struct node *n, const struct prefix *prefix)
{
	unsigned at = 0;

	while (at < n->map_count && memcmp(&n->map[at].prefix, prefix, sizeof(*prefix)))
		at++;
	return at;
}

static inline int node_allowed_begin(void *ctx, const struct prefix *prefix,
				     const struct peer *peer)
{
	struct node *n = ctx;
	unsigned at = node_map_find(n, prefix);

	if (n->allowed_error)
		return n->allowed_error;
	assert_in_range(at, 0, MAP_MAX - 1);
	n->map[at].prefix = *prefix;
	n->map[at].slot = peer->slot;
	n->map_count += at == n->map_count;
	return 0;
}

static inline void node_allowed_end(void *ctx, const struct prefix *prefix)
{
	struct node *n = ctx;
	unsigned at = node_map_find(n, prefix);

	assert_in_range(at, 0, n->map_count - 1);
	n->map[at] = n->map[--n->map_count];
}

static inline void node_peer_changed(void *ctx, struct peer *peer, bool endpoint_changed)
{
	(void)peer;
	((struct node *)ctx)->endpoint_changes += endpoint_changed;
}

static inline void node_retire(void *ctx, void *object, void (*free_fn)(void *))
{
	struct node *n = ctx;
	struct retired *r = malloc(sizeof(*r));

	assert_non_null(r);
	*r = (struct retired){ n->retired, object, free_fn };
	n->retired = r;
}

static inline void node_event(void *ctx, enum device_event event, const struct peer *peer,
			      const struct endpoint *from)
{
	(void)peer;
	(void)from;
	((struct node *)ctx)->events[event]++;
}

/* A worker ------------------------------------------------------------------------------------- */

/* Seals @packet for @p. False if there is no session. */
static inline bool node_seal(struct node *n, struct peer *p, const void *packet, size_t len)
{
	struct {
		struct wire_data header;
		uint8_t body[PACKET_MAX + WIRE_TAG_LEN];
	} msg = { .header.header.type = WIRE_DATA };
	struct session *s = atomic_load(&p->current);
	size_t padded = (len + WIRE_PADDING - 1) / WIRE_PADDING * WIRE_PADDING;
	uint64_t now = n->world->now_ns;
	struct aead_job job = { .src = msg.body, .dst = msg.body, .len = (uint32_t)padded };

	assert_in_range(padded, sizeof(struct payload), PACKET_MAX);
	if (!s || !session_may_send(s, now) || !session_take_counters(s, 1, &job.counter))
		return false;
	memcpy(msg.body, packet, len);
	memcpy(msg.body + offsetof(struct payload, from), n->device.identity.public, WIRE_KEY_LEN);
	job.key = s->send_key;
	aead_seal_batch(&job, 1);
	world_note_nonce(n->world, s->send_key, job.counter);
	msg.header.receiver_index = htole32(s->remote_index);
	msg.header.counter = htole64(job.counter);
	n->sent[WIRE_DATA]++;
	world_transmit(n->world, &n->address, &p->endpoint, &msg, wire_data_len(padded));
	if (peer_sent(p, 1, wire_data_len(padded), true, now))
		device_watch(&n->device, p, now);
	if (session_renew_after_send(s, now))
		device_want_handshake(&n->device, p, now);
	return true;
}

static inline void node_flush(void *ctx, struct peer *p)
{
	struct node *n = ctx;
	struct staged *packet, *next;
	unsigned count;

	n->flushes++;
	for (packet = stage_take(&p->stage, STAGED_PER_PEER, &count); packet; packet = next) {
		next = packet->next;
		node_seal(n, p, packet->data, packet->len);
		stage_drop(packet);
	}
}

/* A packet of @len bytes for @p: sent, staged, or refused for want of an endpoint. */
static inline void node_send_len(struct node *n, struct peer *p, size_t len)
{
	uint8_t packet[PACKET_MAX] = { 0 };
	struct payload inner = { .serial = ++n->world->serial };

	memcpy(packet, &inner, sizeof(inner));
	if (p->endpoint.remote.sa.sa_family == AF_UNSPEC || node_seal(n, p, packet, len))
		return;
	stage_push(&p->stage, packet, (uint32_t)len);
	device_want_handshake(&n->device, p, n->world->now_ns);
}

static inline void node_send(struct node *n, struct peer *p)
{
	node_send_len(n, p, sizeof(struct payload));
}

/* What came inside must have been sealed by the one whose key the peer has. */
static inline void node_deliver(struct node *n, const struct peer *p, const uint8_t *packet)
{
	struct payload inner;

	memcpy(&inner, packet, sizeof(inner));
	assert_memory_equal(inner.from, p->remote.public, WIRE_KEY_LEN);
	n->received_data++;
	n->last_serial = inner.serial;
}

static inline void node_open(struct node *n, struct datagram *dg)
{
	struct wire_data header;
	struct aead_job job = { .src = dg->data + sizeof(header),
				.dst = dg->data + sizeof(header) };
	uint64_t now = n->world->now_ns;
	struct session *s;
	bool data;

	memcpy(&header, dg->data, sizeof(header));
	s = indextab_session(n->device.indices, le32toh(header.receiver_index));
	if (!s || !session_may_receive(s, now))
		return;
	job.key = s->recv_key;
	job.counter = le64toh(header.counter);
	job.len = (uint32_t)(dg->len - wire_data_len(0));
	if (!aead_open_batch(&job, 1) || replay_accept(&s->replay, job.counter))
		return;
	data = job.len;
	if (data)
		node_deliver(n, s->peer, job.dst);
	else
		n->received_empty++;
	if (peer_received(s->peer, 1, dg->len, data, now))
		device_watch(&n->device, s->peer, now);
	device_moved(&n->device, s->peer, &dg->from);
	if (s == atomic_load(&s->peer->next))
		device_confirmed(&n->device, s->peer, s, now);
	if (session_renew_after_receive(s, now))
		device_want_handshake(&n->device, s->peer, now);
}

static const struct device_ops node_ops = {
	.random = node_random,
	.unix_ns = node_unix_ns,
	.send = node_ops_send,
	.index_begin = node_index_begin,
	.index_end = node_index_end,
	.peer_begin = node_peer_begin,
	.peer_end = node_peer_end,
	.identity_changed = node_identity_changed,
	.allowed_begin = node_allowed_begin,
	.allowed_end = node_allowed_end,
	.peer_changed = node_peer_changed,
	.flush = node_flush,
	.retire = node_retire,
	.event = node_event,
};

/* The world ------------------------------------------------------------------------------------ */

static inline struct endpoint world_address(uint8_t host, uint16_t port)
{
	struct endpoint e = { 0 };

	e.remote.v4.sin_family = AF_INET;
	e.remote.v4.sin_addr.s_addr = htonl(0x0a000000U | host);
	e.remote.v4.sin_port = htons(port);
	return e;
}

static inline void node_new_key(struct node *n)
{
	node_random(n, n->private, sizeof(n->private));
	device_set_private_key(&n->device, n->private, n->world->now_ns);
}

/* Frees what was retired; nobody holds anything now. */
static inline void node_quiesce(struct node *n)
{
	struct retired *r;

	while ((r = n->retired)) {
		n->retired = r->next;
		r->free_fn(r->object);
		free(r);
	}
}

static inline unsigned node_indices_of(const struct peer *p)
{
	return !!atomic_load(&p->current) + !!atomic_load(&p->next) + !!p->previous +
	       (p->handshake.state != NOISE_NONE);
}

static inline void node_check(struct node *n)
{
	unsigned indices = 0;

	for (struct peer *p = n->device.first; p; p = p->list_next)
		indices += node_indices_of(p);
	assert_int_equal(indices, n->begun_count);
	assert_int_equal(indices, indextab_count(n->device.indices));
	assert_int_equal(n->peers_begun, n->device.peer_count);
}

/* @count nodes with keys, up, at 10.0.0.1, 10.0.0.2, …; nobody knows anybody. */
static inline struct world *world_new(unsigned count, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_in_range(count, 1, NODES_MAX);
	w->nonces = calloc(NONCES_MAX, sizeof(*w->nonces));
	assert_non_null(w->nonces);
	w->random = seed * 2 + 1;
	w->now_ns = SECONDS(1000);
	w->delay_ns = NS_PER_MS;
	w->node_count = count;
	for (struct node *n = w->nodes; n < w->nodes + count; n++) {
		n->world = w;
		n->address = world_address((uint8_t)(n - w->nodes + 1), 51820);
		assert_int_equal(device_init(&n->device, &node_ops, n), 0);
		node_new_key(n);
		device_set_up(&n->device, true, w->now_ns);
	}
	return w;
}

static inline void world_free(struct world *w)
{
	struct datagram *dg;

	for (struct node *n = w->nodes; n < w->nodes + w->node_count; n++) {
		node_check(n);
		device_done(&n->device);
		node_quiesce(n);
		assert_int_equal(n->begun_count, 0);
		assert_int_equal(n->peers_begun, 0);
	}
	while ((dg = w->queue)) {
		w->queue = dg->next;
		free(dg);
	}
	free(w->nonces);
	free(w);
}

/* Makes @b a peer of @a, with or without its endpoint. */
static inline struct peer *world_meet(struct node *a, const struct node *b, bool endpoint)
{
	struct peer *p;

	assert_int_equal(device_peer_add(&a->device, b->device.identity.public, &p), 0);
	if (endpoint)
		device_peer_set_endpoint(&a->device, p, &b->address);
	return p;
}

static inline enum reason node_input(struct node *n, const struct datagram *dg)
{
	n->last = device_input(&n->device, dg->data, dg->len, &dg->from, n->under_load,
			       n->world->now_ns);
	return n->last;
}

static inline void world_arrive(struct world *w, struct datagram *dg)
{
	for (struct node *n = w->nodes; n < w->nodes + w->node_count; n++) {
		if (!endpoint_same_remote(&n->address, &dg->to))
			continue;
		if (dg->data[0] == WIRE_DATA)
			node_open(n, dg);
		else
			node_input(n, dg);
	}
}

/* When something happens next, by itself. */
static inline uint64_t world_next(const struct world *w)
{
	uint64_t next = w->queue ? w->queue->at_ns : TIMERS_NEVER;

	for (const struct node *n = w->nodes; n < w->nodes + w->node_count; n++)
		if (device_next(&n->device) < next)
			next = device_next(&n->device);
	return next;
}

/* Lets the world go on until @until_ns. */
static inline void world_run(struct world *w, uint64_t until_ns)
{
	struct datagram *dg;
	uint64_t at;

	while ((at = world_next(w)) <= until_ns) {
		if (at > w->now_ns)
			w->now_ns = at;
		for (struct node *n = w->nodes; n < w->nodes + w->node_count; n++)
			device_tick(&n->device, w->now_ns);
		while ((dg = w->queue) && dg->at_ns <= w->now_ns) {
			w->queue = dg->next;
			world_arrive(w, dg);
			free(dg);
		}
		for (struct node *n = w->nodes; n < w->nodes + w->node_count; n++) {
			node_check(n);
			node_quiesce(n);
		}
	}
	w->now_ns = until_ns;
}

static inline void world_pass(struct world *w, double seconds)
{
	world_run(w, w->now_ns + SECONDS(seconds));
}

#endif
