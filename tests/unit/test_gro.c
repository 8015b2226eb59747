/* SPDX-License-Identifier: MIT */
/* test_gro.c - which packets are merged and which must not be. Merged packets are segmented again
 * and compared with the originals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "path/gro.h"
#include "path/gso.h"
#include "segments.h"

static struct gro gro;
static uint8_t *packets[FRAME_BATCH];
static uint32_t lengths[FRAME_BATCH];
static unsigned count;

static const struct segment first = { .host = 2,
				      .ttl = 64,
				      .df = true,
				      .id = 9,
				      .port = 1234,
				      .seq = 0xffffff00,
				      .ack = 77,
				      .window = 500,
				      .flags = 0x10,
				      .options = 12,
				      .option_fill = 1,
				      .payload = 1000 };

static void begin(void)
{
	gro_begin(&gro, true, true);
	while (count)
		free(packets[--count]);
}

static uint8_t *add(const struct segment *s, uint32_t slot)
{
	static uint8_t out[SEGMENT_MAX];
	uint8_t *packet;

	lengths[count] = (uint32_t)segment_build(s, out);
	packet = malloc(lengths[count]);
	assert_non_null(packet);
	memcpy(packet, out, lengths[count]);
	packets[count] = packet;
	gro_add(&gro, packet, lengths[count], slot);
	count++;
	return packet;
}

/* Segmenting each merged group must yield the original packets. */
static void check_groups(void)
{
	static uint8_t merged[SEGMENT_MAX + 1], cut[SEGMENT_MAX];
	struct iovec iov[GRO_IOV_MAX];
	struct gro_head head;
	unsigned seen = 0;
	struct gso g;

	for (unsigned i = 0; i < gro.group_count; i++) {
		const struct gro_group *group = &gro.groups[i];
		uint32_t len = 0, n, k = 0;

		seen += group->count;
		if (group->count == 1)
			continue;
		n = gro_build(&gro, group, &head, iov);
		assert_int_equal(n, group->count + 1);
		iov[0].iov_base = head.headers;
		iov[0].iov_len -= sizeof(head.vnet);
		for (unsigned j = 0; j < n; len += (uint32_t)iov[j++].iov_len)
			memcpy(merged + len, iov[j].iov_base, iov[j].iov_len);
		assert_int_equal(len, group->total);
		assert_true(gso_parse(&g, &head.vnet, merged, len));
		assert_int_equal(g.segments, group->count);
		for (uint16_t p = group->first; p != GRO_NONE; p = gro.packets[p].next, k++) {
			gso_write(&g, merged, k, cut);
			assert_int_equal(gso_segment_len(&g, k), gro.packets[p].len);
			assert_memory_equal(cut, gro.packets[p].ip, gro.packets[p].len);
		}
	}
	assert_int_equal(seen, count);
}

static struct segment next_of(struct segment s)
{
	s.seq += s.payload;
	s.id++;
	s.fill++;
	return s;
}

/* 1. For TCP and UDP over IPv4 and IPv6, 40 consecutive packets of a flow become one packet. The
 * last of them may be shorter. */
static void test_trains(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		struct segment s = first;

		s.v6 = kind & 1;
		s.udp = kind & 2;
		begin();
		for (unsigned i = 0; i < 40; i++, s = next_of(s)) {
			s.payload = i == 39 ? 7 : 1000;
			if (i == 39)
				s.flags |= 0x08; /* PSH */
			add(&s, 5);
		}
		assert_int_equal(gro.group_count, 1);
		check_groups();
		s.payload = 7; /* nothing may be appended after a shorter packet */
		add(&s, 5);
		assert_int_equal(gro.group_count, 2);
		check_groups();
	}
	begin();
}

/* Applies difference number @what to packet @t, or to *@slot, the slot of the peer that sent @t.
 * Returns false if packets of the same kind as @s cannot differ in this way. */
static bool differ(unsigned what, const struct segment *s, struct segment *t, uint32_t *slot)
{
	switch (what) {
	case 0:
		t->host++;
		break;
	case 1:
		t->port++;
		break;
	case 2:
		t->tos = 1;
		break;
	case 3:
		t->ttl--;
		break;
	case 4:
		(*slot)++;
		break;
	case 5:
		t->payload++;
		break;
	case 6:
		t->payload = 0;
		break;
	case 7:
		t->seq++;
		return !s->udp;
	case 8:
		t->ack++;
		return !s->udp;
	case 9:
		t->window++;
		return !s->udp;
	case 10:
		t->urgent = 1;
		return !s->udp;
	case 11:
		t->option_fill = 2;
		return !s->udp;
	case 12:
		t->flags = 0x11; /* FIN */
		return !s->udp;
	case 13:
		t->id++;
		return !s->v6;
	case 14:
		t->df = false;
		return !s->v6;
	case 15:
		t->flags = 0x90; /* CWR */
		return !s->udp;
	case 16:
		t->options = 0;
		return !s->udp;
	case 17:
		t->udp = !t->udp;
		break;
	}
	return true;
}

