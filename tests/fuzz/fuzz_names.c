/* SPDX-License-Identifier: MIT */
/*
 * fuzz_names.c - DNS gives any answers at any time, while peers send packets and roam, and while
 * the host names of their endpoints change. If a peer has sent something recently and its name has
 * not changed, an answer never changes its endpoint. No endpoint becomes a martian address, such as
 * a multicast address.
 *
 * The input is a list of steps: a byte that selects the step, and the bytes that the step needs.
 */
#include <ares.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_device.h"
#include "fuzz_main.h"
#include "sync/endpoint_names.h"

#define PEERS 4
#define NODES_MAX 40

struct input {
	const uint8_t *data;
	size_t size;
};

/* All runs share one device, because making a device takes longer than a run. */
static struct device device;

struct play {
	struct endpoint_names names;
	struct peer *peers[PEERS];
	bool renamed[PEERS]; /* the next answer may change the endpoint even of a live peer */
	bool was_answered[PEERS];
	struct endpoint_name *asked[PEERS];
	uint64_t now_ns;
	uint8_t rank_of; /* rank() derives the rank of an address from this number */
};

static uint64_t take(struct input *in, unsigned bytes)
{
	uint64_t n = 0;

	for (; bytes && in->size; bytes--, in->size--)
		n = n << 8 | *in->data++;
	return n;
}

static unsigned number_of(const struct play *play, const struct peer *p)
{
	unsigned i = 0;

	while (play->peers[i] != p)
		i++;
	return i;
}

static int look_up(void *ctx, struct endpoint_name *name, const char *host, bool marked)
{
	struct play *play = ctx;
	unsigned i = number_of(play, name->peer);

	(void)marked;
	if (play->asked[i] || !*host)
		abort();
	if (play->rank_of == 7)
		return -ENOMEM;
	play->asked[i] = name;
	return 0;
}

static void cancel(void *ctx, struct endpoint_name *name)
{
	struct play *play = ctx;
	unsigned i = number_of(play, name->peer);

	if (play->asked[i] != name)
		abort();
	play->asked[i] = NULL;
}

static unsigned rank(void *ctx, const struct endpoint *e)
{
	const struct play *play = ctx;

	return (e->remote.v4.sin_addr.s_addr ^ play->rank_of) % 3;
}

static bool has_fwmark(void *ctx)
{
	return ((struct play *)ctx)->rank_of & 1;
}

static const struct endpoint_names_ops names_ops = { look_up, cancel, rank, has_fwmark };

static bool is_live(const struct play *play, const struct peer *p)
{
	uint64_t heard_ns = atomic_load(&p->timers.last_received_ns);

	return heard_ns && play->now_ns < heard_ns + ENDPOINT_NAMES_SILENCE_S * NS_PER_S;
}

/* Calls @step, and checks that each changed endpoint was allowed to change and is valid. */
static void checked(struct play *play, void (*step)(struct play *play, void *arg), void *arg)
{
	struct endpoint before[PEERS];

	for (unsigned i = 0; i < PEERS; i++)
		before[i] = play->peers[i]->endpoint;
	step(play, arg);
	for (unsigned i = 0; i < PEERS; i++) {
		const struct endpoint *e = &play->peers[i]->endpoint;
		bool may_move = play->renamed[i];

		if (play->was_answered[i])
			play->renamed[i] = play->was_answered[i] = false;
		if (endpoint_same(e, &before[i]))
			continue;
		if (endpoint_martian(e))
			abort();
		if (before[i].remote.sa.sa_family != AF_UNSPEC && !may_move &&
		    is_live(play, play->peers[i]))
			abort();
	}
}

static void run(struct play *play, void *arg)
{
	(void)arg;
	endpoint_names_run(&play->names, play->now_ns);
}

