/* SPDX-License-Identifier: MIT */
/*
 * icmp.h - ICMP errors that tell a sender why its packet was not sent. RFC 792, RFC 1122 3.2.2,
 * RFC 4443 2.4, 3.1.
 */
#ifndef WGXDP_ICMP_H
#define WGXDP_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With its IPv6 header an error must fit the minimum MTU of 1280 bytes, RFC 4443 2.4 (c). IPv4
 * errors are shorter. */
#define ICMP_ERROR_MAX 1240
#define ICMP_QUOTED_MAX (ICMP_ERROR_MAX - 8)

/* Returns true if an ICMP error may answer the inner IP packet of @len bytes. Returns false for
 * multicast, broadcast, ICMP errors, fragments other than the first, and packets with an invalid
 * source address. The packet may have been truncated to ICMP_QUOTED_MAX bytes. Any thread may call
 * this. */
bool icmp_answerable(const uint8_t *packet, size_t len);

/* Builds the ICMP or ICMPv6 message, without an IP header, that answers the inner packet: "host
 * unreachable" or "address unreachable"; or, if @mtu is not 0, "fragmentation needed" (RFC 1191) or
 * "packet too big", where @mtu is the largest packet that can be sent. The checksum of ICMPv6 is
 * left 0, because the kernel computes it for raw sockets. Returns the length, or 0 if no ICMP error
 * may answer the packet. Any thread may call this. */
size_t icmp_error(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len,
		  uint16_t mtu);

#endif
