/* SPDX-License-Identifier: MIT */
/*
 * test_simulation.c - three devices, a network that loses, delays and reorders, and an operator who
 * turns every knob, all driven by one seed. A hub and two clients; the clients roam.
 *
 *     client 1 ──▶ hub 0 ◀── client 2
 *
 * What world.h checks holds at each step; at the end the network is good again, and within a
 * minute everybody must hear everybody. SIMULATION_SEEDS says how many seeds (default 40),
 * SIMULATION_FIRST the first one, to repeat a failure.
 */
#include "world.h"

#include <stdio.h>

#define RECOVERY_S 60

struct sim {
	struct world *w;
	struct peer *hub_of[NODES_MAX];	   /* what client i calls the hub */
	struct peer *client_of[NODES_MAX]; /* what the hub calls client i */
	uint8_t psk[NODES_MAX][WIRE_KEY_LEN];
};

static unsigned below(struct sim *s, unsigned n)
{
	return (unsigned)(world_random(s->w) >> 33) % n;
}

static unsigned any_client(struct sim *s)
{
	return 1 + below(s, NODES_MAX - 1);
}

static void traffic(struct sim *s)
{
	unsigned i = any_client(s), packets = 1 + below(s, 20);

	while (packets--) {
		if (below(s, 2))
			node_send(&s->w->nodes[i], s->hub_of[i]);
		else
			node_send(&s->w->nodes[0], s->client_of[i]);
		world_run(s->w, s->w->now_ns + below(s, 1000) * NS_PER_MS);
	}
}

static void idle(struct sim *s)
{
	static const unsigned lengths_s[] = { 3, 11, 16, 60, 125, 190, 600 };

	world_pass(s->w, lengths_s[below(s, sizeof(lengths_s) / sizeof(lengths_s[0]))]);
}

static void change_loss(struct sim *s)
{
	static const unsigned percents[] = { 0, 0, 5, 20, 50, 100 };

	s->w->loss_percent = percents[below(s, sizeof(percents) / sizeof(percents[0]))];
	s->w->delay_jitter_ns = below(s, 3) ? below(s, 300) * NS_PER_MS + 1 : 0;
}

static void change_load(struct sim *s)
{
	struct node *n = &s->w->nodes[below(s, NODES_MAX)];

	n->under_load = !n->under_load;
}

static void roam(struct sim *s)
{
	unsigned i = any_client(s);

	s->w->nodes[i].address = world_address((uint8_t)(i + 1 + 10 * below(s, 20)),
					       (uint16_t)(1024 + below(s, 60000)));
}

static void change_keepalive(struct sim *s)
{
	unsigned i = any_client(s);

	device_peer_set_keepalive(&s->w->nodes[i].device, s->hub_of[i],
				  (uint16_t)(below(s, 2) ? 1 + below(s, 40) : 0), s->w->now_ns);
}

static void change_psk(struct sim *s)
{
	unsigned i = any_client(s);

	node_random(&s->w->nodes[0], s->psk[i], WIRE_KEY_LEN);
	device_peer_set_psk(&s->w->nodes[i].device, s->hub_of[i], s->psk[i]);
	world_run(s->w, s->w->now_ns + below(s, 3000) * NS_PER_MS);
	device_peer_set_psk(&s->w->nodes[0].device, s->client_of[i], s->psk[i]);
}

/* The client gets a new key; the hub's operator follows some time later. */
static void change_key(struct sim *s)
{
	unsigned i = any_client(s);
	struct node *hub = &s->w->nodes[0], *client = &s->w->nodes[i];
	struct endpoint endpoint = s->client_of[i]->endpoint;

	node_new_key(client);
	world_run(s->w, s->w->now_ns + below(s, 20000) * NS_PER_MS);
	device_peer_remove(&hub->device, s->client_of[i]);
	s->client_of[i] = world_meet(hub, client, false);
	device_peer_set_endpoint(&hub->device, s->client_of[i], &endpoint);
	device_peer_set_psk(&hub->device, s->client_of[i], s->psk[i]);
}

static void suspend(struct sim *s)
{
	device_zero_all(&s->w->nodes[below(s, NODES_MAX)].device, s->w->now_ns);
}

static void down_and_up(struct sim *s)
{
	struct node *n = &s->w->nodes[below(s, NODES_MAX)];

	device_set_up(&n->device, false, s->w->now_ns);
	world_run(s->w, s->w->now_ns + below(s, 20000) * NS_PER_MS);
	device_set_up(&n->device, true, s->w->now_ns);
}

