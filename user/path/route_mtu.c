/* SPDX-License-Identifier: MIT */
/*
 * route_mtu.c - flattens prefixes to address ranges, so that a lookup is one binary search. A
 * thousand routes without an MTU around one route with an MTU become three ranges.
 *
 *   10.0.0.0/8            ──────────────────────────      none
 *   10.1.0.0/16 mtu 1299          ─────────
 *   ranges               │none    │1299    │none          each ends where the next one starts
 */
#include "path/route_mtu.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In host order. An IPv4 address is in the upper 32 bits of @high, so that a prefix length counts
 * from the same bit in both families. */
struct address {
	uint64_t high, low;
};

struct range {
	struct address start;
	uint32_t mtu;
};

/* Ranges that cover all addresses; the first starts at 0. */
struct ranges {
	struct range *list;
	size_t count, room;
};

struct route_mtu {
	struct ranges ipv4, ipv6;
	uint32_t largest;
};

static bool before(struct address a, struct address b)
{
	return a.high != b.high ? a.high < b.high : a.low < b.low;
}

static uint64_t read_big_endian(const uint8_t *p, size_t n)
{
	uint64_t word = 0;

	for (size_t i = 0; i < 8; i++)
		word = word << 8 | (i < n ? p[i] : 0);
	return word;
}

static struct address address_of(const uint8_t *bytes, bool v6)
{
	if (!v6)
		return (struct address){ .high = read_big_endian(bytes, 4) };
	return (struct address){ .high = read_big_endian(bytes, 8),
				 .low = read_big_endian(bytes + 8, 8) };
}

/* Building ------------------------------------------------------------------------------------- */

/* Gives @mtu to all addresses from @start to the end of the address space. The calls for one @r
 * must be in ascending order of @start. */
