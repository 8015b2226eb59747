/* SPDX-License-Identifier: MIT */
/*
 * test_endpoint_names.c - when names are looked up, and which answers replace an endpoint, on the
 * simulated clock of world.h. The devices are real. DNS and the routes are the test's.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "pair.h"
#include "sync/endpoint_names.h"
#include "util/loop.h"

#define PORT 51820

struct fixture {
	struct pair t;
	struct endpoint_names names;
	struct endpoint_name *asked; /* a lookup of it is under way */
	unsigned lookups, cancels;
	bool marked, fwmark;
	const char *unroutable; /* an address without route */
	const char *preferred;
};

static const char *address_of(const struct endpoint *e)
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

static int look_up(void *ctx, struct endpoint_name *name, const char *host, bool marked)
{
	struct fixture *f = ctx;

	assert_string_equal(host, "vpn.test");
	assert_null(f->asked);
	f->asked = name;
	f->marked = marked;
	f->lookups++;
	return 0;
}

static void cancel(void *ctx, struct endpoint_name *name)
{
	struct fixture *f = ctx;

	assert_ptr_equal(f->asked, name);
	f->asked = NULL;
	f->cancels++;
}

static unsigned rank(void *ctx, const struct endpoint *e)
{
	const struct fixture *f = ctx;

	assert_int_equal(ntohs(e->remote.v4.sin_port), PORT);
	if (f->preferred && strcmp(address_of(e), f->preferred) == 0)
		return 2;
	return !f->unroutable || strcmp(address_of(e), f->unroutable) != 0;
}

static bool has_fwmark(void *ctx)
{
	return ((struct fixture *)ctx)->fwmark;
}

static const struct endpoint_names_ops ops = { look_up, cancel, rank, has_fwmark };

static struct endpoint at(const char *address, uint16_t port)
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

