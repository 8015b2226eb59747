/* SPDX-License-Identifier: MIT */
/* icmp.c - see icmp.h. */
#include "path/icmp.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <string.h>

#define TTL 64
#define QUOTED4_MAX 548 /* so that the error has at most 576 bytes, RFC 1812 4.3.2.3 */
#define QUOTED6_MAX (ICMP_ERROR_MAX - 48)

static uint32_t sum(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; at += 2, len -= 2)
		sum += (uint32_t)at[0] << 8 | at[1];
	return len ? sum + ((uint32_t)at[0] << 8) : sum;
}

static void put_checksum(uint8_t *at, uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	at[0] = (uint8_t)(~total >> 8);
	at[1] = (uint8_t)~total;
}

/* May the packet be answered? RFC 1122 3.2.2. */
static bool answerable4(const uint8_t *p, size_t len)
{
	size_t header = (p[0] & 15u) * 4;
	const uint8_t *source = p + 12, *destination = p + 16;

	if (header < 20 || len < header)
		return false;
	if ((p[6] & 0x1f) || p[7]) /* not the first fragment */
		return false;
	if (source[0] == 0 || source[0] == 127 || source[0] >= 224)
		return false;
	if (destination[0] >= 224)
		return false;
	if (p[9] != IPPROTO_ICMP)
		return true;
	if (len < header + 1)
		return false;
	switch (p[header]) {
	case ICMP_ECHO:
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
		return true;
	default: /* an ICMP error, or an unknown type that may be one */
		return false;
	}
}

/* Type and code of an ICMP error, and the 32-bit word after its checksum (host order). */
struct error {
	uint8_t type, code;
	uint32_t word;
};

static void put_error(uint8_t *out, const struct error *e)
{
	out[0] = e->type;
	out[1] = e->code;
	for (unsigned i = 0; i < 4; i++)
		out[4 + i] = (uint8_t)(e->word >> (24 - 8 * i));
}

static size_t error4(uint8_t *out, const struct error *e, const uint8_t *packet, size_t len)
{
	size_t quoted = len < QUOTED4_MAX ? len : QUOTED4_MAX, total = 20 + 8 + quoted;

	if (!answerable4(packet, len))
		return 0;
	memset(out, 0, 28);
	out[0] = 0x45;
	out[1] = 0xc0; /* internetwork control, RFC 1812 4.3.2.5 */
	out[2] = (uint8_t)(total >> 8);
	out[3] = (uint8_t)total;
	out[8] = TTL;
	out[9] = IPPROTO_ICMP;
	memcpy(out + 12, packet + 16, 4);
	memcpy(out + 16, packet + 12, 4);
	put_checksum(out + 10, sum(out, 20));
	put_error(out + 20, e);
	memcpy(out + 28, packet, quoted);
	put_checksum(out + 22, sum(out + 20, 8 + quoted));
	return total;
}

/* Finds the transport header after the extension headers. Returns false for a later fragment or a
 * truncated chain of headers. */
static bool find_transport(const uint8_t *p, size_t len, uint8_t *next, size_t *at)
{
	*next = p[6];
	*at = 40;
	while (*next == IPPROTO_HOPOPTS || *next == IPPROTO_ROUTING || *next == IPPROTO_DSTOPTS ||
	       *next == IPPROTO_FRAGMENT) {
		const uint8_t *header = p + *at;

		if (len < *at + 8)
			return false;
		if (*next == IPPROTO_FRAGMENT && (header[2] || header[3] & 0xf8))
			return false;
		*at += *next == IPPROTO_FRAGMENT ? 8 : ((size_t)header[1] + 1) * 8;
		*next = header[0];
	}
	return true;
}

/* May the packet be answered? RFC 4443 2.4 (e). */
static bool answerable6(const uint8_t *p, size_t len)
{
	static const uint8_t zero[16];
	const uint8_t *source = p + 8, *destination = p + 24;
	uint8_t next;
	size_t at;

	if (source[0] == 0xff || destination[0] == 0xff || !memcmp(source, zero, 16))
		return false;
	if (!find_transport(p, len, &next, &at))
		return false;
	if (next != IPPROTO_ICMPV6)
		return true;
	return len > at && (p[at] & ICMP6_INFOMSG_MASK);
}

static size_t error6(uint8_t *out, const struct error *e, const uint8_t *packet, size_t len)
{
	size_t quoted = len < QUOTED6_MAX ? len : QUOTED6_MAX, payload = 8 + quoted;

	if (!answerable6(packet, len))
		return 0;
	memset(out, 0, 48);
	out[0] = 0x60;
	out[4] = (uint8_t)(payload >> 8);
	out[5] = (uint8_t)payload;
	out[6] = IPPROTO_ICMPV6;
	out[7] = TTL;
	memcpy(out + 8, packet + 24, 16);
	memcpy(out + 24, packet + 8, 16);
	put_error(out + 40, e);
	memcpy(out + 48, packet, quoted);
	put_checksum(out + 42, sum(out + 8, 32) + (uint32_t)payload + IPPROTO_ICMPV6 +
				       sum(out + 40, payload));
	return 40 + payload;
}

static size_t build_error(uint8_t *out, const struct error *ipv4, const struct error *ipv6,
			  const uint8_t *packet, size_t len)
{
	if (len >= 20 && packet[0] >> 4 == 4)
		return error4(out, ipv4, packet, len);
	if (len >= 40 && packet[0] >> 4 == 6)
		return error6(out, ipv6, packet, len);
	return 0;
}

size_t icmp_unreachable(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len)
{
	static const struct error ipv4 = { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0 };
	static const struct error ipv6 = { ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, 0 };

	return build_error(out, &ipv4, &ipv6, packet, len);
}

size_t icmp_too_big(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len,
		    uint16_t mtu)
{
	const struct error ipv4 = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu };
	const struct error ipv6 = { ICMP6_PACKET_TOO_BIG, 0, mtu };

	return build_error(out, &ipv4, &ipv6, packet, len);
}
