/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * mac.bpf.h - mac1, [W] 5.4.4: does the sender of a handshake know our public key?
 *
 *   mac1 = MAC(HASH("mac1----" || our public key), all of the message before mac1)
 *
 * The hash goes on from the state after its key block (blake2s.h): two compressions for an
 * initiation, one for a response. Functions of their own, so that they are not woven into every
 * path of the program: 3 % slower, half the code.
 */
#ifndef WGXDP_MAC_BPF_H
#define WGXDP_MAC_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include "maps.bpf.h"
#include "wgxdp/blake2s.h"
#include "wgxdp/wire.h"

/* @covered: bytes of @msg before mac1; a constant. */
static __always_inline bool mac1_right(const void *msg, const struct mac_keys_value *keys,
				       __u32 covered)
{
	__u32 h[8], differ = 0;

	blake2s_from_midstate(h, keys->mac1, msg, covered);
	for (int i = 0; i < WIRE_MAC_LEN / 4; i++)
		differ |= h[i] ^ blake2s_word(msg, covered / 4 + i);
	return !differ;
}

static __noinline bool mac1_right_initiation(const struct wire_initiation *msg,
					     const struct mac_keys_value *keys)
{
	return mac1_right(msg, keys, offsetof(struct wire_initiation, macs));
}

static __noinline bool mac1_right_response(const struct wire_response *msg,
					   const struct mac_keys_value *keys)
{
	return mac1_right(msg, keys, offsetof(struct wire_response, macs));
}

/* The message of @type at @msg, whose length is that of its type. True as well if it cannot be told:
 * we have no key, or the program does not see all of the packet. The daemon looks again. */
static __always_inline bool mac1_accepts(const void *msg, const void *end, __u8 type)
{
	__u32 zero = 0;
	const struct mac_keys_value *keys = bpf_map_lookup_elem(&mac_keys, &zero);

	if (!keys || !keys->has_mac1)
		return true;
	if (type == WIRE_INITIATION && msg + sizeof(struct wire_initiation) <= end)
		return mac1_right_initiation(msg, keys);
	if (type == WIRE_RESPONSE && msg + sizeof(struct wire_response) <= end)
		return mac1_right_response(msg, keys);
	return true;
}

#endif