/* Gives an answer as c-ares would, with up to NODES_MAX addresses. */
static void answer(struct play *play, void *arg)
{
	struct ares_addrinfo_node nodes[NODES_MAX] = { 0 };
	struct sockaddr_in6 addresses[NODES_MAX];
	struct ares_addrinfo_cname alias = { 0 };
	struct ares_addrinfo found = { .nodes = nodes };
	struct resolver_answer a = { .ttl_s = UINT32_MAX };
	struct input *in = arg;
	unsigned i = (unsigned)take(in, 1) % PEERS, count = (unsigned)take(in, 1) % NODES_MAX;
	struct endpoint_name *name = play->asked[i];
	uint8_t flags = (uint8_t)take(in, 1);

	if (!name)
		return;
	for (unsigned j = 0; j <= count && in->size; j++) {
		uint8_t kind = (uint8_t)take(in, 1);

		memset(&addresses[j], 0, sizeof(addresses[j]));
		for (size_t k = 0; k < ((kind & 1) ? 16 : 4); k++)
			((uint8_t *)&addresses[j])[(kind & 1 ? 8 : 4) + k] = (uint8_t)take(in, 1);
		addresses[j].sin6_family = kind & 1 ? AF_INET6 : AF_INET;
		nodes[j].ai_addr = kind & 2 && kind & 4 ? NULL : (struct sockaddr *)&addresses[j];
		nodes[j].ai_family = kind & 8 && kind & 16 ? AF_UNIX : addresses[j].sin6_family;
		nodes[j].ai_addrlen = kind & 32 && kind & 64 ? 2 : sizeof(addresses[j]);
		nodes[j].ai_ttl = (int)take(in, 4);
		if (j)
			nodes[j - 1].ai_next = &nodes[j];
	}
	alias.ttl = (int)take(in, 4);
	found.cnames = flags & 1 ? &alias : NULL;
	a.has_v4 = flags & 2;
	a.has_v6 = flags & 4;
	resolver_collect(&a, &found, AF_INET);
	resolver_collect(&a, &found, AF_INET6);
	if (a.count > RESOLVER_MAX)
		abort();
	play->asked[i] = NULL;
	endpoint_names_answered(name,
				a.count	    ? 0
				: flags & 8 ? -ENOENT
					    : -EAGAIN,
				&a, "why", play->now_ns);
	play->was_answered[i] = a.count;
}

static void pass(struct play *play, struct input *in)
{
	uint64_t until_ns = play->now_ns + take(in, 1) * 500 * NS_PER_MS;
	uint64_t next_ns;

	for (unsigned turns = 0; (next_ns = endpoint_names_next(&play->names)) <= until_ns;
	     turns++) {
		if (turns > 100000)
			abort(); /* endpoint_names_run() never finishes its work */
		if (next_ns > play->now_ns)
			play->now_ns = next_ns;
		checked(play, run, NULL);
	}
	play->now_ns = until_ns;
}

static void set_name(struct play *play, struct input *in)
{
	static const char *const hosts[] = { "a.test", "b.test" };
	unsigned i = (unsigned)take(in, 1) % PEERS;
	uint8_t kind = (uint8_t)take(in, 1);
	struct peer *p = play->peers[i];
	char why[ENDPOINT_NAMES_WHY_LEN];
	uint16_t port;

	if (kind & 1)
		endpoint_names_forget(&play->names, p);
	else if (endpoint_names_set(
			 &play->names, p, hosts[kind >> 1 & 1], kind >> 2 & 1 ? 1 : 51820,
			 kind & 8 && p->endpoint.remote.sa.sa_family != AF_UNSPEC ? &p->endpoint
										  : NULL,
			 play->now_ns))
		abort();
	play->renamed[i] = true;
	endpoint_names_describe(&play->names, p, &port, why, play->now_ns);
}

static void roam(struct play *play, struct input *in)
{
	struct peer *p = play->peers[take(in, 1) % PEERS];
	struct endpoint e = { .remote.v4 = { .sin_family = AF_INET, .sin_port = htons(7) } };

	e.remote.v4.sin_addr.s_addr = (uint32_t)take(in, 1) << 24 | htonl(0xc0000200);
	peer_received(p, 1, 32, false, play->now_ns);
	if (take(in, 1) & 1)
		device_roamed(&device, p, &e);
}

static void step(struct play *play, struct input *in)
{
	switch (take(in, 1) % 6) {
	case 0:
		checked(play, answer, in);
		break;
	case 1:
		pass(play, in);
		break;
	case 2:
		set_name(play, in);
		break;
	case 3:
		roam(play, in);
		break;
	case 4:
		endpoint_names_unanswered(&play->names, play->peers[take(in, 1) % PEERS],
					  play->now_ns);
		break;
	default:
		play->rank_of = (uint8_t)take(in, 1);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct play play = { .now_ns = 1000 * NS_PER_S };
	struct input in = { data, size };
	uint8_t key[WIRE_KEY_LEN] = { 1 };

	if (!device.ops &&
	    (sodium_init() < 0 || device_init(&device, &device_ops, NULL, &device_mirror, NULL)))
		abort();
	endpoint_names_init(&play.names, &device, &names_ops, &play);
	for (unsigned i = 0; i < PEERS; i++) {
		key[1] = (uint8_t)i;
		if (device_peer_add(&device, key, &play.peers[i]) ||
		    endpoint_names_set(&play.names, play.peers[i], "vpn.test", 51820, NULL,
				       play.now_ns))
			abort();
	}
	checked(&play, run, NULL);
	while (in.size)
		step(&play, &in);
	endpoint_names_done(&play.names);
	device_peers_clear(&device);
	return 0;
}