static void wall_clock(struct sim *s)
{
	struct node *n = &s->w->nodes[below(s, NODES_MAX)];

	n->unix_offset_ns = (int64_t)below(s, 7200) * (int64_t)NS_PER_S - 3600 * (int64_t)NS_PER_S;
}

/* A stranger repeats the last datagram, or sends it damaged. */
static void attack(struct sim *s)
{
	struct datagram dg = s->w->last;

	if (!dg.len)
		return;
	if (below(s, 2))
		dg.data[below(s, (unsigned)dg.len)] ^= (uint8_t)(1 << below(s, 8));
	world_transmit(s->w, &dg.from, &dg.to, dg.data, dg.len);
}

static void (*const knobs[])(struct sim *) = {
	traffic,    traffic,	 traffic,     traffic,	  idle,	      idle,
	idle,	    change_loss, change_load, roam,	  change_psk, change_keepalive,
	change_key, suspend,	 down_and_up, wall_clock, attack,     attack,
};

/* Nobody may be stuck. The worst case: one side has wiped its sessions and both are under load. Then
 * it takes 15 s without an answer, 5 s for each of two cookies (of the initiation, of the response),
 * and perhaps 5 s for a cookie secret that changes meanwhile. */
static void check_recovery(struct sim *s)
{
	unsigned before[NODES_MAX][2];
	struct node *hub = &s->w->nodes[0];

	s->w->loss_percent = 0;
	s->w->delay_jitter_ns = 0;
	for (unsigned i = 1; i < NODES_MAX; i++) {
		for (unsigned second = 0; second < RECOVERY_S; second++) {
			node_send(&s->w->nodes[i], s->hub_of[i]);
			world_pass(s->w, 1);
		}
		before[i][0] = s->w->nodes[i].received_data;
		before[i][1] = hub->received_data;
		node_send(&s->w->nodes[i], s->hub_of[i]);
		node_send(hub, s->client_of[i]);
		world_pass(s->w, 1);
		assert_int_equal(s->w->nodes[i].received_data, before[i][0] + 1);
		assert_int_equal(hub->received_data, before[i][1] + 1);
	}
}

/* Without traffic and keepalives, everything secret is gone after 540 s and nothing is sent. */
static void check_silence(struct sim *s)
{
	unsigned sent[NODES_MAX];

	for (unsigned i = 1; i < NODES_MAX; i++)
		device_peer_set_keepalive(&s->w->nodes[i].device, s->hub_of[i], 0, s->w->now_ns);
	world_pass(s->w, 100);
	for (unsigned i = 0; i < NODES_MAX; i++)
		sent[i] = s->w->nodes[i].sent[WIRE_DATA] + s->w->nodes[i].sent[WIRE_INITIATION];
	world_pass(s->w, ZERO_AFTER_TIME_S);
	for (unsigned i = 0; i < NODES_MAX; i++) {
		assert_int_equal(s->w->nodes[i].sent[WIRE_DATA] +
					 s->w->nodes[i].sent[WIRE_INITIATION],
				 sent[i]);
		assert_int_equal(s->w->nodes[i].begun_count, 0);
		assert_int_equal(device_next(&s->w->nodes[i].device), TIMERS_NEVER);
	}
}

static void run(uint64_t seed)
{
	struct sim s = { .w = world_new(NODES_MAX, seed) };

	for (unsigned i = 1; i < NODES_MAX; i++) {
		s.hub_of[i] = world_meet(&s.w->nodes[i], &s.w->nodes[0], true);
		s.client_of[i] = world_meet(&s.w->nodes[0], &s.w->nodes[i], below(&s, 2));
	}
	for (unsigned step = 0; step < 200; step++)
		knobs[below(&s, sizeof(knobs) / sizeof(knobs[0]))](&s);
	check_recovery(&s);
	check_silence(&s);
	world_free(s.w);
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : otherwise;
}

static void simulation(void **state)
{
	unsigned long first = from_environment("SIMULATION_FIRST", 1);
	unsigned long seeds = from_environment("SIMULATION_SEEDS", 40);

	(void)state;
	for (unsigned long seed = first; seed < first + seeds; seed++) {
		print_message("# seed %lu\n", seed);
		run(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simulation),
	};

	return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
