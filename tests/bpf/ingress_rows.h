/* SPDX-License-Identifier: MIT */
/*
 * ingress_rows.h - the table of test_ingress.c: frames and their expected outcome.
 */
#ifndef TESTS_BPF_INGRESS_ROWS_H
#define TESTS_BPF_INGRESS_ROWS_H

#include <linux/if_ether.h>
#include <netinet/in.h>

#include "frames.h"
#include "wgxdp/reasons.h"

#define SESSION 0x89abcdef   /* receiver index of a session of the peer in SLOT */
#define PENDING 0x01020304   /* receiver index of an initiation that we sent to that peer */
#define GONE_PEER 0x55555555 /* receiver index of a session of a peer without counters */
#define UNKNOWN 0xefcdab89   /* SESSION with its bytes swapped, to find a wrong byte order */
#define SLOT 70000

enum outcome {
	STACK,	 /* passed, not counted: not ours, or a handshake for the daemon */
	STEERED, /* redirected to the socket of the queue and counted for the peer */
	/* If the host forwards: passed, and counted by reason in `passes`. Otherwise: dropped, and
	 * counted by reason in `drops`. */
	REFUSED,
};

struct row {
	const char *name;
	struct frame_spec frame;
	enum outcome outcome;
	enum reason reason;
};

#define ANY(f, t, index) .family = (f), .type = (t), .receiver = (index)
#define DATA(f) ANY(f, WIRE_DATA, SESSION)
#define EXT(count, ...) .extension_count = (count), .extensions = { __VA_ARGS__ }
#define HBH                                                                                        \
	{                                                                                          \
		IPPROTO_HOPOPTS, 0                                                                 \
	}
#define DST                                                                                        \
	{                                                                                          \
		IPPROTO_DSTOPTS, 0                                                                 \
	}
#define RT                                                                                         \
	{                                                                                          \
		IPPROTO_ROUTING, 0                                                                 \
	}
#define MALFORMED REFUSED, REASON_malformed
#define NO_INDEX REFUSED, REASON_unknown_index

