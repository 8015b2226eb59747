/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <arpa/inet.h>
#include <endian.h>

#include "crypto/aead.h"

static void node_flush_now(struct node *n, struct peer *p);

static void node_hear(struct node *n, struct peer *p, enum told kind, uint32_t index,
		      const struct endpoint *from)
{
	uint64_t now = n->world->now_ns;

	switch (kind) {
	case TOLD_NONE:
		break;
	case TOLD_WANT:
		device_want_handshake(&n->device, p, now);
		break;
	case TOLD_CONFIRMED:
		device_confirmed(&n->device, p, indextab_session(n->device.indices, index), now);
		break;
	case TOLD_MOVED:
		device_roamed(&n->device, p, from);
		break;
	case TOLD_WATCH:
		device_check_timers(&n->device, p, now);
		break;
	case TOLD_FLUSH:
		node_flush_now(n, p);
		break;
	}
}

void node_note(struct node *n, enum told kind, struct peer *p, uint32_t index,
	       const struct endpoint *from)
{
	struct world *w = n->world;
	struct datagram note = { .note = kind, .node = n, .index = index };

	if (!w->note_delay_ns) {
		node_hear(n, p, kind, index, from);
		return;
	}
	note.peer_serial = p->serial;
	if (from)
		note.from = *from;
	note.at_ns = w->now_ns + world_random(w) % w->note_delay_ns;
	world_enqueue(w, world_copy(&note));
}

static void node_take_note(struct node *n, const struct datagram *note)
{
	for (struct peer *p = n->device.first; p; p = p->list_next)
		if (p->serial == note->peer_serial) {
			node_hear(n, p, note->note, note->index, &note->from);
			return;
		}
}

bool node_seal(struct node *n, struct peer *p, const void *packet, size_t len)
{
	struct {
		struct wire_data header;
		uint8_t body[PACKET_MAX + WIRE_TAG_LEN];
	} msg = { .header.header.type = WIRE_DATA };
	struct session *s = peer_session(p);
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
	witness_sealed(&n->world->witness, s, job.counter, now);
	msg.header.receiver_index = htole32(s->remote_index);
	msg.header.counter = htole64(job.counter);
	n->sent[WIRE_DATA]++;
	world_transmit(n->world, n, &p->endpoint, &msg, wire_data_len(padded));
	if (peer_sent(p, 1, wire_data_len(padded), true, now))
		node_note(n, TOLD_WATCH, p, 0, NULL);
	if (session_renew_after_send(s, now))
		node_note(n, TOLD_WANT, p, 0, NULL);
	return true;
}

/* Sends the packets that wait for a session, if there is one now. */
static void node_flush_now(struct node *n, struct peer *p)
{
	struct staged *packet, *next;
	struct session *s = peer_session(p);
	unsigned count;

	if (!s || !session_may_send(s, n->world->now_ns))
		return;
	n->flushes++;
	for (packet = stage_take(&p->stage, STAGED_PER_PEER, &count); packet; packet = next) {
		next = packet->next;
		node_seal(n, p, packet->data, packet->len);
		stage_drop(packet);
	}
}

void node_flush(void *ctx, struct peer *p)
{
	node_note(ctx, TOLD_FLUSH, p, 0, NULL);
}

void node_send_len(struct node *n, struct peer *p, size_t len)
{
	uint8_t packet[PACKET_MAX] = { 0 };
	struct payload inner = { .serial = ++n->world->serial };

	memcpy(packet, &inner, sizeof(inner));
	if (p->endpoint.remote.sa.sa_family == AF_UNSPEC || node_seal(n, p, packet, len))
		return;
	n->staged_full += stage_push(&p->stage, packet, (uint32_t)len);
	node_note(n, TOLD_WANT, p, 0, NULL);
}

void node_send(struct node *n, struct peer *p)
{
	node_send_len(n, p, sizeof(struct payload));
}

