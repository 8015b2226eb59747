/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * mac.bpf.h - checks mac1 ([W] 5.4.4), which proves that the sender knows our public key.
 *
 *   mac1 = MAC(HASH("mac1----" || our public key), all of the message before mac1)
 *
 * The hash continues from a stored state that has absorbed the key (blake2s.h), so an initiation
 * costs two compressions and a response costs one. mac1_valid_initiation() and
 * mac1_valid_response() are not inlined, because inlining would copy them into every path of the
 * program. The calls make the checks 3 % slower, but the program is half as large.
 */
#ifndef WGXDP_MAC_BPF_H
#define WGXDP_MAC_BPF_H

#include <stdbool.h>
#include <stddef.h>

#include "maps.bpf.h"
#include "wgxdp/blake2s.h"
#include "wgxdp/wire.h"

/* Returns true if the mac1 of @msg is right. @covered: the number of bytes of @msg before mac1, a
 * compile-time constant. */
static __always_inline bool mac1_valid(const void *msg, const struct mac_keys_value *keys,
				       __u32 covered)
{
	__u32 h[8], differ = 0;

	blake2s_from_midstate(h, keys->mac1, msg, covered);
	for (int i = 0; i < WIRE_MAC_LEN / 4; i++)
		differ |= h[i] ^ blake2s_word(msg, covered / 4 + i);
	return !differ;
}

static __noinline bool mac1_valid_initiation(const struct wire_initiation *msg,
					     const struct mac_keys_value *keys)
{
	return mac1_valid(msg, keys, offsetof(struct wire_initiation, macs));
}

static __noinline bool mac1_valid_response(const struct wire_response *msg,
					   const struct mac_keys_value *keys)
{
	return mac1_valid(msg, keys, offsetof(struct wire_response, macs));
}

/* Returns false if the message of @type at @msg has a wrong mac1. Returns true for types 3 and 4,
 * which have no mac1, and for a message whose mac1 cannot be checked here, because we have no
 * private key or because the packet is not linear. The daemon checks mac1 again. The caller has
 * validated the length. */
static __always_inline bool mac1_accepts(const void *msg, const void *end, __u8 type)
{
	__u32 zero = 0;
	const struct mac_keys_value *keys = bpf_map_lookup_elem(&mac_keys, &zero);

	if (!keys || !keys->has_mac1)
		return true;
	if (type == WIRE_INITIATION && msg + sizeof(struct wire_initiation) <= end)
		return mac1_valid_initiation(msg, keys);
	if (type == WIRE_RESPONSE && msg + sizeof(struct wire_response) <= end)
		return mac1_valid_response(msg, keys);
	return true;
}

#endif
