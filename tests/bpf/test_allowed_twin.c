/* SPDX-License-Identifier: MIT */
/*
 * test_allowed_twin.c - inserts the same random prefixes into the worker's trie and the kernel's
 * LPM maps. Both must return the same peer for every address. Most bits of the prefixes are zero,
 * so that many prefixes overlap.
 */
#include <netinet/in.h>

#include "sandbox.h"
#include "wg/allowedips.h"

#define PEERS 16
#define STEPS 6000
#define LOOKUPS 8 /* per address family, after each call of step() */

static char names[PEERS]; /* the address of each byte stands for a peer */
#define PEER(i) ((struct peer *)&names[i])

static struct allowedips *trie;
static struct allowedips_list lists[PEERS];
static uint32_t seed = 1;

/* Frees at once, because no other thread reads the trie. */
static void free_now(void *ctx, void *object, void (*free_fn)(void *object))
{
	(void)ctx;
	free_fn(object);
}

/* Xorshift; every run gets the same numbers. */
static uint32_t number_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

/* Makes an address with mostly zero bits, so that many addresses share a prefix. */
static void fill_address(uint8_t address[static 16])
{
	for (unsigned i = 0; i < 16; i++)
		address[i] = number_below(3) ? 0 : 1U << number_below(8);
}

static struct prefix random_prefix(void)
{
	struct prefix p = { .family = number_below(2) ? AF_INET : AF_INET6 };
	unsigned bits = p.family == AF_INET ? 32 : 128;

	p.length = number_below(bits + 1);
	fill_address(p.addr);
	for (unsigned bit = p.length; bit < 128; bit++)
		p.addr[bit / 8] &= ~(0x80 >> bit % 8);
	return p;
}

static uint32_t slot_in_map(int fd, const uint8_t *address, size_t len)
{
	struct allowed6_key key = { .length = len * 8 };
	uint32_t slot = SLOT_NONE;

	memcpy(key.address, address, len);
	bpf_map_lookup_elem(fd, &key, &slot);
	return slot;
}

static void compare(int fd4, int fd6)
{
	uint8_t address[16];
	uint32_t slot;

	fill_address(address);
	slot = slot_in_map(fd4, address, 4);
	assert_ptr_equal(allowedips_lookup4(trie, address), slot == SLOT_NONE ? NULL : PEER(slot));
	slot = slot_in_map(fd6, address, 16);
	assert_ptr_equal(allowedips_lookup6(trie, address), slot == SLOT_NONE ? NULL : PEER(slot));
}

static void step(void)
{
	struct prefix p = random_prefix();
	uint32_t slot = number_below(PEERS);

	if (number_below(3)) {
		assert_int_equal(allowedips_insert(trie, &p, PEER(slot), &lists[slot]), 0);
		assert_int_equal(loader_allowed_set(loader, &p, slot), 0);
	} else if (allowedips_remove(trie, &p, PEER(slot))) {
		loader_allowed_del(loader, &p);
	}
}

static int forget(void *ctx, const struct prefix *p)
{
	(void)ctx;
	loader_allowed_del(loader, p);
	return 0;
}

static unsigned count_keys(int fd)
{
	struct allowed6_key key, next;
	unsigned n = 0;

	for (void *from = NULL; !bpf_map_get_next_key(fd, from, &next); from = &key, n++)
		key = next;
	return n;
}

static void test_twins(void **state)
{
	int fd4, fd6;

	(void)state;
	make_loader();
	fd4 = pinned_map("allowed4");
	fd6 = pinned_map("allowed6");
	trie = allowedips_new(free_now, NULL);
	assert_non_null(trie);
	for (unsigned i = 0; i < STEPS; i++) {
		step();
		for (unsigned n = 0; n < LOOKUPS; n++)
			compare(fd4, fd6);
	}
	assert_int_equal(count_keys(fd4), allowedips_count(trie, AF_INET));
	assert_int_equal(count_keys(fd6), allowedips_count(trie, AF_INET6));
	/* Remove the peers one by one. */
	for (unsigned slot = 0; slot < PEERS; slot++) {
		allowedips_each(&lists[slot], forget, NULL);
		allowedips_remove_all(trie, &lists[slot], NULL, NULL);
		for (unsigned n = 0; n < 100; n++)
			compare(fd4, fd6);
	}
	assert_int_equal(count_keys(fd4) + count_keys(fd6), 0);
	allowedips_free(trie);
	close(fd4);
	close(fd6);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { TEST(twins) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("allowed_twin", tests, setup, NULL);
}
