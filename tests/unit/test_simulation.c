/* SPDX-License-Identifier: MIT */
/*
 * test_simulation.c - three devices, a network that loses, delays, reorders and repeats messages,
 * attackers that replay and damage messages, and an operator who changes every setting. Each seed
 * simulates two hours.
 *
 *     client 1 ──▶ hub 0 ◀── client 2        the clients roam; the hub learns where they are
 *
 * The checks of world.h hold at each step. Now and then the network becomes good, and packets must
 * then arrive within BOUND_NS, whatever happened before. At the end all traffic stops.
 *
 * SIMULATION_SEEDS is the number of seeds (default 12). SIMULATION_FIRST is the first seed, so that
 * a failure can be repeated. tests/long/simulation.sh runs a thousand seeds. tests/long/mutants.sh
 * breaks the core in many ways and expects this test to fail each time.
 */
#include <errno.h>

#include "world.h"

#include <stdio.h>

#define DURATION_S 7200
#define LATE_S 240

/* [W] 6: a side begins a new handshake if it gets no answer for 15 s plus the
 * jitter, but not earlier than 5 s plus the jitter after its last initiation. The test sends one
 * packet per second. */
#define JITTER_NS (REKEY_TIMEOUT_JITTER_MS * NS_PER_MS)
#define TRY_NS (REKEY_TIMEOUT_S * NS_PER_S + JITTER_NS)
#define BOUND_NS (KEEPALIVE_TIMEOUT_S * NS_PER_S + TRY_NS + TRY_NS + 2 * NS_PER_S)
/* Under load, the cookie for the initiation and the cookie for the response each need one more
 * retry. If the cookie secret changes meanwhile, a third retry is needed. */
#define BOUND_UNDER_LOAD_NS (BOUND_NS + 3 * TRY_NS)

struct sim {
	struct world *w;
	struct peer *hub_of[NODES_MAX];	   /* the hub, as a peer of client i */
	struct peer *client_of[NODES_MAX]; /* client i, as a peer of the hub */
	uint8_t psk[NODES_MAX][WIRE_KEY_LEN];
	uint16_t keepalive_s[NODES_MAX]; /* of client i; 0 = off */
	uint64_t told_ns[NODES_MAX];	 /* latest timestamp of node i before its last restart */
};

static uint64_t longest_ns; /* the longest recovery over all seeds, while no node was under load */

static unsigned below(struct sim *s, unsigned n)
{
	return (unsigned)(world_random(s->w) >> 33) % n;
}

static unsigned any_client(struct sim *s)
{
	return 1 + below(s, NODES_MAX - 1);
}

static struct node *any_node(struct sim *s)
{
	return &s->w->nodes[below(s, NODES_MAX)];
}

static void send_any(struct sim *s)
{
	unsigned i = any_client(s);

	if (below(s, 2) && s->hub_of[i])
		node_send(&s->w->nodes[i], s->hub_of[i]);
	else if (s->client_of[i])
		node_send(&s->w->nodes[0], s->client_of[i]);
}

/* Lets up to @seconds pass, with or without packets. */
static void pass(struct sim *s, unsigned seconds)
{
	static const unsigned gaps_ms[] = { 300, 1000, 4000, 30000, UINT32_MAX };
	unsigned gap_ms = gaps_ms[below(s, sizeof(gaps_ms) / sizeof(gaps_ms[0]))];
	uint64_t end = s->w->now_ns + (1 + below(s, seconds * 1000)) * NS_PER_MS;

	while (s->w->now_ns < end) {
		uint64_t next = s->w->now_ns + (1 + below(s, gap_ms)) * NS_PER_MS;

		world_run(s->w, next < end ? next : end);
		if (next < end)
			send_any(s);
	}
}

/* The operator --------------------------------------------------------------------------------- */

static void traffic(struct sim *s)
{
	for (unsigned packets = 1 + below(s, 20); packets; packets--) {
		send_any(s);
		world_run(s->w, s->w->now_ns + below(s, 1000) * NS_PER_MS);
	}
}

static void steady(struct sim *s)
{
	pass(s, 250);
}

static void idle(struct sim *s)
{
	static const unsigned lengths_s[] = { 3, 11, 16, 60, 125, 190, 600 };

	world_pass(s->w, lengths_s[below(s, sizeof(lengths_s) / sizeof(lengths_s[0]))]);
}

