/* SPDX-License-Identifier: MIT */
/*
 * test_endpoint_names.c - when names are looked up, and which DNS answers replace an endpoint.
 * test_endpoint_roaming.c tests peers that roam.
 */
#include "names_pair.h"
#include "util/loop.h"

/* DNS does not answer at first. Lookups are repeated at growing intervals. The first DNS answer
 * becomes the endpoint, and a handshake with this endpoint begins at once. */
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

/* The peer moves 1 s after its last packet, and DNS has its new address at the next lookup. */
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
	/* 15 s after the peer's last packet, the last DNS answer becomes the endpoint, without
	 * another lookup. */
	pass(f, 0.2);
	assert_at(f, "192.0.2.3");
	assert_int_equal(f->lookups, 2);

	/* No packet has come from the peer in the 46 s after the endpoint was replaced, so the next
	 * DNS answer replaces the endpoint at once. */
	pass(f, 46);
	answer(f, 60, "192.0.2.4", NULL, NULL);
	assert_at(f, "192.0.2.4");
	pass(f, 5);
	assert_null(f->asked);
	end(f);
}

/* DNS answers with another address each time. The endpoint stays while packets of the peer arrive.
 * When the peer is silent, the newest DNS answer becomes the endpoint. */
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

/* A silent peer keeps its endpoint as long as the endpoint is one of the addresses in the DNS
 * answer. */
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

/* Lets @s seconds pass, in which a handshake is retried every 5 s and never answered. */
static void try_for(struct fixture *f, unsigned s)
{
	for (unsigned i = 0; i < s / 5; i++) {
		endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
		pass(f, 5);
		if (f->asked)
			answer(f, 3600, "192.0.2.2", "192.0.2.3", "192.0.2.4");
	}
}

/* DNS answers with the addresses of three servers, and handshakes with some of them fail. The
 * endpoint moves to the next address that has a route; after the last address, to the first. The
 * endpoint stays if a packet of the peer arrives meanwhile, or if the failures are short and far
 * apart. */
static void dead_among_live(void **state)
{
	struct fixture *f = begin("192.0.2.2");

	(void)state;
	answer(f, 3600, "192.0.2.2", "192.0.2.3", "192.0.2.4");
	try_for(f, 70);
	assert_at(f, "192.0.2.2");
	try_for(f, 5);
	assert_at(f, "192.0.2.3");
	try_for(f, 70);
	assert_at(f, "192.0.2.3");
	heard(f); /* the server sends a packet, and fails later */
	pass(f, 300);
	f->unroutable = "192.0.2.4";
	try_for(f, 70);
	assert_at(f, "192.0.2.3");
	try_for(f, 5);
	assert_at(f, "192.0.2.2");
	for (unsigned i = 0; i < 20; i++) {
		try_for(f, 50);
		heard(f);
	}
	assert_at(f, "192.0.2.2");
	f->unroutable = NULL;
	for (unsigned i = 0; i < 20; i++) {
		pass(f, 300);
		try_for(f, 20);
	}
	assert_at(f, "192.0.2.2");
	end(f);
}

/* The peer never answers a handshake. Its endpoint stays, because DNS returns no other address or,
 * in the second half, one other address without a route. */
static void dead_alone(void **state)
{
	struct fixture *f = begin("192.0.2.2");

	(void)state;
	answer(f, 3600, "192.0.2.2", NULL, NULL);
	for (unsigned i = 0; i < 100; i++) {
		endpoint_names_unanswered(&f->names, f->t.ab, f->t.w->now_ns);
		pass(f, 5);
		if (f->asked)
			answer(f, 3600, "192.0.2.2", i < 50 ? NULL : "192.0.2.9", NULL);
		f->unroutable = "192.0.2.9";
	}
	assert_at(f, "192.0.2.2");
	end(f);
}

/* An answer with only IPv6 addresses, because the IPv4 query failed, does not replace an IPv4
 * endpoint. */
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

/* While lookups get no answer, they alternate between unmarked queries, which may enter the tunnel,
 * and queries with the fwmark, which do not. */
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
	no_answer(f, -ENOENT); /* "no such name" is an answer, too */
	pass(f, 29.9);
	assert_null(f->asked);
	pass(f, 0.2);
	assert_false(f->marked);
	assert_at(f, "192.0.2.2"); /* the endpoint stays although the name is gone */
	end(f);
}

/* Setting the same name again changes nothing. After another name or port is set, the next DNS
 * answer replaces the endpoint even if packets of the peer arrive. */
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

/* Forgetting a name cancels its lookup. */
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
	/* asked[first] to asked[last - 1] are unanswered lookups. @most is the largest number of
	 * unanswered lookups so far. */
	unsigned first, last, most;
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

/* With many names, at most ENDPOINT_NAMES_LOOKUPS_MAX lookups run at the same time. Every name is
 * looked up once, within five calls of endpoint_names_run(). */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pending),
		cmocka_unit_test(ttl),
		cmocka_unit_test(moved),
		cmocka_unit_test(turns),
		cmocka_unit_test(one_of_several),
		cmocka_unit_test(half_answers),
		cmocka_unit_test(dead_among_live),
		cmocka_unit_test(dead_alone),
		cmocka_unit_test(choice),
		cmocka_unit_test(marks),
		cmocka_unit_test(changed),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
