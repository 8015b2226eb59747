/* SPDX-License-Identifier: MIT */
/*
 * test_allowedips.c - tests the trie in three ways: with a table; with random overlapping prefixes,
 * compared with a linear list that is obviously right; and with a reader thread beside the writer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "wg/allowedips.h"
#include "wgxdp/limits.h"

#define PEERS 8

static char names[PEERS]; /* only their addresses matter */
#define PEER(i) ((struct peer *)&names[i])

struct retired {
	struct retired *next;
	void *object;
	void (*free_fn)(void *);
};

struct fixture {
	struct allowedips *trie;
	struct allowedips_list lists[PEERS];
	struct retired *retired;
};

static void retire(void *ctx, void *object, void (*free_fn)(void *))
{
	struct fixture *f = ctx;
	struct retired *r = malloc(sizeof(*r));

	assert_non_null(r);
	*r = (struct retired){ f->retired, object, free_fn };
	f->retired = r;
}

static void release(struct fixture *f)
{
	struct retired *r;

	while ((r = f->retired)) {
		f->retired = r->next;
		r->free_fn(r->object);
		free(r);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->trie = allowedips_new(retire, f);
	assert_non_null(f->trie);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	allowedips_free(f->trie);
	release(f);
	free(f);
	return 0;
}

static struct prefix prefix(const char *text)
{
	struct prefix p = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	char addr[64];
	unsigned length;

	assert_int_equal(sscanf(text, "%63[^/]/%u", addr, &length), 2);
	assert_int_equal(inet_pton(p.family, addr, p.addr), 1);
	p.length = (uint8_t)length;
	return p;
}

static int give(struct fixture *f, const char *text, unsigned peer)
{
	struct prefix p = prefix(text);

	return allowedips_insert(f->trie, &p, PEER(peer), &f->lists[peer]);
}

static bool drop(struct fixture *f, const char *text, unsigned peer)
{
	struct prefix p = prefix(text);

	return allowedips_remove(f->trie, &p, PEER(peer));
}

static int peer_number(const struct peer *p)
{
	return p ? (int)((const char *)p - names) : -1;
}

static int lookup(struct fixture *f, const char *addr)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, addr, bytes) == 1)
		return peer_number(allowedips_lookup4(f->trie, bytes));
	assert_int_equal(inet_pton(AF_INET6, addr, bytes), 1);
	return peer_number(allowedips_lookup6(f->trie, bytes));
}

static int print_one(void *ctx, const struct prefix *p)
{
	char addr[INET6_ADDRSTRLEN], *text = ctx;

	inet_ntop(p->family, p->addr, addr, sizeof(addr));
	sprintf(text + strlen(text), "%s/%u ", addr, p->length);
	return 0;
}

static void expect_list(struct fixture *f, unsigned peer, const char *expected)
{
	char text[1024] = "";

	assert_int_equal(allowedips_each(&f->lists[peer], print_one, text), 0);
	assert_string_equal(text, expected);
}

static void table(void **state)
{
	static const struct {
		const char *prefix;
		unsigned peer;
	} entries[] = {
		{ "192.168.4.0/24", 0 },
		{ "192.168.4.4/32", 1 },
		{ "192.168.0.0/16", 2 },
		{ "192.95.5.64/27", 3 },
		{ "192.95.5.65/27", 2 }, /* the same prefix moves to peer 2 */
		{ "0.0.0.0/0", 4 },
		{ "10.0.0.0/15", 5 },
		{ "10.1.0.20/29", 6 },
		{ "64.15.112.0/20", 6 },
		{ "64.15.123.211/25", 7 },
		{ "2607:5300:60:6b0::c05f:543/128", 3 },
		{ "2607:5300:60:6b0::/64", 2 },
		{ "::/0", 4 },
		{ "2404:6800::/32", 5 },
		{ "2404:6800:4004:800::/56", 6 },
		{ "2404:6800:4004:800:1:2:3:4/126", 7 },
	};
	static const struct {
		const char *addr;
		int peer;
	} lookups[] = {
		{ "192.168.4.20", 0 },
		{ "192.168.4.4", 1 },
		{ "192.168.200.182", 2 },
		{ "192.95.5.68", 2 },
		{ "192.95.5.96", 4 },
		{ "192.95.5.63", 4 },
		{ "10.1.0.20", 6 },
		{ "10.1.0.24", 5 },
		{ "10.1.255.255", 5 },
		{ "10.2.0.0", 4 },
		{ "64.15.116.26", 6 },
		{ "64.15.123.128", 7 },
		{ "64.15.123.127", 6 },
		{ "255.255.255.255", 4 },
		{ "0.0.0.0", 4 },
		{ "2607:5300:60:6b0::c05f:543", 3 },
		{ "2607:5300:60:6b0::c02e:1ee", 2 },
		{ "2607:5300:60:6b1::", 4 },
		{ "2404:6800:4004:806::1006", 6 },
		{ "2404:6800:4004:900::", 5 },
		{ "2404:6800:4004:800:1:2:3:7", 7 },
		{ "2404:6800:4004:800:1:2:3:8", 6 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4 },
		{ "::", 4 },
	};
	struct fixture *f = *state;

	assert_int_equal(lookup(f, "1.2.3.4"), -1);
	assert_int_equal(lookup(f, "::1"), -1);
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
		assert_int_equal(give(f, entries[i].prefix, entries[i].peer), 0);
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++)
		if (lookup(f, lookups[i].addr) != lookups[i].peer)
			fail_msg("%s: %d", lookups[i].addr, lookup(f, lookups[i].addr));
	assert_int_equal(allowedips_count(f->trie, AF_INET), 9);
	assert_int_equal(allowedips_count(f->trie, AF_INET6), 6);

	expect_list(f, 2, "192.168.0.0/16 192.95.5.64/27 2607:5300:60:6b0::/64 ");
	expect_list(f, 3, "2607:5300:60:6b0::c05f:543/128 ");
	allowedips_remove_all(f->trie, &f->lists[4], NULL, NULL);
	assert_int_equal(lookup(f, "255.255.255.255"), -1);
	assert_int_equal(lookup(f, "::"), -1);
	assert_int_equal(lookup(f, "10.1.0.24"), 5);
}