static int extend(struct ranges *r, struct address start, uint32_t mtu)
{
	struct range *last = r->count ? &r->list[r->count - 1] : NULL;

	if (last && !before(last->start, start)) { /* the new range replaces @last */
		last->mtu = mtu;
		if (r->count > 1 && last[-1].mtu == mtu)
			r->count--;
		return 0;
	}
	if (last && last->mtu == mtu)
		return 0;
	if (r->count == r->room) {
		size_t room = r->room ? r->room * 2 : 16;
		struct range *list = reallocarray(r->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		r->list = list;
		r->room = room;
	}
	r->list[r->count++] = (struct range){ start, mtu };
	return 0;
}

/* Sets @end to the first address after @p. Returns false if @p contains the last address. */
static bool end_of(const struct prefix *p, struct address *end)
{
	struct address a = address_of(p->addr, p->family == AF_INET6);
	uint64_t step;

	if (p->length > 64) {
		step = 1ULL << (128 - p->length);
		a.low += step;
		a.high += a.low < step;
	} else {
		step = p->length ? 1ULL << (64 - p->length) : 0;
		a.low = 0;
		a.high += step;
	}
	*end = a;
	return a.high || a.low; /* 0: the addition overflowed */
}

static bool same_prefix(const struct netlink_device_route *a, const struct netlink_device_route *b)
{
	return a->to.length == b->to.length && !memcmp(a->to.addr, b->to.addr, sizeof(a->to.addr));
}

static uint32_t min_mtu(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t mtu_of(const struct netlink_device_route *r)
{
	return r->mtu ? r->mtu : ROUTE_MTU_NONE;
}

/* Pops the prefixes on @stack that end at or before @start (NULL: all), and restores the MTU of the
 * enclosing prefix after each. */
static int pop_ended(struct ranges *out, const struct netlink_device_route **stack, unsigned *depth,
		     const struct address *start)
{
	struct address end;
	int err = 0;

	while (*depth && !err) {
		if (!end_of(&stack[*depth - 1]->to, &end) || (start && before(*start, end)))
			return 0;
		--*depth;
		err = extend(out, end, *depth ? mtu_of(stack[*depth - 1]) : ROUTE_MTU_NONE);
	}
	return err;
}

/* Flattens one sorted routing table of one family. The longest prefix decides. If several routes to
 * one prefix differ in metric or TOS, their smallest MTU is used. */
static int flatten(struct ranges *out, struct netlink_device_route *routes, size_t count)
{
	const struct netlink_device_route *stack[129]; /* each prefix encloses the next one */
	unsigned depth = 0;
	int err = extend(out, (struct address){ 0 }, ROUTE_MTU_NONE);

	for (size_t i = 0; i < count && !err; i++) {
		struct netlink_device_route *r = &routes[i];
		struct address start = address_of(r->to.addr, r->to.family == AF_INET6);

		while (i + 1 < count && same_prefix(r, &routes[i + 1]))
			r->mtu = min_mtu(mtu_of(r), mtu_of(&routes[++i]));
		err = pop_ended(out, stack, &depth, &start);
		if (!err)
			err = extend(out, start, mtu_of(r));
		stack[depth++] = r;
	}
	return err ?: pop_ended(out, stack, &depth, NULL);
}

/* Sets @out to the minimum of @a and @b at every address. */
static int merge_min(struct ranges *out, const struct ranges *a, const struct ranges *b)
{
	size_t i = 0, j = 0;
	int err = 0;

	while (!err) {
		struct address start = before(a->list[i].start, b->list[j].start)
					       ? b->list[j].start
					       : a->list[i].start;
		bool more_a = i + 1 < a->count, more_b = j + 1 < b->count, step_a;

		err = extend(out, start, min_mtu(a->list[i].mtu, b->list[j].mtu));
		if (!more_a && !more_b)
			break;
		step_a = !more_b || (more_a && before(a->list[i + 1].start, b->list[j + 1].start));
		if (step_a)
			i++;
		else
			j++;
	}
	return err;
}

static int add_table(struct ranges *all, struct netlink_device_route *routes, size_t count)
{
	struct ranges one = { 0 }, sum = { 0 };
	int err = flatten(&one, routes, count);

	if (!err)
		err = merge_min(&sum, all, &one);
	free(one.list);
	if (err) {
		free(sum.list);
		return err;
	}
	free(all->list);
	*all = sum;
	return 0;
}

/* Orders routes by family, table, address, length. */
static int compare_routes(const void *x, const void *y)
{
	const struct netlink_device_route *a = x, *b = y;

	if (a->to.family != b->to.family)
		return a->to.family < b->to.family ? -1 : 1;
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return memcmp(a->to.addr, b->to.addr, sizeof(a->to.addr))
		       ?: (int)a->to.length - (int)b->to.length;
}

int route_mtu_new(struct route_mtu **table, struct netlink_device_route *routes, size_t count)
{
	struct route_mtu *t = calloc(1, sizeof(*t));
	size_t begin, end;
	int err;

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		t->largest = routes[i].mtu > t->largest ? routes[i].mtu : t->largest;
	err = extend(&t->ipv4, (struct address){ 0 }, ROUTE_MTU_NONE)
		      ?: extend(&t->ipv6, (struct address){ 0 }, ROUTE_MTU_NONE);
	if (count)
		qsort(routes, count, sizeof(*routes), compare_routes);
	for (begin = 0; begin < count && t->largest && !err; begin = end) {
		const struct netlink_device_route *r = &routes[begin];

		for (end = begin; end < count && routes[end].to.family == r->to.family &&
				  routes[end].table == r->table;)
			end++;
		err = add_table(r->to.family == AF_INET ? &t->ipv4 : &t->ipv6, &routes[begin],
				end - begin);
	}
	if (err || !t->largest) {
		route_mtu_free(t);
		t = NULL;
	}
	if (!err)
		*table = t;
	return err;
}

void route_mtu_free(void *table)
{
	struct route_mtu *t = table;

	if (!t)
		return;
	free(t->ipv4.list);
	free(t->ipv6.list);
	free(t);
}

/* Looking up ----------------------------------------------------------------------------------- */

uint32_t route_mtu_of(const struct route_mtu *table, const uint8_t *ip)
{
	bool v6 = ip[0] >> 4 == 6;
	const struct ranges *r = v6 ? &table->ipv6 : &table->ipv4;
	struct address a = address_of(v6 ? ip + 24 : ip + 16, v6);
	size_t first = 0, behind = r->count; /* list[first].start <= a < list[behind].start */

	while (behind - first > 1) {
		size_t middle = first + (behind - first) / 2;

		if (before(a, r->list[middle].start))
			behind = middle;
		else
			first = middle;
	}
	return r->list[first].mtu;
}

uint32_t route_mtu_largest(const struct route_mtu *table)
{
	return table->largest;
}
