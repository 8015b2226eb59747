/* SPDX-License-Identifier: MIT */
#include "network.h"

uint64_t world_random(struct world *w)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * 0x2545f4914f6cdd1dULL;
}

bool world_chance(struct world *w, unsigned percent)
{
	return world_random(w) % 100 < percent;
}

void world_enqueue(struct world *w, struct datagram *dg)
{
	struct datagram **link = &w->queue;

	while (*link && (*link)->at_ns <= dg->at_ns)
		link = &(*link)->next;
	dg->next = *link;
	*link = dg;
}

struct datagram *world_unqueue(struct world *w)
{
	struct datagram *dg = w->queue;

	assert_non_null(dg);
	w->queue = dg->next;
	return dg;
}

struct datagram *world_copy(const struct datagram *dg)
{
	struct datagram *copy = malloc(sizeof(*copy));

	assert_non_null(copy);
	*copy = *dg;
	return copy;
}

void world_deliver(struct world *w, const struct datagram *dg)
{
	struct datagram *copy = world_copy(dg);

	copy->at_ns = w->now_ns + w->delay_ns;
	if (w->delay_jitter_ns)
		copy->at_ns += world_random(w) % w->delay_jitter_ns;
	if (w->late_percent && world_chance(w, w->late_percent))
		copy->at_ns += world_random(w) % w->late_ns;
	world_enqueue(w, copy);
}

void world_transmit(struct world *w, const struct node *n, const struct endpoint *to,
		    const void *msg, size_t len)
{
	struct datagram dg = { .from = n->address, .to = *to, .len = len, .sender = n->id };

	assert_in_range(len, 1, sizeof(dg.data));
	memcpy(dg.data, msg, len);
	dg.number = ++w->number;
	w->history[dg.number % HISTORY_LEN] = dg;
	if (!world_chance(w, w->loss_percent))
		world_deliver(w, &dg);
	if (w->repeat_percent && world_chance(w, w->repeat_percent))
		world_deliver(w, &dg);
}
