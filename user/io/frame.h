/* SPDX-License-Identifier: MIT */
/*
 * frame.h - a datagram that was received or is to be sent. Its bytes are in the transport's memory.
 * A batch is an array of frames.
 */
#ifndef WGXDP_FRAME_H
#define WGXDP_FRAME_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wg/endpoint.h"

#define FRAME_BATCH 256 /* the most datagrams that a worker handles in one batch */

/* Free bytes before a payload that is to be sent: Ethernet + IPv6 + UDP = 62, rounded up. A
 * received payload needs no headroom: after decryption, the vnet header that the TUN device expects
 * is written over the header of the WireGuard message. */
#define FRAME_HEADROOM 64

struct rx_frame {
	uint8_t *payload; /* UDP payload; writable; valid until the transport's sweep() */
	uint32_t len;	  /* length of the payload */
	uint16_t family;  /* AF_INET, AF_INET6 */
	__be16 source_port;
	const uint8_t *source, *destination; /* addresses, network order; 4 or 16 bytes */
	/* interface on which IP received the packet: the NIC, or its bridge or bond;
	 * 0 = unknown */
	uint32_t ifindex;
	uint8_t tclass;	   /* DSCP and ECN of the IP header */
	const uint8_t *l3; /* the IP header if the transport has it (AF_XDP), else NULL */
};

struct encap;

struct tx_frame {
	uint8_t *payload; /* room for the UDP payload; FRAME_HEADROOM bytes before it are free */
	uint32_t room;	  /* size of the buffer at payload, in bytes */
	uint32_t len;	  /* length of the UDP payload; set by the caller before send() */
	const struct encap
		*encap;	 /* the destination; set by the caller; valid until send() returns */
	uint8_t tclass;	 /* DSCP and ECN; alloc() sets it to 0 */
	bool no_gso;	 /* do not use UDP_SEGMENT: the kernel refused it for this peer */
	int gso_error;	 /* set by send(): errno if the kernel refused segmentation, else 0 */
	uint64_t handle; /* private to the transport */
};

/* Returns the sender of @f as an endpoint, whose local address is the destination of @f. */
static inline struct endpoint frame_endpoint(const struct rx_frame *f)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	if (f->family == AF_INET) {
		e.remote.v4.sin_family = AF_INET;
		e.remote.v4.sin_port = f->source_port;
		memcpy(&e.remote.v4.sin_addr, f->source, 4);
		memcpy(&e.local.v4, f->destination, 4);
	} else {
		e.remote.v6.sin6_family = AF_INET6;
		e.remote.v6.sin6_port = f->source_port;
		memcpy(&e.remote.v6.sin6_addr, f->source, 16);
		memcpy(&e.local.v6, f->destination, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&e.remote.v6.sin6_addr))
			e.remote.v6.sin6_scope_id = f->ifindex;
	}
	e.ifindex = f->ifindex;
	return e;
}

#endif