static void change_network(struct sim *s)
{
	static const unsigned percents[] = { 0, 0, 5, 20, 50, 80, 100 };
	struct world *w = s->w;

	w->loss_percent = percents[below(s, sizeof(percents) / sizeof(percents[0]))];
	w->repeat_percent = below(s, 2) * below(s, 30);
	w->delay_jitter_ns = below(s, 3) ? below(s, 300) * NS_PER_MS + 1 : 0;
	w->late_percent = below(s, 2) * below(s, 20);
	w->late_ns = (1 + below(s, LATE_S * 1000)) * NS_PER_MS;
}

static void change_load(struct sim *s)
{
	struct node *n = any_node(s);

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

	s->keepalive_s[i] = (uint16_t)(below(s, 2) ? 1 + below(s, 40) : 0);
	device_peer_set_keepalive(&s->w->nodes[i].device, s->hub_of[i], s->keepalive_s[i],
				  s->w->now_ns);
}

/* Changes the preshared key on one side first, and on the other side some time later. */
static void change_psk(struct sim *s)
{
	unsigned i = any_client(s), hub_first = below(s, 2);
	struct device *hub = &s->w->nodes[0].device, *client = &s->w->nodes[i].device;

	node_random(&s->w->nodes[0], s->psk[i], WIRE_KEY_LEN);
	if (hub_first)
		device_peer_set_psk(hub, s->client_of[i], s->psk[i]);
	else
		device_peer_set_psk(client, s->hub_of[i], s->psk[i]);
	pass(s, below(s, 2) ? 3 : 200);
	device_peer_set_psk(hub, s->client_of[i], s->psk[i]);
	device_peer_set_psk(client, s->hub_of[i], s->psk[i]);
}

static void hub_forgets(struct sim *s, unsigned i)
{
	device_peer_remove(&s->w->nodes[0].device, s->client_of[i]);
	s->client_of[i] = NULL;
}

/* Makes client @i a peer of the hub. @where is the endpoint that the hub gets for the client, or
 * NULL for none. */
static void hub_learns(struct sim *s, unsigned i, const struct endpoint *where)
{
	struct node *hub = &s->w->nodes[0];

	s->client_of[i] = world_meet(hub, &s->w->nodes[i], false);
	if (where)
		device_peer_set_endpoint(&hub->device, s->client_of[i], where);
	device_peer_set_psk(&hub->device, s->client_of[i], s->psk[i]);
}

static void client_forgets(struct sim *s, unsigned i)
{
	device_peer_remove(&s->w->nodes[i].device, s->hub_of[i]);
	s->hub_of[i] = NULL;
}

static void client_learns(struct sim *s, unsigned i)
{
	struct node *n = &s->w->nodes[i];

	s->hub_of[i] = world_meet(n, &s->w->nodes[0], true);
	device_peer_set_psk(&n->device, s->hub_of[i], s->psk[i]);
	device_peer_set_keepalive(&n->device, s->hub_of[i], s->keepalive_s[i], s->w->now_ns);
}

/* Gives the client a new key. The hub's operator enters the new public key some time later. */
static void change_client_key(struct sim *s)
{
	unsigned i = any_client(s);
	struct endpoint endpoint = s->client_of[i]->endpoint;

	node_new_key(&s->w->nodes[i]);
	pass(s, 20);
	hub_forgets(s, i);
	hub_learns(s, i, &endpoint);
}

static void change_hub_key(struct sim *s)
{
	node_new_key(&s->w->nodes[0]);
	for (unsigned i = 1; i < NODES_MAX; i++) {
		pass(s, 20);
		client_forgets(s, i);
		client_learns(s, i);
	}
}

static void remove_and_add(struct sim *s)
{
	unsigned i = any_client(s);

	if (below(s, 2)) {
		hub_forgets(s, i);
		pass(s, 60);
		hub_learns(s, i, NULL);
	} else {
		client_forgets(s, i);
		pass(s, 60);
		client_learns(s, i);
	}
}

/* Steps the wall clock of node @i, but never to a time before the latest timestamp that the node
 * had sent when it was last restarted. The node no longer knows that timestamp. With an earlier
 * clock, it would send older timestamps, and the other nodes would refuse its initiations. */