/* Moves the prefixes of peer 0 to another list and inserts them again, one of them for peer 1.
 * Until a prefix is inserted again, lookups find peer 0. Afterwards the list of peer 0 has the new
 * order. */
static void listed_anew(void **state)
{
	struct fixture *f = *state;
	struct allowedips_list aside = { 0 };

	give(f, "10.0.0.0/8", 0);
	give(f, "10.1.0.0/16", 0);
	give(f, "fd00::/8", 0);
	allowedips_relist(&f->lists[0], &aside);
	assert_int_equal(aside.count, 3);
	assert_int_equal(f->lists[0].count, 0);
	assert_int_equal(lookup(f, "10.1.0.1"), 0);
	give(f, "fd00::/8", 0);
	give(f, "10.1.0.0/16", 1);
	give(f, "10.0.0.0/8", 0);
	assert_int_equal(aside.count, 0);
	expect_list(f, 0, "fd00::/8 10.0.0.0/8 ");
	expect_list(f, 1, "10.1.0.0/16 ");
	assert_int_equal(lookup(f, "10.1.0.1"), 1);
	assert_int_equal(lookup(f, "10.2.0.1"), 0);
}

static void who_holds_what(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(give(f, "10.0.0.0/8", 1), 0);
	assert_int_equal(give(f, "10.1.0.0/16", 1), 0);
	assert_int_equal(give(f, "fd00::/8", 1), 0);
	assert_int_equal(give(f, "10.0.0.0/8", 1), 0); /* the prefix stays the first of the list */
	expect_list(f, 1, "10.0.0.0/8 10.1.0.0/16 fd00::/8 ");
	assert_int_equal(give(f, "10.0.0.0/8", 2), 0);
	assert_int_equal(give(f, "10.0.0.0/8", 1), 0); /* from peer 2 to the end of the list */
	expect_list(f, 1, "10.1.0.0/16 fd00::/8 10.0.0.0/8 ");
	expect_list(f, 2, "");
	assert_int_equal(f->lists[1].count, 3);
	assert_int_equal(f->lists[2].count, 0);

	assert_false(drop(f, "10.0.0.0/8", 2)); /* another peer has it */
	assert_false(drop(f, "10.0.0.0/9", 1)); /* not the same prefix */
	assert_false(drop(f, "11.0.0.0/8", 1));
	assert_true(drop(f, "10.0.0.0/8", 1));
	assert_false(drop(f, "10.0.0.0/8", 1));
	assert_int_equal(lookup(f, "10.2.0.0"), -1);
	assert_int_equal(lookup(f, "10.1.0.0"), 1);
}

/* A fork is a node without a peer. It may become a prefix, and then a fork again. */
static void forks(void **state)
{
	struct fixture *f = *state;

	give(f, "10.1.0.0/16", 1);
	give(f, "10.2.0.0/16", 2); /* fork at 10.0.0.0/14 */
	assert_int_equal(lookup(f, "10.3.0.0"), -1);
	assert_false(drop(f, "10.0.0.0/14", 1));
	give(f, "10.0.0.0/14", 3);
	assert_int_equal(lookup(f, "10.3.0.0"), 3);
	assert_int_equal(allowedips_count(f->trie, AF_INET), 3);
	assert_true(drop(f, "10.0.0.0/14", 3));
	assert_int_equal(lookup(f, "10.3.0.0"), -1);
	assert_int_equal(lookup(f, "10.2.9.9"), 2);
	assert_true(drop(f, "10.1.0.0/16", 1));
	assert_int_equal(lookup(f, "10.2.9.9"), 2);
	assert_true(drop(f, "10.2.0.0/16", 2));
	assert_int_equal(lookup(f, "10.2.9.9"), -1);
	assert_int_equal(allowedips_count(f->trie, AF_INET), 0);
}

