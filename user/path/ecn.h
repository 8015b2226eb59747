/* SPDX-License-Identifier: MIT */
/*
 * ecn.h - congestion marks across the tunnel, RFC 6040, as in the kernel's WireGuard. A class is
 * the byte of DSCP and ECN: the TOS of IPv4, the traffic class of IPv6.
 *
 *   out   DSCP is not copied, because it would reveal the kind of traffic. ECN is copied,
 *         except that CE, a mark set before the tunnel, becomes ECT(0)
 *   in    outer CE changes inner ECT to CE, and outer ECT(1) changes inner ECT(0) to ECT(1). An
 *         inner packet without ECN (Not-ECT) is never marked, and never dropped because of a mark
 *
 * The first nibble of each packet is its IP version. The caller has checked that the packet holds a
 * whole header of that version.
 */
#ifndef WGXDP_ECN_H
#define WGXDP_ECN_H

#include <stdint.h>

enum ecn { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };

static inline uint8_t ecn_class(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[1] : (uint8_t)(ip[0] << 4 | ip[1] >> 4);
}

/* Returns the class for the outer header of the inner packet @ip. */
static inline uint8_t ecn_encapsulate(const uint8_t *ip)
{
	uint8_t mark = ecn_class(ip) & ECN_MASK;

	return mark == ECN_CE ? ECN_ECT0 : mark;
}

/* Sets the ECN field and updates the IPv4 header checksum, RFC 1624 eqn. 3: HC' = ~(~HC + ~m +
 * m'). */
static inline void ecn_set(uint8_t *ip, uint8_t mark)
{
	uint32_t sum;

	if (ip[0] >> 4 == 6) {
		ip[1] = (uint8_t)((ip[1] & ~(ECN_MASK << 4)) | mark << 4);
		return;
	}
	sum = (uint16_t) ~(ip[10] << 8 | ip[11]) + (uint32_t)(uint16_t) ~(ip[0] << 8 | ip[1]);
	ip[1] = (uint8_t)((ip[1] & ~ECN_MASK) | mark);
	sum += (uint32_t)ip[0] << 8 | ip[1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

/* Applies the mark in the outer header's class @outer to the inner packet @ip. */
static inline void ecn_decapsulate(uint8_t *ip, uint8_t outer)
{
	uint8_t mark = outer & ECN_MASK, inner = ecn_class(ip) & ECN_MASK;

	if (mark == ECN_CE ? inner == ECN_ECT0 || inner == ECN_ECT1
			   : mark == ECN_ECT1 && inner == ECN_ECT0)
		ecn_set(ip, mark);
}

#endif