static void set_clock(struct sim *s, unsigned i, int64_t offset_ns)
{
	struct node *n = &s->w->nodes[i];

	n->unix_offset_ns = offset_ns;
	if (node_unix_ns(n) <= s->told_ns[i])
		n->unix_offset_ns += (int64_t)(s->told_ns[i] - node_unix_ns(n) + (1 << 24));
}

/* Restarts a node with the same configuration. */
static void restart(struct sim *s)
{
	unsigned i = below(s, NODES_MAX);
	struct node *n = &s->w->nodes[i];

	if (n->device.last_tai64n_unix_ns > s->told_ns[i])
		s->told_ns[i] = n->device.last_tai64n_unix_ns;
	node_stop(n);
	node_start(n);
	if (below(s, 2))
		world_run(s->w, s->w->now_ns + below(s, 20000) * NS_PER_MS);
	set_clock(s, i, 0);
	device_set_private_key(&n->device, n->private, s->w->now_ns);
	device_set_up(&n->device, true, s->w->now_ns);
	if (i) {
		client_learns(s, i);
		return;
	}
	for (i = 1; i < NODES_MAX; i++)
		hub_learns(s, i, NULL);
}

static void suspend(struct sim *s)
{
	device_zero_all(&any_node(s)->device, s->w->now_ns);
}

static void down_and_up(struct sim *s)
{
	struct node *n = any_node(s);

	device_set_up(&n->device, false, s->w->now_ns);
	pass(s, 20);
	device_set_up(&n->device, true, s->w->now_ns);
}

static void wall_clock(struct sim *s)
{
	set_clock(s, below(s, NODES_MAX),
		  (int64_t)below(s, 7200) * (int64_t)NS_PER_S - 3600 * (int64_t)NS_PER_S);
}

/* For a while the kernel refuses to send, or a BPF map is full. */
static void refusals(struct sim *s)
{
	struct node *n = any_node(s);

	*(below(s, 2) ? &n->send_error : &n->index_error) = -ENOSPC;
	pass(s, 20);
	n->send_error = n->index_error = 0;
}

/* Flips a bit that the receiver checks. This is never a bit of mac2, which is checked only under
 * load, or of the receiver index in a cookie reply, which is not authenticated. */
static void damage(struct sim *s, struct datagram *dg)
{
	size_t first = dg->data[0] == WIRE_COOKIE ? offsetof(struct wire_cookie, nonce) : 0;
	size_t end = dg->data[0] <= WIRE_RESPONSE ? dg->len - WIRE_MAC_LEN : dg->len;

	dg->data[first + below(s, (unsigned)(end - first))] ^= (uint8_t)(1 << below(s, 8));
	dg->forged = true;
}

/* An attacker repeats or damages some of the last datagrams. An authentic datagram may still be
 * accepted if no node has accepted it yet, or if the receiver has since lost the sender's latest
 * timestamp. The attacker's address would then become the sender's endpoint, as the protocol
 * allows. The test therefore sends such datagrams only from their real address. */
static void attack(struct sim *s)
{
	for (unsigned times = 1 + below(s, 8); times; times--) {
		struct datagram dg = s->w->history[below(s, HISTORY_LEN)];

		if (!dg.len)
			continue;
		if (below(s, 2))
			damage(s, &dg);
		if ((dg.forged || (dg.accepted && dg.number > s->w->forgot)) && below(s, 2))
			dg.from = world_address(250, (uint16_t)below(s, 3));
		world_deliver(s->w, &dg);
	}
}

/* Invariants ----------------------------------------------------------------------------------- */

static void calm(struct sim *s)
{
	struct world *w = s->w;

	w->loss_percent = w->repeat_percent = w->late_percent = 0;
	w->delay_jitter_ns = 0;
	w->calm = w->number;
	if (below(s, 2))
		for (struct node *n = w->nodes; n < w->nodes + NODES_MAX; n++)
			n->under_load = false;
}

/* Checks that no recovery takes longer than its bound. The time is measured from @since_ns, or from
 * the arrival of the last message that was sent before the network became good, whichever is
 * later. */
static void in_time(struct sim *s, uint64_t since_ns)
{
	uint64_t good_ns = s->w->disturbed_ns > since_ns ? s->w->disturbed_ns : since_ns;
	uint64_t took_ns = s->w->now_ns - good_ns;
	bool load = false;

	for (struct node *n = s->w->nodes; n < s->w->nodes + NODES_MAX; n++)
		load |= n->under_load;
	if (!load && took_ns > longest_ns)
		longest_ns = took_ns;
	assert_true(took_ns <= (load ? BOUND_UNDER_LOAD_NS : BOUND_NS));
}

