/* SPDX-License-Identifier: MIT */
/* pair.h - two nodes of world.h that are peers. `a` knows the endpoint of `b`. */
#ifndef WGXDP_TEST_PAIR_H
#define WGXDP_TEST_PAIR_H

#include "world.h"

struct pair {
	struct world *w;
	struct node *a, *b;
	struct peer *ab, *ba; /* peer b of node a; peer a of node b, at first without an endpoint */
};

static inline struct pair meet(void)
{
	struct pair t = { .w = world_new(2, 1) };

	t.a = &t.w->nodes[0];
	t.b = &t.w->nodes[1];
	t.ab = world_meet(t.a, t.b, true);
	t.ba = world_meet(t.b, t.a, false);
	return t;
}

/* Calls meet() and makes a session that `a` has initiated and that was used once in each
 * direction. */
static inline struct pair connected(void)
{
	struct pair t = meet();

	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	node_send(t.b, t.ba);
	world_pass(t.w, 0.1);
	assert_int_equal(t.a->received_data, 1);
	assert_int_equal(t.b->received_data, 1);
	return t;
}

static inline unsigned initiations(const struct pair *t)
{
	return t->a->sent[WIRE_INITIATION] + t->b->sent[WIRE_INITIATION];
}

/* Checks that a packet passes in each direction without a new handshake. */
static inline void assert_talking(struct pair *t)
{
	unsigned a = t->a->received_data, b = t->b->received_data, before = initiations(t);

	node_send(t->a, t->ab);
	node_send(t->b, t->ba);
	world_pass(t->w, 0.1);
	assert_int_equal(t->a->received_data, a + 1);
	assert_int_equal(t->b->received_data, b + 1);
	assert_int_equal(initiations(t), before);
}

/* Sends one packet per second from @n for @seconds. */
static inline void chatter(struct pair *t, struct node *n, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		node_send(n, n == t->a ? t->ab : t->ba);
		world_pass(t->w, 1);
	}
}

/* Removes the next message from the network and returns it. Its type must be @type. */
static inline struct datagram intercept(struct world *w, uint8_t type)
{
	struct datagram *first = world_unqueue(w), dg = *first;

	free(first);
	assert_int_equal(dg.data[0], type);
	return dg;
}

#endif