/* Lets @s seconds pass for the names alone; messages of the world are not delivered. */
static void pass(struct fixture *f, double s)
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
static void answer(struct fixture *f, uint32_t ttl_s, const char *one, const char *two,
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

static void no_answer(struct fixture *f, int err)
{
	struct endpoint_name *name = f->asked;

	assert_non_null(name);
	f->asked = NULL;
	endpoint_names_answered(name, err, NULL,
				err == -ENOENT ? "there is no such name" : "DNS did not answer",
				f->t.w->now_ns);
}

static void heard(struct fixture *f)
{
	peer_received(f->t.ab, 1, 32, false, f->t.w->now_ns);
}

#define assert_at(f, address) assert_string_equal(address_of(&(f)->t.ab->endpoint), address)

/* a, whose peer b has the name vpn.test; the endpoint is @known, if that is no NULL. */
static struct fixture *begin(const char *known)
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

static void end(struct fixture *f)
{
	endpoint_names_done(&f->names);
	world_free(f->t.w);
	free(f);
}

static const char *why(struct fixture *f)
{
	static char text[ENDPOINT_NAMES_WHY_LEN];
	uint16_t port = 0;

	assert_string_equal(endpoint_names_describe(&f->names, f->t.ab, &port, text,
						    f->t.w->now_ns),
			    "vpn.test");
	assert_int_equal(port, PORT);
	return text;
}

/* A name without answer at first: it is asked for at growing intervals, and the first answer is the
 * endpoint, to which a handshake goes at once. */
static void pending(void **state)
{
	struct fixture *f = begin(NULL);
	static const unsigned waits_s[] = { 1, 2, 4, 8, 16, 16 };

	(void)state;
	assert_string_equal(why(f), "DNS has not answered yet");
	device_peer_set_keepalive(&f->t.a->device, f->t.ab, 25, f->t.w->now_ns);
	for (unsigned i = 0; i < sizeof(waits_s) / sizeof(waits_s[0]); i++) {
		char text[64];

		no_answer(f, -EAGAIN);
		snprintf(text, sizeof(text), "DNS did not answer, next try in %u s", waits_s[i]);
		assert_string_equal(why(f), text);
		pass(f, waits_s[i] - 0.1);
		assert_null(f->asked);
		pass(f, 0.1);
		assert_non_null(f->asked);
		assert_string_equal(why(f), "DNS did not answer, trying again");
	}
	assert_at(f, "");
	assert_int_equal(f->t.a->sent[WIRE_INITIATION], 0);
	answer(f, 60, "192.0.2.2", NULL, NULL);
	assert_at(f, "192.0.2.2");
	assert_int_equal(ntohs(f->t.ab->endpoint.remote.v4.sin_port), PORT);
	assert_int_equal(f->t.a->sent[WIRE_INITIATION], 1);
	assert_string_equal(why(f), "");
	end(f);
}

static void ttl(void **state)
{
	static const struct {
		uint32_t ttl_s;
		unsigned wait_s;
	} rows[] = {
		/* 0 */ { 0, 5 },	/* 1 */ { 4, 5 },
		/* 2 */ { 60, 60 },	/* 3 */ { 3600, 3600 },
		/* 4 */ { 3601, 3600 }, /* 5 */ { UINT32_MAX, 3600 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = begin("192.0.2.2");

		answer(f, rows[i].ttl_s, "192.0.2.2", NULL, NULL);
		pass(f, rows[i].wait_s - 0.1);
		assert_int_equal(f->lookups, 1);
		pass(f, 0.2);
		assert_int_equal(f->lookups, 2);
		end(f);
	}
}

/* The server moves at 0 s; it was last heard then. DNS tells of it at the next lookup. */
static void moved(void **state)
{
	struct fixture *f = begin("192.0.2.2");

	(void)state;
	answer(f, 60, "192.0.2.2", NULL, NULL);
	pass(f, 59);
	heard(f);
	pass(f, 1);
	answer(f, 60, "192.0.2.3", NULL, NULL);
	assert_at(f, "192.0.2.2");
	pass(f, 13.9);
	assert_at(f, "192.0.2.2");
	pass(f, 0.2); /* 15 s after it was heard, without another lookup */
	assert_at(f, "192.0.2.3");
	assert_int_equal(f->lookups, 2);

	/* The address was set a moment ago, and has its 15 s to answer, too. */
	pass(f, 46);
	answer(f, 60, "192.0.2.4", NULL, NULL);
	assert_at(f, "192.0.2.4");
	pass(f, 5);
	assert_null(f->asked);
	end(f);
}

/* Each answer is another address, while the peer is heard: its endpoint stays. When it is silent,
 * the newest answer counts. */
static void turns(void **state)
{
	static const char *const list[] = { "192.0.2.2", "192.0.2.3", "192.0.2.4" };
	struct fixture *f = begin("192.0.2.2");
	unsigned i;

	(void)state;
	for (i = 0; i < 100; i++) {
		if (f->asked)
			answer(f, 1, list[i % 3], NULL, NULL);
		pass(f, 1);
		heard(f);
		assert_at(f, "192.0.2.2");
	}
	assert_in_range(f->lookups, 18, 22);
	if (f->asked)
		answer(f, 3600, "192.0.2.9", NULL, NULL);
	pass(f, 5);
	if (f->asked)
		answer(f, 3600, "192.0.2.9", NULL, NULL);
	assert_at(f, "192.0.2.2");
	pass(f, 15);
	assert_at(f, "192.0.2.9");
	end(f);
}

/* One of several addresses: the endpoint stays although it is silent and no longer the first. */
static void one_of_several(void **state)
{
	struct fixture *f = begin("192.0.2.2");

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		answer(f, 60, "192.0.2.3", "192.0.2.4", "192.0.2.2");
		pass(f, 60);
		assert_at(f, "192.0.2.2");
	}
	end(f);
}

/* The peer roamed, and DNS still says where it was. */
static void roamed(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint elsewhere = at("198.51.100.7", 4500);

	(void)state;
	answer(f, 5, "192.0.2.2", NULL, NULL);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &elsewhere);
	for (unsigned i = 0; i < 20; i++) {
		pass(f, 5);
		answer(f, 5, "192.0.2.2", NULL, NULL);
		assert_at(f, "198.51.100.7");
	}
	/* It is heard there after DNS has changed: the packet is the better witness. */
	heard(f);
	pass(f, 5);
	answer(f, 5, "192.0.2.3", NULL, NULL);
	pass(f, 1);
	heard(f);
	pass(f, 4);
	for (unsigned i = 0; i < 20; i++) {
		answer(f, 5, "192.0.2.3", NULL, NULL);
		pass(f, 5);
		assert_at(f, "198.51.100.7");
	}
	/* DNS changes after it was last heard. */
	answer(f, 5, "192.0.2.4", NULL, NULL);
	assert_at(f, "192.0.2.4");
	end(f);
}