/* No node may be stuck: if each side sends a packet once per second, a packet arrives in time. The
 * client sends first, because the hub may not know the client's endpoint. */
static void recover(struct sim *s)
{
	unsigned i = any_client(s);
	struct node *hub = &s->w->nodes[0], *client = &s->w->nodes[i];
	unsigned at_hub = hub->heard_data[i], at_client = client->heard_data[0];
	uint64_t since_ns;

	calm(s);
	for (since_ns = s->w->now_ns; hub->heard_data[i] == at_hub; in_time(s, since_ns)) {
		node_send(client, s->hub_of[i]);
		world_pass(s->w, 1);
	}
	for (since_ns = s->w->now_ns; client->heard_data[0] == at_client; in_time(s, since_ns)) {
		node_send(client, s->hub_of[i]);
		node_send(hub, s->client_of[i]);
		world_pass(s->w, 1);
	}
}

/* After 540 s without traffic or keepalives, all keys are wiped, and no packet waits for a session
 * or is sent, even if the last packets never got an answer. */
static void check_silence(struct sim *s)
{
	unsigned sent[NODES_MAX];

	calm(s);
	for (unsigned i = 1; i < NODES_MAX; i++)
		device_peer_set_keepalive(&s->w->nodes[i].device, s->hub_of[i], 0, s->w->now_ns);
	if (below(s, 2)) {
		s->w->loss_percent = 100;
		for (unsigned i = 0; i < NODES_MAX; i++)
			device_zero_all(&s->w->nodes[i].device, s->w->now_ns);
	}
	traffic(s);
	world_pass(s->w, LATE_S + REKEY_ATTEMPT_TIME_S + 2 * KEEPALIVE_TIMEOUT_S);
	for (unsigned i = 0; i < NODES_MAX; i++)
		sent[i] = s->w->nodes[i].sends;
	world_pass(s->w, ZERO_AFTER_TIME_S);
	for (unsigned i = 0; i < NODES_MAX; i++) {
		struct node *n = &s->w->nodes[i];

		assert_int_equal(n->sends, sent[i]);
		assert_int_equal(n->begun_count, 0);
		assert_int_equal(device_next(&n->device), TIMERS_NEVER);
		for (struct peer *p = n->device.first; p; p = p->list_next)
			assert_int_equal(p->stage.count, 0);
	}
}

static void (*const knobs[])(struct sim *) = {
	traffic,    traffic,	      traffic,		 steady,	 steady,	 idle,
	idle,	    change_network,   change_network,	 change_network, change_load,	 roam,
	change_psk, change_keepalive, change_client_key, change_hub_key, remove_and_add, restart,
	suspend,    down_and_up,      wall_clock,	 refusals,	 attack,	 attack,
	attack,	    recover,
};

static void run(uint64_t seed)
{
	struct sim s = { .w = world_new(NODES_MAX, seed) };
	uint64_t end = s.w->now_ns + SECONDS(DURATION_S);

	if (seed % 2)
		s.w->note_delay_ns = (1 + below(&s, 20)) * NS_PER_MS;
	if (seed % 4 < 2)
		s.w->index_bits = 6; /* so that indices collide and are soon reused */
	for (unsigned i = 1; i < NODES_MAX; i++) {
		s.hub_of[i] = world_meet(&s.w->nodes[i], &s.w->nodes[0], true);
		s.client_of[i] = world_meet(&s.w->nodes[0], &s.w->nodes[i], below(&s, 2));
	}
	while (s.w->now_ns < end)
		knobs[below(&s, sizeof(knobs) / sizeof(knobs[0]))](&s);
	for (unsigned i = 0; i < 4; i++)
		recover(&s);
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
	unsigned long seeds = from_environment("SIMULATION_SEEDS", 12);

	(void)state;
	for (unsigned long seed = first; seed < first + seeds; seed++) {
		print_message("# seed %lu\n", seed);
		run(seed);
	}
	print_message("# longest recovery: %.1f s\n", (double)longest_ns / 1e9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simulation),
	};

	return cmocka_run_group_tests_name("simulation", tests, NULL, NULL);
}
