/* SPDX-License-Identifier: MIT */
/*
 * frames.h - builds frames for the tests of the programs that are attached to a NIC. A frame is
 * valid for its address family and message type, except for the bytes that the test changes
 * ("pokes"). Only wire.h is shared with the program under test.
 *
 *   L2 Ethernet │ L3 IPv4 with options, IPv6 with extensions │ L4 UDP │ MSG WireGuard │ padding
 */
#ifndef TESTS_BPF_FRAMES_H
#define TESTS_BPF_FRAMES_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wgxdp/wire.h"

#define FRAME_MAX 2048
#define POKES_MAX 17
#define EXTENSIONS_MAX 6

enum layer { END, L2, L3, L4, MSG };

/* Sets one byte of the frame. The offset counts from the start of the layer. */
struct poke {
	enum layer layer; /* END ends the list */
	uint16_t offset;
	uint8_t value;
};

/* An IPv6 extension header. */
struct extension {
	uint8_t type;
	uint8_t units; /* length in units of 8 bytes, without the first 8 bytes */
};

struct frame_spec {
	int family;	   /* 4 or 6 */
	uint8_t type;	   /* type of the message, which decides the valid length */
	uint32_t receiver; /* receiver index */
	int payload_len;   /* 0: the valid length; -1: an empty payload */
	uint8_t options;   /* bytes of IPv4 options (no-ops) */
	uint8_t extension_count;
	struct extension extensions[EXTENSIONS_MAX]; /* IPv6; contents are zeros */
	uint8_t padding;			     /* bytes after the IP packet */
	uint16_t vlan;	   /* ethertype of a VLAN tag with ID 5; 0: no tag */
	bool old_checksum; /* the IPv4 checksum is not recomputed after the pokes */
	struct poke pokes[POKES_MAX];
};

struct frame {
	uint8_t data[FRAME_MAX];
	uint32_t len;
	uint32_t at[MSG + 1]; /* offset of each layer */
	uint32_t payload_len;
};

static const uint8_t frame_nic_mac[6] = { 0x02, 0x57, 0x47, 0x00, 0x00, 0x01 };
static const uint8_t frame_peer_mac[6] = { 0x02, 0x57, 0x47, 0x00, 0x00, 0x02 };
static const uint8_t frame_to4[4] = { 192, 0, 2, 1 }, frame_from4[4] = { 198, 51, 100, 7 };
static const uint8_t frame_to6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t frame_from6[16] = { 0x20, 0x01, 0x0d, 0xb8, [7] = 9, [15] = 7 };
#define FRAME_PORT 51820
#define FRAME_FROM_PORT 40000

static inline void frame_put16(uint8_t *p, uint32_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void frame_checksum4(uint8_t *ip)
{
	uint32_t sum = 0;

	frame_put16(ip + 10, 0);
	for (unsigned i = 0; i < (ip[0] & 15) * 4U; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	frame_put16(ip + 10, ~sum);
}

static inline uint32_t frame_good_len(uint8_t type)
{
	switch (type) {
	case WIRE_INITIATION:
		return sizeof(struct wire_initiation);
	case WIRE_RESPONSE:
		return sizeof(struct wire_response);
	case WIRE_COOKIE:
		return sizeof(struct wire_cookie);
	default:
		return wire_data_len(96);
	}
}

/* Returns the length of the IP header with its options or extension headers. */
static inline uint32_t frame_ip_len(const struct frame_spec *s)
{
	uint32_t len = 40;

	if (s->family == 4)
		return 20 + s->options;
	for (unsigned i = 0; i < s->extension_count; i++)
		len += 8 + s->extensions[i].units * 8;
	return len;
}

/* Writes the extension headers to @at. Sets *@next to the type of the first header, or to UDP if
 * there is none. */
static inline void frame_extensions(const struct frame_spec *s, uint8_t *next, uint8_t *at)
{
	for (unsigned i = 0; i < s->extension_count; i++) {
		uint32_t len = 8 + s->extensions[i].units * 8;

		*next = s->extensions[i].type;
		next = at;
		at[1] = s->extensions[i].units;
		at += len;
	}
	*next = IPPROTO_UDP;
}

static inline void frame_ip(struct frame *f, const struct frame_spec *s)
{
	uint8_t *ip = f->data + f->at[L3];
	uint32_t udp_len = 8 + f->payload_len;

	if (s->family == 4) {
		ip[0] = 0x45 + s->options / 4;
		frame_put16(ip + 2, 20 + s->options + udp_len);
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, frame_from4, 4);
		memcpy(ip + 16, frame_to4, 4);
		memset(ip + 20, 1, s->options);
		frame_checksum4(ip);
	} else {
		ip[0] = 0x60;
		frame_put16(ip + 4, frame_ip_len(s) - 40 + udp_len);
		frame_extensions(s, ip + 6, ip + 40);
		ip[7] = 64;
		memcpy(ip + 8, frame_from6, 16);
		memcpy(ip + 24, frame_to6, 16);
	}
}

static inline void frame_message(struct frame *f, const struct frame_spec *s)
{
	uint8_t *msg = f->data + f->at[MSG];
	uint32_t receiver = s->receiver;

	/* If payload_len is small, type and index are written behind the end of the payload. The
	 * program under test must ignore them there. The offset of the index is hard-coded, so that
	 * the test finds a wrong struct in wire.h. */
	msg[0] = s->type;
	for (int i = 0; i < 4; i++, receiver >>= 8)
		msg[(s->type == WIRE_RESPONSE ? 8 : 4) + i] = receiver;
	memset(msg + 32, 0xa5, f->payload_len > 32 ? f->payload_len - 32 : 0);
}

static inline void frame_build(struct frame *f, const struct frame_spec *s)
{
	uint8_t *udp;

	memset(f, 0, sizeof(*f));
	f->payload_len = s->payload_len < 0 ? 0 : s->payload_len;
	if (!s->payload_len)
		f->payload_len = frame_good_len(s->type);
	f->at[L3] = ETH_HLEN + (s->vlan ? 4 : 0);
	f->at[L4] = f->at[L3] + frame_ip_len(s);
	f->at[MSG] = f->at[L4] + 8;
	f->len = f->at[MSG] + f->payload_len + s->padding;

	memcpy(f->data, frame_nic_mac, 6);
	memcpy(f->data + 6, frame_peer_mac, 6);
	frame_put16(f->data + f->at[L3] - 2, s->family == 4 ? ETH_P_IP : ETH_P_IPV6);
	if (s->vlan) {
		frame_put16(f->data + 12, s->vlan);
		frame_put16(f->data + 14, 5);
	}
	frame_message(f, s);
	udp = f->data + f->at[L4];
	frame_put16(udp, FRAME_FROM_PORT);
	frame_put16(udp + 2, FRAME_PORT);
	frame_put16(udp + 4, 8 + f->payload_len);
	/* This UDP checksum is wrong on purpose. The program under test must ignore it, because a
	 * veth delivers frames with incomplete checksums. */
	frame_put16(udp + 6, 0xbad1);
	frame_ip(f, s);
	for (const struct poke *p = s->pokes; p->layer != END; p++)
		f->data[f->at[p->layer] + p->offset] = p->value;
	if (s->family == 4 && !s->old_checksum)
		frame_checksum4(f->data + f->at[L3]);
}

#endif
