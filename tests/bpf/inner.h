/* SPDX-License-Identifier: MIT */
/*
 * inner.h - builds inner packets for the tests of the tunnel's TC programs: a UDP packet or an ICMP
 * message between two addresses. The tests name an address by its numbers x and y:
 *
 *   10.7.x.y  and  fd07::x:y
 */
#ifndef TESTS_BPF_INNER_H
#define TESTS_BPF_INNER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#define INNER_MAX 256
#define INNER_HOST_PORT 7007
#define INNER_PEER_PORT 7008

/* The address 10.7.x.y or fd07::x:y. */
struct inner_address {
	uint8_t x, y;
};

struct inner {
	uint8_t data[INNER_MAX];
	uint32_t len;
};

static inline void inner_put_address(uint8_t *at, int family, struct inner_address a)
{
	static const uint8_t net6[16] = { 0xfd, 0x07 };

	if (family == 6) {
		memcpy(at, net6, 16);
		at[13] = a.x;
		at[15] = a.y;
	} else {
		memcpy(at, (const uint8_t[]){ 10, 7, a.x, a.y }, 4);
	}
}

static inline void inner_put16(uint8_t *p, uint32_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline uint32_t inner_sum(const uint8_t *p, uint32_t len, uint32_t sum)
{
	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	return sum;
}

static inline uint32_t inner_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Writes an IP header for a payload of @len bytes. Returns where the payload goes. */
static inline uint8_t *inner_ip(struct inner *p, int family, struct inner_address from,
				struct inner_address to, uint8_t protocol, uint32_t len)
{
	uint8_t *ip = p->data;

	memset(p, 0, sizeof(*p));
	if (family == 6) {
		ip[0] = 0x60;
		inner_put16(ip + 4, len);
		ip[6] = protocol;
		ip[7] = 64;
		inner_put_address(ip + 8, 6, from);
		inner_put_address(ip + 24, 6, to);
		p->len = 40 + len;
		return ip + 40;
	}
	ip[0] = 0x45;
	inner_put16(ip + 2, 20 + len);
	ip[8] = 64;
	ip[9] = protocol;
	inner_put_address(ip + 12, 4, from);
	inner_put_address(ip + 16, 4, to);
	inner_put16(ip + 10, inner_fold(inner_sum(ip, 20, 0)));
	p->len = 20 + len;
	return ip + 20;
}

/* Returns the checksum over the payload of @len bytes and, except for ICMPv4, the pseudo header. */
static inline uint32_t inner_checksum(const struct inner *p, int family, uint8_t protocol,
				      uint32_t len)
{
	const uint8_t *payload = p->data + (family == 6 ? 40 : 20);
	uint32_t sum = inner_sum(payload, len, 0);

	if (protocol == IPPROTO_ICMP)
		return inner_fold(sum);
	sum += protocol + len;
	sum = family == 6 ? inner_sum(p->data + 8, 32, sum) : inner_sum(p->data + 12, 8, sum);
	return inner_fold(sum);
}

static inline void inner_udp(struct inner *p, int family, struct inner_address from,
			     struct inner_address to)
{
	uint8_t *udp = inner_ip(p, family, from, to, IPPROTO_UDP, 12);

	inner_put16(udp, INNER_PEER_PORT);
	inner_put16(udp + 2, INNER_HOST_PORT);
	inner_put16(udp + 4, 12);
	memcpy(udp + 8, "ping", 4);
	inner_put16(udp + 6, inner_checksum(p, family, IPPROTO_UDP, 12));
}

/* Writes an ICMP message of @type from @from to @to. The message quotes a UDP packet that was sent
 * the other way, from @to to @from. */
static inline void inner_icmp(struct inner *p, int family, struct inner_address from,
			      struct inner_address to, uint8_t type, uint8_t code)
{
	const uint8_t protocol = family == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct inner about;
	uint8_t *udp = inner_ip(&about, family, to, from, IPPROTO_UDP, 8), *icmp;

	inner_put16(udp, INNER_HOST_PORT);
	inner_put16(udp + 2, INNER_PEER_PORT);
	inner_put16(udp + 4, 8);
	icmp = inner_ip(p, family, from, to, protocol, 8 + about.len);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 8, about.data, about.len);
	inner_put16(icmp + 2, inner_checksum(p, family, protocol, 8 + about.len));
}

#endif
