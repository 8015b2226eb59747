/* SPDX-License-Identifier: MIT */
/* icmp.c - see icmp.h. */
#include "path/icmp.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "io/inner.h"
#include "util/inetsum.h"

#define HEADER 8
#define QUOTED4_MAX 548 /* so that the error has at most 576 bytes, RFC 1812 4.3.2.3 */

/* Returns true if an ICMP error may answer the packet. RFC 1122 3.2.2. */
static bool answerable4(const uint8_t *p, size_t len)
{
	const uint8_t *source = inner4_source(p);
	uint8_t protocol;
	size_t at;

	if (!inner_transport(p, len, &protocol, &at))
		return false;
	if (source[0] == 0 || source[0] == 127 || source[0] >= 224)
		return false;
	if (inner4_destination(p)[0] >= 224)
		return false;
	if (protocol != IPPROTO_ICMP)
		return true;
	if (len < at + 1)
		return false;
	switch (p[at]) {
	case ICMP_ECHO:
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
		return true;
	default: /* an ICMP error, or an unknown type that may be one */
		return false;
	}
}

/* Returns true if an ICMPv6 error may answer the packet. RFC 4443 2.4 (e). */
static bool answerable6(const uint8_t *p, size_t len)
{
	static const uint8_t zero[16];
	const uint8_t *source = inner6_source(p);
	uint8_t protocol;
	size_t at;

	if (source[0] == 0xff || inner6_destination(p)[0] == 0xff || !memcmp(source, zero, 16))
		return false;
	if (!inner_transport(p, len, &protocol, &at))
		return false;
	if (protocol != IPPROTO_ICMPV6)
		return true;
	return len > at && (p[at] & ICMP6_INFOMSG_MASK);
}

bool icmp_answerable(const uint8_t *packet, size_t len)
{
	switch (inner_family(packet, len)) {
	case AF_INET:
		return answerable4(packet, len);
	case AF_INET6:
		return answerable6(packet, len);
	default:
		return false;
	}
}

static void put_error(uint8_t *out, uint8_t type, uint8_t code, uint16_t mtu)
{
	memset(out, 0, HEADER);
	out[0] = type;
	out[1] = code;
	out[6] = (uint8_t)(mtu >> 8);
	out[7] = (uint8_t)mtu;
}

static size_t error4(uint8_t *out, const uint8_t *packet, size_t len, uint16_t mtu)
{
	size_t quoted = len < QUOTED4_MAX ? len : QUOTED4_MAX;
	uint16_t sum;

	put_error(out, ICMP_DEST_UNREACH, mtu ? ICMP_FRAG_NEEDED : ICMP_HOST_UNREACH, mtu);
	memcpy(out + HEADER, packet, quoted);
	sum = (uint16_t)~inetsum_fold(inetsum_add(out, HEADER + quoted, 0));
	memcpy(out + 2, &sum, sizeof(sum));
	return HEADER + quoted;
}

static size_t error6(uint8_t *out, const uint8_t *packet, size_t len, uint16_t mtu)
{
	size_t quoted = len < ICMP_QUOTED_MAX ? len : ICMP_QUOTED_MAX;

	put_error(out, mtu ? ICMP6_PACKET_TOO_BIG : ICMP6_DST_UNREACH,
		  mtu ? 0 : ICMP6_DST_UNREACH_ADDR, mtu);
	memcpy(out + HEADER, packet, quoted);
	return HEADER + quoted;
}

size_t icmp_error(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len,
		  uint16_t mtu)
{
	if (!icmp_answerable(packet, len))
		return 0;
	return inner_version(packet) == 4 ? error4(out, packet, len, mtu)
					  : error6(out, packet, len, mtu);
}