static void refused(void **state)
{
	static const struct prefix bad[] = {
		{ .family = AF_INET, .length = 33 },
		{ .family = AF_INET6, .length = 129 },
		{ .family = AF_UNSPEC, .length = 0 },
		{ .family = 99, .length = 1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(allowedips_insert(f->trie, &bad[i], PEER(0), &f->lists[0]),
				 -EINVAL);
		assert_false(allowedips_remove(f->trie, &bad[i], PEER(0)));
	}
	assert_int_equal(f->lists[0].count, 0);
}

static int stop_at_three(void *ctx, const struct prefix *p)
{
	(void)p;
	return ++*(int *)ctx == 3 ? 42 : 0;
}

/* A peer has 65,280 prefixes of each family. The test is quick, because no operation walks the
 * list. */
static void many(void **state)
{
	struct fixture *f = *state;
	struct prefix p4 = { .family = AF_INET, .length = 32, .addr = { 10 } };
	struct prefix p6 = { .family = AF_INET6, .length = 128, .addr = { 0xfd } };
	int seen = 0;

	for (unsigned i = 0; i < 255 * 256; i++) {
		p4.addr[2] = p6.addr[14] = (uint8_t)(i >> 8);
		p4.addr[3] = p6.addr[15] = (uint8_t)i;
		assert_int_equal(allowedips_insert(f->trie, &p4, PEER(0), &f->lists[0]), 0);
		assert_int_equal(allowedips_insert(f->trie, &p6, PEER(0), &f->lists[0]), 0);
	}
	assert_int_equal(f->lists[0].count, 255 * 256 * 2);
	assert_int_equal(lookup(f, "10.0.254.255"), 0);
	assert_int_equal(lookup(f, "10.0.255.0"), -1);
	assert_int_equal(lookup(f, "fd00::fe03"), 0);
	assert_int_equal(allowedips_each(&f->lists[0], stop_at_three, &seen), 42);
	assert_int_equal(seen, 3);
	allowedips_remove_all(f->trie, &f->lists[0], NULL, NULL);
	assert_int_equal(f->lists[0].count, 0);
	assert_null(f->lists[0].first);
	assert_int_equal(lookup(f, "10.0.254.255"), -1);
}

static void full(void **state)
{
	struct fixture *f = *state;
	struct prefix p = { .family = AF_INET, .length = 32 };

	for (uint32_t i = 0; i < ALLOWED_IPS_MAX; i++) {
		memcpy(p.addr, &i, sizeof(i));
		assert_int_equal(allowedips_insert(f->trie, &p, PEER(0), &f->lists[0]), 0);
	}
	memset(p.addr, 0xff, 4);
	assert_int_equal(allowedips_insert(f->trie, &p, PEER(0), &f->lists[0]), -ENOSPC);
	p = (struct prefix){ .family = AF_INET };
	p.length = 7; /* a fork becomes a prefix: no new node, but one more prefix */
	assert_int_equal(allowedips_insert(f->trie, &p, PEER(0), &f->lists[0]), -ENOSPC);
	assert_int_equal(f->lists[0].count, ALLOWED_IPS_MAX);
	assert_int_equal(give(f, "::/0", 0), 0); /* the other family has its own limit */
	p.length = 32;
	assert_true(allowedips_remove(f->trie, &p, PEER(0)));
	p.length = 7;
	assert_int_equal(allowedips_insert(f->trie, &p, PEER(1), &f->lists[1]), 0);
}

/* The reference implementation ----------------------------------------------------------------- */

enum { LINEAR_MAX = 400 };

struct linear {
	struct {
		struct prefix prefix;
		int peer;
	} entries[LINEAR_MAX];
	unsigned count;
};

static bool bit_of(const uint8_t *addr, unsigned i)
{
	return addr[i / 8] >> (7 - i % 8) & 1;
}

static bool holds(const struct prefix *p, uint8_t family, const uint8_t *addr)
{
	for (unsigned i = 0; i < p->length; i++)
		if (bit_of(p->addr, i) != bit_of(addr, i))
			return false;
	return p->family == family;
}

static int linear_lookup(const struct linear *l, uint8_t family, const uint8_t *addr)
{
	int best = -1, length = -1;

	for (unsigned i = 0; i < l->count; i++)
		if (holds(&l->entries[i].prefix, family, addr) &&
		    l->entries[i].prefix.length > length) {
			best = l->entries[i].peer;
			length = l->entries[i].prefix.length;
		}
	return best;
}

static int linear_find(const struct linear *l, const struct prefix *p)
{
	for (unsigned i = 0; i < l->count; i++)
		if (l->entries[i].prefix.length == p->length &&
		    holds(&l->entries[i].prefix, p->family, p->addr))
			return (int)i;
	return -1;
}

/* Most bits are 0, so that prefixes nest and collide. */
static struct prefix random_prefix(void)
{
	struct prefix p = { .family = random() % 2 ? AF_INET : AF_INET6 };
	unsigned bits = p.family == AF_INET ? 32 : 128;

	for (unsigned i = 0; i < bits / 8; i++)
		p.addr[i] = (uint8_t)(random() & random() & /* NOLINT: the values differ */
				      random());
	p.length = (uint8_t)(random() % 16 ? (unsigned long)random() % (bits + 1) : 0);
	return p;
}

static void compare(struct fixture *f, const struct linear *l, unsigned addresses)
{
	for (unsigned i = 0; i < addresses; i++) {
		struct prefix p = random_prefix();
		struct peer *got = p.family == AF_INET ? allowedips_lookup4(f->trie, p.addr)
						       : allowedips_lookup6(f->trie, p.addr);

		assert_int_equal(peer_number(got), linear_lookup(l, p.family, p.addr));
	}
}

static void random_step(struct fixture *f, struct linear *l)
{
	struct prefix p = random_prefix();
	int at = linear_find(l, &p), peer = (int)(random() % PEERS);

	if (random() % 3 && l->count && at < 0 && random() % 2) /* use a prefix of the list */
		p = l->entries[at = (int)(random() % l->count)].prefix;
	if (random() % 5 < 3 && l->count < LINEAR_MAX) {
		assert_int_equal(allowedips_insert(f->trie, &p, PEER(peer), &f->lists[peer]), 0);
		if (at < 0)
			l->entries[at = (int)l->count++].prefix = p;
		l->entries[at].peer = peer;
	} else {
		bool held = at >= 0 && l->entries[at].peer == peer;

		assert_int_equal(allowedips_remove(f->trie, &p, PEER(peer)), held);
		if (held)
			l->entries[at] = l->entries[--l->count];
	}
}

static void random_against_linear(void **state)
{
	struct fixture *f = *state;
	struct linear *l = calloc(1, sizeof(*l));
	unsigned listed = 0;

	assert_non_null(l);
	srandom(2);
	for (unsigned step = 0; step < 6000; step++) {
		random_step(f, l);
		if (step % 8 == 0)
			compare(f, l, 8);
		release(f);
	}
	assert_int_equal(l->count,
			 allowedips_count(f->trie, AF_INET) + allowedips_count(f->trie, AF_INET6));
	for (unsigned i = 0; i < PEERS; i++)
		listed += f->lists[i].count;
	assert_int_equal(listed, l->count);
	compare(f, l, 20000);

	/* remove everything, peer by peer */
	for (unsigned i = 0; i < PEERS; i++) {
		allowedips_remove_all(f->trie, &f->lists[i], NULL, NULL);
		for (unsigned j = 0; j < l->count;)
			if (l->entries[j].peer == (int)i)
				l->entries[j] = l->entries[--l->count];
			else
				j++;
		compare(f, l, 500);
	}
	assert_int_equal(l->count, 0);
	free(l);
}

struct reader {
	struct fixture *f;
	atomic_bool stop;
};

/* 10/8 always belongs to peer 0. Longer prefixes belong to peer 1 or 2 while they exist. */
static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint8_t addr[4] = { 10 };

	do {
		for (unsigned i = 0; i < 256; i++) {
			int peer;

			addr[1] = (uint8_t)i;
			peer = peer_number(allowedips_lookup4(r->f->trie, addr));
			if (peer < 0 || peer > 2)
				return NULL;
		}
	} while (!atomic_load(&r->stop));
	return r;
}

static void beside_a_reader(void **state)
{
	struct reader r = { .f = *state };
	char text[32];
	pthread_t thread;
	void *ret;

	assert_int_equal(give(r.f, "10.0.0.0/8", 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	srandom(3);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned peer = 1 + (unsigned)random() % 2;

		snprintf(text, sizeof(text), "10.%u.0.0/%u", (unsigned)random() % 256,
			 9 + (unsigned)random() % 8);
		if (random() % 2)
			give(r.f, text, peer);
		else
			drop(r.f, text, peer);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, &ret);
	assert_non_null(ret);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(table),
		TEST(listed_anew),
		TEST(who_holds_what),
		TEST(forks),
		TEST(refused),
		TEST(many),
		TEST(full),
		TEST(random_against_linear),
		TEST(beside_a_reader),
	};

	return cmocka_run_group_tests_name("allowedips", tests, NULL, NULL);
}