/* The peer roamed and does not answer there any more: the name is asked again, at most each 15 s,
 * and its answer counts although it is the old one. */
static void roamed_and_lost(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint elsewhere = at("198.51.100.7", 4500);

	(void)state;
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &elsewhere);
	pass(f, 100);
	assert_int_equal(f->lookups, 1);
	endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
	assert_at(f, "198.51.100.7"); /* not within the call */
	pass(f, 0.1);
	assert_at(f, "192.0.2.2");
	assert_int_equal(f->lookups, 2);
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	for (unsigned i = 0; i < 12; i++) {
		endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
		pass(f, 5);
		if (f->asked)
			answer(f, 3600, "192.0.2.2", NULL, NULL);
	}
	assert_in_range(f->lookups, 5, 6);
	end(f);
}

static uint16_t port_of(const struct fixture *f)
{
	return ntohs(f->t.ab->endpoint.remote.v4.sin_port);
}

/* The file gives the same name with another port: the next answer changes the port, although the
 * address stays and the peer is heard. */
static void port_changed(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint before = at("192.0.2.2", 443);

	(void)state;
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	device_peer_set_endpoint(&f->t.a->device, f->t.ab, &before);
	endpoint_names_forget(&f->names, f->t.ab);
	heard(f);
	assert_int_equal(
		endpoint_names_set(&f->names, f->t.ab, "vpn.test", PORT, NULL, f->t.w->now_ns), 0);
	pass(f, 0.1);
	assert_int_equal(port_of(f), 443);
	answer(f, 3600, "192.0.2.9", "192.0.2.2", NULL);
	assert_at(f, "192.0.2.2");
	assert_int_equal(port_of(f), PORT);
	end(f);
}

/* The peer has roamed to another port of the same address, behind a NAT that has forgotten it. */
static void port_roamed_and_lost(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct endpoint behind_nat = at("192.0.2.2", 40000);

	(void)state;
	answer(f, 5, "192.0.2.2", NULL, NULL);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &behind_nat);
	for (unsigned i = 0; i < 20; i++) {
		pass(f, 5);
		answer(f, 5, "192.0.2.2", NULL, NULL);
		assert_int_equal(port_of(f), 40000);
	}
	endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
	pass(f, 0.1);
	assert_at(f, "192.0.2.2");
	assert_int_equal(port_of(f), PORT);
	end(f);
}

/* While the name was pending the peer found us. The answer does not take it back. */
static void found_us(void **state)
{
	struct fixture *f = begin(NULL);
	struct endpoint elsewhere = at("198.51.100.7", 4500);

	(void)state;
	no_answer(f, -EAGAIN);
	heard(f);
	device_roamed(&f->t.a->device, f->t.ab, &elsewhere);
	pass(f, 1);
	answer(f, 5, "192.0.2.2", NULL, NULL);
	pass(f, 5);
	answer(f, 5, "192.0.2.2", NULL, NULL);
	assert_at(f, "198.51.100.7");
	end(f);
}

/* Only IPv6 was answered: that says nothing of an IPv4 endpoint. */
static void half_answers(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	struct resolver_answer a = { .count = 1, .ttl_s = 5, .has_v6 = true };
	struct endpoint_name *name = f->asked;

	(void)state;
	a.addresses[0] = at("2001:db8::2", 0);
	f->asked = NULL;
	endpoint_names_answered(name, 0, &a, NULL, f->t.w->now_ns);
	pass(f, 5);
	assert_at(f, "192.0.2.2");
	a.has_v4 = true;
	name = f->asked;
	f->asked = NULL;
	f->t.w->now_ns += SECONDS(20);
	endpoint_names_answered(name, 0, &a, NULL, f->t.w->now_ns);
	assert_at(f, "2001:db8::2");
	end(f);
}

