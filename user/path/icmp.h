/* SPDX-License-Identifier: MIT */
/*
 * icmp.h - ICMP errors that tell a sender why its packet was not sent. RFC 792, RFC 1122 3.2.2,
 * RFC 4443 2.4, 3.1.
 */
#ifndef WGXDP_ICMP_H
#define WGXDP_ICMP_H

#include <stddef.h>
#include <stdint.h>

/* An IPv6 error must fit the minimum MTU, RFC 4443 2.4 (c). IPv4 errors are shorter. */
#define ICMP_ERROR_MAX 1280

/* Builds the error "host unreachable" (IPv4) or "address unreachable" (IPv6) for the inner IP
 * packet of @len bytes. The error's source address is the packet's destination, because a local
 * address would be martian on the tunnel interface. Returns the error's length, or 0 if no error
 * may be sent: for multicast or broadcast, an ICMP error, a later fragment, or an invalid source
 * address. Any thread. */
size_t icmp_unreachable(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len);

/* Builds the error "fragmentation needed" (IPv4, RFC 1191) or "packet too big" (IPv6) in the same
 * way. @mtu is the largest packet that can be sent. */
size_t icmp_too_big(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len,
		    uint16_t mtu);

#endif
