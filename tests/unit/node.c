/* SPDX-License-Identifier: MIT */
#include "node.h"

#include <endian.h>
#include <errno.h>

void node_random(void *ctx, void *out, size_t n)
{
	struct node *node = ctx;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)(world_random(node->world) >> 32);
	if (n == sizeof(uint32_t) && node->world->index_bits < 32)
		*(uint32_t *)out &= (1U << node->world->index_bits) - 1;
}

uint64_t node_unix_ns(void *ctx)
{
	struct node *n = ctx;

	return 1700000000 * NS_PER_S + n->world->now_ns + n->unix_offset_ns;
}

/* Time stands still while a device works, unless the test has set clock_step_ns. */
static uint64_t node_boot_ns(void *ctx)
{
	struct node *n = ctx;

	n->clock_ahead_ns += n->clock_step_ns;
	return n->world->now_ns + n->clock_ahead_ns;
}

static int node_find_begun(const struct node *n, uint32_t index)
{
	for (unsigned i = 0; i < n->begun_count; i++)
		if (n->begun[i].index == index)
			return (int)i;
	return -1;
}

/* Checks that a keepalive was sealed with the peer's current session and a new counter. */
static void node_sealed(struct node *n, struct peer *peer, const struct wire_data *msg)
{
	const struct session *s = atomic_load(&peer->current);

	assert_int_equal(le32toh(msg->receiver_index), s->remote_index);
	witness_sealed(&n->world->witness, s, le64toh(msg->counter), n->world->now_ns);
}

static int node_ops_send(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
			 size_t len)
{
	const struct wire_initiation *m =
		msg; /* a response has the sender's index at the same offset as an initiation */
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
		node_sealed(n, peer, msg);
	if (n->send_error)
		return n->send_error;
	n->sent[m->header.type]++;
	world_transmit(n->world, n, to, msg, len);
	return 0;
}

static int node_index_begin(void *ctx, uint32_t index, const struct peer *peer, bool pending)
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
		assert_true(n->begun[at].pending && !pending); /* the only valid change */
	}
	n->begun[at].index = index;
	n->begun[at].pending = pending;
	return 0;
}

static void node_index_end(void *ctx, uint32_t index)
{
	struct node *n = ctx;
	int at = node_find_begun(n, index);

	assert_true(at >= 0);
	n->begun[at] = n->begun[--n->begun_count];
}

static int node_peer_begin(void *ctx, const struct peer *peer)
{
	struct node *n = ctx;

	assert_in_range(peer->slot, 0, PEERS_MAX - 1);
	if (n->peer_error)
		return n->peer_error;
	n->peers_begun++;
	return 0;
}

static void node_peer_end(void *ctx, const struct peer *peer)
{
	(void)peer;
	((struct node *)ctx)->peers_begun--;
}

static void node_identity_changed(void *ctx)
{
	((struct node *)ctx)->identity_changes++;
}

static unsigned node_map_find(const struct node *n, const struct prefix *prefix)
{
	unsigned at = 0;

	while (at < n->map_count && memcmp(&n->map[at].prefix, prefix, sizeof(*prefix)))
		at++;
	return at;
}

static int node_allowed_begin(void *ctx, const struct prefix *prefix, const struct peer *peer)
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

static void node_allowed_end(void *ctx, const struct prefix *prefix)
{
	struct node *n = ctx;
	unsigned at = node_map_find(n, prefix);

	assert_in_range(at, 0, n->map_count - 1);
	n->map[at] = n->map[--n->map_count];
}

static void node_peer_changed(void *ctx, struct peer *peer, enum peer_change change)
{
	(void)peer;
	((struct node *)ctx)->endpoint_changes += change == PEER_CHANGE_ENDPOINT;
}

/* Checks that neither the table of indices nor the peer still points to the retired session @s. */
static void node_check_unpublished(struct node *n, const struct session *s)
{
	assert_ptr_not_equal(indextab_session(n->device.indices, s->local_index), s);
	assert_ptr_not_equal(atomic_load(&s->peer->current), s);
	assert_ptr_not_equal(atomic_load(&s->peer->next), s);
	assert_ptr_not_equal(s->peer->previous, s);
}

/* Checks that no key, index or prefix leads to a retired peer. */
static void node_check_removed(struct node *n, const struct peer *p)
{
	assert_ptr_not_equal(device_find(&n->device, p->remote.public), p);
	for (unsigned i = 0; i < n->begun_count; i++)
		assert_ptr_not_equal(indextab_peer(n->device.indices, n->begun[i].index), p);
	for (unsigned i = 0; i < n->map_count; i++)
		assert_int_not_equal(n->map[i].slot, p->slot);
	assert_null(p->allowed.first);
	assert_null(p->leaving.first);
}

static void node_retire(void *ctx, void *object, void (*free_fn)(void *))
{
	struct node *n = ctx;
	struct retired *r = malloc(sizeof(*r));

	assert_non_null(r);
	if (free_fn == session_free)
		node_check_unpublished(n, object);
	else if (free_fn == peer_free)
		node_check_removed(n, object);
	*r = (struct retired){ n->retired, object, free_fn };
	n->retired = r;
}

/* Records the new session of @peer. If we are the initiator, the other side must have derived the
 * same keys already, because it has sent a response. */
static void node_begun(struct node *n, const struct peer *peer)
{
	struct witness *t = &n->world->witness;
	const struct session *s = atomic_load(&peer->next);

	if (!s || witness_find(t, s->send_key))
		s = atomic_load(&peer->current);
	assert_non_null(s);
	witness_derived(t, n->id, s, n->device.identity.public, n->world->now_ns);
	if (s->initiator)
		assert_true(witness_matched(t, s));
}

static void node_event(void *ctx, enum device_event event, const struct peer *peer,
		       const struct endpoint *from)
{
	struct node *n = ctx;

	(void)from;
	n->events[event]++;
	if (event == DEVICE_SESSION_BEGUN)
		node_begun(n, peer);
}

static void node_unanswered(void *ctx, struct peer *peer)
{
	struct node *n = ctx;

	(void)peer;
	n->unanswered++;
}

const struct device_mirror node_mirror = {
	.index_begin = node_index_begin,
	.index_end = node_index_end,
	.peer_begin = node_peer_begin,
	.peer_end = node_peer_end,
	.identity_changed = node_identity_changed,
	.allowed_begin = node_allowed_begin,
	.allowed_end = node_allowed_end,
};

const struct device_ops node_ops = {
	.random = node_random,
	.unix_ns = node_unix_ns,
	.boot_ns = node_boot_ns,
	.send = node_ops_send,
	.peer_changed = node_peer_changed,
	.unanswered = node_unanswered,
	.flush = node_flush,
	.retire = node_retire,
	.event = node_event,
};