static void choice(void **state)
{
	static const struct {
		const char *unroutable, *preferred, *chosen;
	} rows[] = {
		/* 0 */ { NULL, NULL, "192.0.2.2" },
		/* 1 */ { NULL, "2001:db8::2", "2001:db8::2" },
		/* 2: no IPv6 route */ { "2001:db8::2", NULL, "192.0.2.2" },
		/* 3 */ { "192.0.2.2", NULL, "192.0.2.3" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture *f = begin(NULL);

		f->unroutable = rows[i].unroutable;
		f->preferred = rows[i].preferred;
		answer(f, 60, "192.0.2.2", "192.0.2.3", "2001:db8::2");
		assert_at(f, rows[i].chosen);
		end(f);
	}
}

/* A query that may have gone into the tunnel is repeated past it, and the other way round. */
static void marks(void **state)
{
	struct fixture *f = begin("192.0.2.2");

	(void)state;
	f->fwmark = true;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(f->marked, i % 2);
		no_answer(f, -EAGAIN);
		pass(f, 16);
	}
	no_answer(f, -ENOENT); /* that is an answer */
	pass(f, 29.9);
	assert_null(f->asked);
	pass(f, 0.2);
	assert_false(f->marked);
	assert_at(f, "192.0.2.2"); /* whatever happens to the name */
	end(f);
}

/* Another name at run time counts at once, even for a live peer; the same name changes nothing. */
static void changed(void **state)
{
	struct fixture *f = begin("192.0.2.2");

	(void)state;
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	heard(f);
	assert_int_equal(
		endpoint_names_set(&f->names, f->t.ab, "vpn.test", PORT, NULL, f->t.w->now_ns), 0);
	pass(f, 1);
	assert_int_equal(f->lookups, 1);
	assert_int_equal(
		endpoint_names_set(&f->names, f->t.ab, "vpn.test", 1, NULL, f->t.w->now_ns), 0);
	assert_int_equal(
		endpoint_names_set(&f->names, f->t.ab, "vpn.test", PORT, NULL, f->t.w->now_ns), 0);
	pass(f, 0);
	heard(f);
	answer(f, 3600, "192.0.2.9", NULL, NULL);
	assert_at(f, "192.0.2.9");
	end(f);
}

/* A name that is forgotten, or whose peer goes, ends with its lookup. */
static void forgotten(void **state)
{
	struct fixture *f = begin("192.0.2.2");
	char text[ENDPOINT_NAMES_WHY_LEN];
	uint16_t port;

	(void)state;
	endpoint_names_forget(&f->names, f->t.ab);
	assert_int_equal(f->cancels, 1);
	assert_null(endpoint_names_describe(&f->names, f->t.ab, &port, text, f->t.w->now_ns));
	endpoint_names_forget(&f->names, f->t.ab);
	endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
	pass(f, 100);
	assert_int_equal(f->lookups, 1);
	assert_at(f, "192.0.2.2");
	end(f);
}

#define MANY 300

struct crowd {
	struct endpoint_name *asked[MANY];
	unsigned first, last, most; /* those between first and last are under way */
};

static int look_up_one_of_many(void *ctx, struct endpoint_name *name, const char *host, bool marked)
{
	struct crowd *c = ctx;

	(void)host, (void)marked;
	assert_in_range(c->last, 0, MANY - 1);
	c->asked[c->last++] = name;
	if (c->last - c->first > c->most)
		c->most = c->last - c->first;
	return 0;
}

static unsigned any_rank(void *ctx, const struct endpoint *e)
{
	(void)ctx, (void)e;
	return 1;
}

/* Many names at once: a limited number of lookups is under way, every name has its turn, and the
 * passes over the names are apart. */
static void many(void **state)
{
	static const struct endpoint_names_ops many_ops = { look_up_one_of_many, cancel, any_rank,
							    has_fwmark };
	struct resolver_answer a = { .count = 1, .ttl_s = 3600, .has_v4 = true, .has_v6 = true };
	struct pair t = meet();
	struct crowd c = { 0 };
	struct endpoint_names names;
	uint64_t now_ns = t.w->now_ns;
	unsigned passes;

	(void)state;
	a.addresses[0] = at("192.0.2.2", 0);
	endpoint_names_init(&names, &t.a->device, &many_ops, &c);
	for (unsigned i = 0; i < MANY; i++) {
		uint8_t key[WIRE_KEY_LEN] = { 9, (uint8_t)i, (uint8_t)(i >> 8) };
		struct peer *p;

		assert_int_equal(device_peer_add(&t.a->device, key, &p), 0);
		assert_int_equal(endpoint_names_set(&names, p, "vpn.test", PORT, NULL, now_ns), 0);
	}
	for (passes = 0; c.first < MANY; passes++) {
		assert_true(endpoint_names_next(&names) != LOOP_NEVER);
		if (endpoint_names_next(&names) > now_ns)
			now_ns = endpoint_names_next(&names);
		endpoint_names_run(&names, now_ns);
		while (c.first < c.last)
			endpoint_names_answered(c.asked[c.first++], 0, &a, NULL, now_ns);
	}
	assert_int_equal(c.last, MANY);
	assert_int_equal(c.most, ENDPOINT_NAMES_LOOKUPS_MAX);
	assert_int_equal(passes, 5);
	assert_in_range(now_ns - t.w->now_ns, SECONDS(0.08), SECONDS(0.2));
	for (struct peer *p = t.a->device.first; p; p = p->list_next)
		if (p != t.ab)
			assert_string_equal(address_of(&p->endpoint), "192.0.2.2");
	endpoint_names_run(&names, now_ns + SECONDS(1));
	assert_in_range(endpoint_names_next(&names), now_ns + SECONDS(3590),
			now_ns + SECONDS(3600));
	endpoint_names_done(&names);
	world_free(t.w);
}

