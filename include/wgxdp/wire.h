/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * wire.h - the four messages of WireGuard as they are in a UDP datagram.
 * Included by bpf/ (XDP, TC) and by user/.
 *
 * Citations in the whole tree:
 *   [W]  J. Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel" (the paper)
 *   [N]  T. Perrin, "The Noise Protocol Framework", revision 34
 *
 *   initiation  1  148 bytes  [W] 5.4.2        cookie reply 3   64 bytes  [W] 5.4.7
 *   response    2   92 bytes  [W] 5.4.3        data         4  16 + n + 16 bytes  [W] 5.4.6
 *
 * All integers are little endian. No struct has padding: each member is a byte array, or its offset
 * from the start of the datagram is a multiple of its size.
 */
#ifndef WGXDP_WIRE_H
#define WGXDP_WIRE_H

#include <linux/types.h>

#ifdef __cplusplus
#error "C only"
#endif

enum wire_type {
	WIRE_INITIATION = 1,
	WIRE_RESPONSE = 2,
	WIRE_COOKIE = 3,
	WIRE_DATA = 4,
};

enum wire_len {
	WIRE_KEY_LEN = 32,	 /* Curve25519 scalar or point, preshared key, session key */
	WIRE_HASH_LEN = 32,	 /* BLAKE2s-256 */
	WIRE_TAG_LEN = 16,	 /* Poly1305 */
	WIRE_TIMESTAMP_LEN = 12, /* TAI64N */
	WIRE_MAC_LEN = 16,	 /* keyed BLAKE2s-128: mac1, mac2 */
	WIRE_COOKIE_LEN = 16,
	WIRE_COOKIE_NONCE_LEN = 24, /* XChaCha20-Poly1305 */
	WIRE_PADDING = 16,	    /* plaintext is padded to a multiple of this, [W] 5.4.6 */
};

/* The first four bytes of every message: type, then three zero bytes ("reserved"). */
struct wire_header {
	__u8 type;
	__u8 reserved[3];
};

struct wire_macs {
	__u8 mac1[WIRE_MAC_LEN];
	__u8 mac2[WIRE_MAC_LEN];
};

/* [W] 5.4.2 First Message: Initiator to Responder */
struct wire_initiation {
	struct wire_header header;
	__le32 sender_index;
	__u8 ephemeral[WIRE_KEY_LEN];
	__u8 encrypted_static[WIRE_KEY_LEN + WIRE_TAG_LEN];
	__u8 encrypted_timestamp[WIRE_TIMESTAMP_LEN + WIRE_TAG_LEN];
	struct wire_macs macs;
};

/* [W] 5.4.3 Second Message: Responder to Initiator */
struct wire_response {
	struct wire_header header;
	__le32 sender_index;
	__le32 receiver_index;
	__u8 ephemeral[WIRE_KEY_LEN];
	__u8 encrypted_nothing[WIRE_TAG_LEN];
	struct wire_macs macs;
};

/* [W] 5.4.7 Under Load: Cookie Reply Message */
struct wire_cookie {
	struct wire_header header;
	__le32 receiver_index;
	__u8 nonce[WIRE_COOKIE_NONCE_LEN];
	__u8 encrypted_cookie[WIRE_COOKIE_LEN + WIRE_TAG_LEN];
};

/* [W] 5.4.6 Subsequent Messages: Transport Data; the ciphertext and its tag follow. */
struct wire_data {
	struct wire_header header;
	__le32 receiver_index;
	__le64 counter;
};

/* Bytes of a data message that carries @n bytes of padded plaintext; n = 0 is a keepalive. */
#define wire_data_len(n) (sizeof(struct wire_data) + (n) + WIRE_TAG_LEN)

_Static_assert(sizeof(struct wire_header) == 4, "[W] 5.4");
_Static_assert(sizeof(struct wire_initiation) == 148, "[W] 5.4.2");
_Static_assert(sizeof(struct wire_response) == 92, "[W] 5.4.3");
_Static_assert(sizeof(struct wire_cookie) == 64, "[W] 5.4.7");
_Static_assert(sizeof(struct wire_data) == 16, "[W] 5.4.6");

#endif
