/* SPDX-License-Identifier: MIT */
/*
 * icmp.h - the ICMP errors that tell a sender why its packet went nowhere. RFC 792, RFC 1122 3.2.2,
 * RFC 4443 2.4, 3.1.
 */
#ifndef WGXDP_ICMP_H
#define WGXDP_ICMP_H

#include <stddef.h>
#include <stdint.h>

/* IPv6: the error must fit the minimum MTU, RFC 4443 2.4 (c). IPv4: as much as routers send. */
#define ICMP_ERROR_MAX 1280

/* Builds "host unreachable" (IPv4) or "address unreachable" (IPv6) in answer to the inner IP
 * packet of @len bytes, as if from its destination: any address of ours would be martian where the
 * error goes in. Returns its length, or 0 when none may be sent: to multicast or broadcast, about
 * an ICMP error, a later fragment, or to a source that is nobody. Any thread. */
size_t icmp_unreachable(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len);

/* The same for "fragmentation needed" (IPv4, RFC 1191) and "packet too big" (IPv6): at most @mtu bytes
 * pass. */
size_t icmp_too_big(uint8_t out[static ICMP_ERROR_MAX], const uint8_t *packet, size_t len,
		    uint16_t mtu);

#endif
