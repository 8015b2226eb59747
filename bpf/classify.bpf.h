/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * classify.bpf.h - finds out which of the four messages of [W] 5.4 a UDP payload is, and reads its
 * receiver index. XDP and TC share this code, which never changes the payload.
 *
 *   type 1  148 bytes      type 3  64 bytes
 *   type 2   92 bytes      type 4  32 bytes or more. The length need not be a multiple of 16,
 *                                  because a sender pads less if the padding would exceed the MTU.
 */
#ifndef WGXDP_CLASSIFY_BPF_H
#define WGXDP_CLASSIFY_BPF_H

#include <asm/byteorder.h>

#include "parse.bpf.h"
#include "wgxdp/reasons.h"
#include "wgxdp/wire.h"

struct message {
	__u32 len;	/* length of the UDP payload */
	__u32 receiver; /* receiver index in host order; 0 for an initiation */
	__u8 type;	/* enum wire_type */
};

/* The cursor must be at the payload of @d. Returns REASON_none with @m filled, or
 * REASON_malformed. */
static __always_inline enum reason classify(struct cursor *c, const struct datagram *d,
					    struct message *m)
{
	__u32 udp_len = bpf_ntohs(d->udp->len);
	const struct wire_header *header = c->pos;
	const struct wire_response *response = c->pos;
	const struct wire_cookie *cookie = c->pos;
	const struct wire_data *data = c->pos;

	/* The UDP length may be less than the length of the IP payload, because RFC 768 does not
	 * forbid bytes after the datagram. The shortest message has 32 bytes, so the code below may
	 * read 32 bytes. */
	if (udp_len < sizeof(*d->udp) + wire_data_len(0) || udp_len > d->udp_room ||
	    !cursor_take(c, wire_data_len(0)))
		return REASON_malformed;
	m->len = udp_len - sizeof(*d->udp);
	m->type = header->type;
	m->receiver = 0;
	if (header->reserved[0] | header->reserved[1] | header->reserved[2])
		return REASON_malformed;

	switch (m->type) {
	case WIRE_INITIATION:
		return m->len == sizeof(struct wire_initiation) ? REASON_none : REASON_malformed;
	case WIRE_RESPONSE:
		m->receiver = __le32_to_cpu(response->receiver_index);
		return m->len == sizeof(struct wire_response) ? REASON_none : REASON_malformed;
	case WIRE_COOKIE:
		m->receiver = __le32_to_cpu(cookie->receiver_index);
		return m->len == sizeof(struct wire_cookie) ? REASON_none : REASON_malformed;
	case WIRE_DATA:
		m->receiver = __le32_to_cpu(data->receiver_index);
		return REASON_none;
	default:
		return REASON_malformed;
	}
}

#endif
