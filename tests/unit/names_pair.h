/* SPDX-License-Identifier: MIT */
/*
 * names_pair.h - two devices (wg/device.h) with the simulated clock of world.h. One device knows
 * the other by the name vpn.test. The test simulates DNS and the routes.
 *
 *   begin(known) ─▶ answer(), no_answer(), heard(), pass(seconds) ─▶ assert_at() ─▶ end()
 */
#ifndef WGXDP_TEST_NAMES_PAIR_H
#define WGXDP_TEST_NAMES_PAIR_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "pair.h"
#include "sync/endpoint_names.h"

#define PORT 51820

struct fixture {
	struct pair t;
	struct endpoint_names names;
	struct endpoint_name *asked; /* the name whose lookup is under way, or NULL */
	unsigned lookups, cancels;
	bool marked, fwmark;
	const char *unroutable; /* an address without a route; NULL = none */
	const char *preferred;	/* the address with the highest rank; NULL = none */
};

static inline const char *address_of(const struct endpoint *e)
{
	static char text[INET6_ADDRSTRLEN];

	if (e->remote.sa.sa_family == AF_UNSPEC)
		return "";
	inet_ntop(e->remote.sa.sa_family,
		  e->remote.sa.sa_family == AF_INET ? (const void *)&e->remote.v4.sin_addr
						    : (const void *)&e->remote.v6.sin6_addr,
		  text, sizeof(text));
	return text;
}

static inline int look_up(void *ctx, struct endpoint_name *name, const char *host, bool marked)
{
	struct fixture *f = ctx;

	assert_string_equal(host, "vpn.test");
	assert_null(f->asked);
	f->asked = name;
	f->marked = marked;
	f->lookups++;
	return 0;
}

static inline void cancel(void *ctx, struct endpoint_name *name)
{
	struct fixture *f = ctx;

	assert_ptr_equal(f->asked, name);
	f->asked = NULL;
	f->cancels++;
}

static inline unsigned rank(void *ctx, const struct endpoint *e)
{
	const struct fixture *f = ctx;

	assert_int_equal(ntohs(e->remote.v4.sin_port), PORT);
	if (f->preferred && strcmp(address_of(e), f->preferred) == 0)
		return 2;
	return !f->unroutable || strcmp(address_of(e), f->unroutable) != 0;
}

static inline bool has_fwmark(void *ctx)
{
	return ((struct fixture *)ctx)->fwmark;
}

static const struct endpoint_names_ops ops = { look_up, cancel, rank, has_fwmark };

static inline struct endpoint at(const char *address, uint16_t port)
{
	struct endpoint e = { 0 };

	if (inet_pton(AF_INET, address, &e.remote.v4.sin_addr) == 1)
		e.remote.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, address, &e.remote.v6.sin6_addr) == 1)
		e.remote.sa.sa_family = AF_INET6;
	else
		fail_msg("%s", address);
	e.remote.v4.sin_port = htons(port);
	return e;
}

/* Advances the clock by @s seconds and runs only the timers of the endpoint names. No message is
 * delivered meanwhile. */
static inline void pass(struct fixture *f, double s)
{
	uint64_t end_ns = f->t.w->now_ns + SECONDS(s);

	while (endpoint_names_next(&f->names) <= end_ns) {
		if (endpoint_names_next(&f->names) > f->t.w->now_ns)
			f->t.w->now_ns = endpoint_names_next(&f->names);
		endpoint_names_run(&f->names, f->t.w->now_ns);
	}
	f->t.w->now_ns = end_ns;
}

/* Answers the lookup that is under way with up to three addresses. */
static inline void answer(struct fixture *f, uint32_t ttl_s, const char *one, const char *two,
			  const char *three)
{
	struct resolver_answer a = { .ttl_s = ttl_s, .has_v4 = true, .has_v6 = true };
	const char *list[] = { one, two, three };
	struct endpoint_name *name = f->asked;

	for (unsigned i = 0; i < 3; i++)
		if (list[i])
			a.addresses[a.count++] = at(list[i], 0);
	assert_non_null(name);
	f->asked = NULL;
	endpoint_names_answered(name, 0, &a, NULL, f->t.w->now_ns);
}

static inline void no_answer(struct fixture *f, int err)
{
	struct endpoint_name *name = f->asked;

	assert_non_null(name);
	f->asked = NULL;
	endpoint_names_answered(name, err, NULL,
				err == -ENOENT ? "there is no such name" : "DNS did not answer",
				f->t.w->now_ns);
}

static inline void heard(struct fixture *f)
{
	peer_received(f->t.ab, 1, 32, false, f->t.w->now_ns);
}

#define assert_at(f, address) assert_string_equal(address_of(&(f)->t.ab->endpoint), address)

/* Makes two nodes and gives peer b of node a the name vpn.test and, unless @known is NULL, the
 * endpoint @known. */
static inline struct fixture *begin(const char *known)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct endpoint e = { 0 };

	f->t = meet();
	if (known)
		e = at(known, PORT);
	device_peer_set_endpoint(&f->t.a->device, f->t.ab, &e);
	endpoint_names_init(&f->names, &f->t.a->device, &ops, f);
	assert_int_equal(endpoint_names_set(&f->names, f->t.ab, "vpn.test", PORT, known ? &e : NULL,
					    f->t.w->now_ns),
			 0);
	assert_int_equal(f->lookups, 0);
	pass(f, 0);
	assert_int_equal(f->lookups, 1);
	return f;
}

static inline void end(struct fixture *f)
{
	endpoint_names_done(&f->names);
	world_free(f->t.w);
	free(f);
}

static inline const char *why(struct fixture *f)
{
	static char text[ENDPOINT_NAMES_WHY_LEN];
	uint16_t port = 0;

	assert_string_equal(endpoint_names_describe(&f->names, f->t.ab, &port, text,
						    f->t.w->now_ns),
			    "vpn.test");
	assert_int_equal(port, PORT);
	return text;
}

#endif