/* 2. Each difference prevents the second packet from being merged. */
static void test_differences(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		for (unsigned what = 0; what < 18; what++) {
			struct segment s = first, t;
			uint32_t slot = 5;
			bool applies;

			s.v6 = kind & 1;
			s.udp = kind & 2;
			if (what == 13)
				s.df = false;
			begin();
			add(&s, slot);
			t = next_of(s);
			applies = differ(what, &s, &t, &slot);
			add(&t, slot);
			assert_int_equal(gro.group_count, applies ? 2 : 1);
			check_groups();
		}
	}
	begin();
}

/* 3. Nothing is appended to a TCP packet unless ACK is its only flag. */
static void test_flags_of_the_first(void **state)
{
	static const uint8_t flags[] = { 0x18, 0x00, 0x02, 0x12, 0x14, 0x30, 0x50, 0x90 };

	(void)state;
	for (unsigned i = 0; i < sizeof(flags); i++) {
		struct segment s = first;

		begin();
		s.flags = flags[i];
		add(&s, 5);
		s = next_of(s);
		s.flags = 0x10;
		add(&s, 5);
		assert_int_equal(gro.group_count, 2);
	}
	begin();
}

/* 4. A packet with a wrong checksum is never merged or changed, whether it comes first or later. */
static void test_wrong_checksums(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		for (unsigned wrong = 0; wrong < 3; wrong++) {
			struct segment s = first;
			uint8_t copy[1100];

			s.v6 = kind & 1;
			s.udp = kind & 2;
			begin();
			for (unsigned i = 0; i < 3; i++, s = next_of(s)) {
				uint8_t *p = malloc(SEGMENT_MAX);
				uint32_t len = (uint32_t)segment_build(&s, p);

				if (i == wrong)
					p[len - 1] ^= 0x10;
				memcpy(copy, p, len);
				packets[count++] = p;
				gro_add(&gro, p, len, 5);
				if (i == wrong)
					assert_memory_equal(p, copy, len);
			}
			assert_int_equal(gro.group_count, wrong == 1 ? 3 : 2);
			check_groups();
			for (unsigned i = 0; i < gro.group_count; i++)
				assert_true(gro.groups[i].count == 1 ||
					    (gro.groups[i].first != wrong &&
					     gro.groups[i].last != wrong));
		}
	}
	begin();
}

/* 5. Packets of several flows are merged at the same time. A packet that does not fit the newest
 * group of its flow starts another group, so that no packet overtakes another of its flow. */
static void test_order(void **state)
{
	struct segment a = first, b = first, ack = first;

	(void)state;
	b.port = 4321;
	begin();
	add(&a, 5), a = next_of(a);
	add(&b, 5), b = next_of(b);
	add(&a, 5), a = next_of(a);
	add(&b, 5), b = next_of(b);
	assert_int_equal(gro.group_count, 2);
	ack = a;
	ack.payload = 0;
	add(&ack, 5);
	add(&a, 5), a = next_of(a); /* starts a group, because the ack ended the first one */
	add(&b, 5);
	add(&a, 5);
	assert_int_equal(gro.group_count, 4);
	assert_int_equal(gro.groups[1].count, 3);
	assert_int_equal(gro.groups[3].count, 2);
	check_groups();
	begin();
}

/* 6. A fragment may belong to any flow, so the packets before and after a fragment are not merged
 * with each other. */
static void test_fragment(void **state)
{
	struct segment s = first, f = first;

	(void)state;
	begin();
	add(&s, 5), s = next_of(s);
	lengths[count] = (uint32_t)segment_build(&f, packets[count] = malloc(SEGMENT_MAX));
	packets[count][6] = 0x20; /* more fragments */
	gro_add(&gro, packets[count], lengths[count], 5), count++;
	add(&s, 5);
	assert_int_equal(gro.group_count, 3);
	begin();
}

/* 7. A merged packet has at most 64 UDP segments and 65535 bytes. Nothing is merged if merging is
 * switched off. */
static void test_limits(void **state)
{
	struct segment s = first;

	(void)state;
	begin();
	s.udp = true;
	s.payload = 10;
	for (unsigned i = 0; i < 130; i++, s = next_of(s))
		add(&s, 5);
	assert_int_equal(gro.group_count, 3);
	check_groups();
	begin();
	s = first;
	s.v6 = true;
	s.payload = 1348;
	for (unsigned i = 0; i < 60; i++, s = next_of(s))
		add(&s, 5);
	assert_int_equal(gro.group_count, 2);
	check_groups();
	for (unsigned udp = 0; udp < 2; udp++) {
		begin();
		gro_begin(&gro, udp, !udp);
		s = first;
		s.udp = udp;
		add(&s, 5), s = next_of(s), add(&s, 5);
		assert_int_equal(gro.group_count, 2);
	}
	begin();
}

/* 8. UDP packets without a checksum are not merged. */
static void test_udp_without_checksum(void **state)
{
	struct segment s = first;

	(void)state;
	begin();
	s.udp = true;
	for (unsigned i = 0; i < 3; i++, s = next_of(s)) {
		lengths[count] = (uint32_t)segment_build(&s, packets[count] = malloc(SEGMENT_MAX));
		packets[count][26] = packets[count][27] = 0;
		gro_add(&gro, packets[count], lengths[count], 5), count++;
	}
	assert_int_equal(gro.group_count, 3);
	begin();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trains),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_flags_of_the_first),
		cmocka_unit_test(test_wrong_checksums),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_fragment),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_udp_without_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