/* clang-format would wrap the rows, but most rows are easier to compare as one line. */
/* clang-format off */
static const struct row rows[] = {
	/* data messages, which XDP steers to the AF_XDP socket */
	{ "v4 data", { DATA(4) }, STEERED, 0 },
	{ "v6 data", { DATA(6) }, STEERED, 0 },
	{ "v4 keepalive", { DATA(4), .payload_len = 32 }, STEERED, 0 },
	{ "v6 keepalive", { DATA(6), .payload_len = 32 }, STEERED, 0 },
	{ "v4 data, not a multiple of 16", { DATA(4), .payload_len = 33 }, STEERED, 0 },
	{ "v4 data at an MTU of 1500", { DATA(4), .payload_len = 1472 }, STEERED, 0 },
	{ "v6 data at an MTU of 1500", { DATA(6), .payload_len = 1452 }, STEERED, 0 },
	{ "v4 data and Ethernet padding", { DATA(4), .padding = 46 }, STEERED, 0 },
	{ "v6 data and Ethernet padding", { DATA(6), .padding = 1 }, STEERED, 0 },
	{ "v4 4 bytes of options", { DATA(4), .options = 4 }, STEERED, 0 },
	{ "v4 40 bytes of options", { DATA(4), .options = 40 }, STEERED, 0 },
	{ "v4 options and padding", { DATA(4), .options = 12, .padding = 7 }, STEERED, 0 },
	{ "v4 DF", { DATA(4), .pokes = { { L3, 6, 0x40 } } }, STEERED, 0 },
	{ "v4 ToS and TTL 1", { DATA(4), .pokes = { { L3, 1, 0xff }, { L3, 8, 1 } } }, STEERED, 0 },
	{ "v6 class, flow label, hop limit 1",
	  { DATA(6), .pokes = { { L3, 0, 0x6f }, { L3, 1, 0xff }, { L3, 2, 0xff }, { L3, 7, 1 } } },
	  STEERED, 0 },
	{ "v4 UDP checksum 0", { DATA(4), .pokes = { { L4, 6, 0 }, { L4, 7, 0 } } }, STEERED, 0 },
	{ "v6 UDP checksum 0", { DATA(6), .pokes = { { L4, 6, 0 }, { L4, 7, 0 } } }, STEERED, 0 },
	{ "v6 link-local source", { DATA(6), .pokes = { { L3, 8, 0xfe }, { L3, 9, 0x80 } } },
	  STEERED, 0 },
	{ "v4 counter all ones",
	  { DATA(4), .pokes = { { MSG, 8, 255 }, { MSG, 15, 255 } } }, STEERED, 0 },

	/* data messages behind IPv6 extension headers */
	{ "v6 hop-by-hop options", { DATA(6), EXT(1, HBH) }, STEERED, 0 },
	{ "v6 destination options", { DATA(6), EXT(1, DST) }, STEERED, 0 },
	{ "v6 routing header, no segment left", { DATA(6), EXT(1, RT) }, STEERED, 0 },
	{ "v6 all extension headers in order",
	  { DATA(6), EXT(4, HBH, DST, RT, DST) }, STEERED, 0 },
	{ "v6 long options", { DATA(6), EXT(2, { IPPROTO_HOPOPTS, 3 }, { IPPROTO_DSTOPTS, 9 }) },
	  STEERED, 0 },
	{ "v6 destination options and Ethernet padding",
	  { DATA(6), EXT(1, DST), .padding = 5 }, STEERED, 0 },
	{ "v6 initiation, hop-by-hop options",
	  { ANY(6, WIRE_INITIATION, 0), EXT(1, HBH) }, STACK, 0 },
	{ "v6 unknown index, destination options",
	  { ANY(6, WIRE_DATA, UNKNOWN), EXT(1, DST) }, NO_INDEX },
	{ "v6 malformed, routing header", { ANY(6, 9, SESSION), EXT(1, RT) }, MALFORMED },
	{ "v6 routing header with a segment left",
	  { DATA(6), EXT(1, RT), .pokes = { { L3, 43, 1 } } }, STACK, 0 },
	{ "v6 unknown index, a segment left",
	  { ANY(6, WIRE_DATA, UNKNOWN), EXT(1, RT), .pokes = { { L3, 43, 1 } } }, STACK, 0 },
	{ "v6 hop-by-hop options in second place", { DATA(6), EXT(2, DST, HBH) }, STACK, 0 },
	{ "v6 five extension headers", { DATA(6), EXT(5, HBH, DST, DST, RT, DST) }, STACK, 0 },
	{ "v6 TCP behind options", { DATA(6), EXT(1, DST), .pokes = { { L3, 40, IPPROTO_TCP } } },
	  STACK, 0 },
	{ "v6 fragment header behind options",
	  { DATA(6), EXT(2, DST, { IPPROTO_FRAGMENT, 0 }) }, STACK, 0 },
	{ "v6 authentication header", { DATA(6), EXT(1, { IPPROTO_AH, 0 }) }, STACK, 0 },
	{ "v6 options beyond the packet",
	  { DATA(6), EXT(1, DST), .pokes = { { L3, 41, 17 } } }, STACK, 0 },
	{ "v6 options to the packet's last byte",
	  { DATA(6), .payload_len = 32, EXT(1, DST), .pokes = { { L3, 41, 5 } } }, STACK, 0 },

	/* handshake messages, which pass to the daemon */
	{ "v4 initiation", { ANY(4, WIRE_INITIATION, 0) }, STACK, 0 },
	{ "v6 initiation", { ANY(6, WIRE_INITIATION, 0) }, STACK, 0 },
	{ "v4 response, pending", { ANY(4, WIRE_RESPONSE, PENDING) }, STACK, 0 },
	{ "v6 response, pending", { ANY(6, WIRE_RESPONSE, PENDING) }, STACK, 0 },
	{ "v4 response, session", { ANY(4, WIRE_RESPONSE, SESSION) }, STACK, 0 },
	{ "v4 cookie reply, pending", { ANY(4, WIRE_COOKIE, PENDING) }, STACK, 0 },
	{ "v6 cookie reply, pending", { ANY(6, WIRE_COOKIE, PENDING) }, STACK, 0 },
	{ "v4 cookie reply, session", { ANY(4, WIRE_COOKIE, SESSION) }, STACK, 0 },
	{ "v4 initiation, options, padding",
	  { ANY(4, WIRE_INITIATION, 0), .options = 8, .padding = 3 }, STACK, 0 },

	/* receiver indices that are unknown or have the wrong kind */
	{ "v4 data, unknown index", { ANY(4, WIRE_DATA, UNKNOWN) }, NO_INDEX },
	{ "v6 data, unknown index", { ANY(6, WIRE_DATA, UNKNOWN) }, NO_INDEX },
	{ "v4 data, index 0", { ANY(4, WIRE_DATA, 0) }, NO_INDEX },
	{ "v4 data, pending index", { ANY(4, WIRE_DATA, PENDING) }, NO_INDEX },
	{ "v6 data, pending index", { ANY(6, WIRE_DATA, PENDING) }, NO_INDEX },
	{ "v4 response, unknown index", { ANY(4, WIRE_RESPONSE, UNKNOWN) }, NO_INDEX },
	{ "v6 response, unknown index", { ANY(6, WIRE_RESPONSE, UNKNOWN) }, NO_INDEX },
	{ "v4 cookie reply, unknown index", { ANY(4, WIRE_COOKIE, UNKNOWN) }, NO_INDEX },
	{ "v6 cookie reply, unknown index", { ANY(6, WIRE_COOKIE, UNKNOWN) }, NO_INDEX },

	/* malformed messages; test_lengths in test_ingress.c tries more lengths */
	{ "v4 type 0", { ANY(4, 0, SESSION) }, MALFORMED },
	{ "v4 type 5", { ANY(4, 5, SESSION) }, MALFORMED },
	{ "v6 type 255", { ANY(6, 255, SESSION) }, MALFORMED },
	{ "v4 first reserved byte", { DATA(4), .pokes = { { MSG, 1, 1 } } }, MALFORMED },
	{ "v4 second reserved byte", { DATA(4), .pokes = { { MSG, 2, 128 } } }, MALFORMED },
	{ "v4 third reserved byte", { DATA(4), .pokes = { { MSG, 3, 1 } } }, MALFORMED },
	{ "v6 initiation, reserved byte",
	  { ANY(6, WIRE_INITIATION, 0), .pokes = { { MSG, 3, 1 } } }, MALFORMED },
	{ "v4 response, reserved byte",
	  { ANY(4, WIRE_RESPONSE, PENDING), .pokes = { { MSG, 1, 4 } } }, MALFORMED },
	{ "v4 empty datagram", { DATA(4), .payload_len = -1 }, MALFORMED },
	{ "v6 empty datagram", { DATA(6), .payload_len = -1 }, MALFORMED },
	{ "v4 empty datagram in a frame of 60 bytes",
	  { DATA(4), .payload_len = -1, .padding = 18 }, MALFORMED },
	{ "v4 data of 31 bytes", { DATA(4), .payload_len = 31, .padding = 9 }, MALFORMED },
	{ "v6 data of 31 bytes", { DATA(6), .payload_len = 31, .padding = 9 }, MALFORMED },
	{ "v4 initiation, 149 bytes",
	  { ANY(4, WIRE_INITIATION, 0), .payload_len = 149 }, MALFORMED },
	{ "v4 initiation, 147 bytes",
	  { ANY(4, WIRE_INITIATION, 0), .payload_len = 147, .padding = 1 }, MALFORMED },
	{ "v4 UDP length 0", { DATA(4), .pokes = { { L4, 4, 0 }, { L4, 5, 0 } } }, MALFORMED },
	{ "v4 UDP length 7", { DATA(4), .pokes = { { L4, 4, 0 }, { L4, 5, 7 } } }, MALFORMED },
	{ "v4 UDP length beyond the packet",
	  { DATA(4), .padding = 8, .pokes = { { L4, 5, 8 + 128 + 1 } } }, MALFORMED },
	{ "v6 UDP length beyond the packet",
	  { DATA(6), .padding = 8, .pokes = { { L4, 5, 8 + 128 + 1 } } }, MALFORMED },
	{ "v4 initiation, IP packet longer than its UDP length",
	  { ANY(4, WIRE_INITIATION, 0), .payload_len = 160, .pokes = { { L4, 5, 8 + 148 } } },
	  STACK, 0 },

	/* not ours: frames with a changed header */
	{ "v4 other MAC", { DATA(4), .pokes = { { L2, 5, 9 } } }, STACK, 0 },
	{ "v4 other MAC, first byte", { DATA(4), .pokes = { { L2, 0, 0 } } }, STACK, 0 },
	{ "v4 other MAC, third byte", { DATA(4), .pokes = { { L2, 2, 0 } } }, STACK, 0 },
	{ "v6 other MAC", { DATA(6), .pokes = { { L2, 4, 9 } } }, STACK, 0 },
	{ "v4 broadcast MAC",
	  { DATA(4), .pokes = { { L2, 0, 255 }, { L2, 1, 255 }, { L2, 2, 255 }, { L2, 3, 255 },
				{ L2, 4, 255 }, { L2, 5, 255 } } }, STACK, 0 },
	{ "v4 malformed, other MAC", { ANY(4, 9, SESSION), .pokes = { { L2, 5, 9 } } }, STACK, 0 },
	{ "v4 unknown index, other MAC",
	  { ANY(4, WIRE_DATA, UNKNOWN), .pokes = { { L2, 5, 9 } } }, STACK, 0 },
	{ "802.1Q", { DATA(4), .vlan = ETH_P_8021Q }, STACK, 0 },
	{ "802.1ad", { DATA(6), .vlan = ETH_P_8021AD }, STACK, 0 },
	{ "ARP", { DATA(4), .pokes = { { L2, 12, 8 }, { L2, 13, 6 } } }, STACK, 0 },
	{ "v4, ethertype of v6", { DATA(4), .pokes = { { L2, 12, 0x86 }, { L2, 13, 0xdd } } },
	  STACK, 0 },
	{ "v6, ethertype of v4", { DATA(6), .pokes = { { L2, 12, 8 }, { L2, 13, 0 } },
	  .old_checksum = true }, STACK, 0 },
	{ "v4 version 5", { DATA(4), .pokes = { { L3, 0, 0x55 } } }, STACK, 0 },
	{ "v6 version 4", { DATA(6), .pokes = { { L3, 0, 0x40 } } }, STACK, 0 },
	{ "v4 header of 16 bytes", { DATA(4), .pokes = { { L3, 0, 0x44 } } }, STACK, 0 },
	{ "v4 header longer than the packet",
	  { DATA(4), .payload_len = -1, .pokes = { { L3, 0, 0x4f } }, .old_checksum = true }, STACK,
	  0 },
	{ "v4 wrong header checksum",
	  { DATA(4), .pokes = { { L3, 10, 0x12 }, { L3, 11, 0x34 } }, .old_checksum = true }, STACK,
	  0 },
	{ "v4 options changed, old checksum",
	  { DATA(4), .options = 40, .pokes = { { L3, 59, 0 } }, .old_checksum = true }, STACK, 0 },
	{ "v4 unknown index, wrong header checksum",
	  { ANY(4, WIRE_DATA, UNKNOWN), .pokes = { { L3, 8, 63 } }, .old_checksum = true },
	  STACK, 0 },
	{ "v4 total length beyond the frame", { DATA(4), .pokes = { { L3, 3, 157 } } }, STACK, 0 },
	{ "v4 total length less than the header", { DATA(4), .pokes = { { L3, 3, 19 } } }, STACK,
	  0 },
	{ "v4 total length too short for UDP", { DATA(4), .pokes = { { L3, 3, 27 } } }, STACK, 0 },
	{ "v6 payload length beyond the frame", { DATA(6), .pokes = { { L3, 5, 137 } } },
	  STACK, 0 },
	{ "v6 payload length too short for UDP", { DATA(6), .pokes = { { L3, 5, 7 } } }, STACK, 0 },
	{ "v6 payload length 0 (jumbogram)", { DATA(6), .pokes = { { L3, 5, 0 } } }, STACK, 0 },
	{ "v4 first fragment", { DATA(4), .pokes = { { L3, 6, 0x20 } } }, STACK, 0 },
	{ "v4 later fragment", { DATA(4), .pokes = { { L3, 7, 1 } } }, STACK, 0 },
	{ "v4 last fragment, high bits", { DATA(4), .pokes = { { L3, 6, 0x10 } } }, STACK, 0 },
	{ "v4 TCP", { DATA(4), .pokes = { { L3, 9, IPPROTO_TCP } } }, STACK, 0 },
	{ "v4 ICMP", { DATA(4), .pokes = { { L3, 9, IPPROTO_ICMP } } }, STACK, 0 },
	{ "v4 UDP-Lite", { DATA(4), .pokes = { { L3, 9, IPPROTO_UDPLITE } } }, STACK, 0 },
	{ "v6 TCP", { DATA(6), .pokes = { { L3, 6, IPPROTO_TCP } } }, STACK, 0 },
	{ "v6 fragment header", { DATA(6), .pokes = { { L3, 6, IPPROTO_FRAGMENT } } }, STACK, 0 },
	{ "v6 UDP header read as an extension header", { DATA(6), .pokes = { { L3, 6, 60 } } },
	  STACK, 0 },
	{ "v4 other address", { DATA(4), .pokes = { { L3, 19, 2 } } }, STACK, 0 },
	{ "v6 other address", { DATA(6), .pokes = { { L3, 39, 2 } } }, STACK, 0 },
	{ "v6 other address, first byte", { DATA(6), .pokes = { { L3, 24, 0x24 } } }, STACK, 0 },
	{ "v4 other port", { DATA(4), .pokes = { { L4, 3, 0x6d } } }, STACK, 0 },
	{ "v6 other port", { DATA(6), .pokes = { { L4, 2, 0 } } }, STACK, 0 },
	{ "v4 from our port to another",
	  { DATA(4), .pokes = { { L4, 0, 0xca }, { L4, 1, 0x6c }, { L4, 3, 0x6d } } }, STACK, 0 },
	{ "v4 malformed, other port", { ANY(4, 9, SESSION), .pokes = { { L4, 3, 0x6d } } },
	  STACK, 0 },

	/* not ours: no reply can be sent to the source. The rows with STEERED have the valid
	 * sources that are nearest to the invalid ones. */
	{ "v4 source port 0", { DATA(4), .pokes = { { L4, 0, 0 }, { L4, 1, 0 } } }, STACK, 0 },
	{ "v4 source 0.1.2.3", { DATA(4), .pokes = { { L3, 12, 0 } } }, STACK, 0 },
	{ "v4 source 127.51.100.7", { DATA(4), .pokes = { { L3, 12, 127 } } }, STACK, 0 },
	{ "v4 source 126.51.100.7", { DATA(4), .pokes = { { L3, 12, 126 } } }, STEERED, 0 },
	{ "v4 source 224.51.100.7", { DATA(4), .pokes = { { L3, 12, 224 } } }, STACK, 0 },
	{ "v4 source 223.51.100.7", { DATA(4), .pokes = { { L3, 12, 223 } } }, STEERED, 0 },
	{ "v4 source 240.51.100.7", { DATA(4), .pokes = { { L3, 12, 240 } } }, STACK, 0 },
	{ "v4 source 255.255.255.255",
	  { DATA(4), .pokes = { { L3, 12, 255 }, { L3, 13, 255 }, { L3, 14, 255 },
				{ L3, 15, 255 } } }, STACK, 0 },
	{ "v4 source is our own address",
	  { DATA(4), .pokes = { { L3, 12, 192 }, { L3, 13, 0 }, { L3, 14, 2 }, { L3, 15, 1 } } },
	  STACK, 0 },
	{ "v6 source ff02::", { DATA(6), .pokes = { { L3, 8, 0xff }, { L3, 9, 2 } } }, STACK, 0 },
	{ "v6 source ::",
	  { DATA(6), .pokes = { { L3, 8, 0 }, { L3, 9, 0 }, { L3, 10, 0 }, { L3, 11, 0 },
				{ L3, 15, 0 }, { L3, 23, 0 } } }, STACK, 0 },
	{ "v6 source ::1",
	  { DATA(6), .pokes = { { L3, 8, 0 }, { L3, 9, 0 }, { L3, 10, 0 }, { L3, 11, 0 },
				{ L3, 15, 0 }, { L3, 23, 1 } } }, STACK, 0 },
	{ "v6 source ::2",
	  { DATA(6), .pokes = { { L3, 8, 0 }, { L3, 9, 0 }, { L3, 10, 0 }, { L3, 11, 0 },
				{ L3, 15, 0 }, { L3, 23, 2 } } }, STEERED, 0 },
	{ "v6 source ::ffff:0.0.0.7",
	  { DATA(6), .pokes = { { L3, 8, 0 }, { L3, 9, 0 }, { L3, 10, 0 }, { L3, 11, 0 },
				{ L3, 15, 0 }, { L3, 18, 0xff }, { L3, 19, 0xff } } }, STACK, 0 },
	{ "v6 our own source", { DATA(6), .pokes = { { L3, 15, 0 }, { L3, 23, 1 } } }, STACK, 0 },
	{ "v4 unknown index, martian source",
	  { ANY(4, WIRE_DATA, UNKNOWN), .pokes = { { L3, 12, 127 } } }, STACK, 0 },
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))

#endif
