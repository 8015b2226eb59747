/* SPDX-License-Identifier: MIT */
/*
 * offsets.h - byte offsets in IP, TCP and UDP headers (RFC 791, 8200, 9293, 768), and unaligned
 * access. Inner packets may have any alignment, so header structs cannot be used.
 */
#ifndef WGXDP_OFFSETS_H
#define WGXDP_OFFSETS_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

enum {
	IP4_LEN = 20,
	IP4_TOTAL = 2,
	IP4_ID = 4,
	IP4_FRAGMENT = 6,
	IP4_PROTOCOL = 9,
	IP4_CHECK = 10,
	IP4_SOURCE = 12,
	IP4_DESTINATION = 16,
	IP6_LEN = 40,
	IP6_PAYLOAD = 4,
	IP6_NEXT = 6,
	IP6_SOURCE = 8,
	IP6_DESTINATION = 24,
	TCP_LEN = 20,
	TCP_SEQ = 4,
	TCP_ACK = 8,
	TCP_DATA_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CHECK = 16,
	TCP_URGENT = 18,
	UDP_LEN = 8,
	UDP_LENGTH = 4,
	UDP_CHECK = 6,
	FLAG_FIN = 0x01,
	FLAG_PSH = 0x08,
	FLAG_ACK = 0x10,
	FLAG_CWR = 0x80,
};

/* Read and write 16 bits without conversion, so the value of a header field is in network order. */
static inline uint16_t raw_get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void raw_put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Read and write 32 bits that are in network order; the values are in host order. */
static inline uint32_t raw_get_be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return ntohl(v);
}

static inline void raw_put_be32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

#endif