/* Counts a received packet, which must have been sealed by the node with @p's public key. */
static void node_deliver(struct node *n, const struct peer *p, const struct datagram *dg,
			 const uint8_t *packet)
{
	struct payload inner;

	memcpy(&inner, packet, sizeof(inner));
	assert_memory_equal(inner.from, p->remote.public, WIRE_KEY_LEN);
	n->received_data++;
	n->heard_data[dg->sender]++;
	n->last_serial = inner.serial;
}

/* Records in the history that the message was accepted. Repeating an accepted message must have no
 * effect. */
static void world_accepted(struct world *w, const struct datagram *dg)
{
	struct datagram *kept = &w->history[dg->number % HISTORY_LEN];

	if (kept->number == dg->number)
		kept->accepted = true;
}

void node_open(struct node *n, struct datagram *dg)
{
	struct wire_data header;
	struct aead_job job = { .src = dg->data + sizeof(header),
				.dst = dg->data + sizeof(header) };
	uint64_t now = n->world->now_ns;
	struct session *s;

	memcpy(&header, dg->data, sizeof(header));
	if (header.header.reserved[0] || header.header.reserved[1] || header.header.reserved[2])
		return;
	s = indextab_session(n->device.indices, le32toh(header.receiver_index));
	if (!s || !session_may_receive(s, now))
		return;
	job.key = s->recv_key;
	job.counter = le64toh(header.counter);
	job.len = (uint32_t)(dg->len - wire_data_len(0));
	if (!aead_open_batch(&job, 1) || replay_accept(&s->replay, job.counter))
		return;
	witness_opened(&n->world->witness, s, job.counter, now);
	world_accepted(n->world, dg);
	if (job.len)
		node_deliver(n, s->peer, dg, job.dst);
	else
		n->received_empty++;
	if (peer_received(s->peer, 1, dg->len, job.len, now))
		node_note(n, TOLD_WATCH, s->peer, 0, NULL);
	node_note(n, TOLD_MOVED, s->peer, 0, &dg->from);
	if (s == atomic_load(&s->peer->next)) {
		atomic_store(&s->confirmed, true);
		node_note(n, TOLD_CONFIRMED, s->peer, s->local_index, NULL);
	}
	if (session_renew_after_receive(s, now))
		node_note(n, TOLD_WANT, s->peer, 0, NULL);
}

struct endpoint world_address(uint8_t host, uint16_t port)
{
	struct endpoint e = { 0 };

	e.remote.v4.sin_family = AF_INET;
	e.remote.v4.sin_addr.s_addr = htonl(0x0a000000U | host);
	e.remote.v4.sin_port = htons(port);
	return e;
}

void node_new_key(struct node *n)
{
	node_random(n, n->private, sizeof(n->private));
	device_set_private_key(&n->device, n->private, n->world->now_ns);
}

/* Frees the retired objects. No simulated worker holds a pointer between two events. */
static void node_quiesce(struct node *n)
{
	struct retired *r;

	while ((r = n->retired)) {
		n->retired = r->next;
		r->free_fn(r->object);
		free(r);
	}
}

static unsigned node_indices_of(const struct peer *p)
{
	return !!atomic_load(&p->current) + !!atomic_load(&p->next) + !!p->previous +
	       (p->handshake.state != NOISE_NONE);
}

void node_check(struct node *n)
{
	unsigned indices = 0;

	for (struct peer *p = n->device.first; p; p = p->list_next) {
		const struct session *s = atomic_load(&p->current);

		indices += node_indices_of(p);
		assert_true(!s || witness_matched(&n->world->witness, s));
	}
	assert_int_equal(indices, n->begun_count);
	assert_int_equal(indices, indextab_count(n->device.indices));
	assert_int_equal(n->peers_begun, n->device.peer_count);
}

void node_start(struct node *n)
{
	assert_int_equal(device_init(&n->device, &node_ops, n, &node_mirror, n), 0);
	memset(n->heard, 0, sizeof(n->heard));
}

void node_stop(struct node *n)
{
	struct datagram **link = &n->world->queue, *dg;

	node_check(n);
	device_done(&n->device);
	node_quiesce(n);
	assert_int_equal(n->begun_count, 0);
	assert_int_equal(n->peers_begun, 0);
	while ((dg = *link)) {
		if (dg->node != n) {
			link = &dg->next;
			continue;
		}
		*link = dg->next;
		free(dg);
	}
}

