/* SPDX-License-Identifier: MIT */
/*
 * ecn.h - congestion marks across the tunnel, RFC 6040, as the kernel's WireGuard has them. A class
 * is the byte of DSCP and ECN: IPv4's TOS, IPv6's traffic class.
 *
 *   out   the DSCP stays inside, since it would tell what the traffic is; ECN is copied, but CE, which
 *         was marked before us, becomes ECT(0)
 *   in    outer CE becomes inner CE, outer ECT(1) makes ECT(0) ECT(1); who did not ask for ECN (Not-ECT)
 *         never sees a mark, and is never dropped for one
 *
 * Packets are whole IP headers of the version that their first nibble says: 20 or 40 bytes at least.
 */
#ifndef WGXDP_ECN_H
#define WGXDP_ECN_H

#include <stdint.h>

enum ecn { ECN_NOT_ECT = 0, ECN_ECT1 = 1, ECN_ECT0 = 2, ECN_CE = 3, ECN_MASK = 3 };

static inline uint8_t ecn_class(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? ip[1] : (uint8_t)(ip[0] << 4 | ip[1] >> 4);
}

/* The class of the outer header for the inner packet @ip. */
static inline uint8_t ecn_encapsulate(const uint8_t *ip)
{
	uint8_t mark = ecn_class(ip) & ECN_MASK;

	return mark == ECN_CE ? ECN_ECT0 : mark;
}

/* IPv4's header checksum follows, RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m'). */
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

/* Tells the inner packet @ip what its outer header, of class @outer, met on its way. */
static inline void ecn_decapsulate(uint8_t *ip, uint8_t outer)
{
	uint8_t mark = outer & ECN_MASK, inner = ecn_class(ip) & ECN_MASK;

	if (mark == ECN_CE ? inner == ECN_ECT0 || inner == ECN_ECT1
			   : mark == ECN_ECT1 && inner == ECN_ECT0)
		ecn_set(ip, mark);
}

#endif
