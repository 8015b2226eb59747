/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * classify.bpf.h - is this UDP payload one of the four messages of [W] 5.4, and for which index?
 * Looks at nothing but the bytes, changes nothing: the same file serves XDP and TC.
 *
 *   type 1  148 bytes      type 3  64 bytes
 *   type 2   92 bytes      type 4  32 bytes or more; padding is the sender's affair at the MTU's
 *                                  edge ([W] 5.4.6), so a length that is no multiple of 16 is fine
 */
#ifndef WGXDP_CLASSIFY_BPF_H
#define WGXDP_CLASSIFY_BPF_H

#include <asm/byteorder.h>

#include "parse.bpf.h"
#include "wgxdp/reasons.h"
#include "wgxdp/wire.h"

struct message {
	__u32 len;	/* of the UDP payload */
	__u32 receiver; /* index of ours that it names, host order; 0 for an initiation */
	__u8 type;	/* enum wire_type */
};

/* With the cursor at the payload of @d. Returns REASON_none with @m filled, or REASON_malformed. */
static __always_inline enum reason classify(struct cursor *c, const struct datagram *d,
					    struct message *m)
{
	__u32 udp_len = bpf_ntohs(d->udp->len);
	const struct wire_header *header = c->pos;
	const struct wire_response *response = c->pos;
	const struct wire_cookie *cookie = c->pos;
	const struct wire_data *data = c->pos;

	/* Shorter than the IP packet is legal (RFC 768 says nothing of what follows); the rest is no
	 * part of the datagram. The shortest message is 32 bytes: that much may be read below. */
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