struct world *world_new(unsigned count, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_in_range(count, 1, NODES_MAX);
	witness_init(&w->witness);
	w->index_bits = 32;
	w->random = seed * 2 + 1;
	w->now_ns = SECONDS(1000);
	w->delay_ns = NS_PER_MS;
	w->node_count = count;
	for (struct node *n = w->nodes; n < w->nodes + count; n++) {
		n->world = w;
		n->id = (unsigned)(n - w->nodes);
		n->address = world_address((uint8_t)(n - w->nodes + 1), 51820);
		node_start(n);
		node_new_key(n);
		device_set_up(&n->device, true, w->now_ns);
	}
	return w;
}

void world_free(struct world *w)
{
	struct datagram *dg;

	for (struct node *n = w->nodes; n < w->nodes + w->node_count; n++)
		node_stop(n);
	while ((dg = w->queue)) {
		w->queue = dg->next;
		free(dg);
	}
	witness_done(&w->witness);
	free(w);
}

struct peer *world_meet(struct node *a, const struct node *b, bool endpoint)
{
	struct peer *p;

	assert_int_equal(device_peer_add(&a->device, b->device.identity.public, &p), 0);
	a->heard[b->id] = 0; /* node a knows no timestamp of the new peer b */
	a->world->forgot = a->world->number;
	if (endpoint)
		device_peer_set_endpoint(&a->device, p, &b->address);
	return p;
}

enum reason node_input(struct node *n, const struct datagram *dg)
{
	n->last = device_handshake_input(&n->device, dg->data, dg->len, &dg->from, n->under_load,
					 n->world->now_ns);
	if (n->last)
		return n->last;
	world_accepted(n->world, dg);
	if (dg->data[0] != WIRE_INITIATION)
		return n->last;
	/* [W] 5.1: each initiation is accepted once, and none after a newer one */
	assert_true(dg->number > n->heard[dg->sender]);
	n->heard[dg->sender] = dg->number;
	return n->last;
}

uint64_t node_state(const struct node *n)
{
	uint64_t sum = n->device.identity.set;

	for (const struct peer *p = n->device.first; p; p = p->list_next) {
		uintptr_t parts[] = {
			p->endpoint.remote.v4.sin_addr.s_addr,
			p->endpoint.remote.v4.sin_port,
			atomic_load(&p->rx_bytes),
			(uintptr_t)atomic_load(&p->current),
			(uintptr_t)atomic_load(&p->next),
			(uintptr_t)p->previous,
			p->handshake.state,
			p->cookie.cookie_born_ns,
			p->timers.retry_at_ns,
		};

		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			sum = (sum ^ parts[i]) * 0x100000001b3ULL;
	}
	return sum;
}

static void world_arrive(struct world *w, struct datagram *dg)
{
	if (dg->number <= w->calm)
		w->disturbed_ns = w->now_ns;
	for (struct node *n = w->nodes; n < w->nodes + w->node_count; n++) {
		uint64_t before = node_state(n);

		if (!endpoint_same_remote(&n->address, &dg->to))
			continue;
		if (dg->data[0] == WIRE_DATA)
			node_open(n, dg);
		else
			node_input(n, dg);
		if (dg->forged)
			assert_int_equal(node_state(n), before);
	}
}

uint64_t world_next(const struct world *w)
{
	uint64_t next = w->queue ? w->queue->at_ns : TIMERS_NEVER;

	for (const struct node *n = w->nodes; n < w->nodes + w->node_count; n++)
		if (device_next(&n->device) < next)
			next = device_next(&n->device);
	return next;
}

void world_run(struct world *w, uint64_t until_ns)
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
			if (dg->note)
				node_take_note(dg->node, dg);
			else
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

void world_pass(struct world *w, double seconds)
{
	world_run(w, w->now_ns + SECONDS(seconds));
}