/* What c-ares found: addresses that no peer can have are left out, the least TTL counts. */
static void collected(void **state)
{
	static const struct {
		const char *address;
		bool kept;
	} rows[] = {
		/* 0 */ { "192.0.2.1", true },	      /* 1 */ { "0.0.0.0", false },
		/* 2 */ { "0.1.2.3", false },	      /* 3 */ { "224.0.0.1", false },
		/* 4 */ { "255.255.255.255", false }, /* 5 */ { "127.0.0.1", true },
		/* 6 */ { "2001:db8::1", true },      /* 7 */ { "::", false },
		/* 8 */ { "ff02::1", false },	      /* 9 */ { "::ffff:192.0.2.1", false },
		/* 10 */ { "fe80::1", false },	      /* 11 */ { "::1", true },
	};
	struct ares_addrinfo_node nodes[40] = { 0 };
	struct ares_addrinfo_cname alias = { .ttl = 7 };
	struct ares_addrinfo found = { .nodes = nodes };
	struct resolver_answer a;
	struct endpoint e;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e = at(rows[i].address, 9);
		nodes[0] = (struct ares_addrinfo_node){ .ai_family = e.remote.sa.sa_family,
							.ai_addr = &e.remote.sa,
							.ai_addrlen = endpoint_len(&e),
							.ai_ttl = 60 };
		a = (struct resolver_answer){ .ttl_s = UINT32_MAX };
		resolver_collect(&a, &found, e.remote.sa.sa_family);
		assert_int_equal(a.count, rows[i].kept);
		if (a.count)
			assert_int_equal(a.addresses[0].remote.v4.sin_port, 0);
		a.count = 0;
		resolver_collect(&a, &found, e.remote.sa.sa_family == AF_INET ? AF_INET6 : AF_INET);
		assert_int_equal(a.count, 0);
	}
	/* Many addresses: the first 16 of a family are kept. */
	e = at("192.0.2.1", 9);
	for (unsigned i = 0; i < 40; i++)
		nodes[i] = (struct ares_addrinfo_node){ .ai_family = AF_INET,
							.ai_addr = &e.remote.sa,
							.ai_addrlen = endpoint_len(&e),
							.ai_ttl = 60,
							.ai_next = i < 39 ? &nodes[i + 1] : NULL };
	a = (struct resolver_answer){ .ttl_s = UINT32_MAX };
	resolver_collect(&a, &found, AF_INET);
	assert_int_equal(a.count, RESOLVER_FAMILY_MAX);
	assert_int_equal(a.ttl_s, 60);
	found.cnames = &alias;
	resolver_collect(&a, &found, AF_INET);
	assert_int_equal(a.count, RESOLVER_MAX);
	assert_int_equal(a.ttl_s, 7);
	nodes[0].ai_ttl = -1;
	resolver_collect(&a, &found, AF_INET);
	assert_int_equal(a.count, RESOLVER_MAX);
	resolver_collect(&a, NULL, AF_INET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pending),
		cmocka_unit_test(ttl),
		cmocka_unit_test(moved),
		cmocka_unit_test(turns),
		cmocka_unit_test(one_of_several),
		cmocka_unit_test(roamed),
		cmocka_unit_test(roamed_and_lost),
		cmocka_unit_test(port_changed),
		cmocka_unit_test(port_roamed_and_lost),
		cmocka_unit_test(found_us),
		cmocka_unit_test(half_answers),
		cmocka_unit_test(choice),
		cmocka_unit_test(marks),
		cmocka_unit_test(changed),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(many),
		cmocka_unit_test(collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
