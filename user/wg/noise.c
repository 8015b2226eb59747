/* SPDX-License-Identifier: MIT */
/*
 * noise.c - the two handshake messages. The steps of each function are labelled with the tokens of
 * the pattern in noise.h, for comparison with the WireGuard paper ([W], 5.4.2 and 5.4.3) and the
 * Noise specification ([N]):
 *
 *   token   [N] 5, 9                         here
 *   e       MixHash(e), MixKey(e)            mix_ephemeral()
 *   s, {}   EncryptAndHash, DecryptAndHash   encrypt_and_hash(), decrypt_and_hash()
 *   es..se  MixKey(DH)                       mix_dh()
 *   ss      MixKey(DH), computed once        mix_static()
 *   psk     MixKeyAndHash(psk)               mix_psk()
 *
 * All these functions work on a struct symmetric on the caller's stack. The caller copies the
 * struct to the handshake only after the whole message has authenticated, so that a forged message
 * changes nothing. Each caller wipes the struct at its label "out".
 */
#include "wg/noise.h"

#include <endian.h>
#include <string.h>

#include "crypto/wipe.h"
#include "crypto/x25519.h"
#include "wg/kdf.h"
#include "wgxdp/limits.h"

#define CONSTRUCTION "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define IDENTIFIER "WireGuard v1 zx2c4 Jason@zx2c4.com"

#define MUST_CHECK __attribute__((warn_unused_result))

#define TAI64_EPOCH 0x400000000000000aULL /* 2^62 + the 10 s by which TAI was ahead in 1970 */
#define TAI64N_GRAIN_NS (1U << 24)	  /* timestamps are rounded down to this, about 1/60 s */

_Static_assert(NS_PER_S / TAI64N_GRAIN_NS > INITIATIONS_PER_SECOND,
	       "two initiations that respect the rate limit have different timestamps");

/* The SymmetricState of the Noise specification, 5.2. The nonce is always 0 in this pattern. */
struct symmetric {
	uint8_t chaining_key[WIRE_HASH_LEN];
	uint8_t hash[WIRE_HASH_LEN];
	uint8_t key[AEAD_KEY_LEN];
};

static void mix_hash(struct symmetric *s, const void *data, size_t len)
{
	kdf_hash(s->hash, s->hash, WIRE_HASH_LEN, data, len);
}

/* Begins the handshake state with the name of the protocol and the pre-message "<- s", which is the
 * static key of the @responder. */
static void symmetric_begin(struct symmetric *s, const uint8_t responder[static WIRE_KEY_LEN])
{
	kdf_hash(s->chaining_key, CONSTRUCTION, sizeof(CONSTRUCTION) - 1, NULL, 0);
	kdf_hash(s->hash, s->chaining_key, WIRE_HASH_LEN, IDENTIFIER, sizeof(IDENTIFIER) - 1);
	mix_hash(s, responder, WIRE_KEY_LEN);
}

static void symmetric_load(struct symmetric *s, const uint8_t chaining_key[static WIRE_HASH_LEN],
			   const uint8_t hash[static WIRE_HASH_LEN])
{
	memcpy(s->chaining_key, chaining_key, WIRE_HASH_LEN);
	memcpy(s->hash, hash, WIRE_HASH_LEN);
}

static void symmetric_store(const struct symmetric *s, struct noise_handshake *hs,
			    enum noise_state state)
{
	memcpy(hs->chaining_key, s->chaining_key, WIRE_HASH_LEN);
	memcpy(hs->hash, s->hash, WIRE_HASH_LEN);
	hs->state = state;
}

static void mix_ephemeral(struct symmetric *s, const uint8_t public[static WIRE_KEY_LEN])
{
	mix_hash(s, public, WIRE_KEY_LEN);
	kdf1(s->chaining_key, s->chaining_key, public, WIRE_KEY_LEN);
}

static MUST_CHECK bool mix_dh(struct symmetric *s, const uint8_t private[static WIRE_KEY_LEN],
			      const uint8_t public[static WIRE_KEY_LEN])
{
	uint8_t dh[X25519_LEN];
	bool ok = x25519(dh, private, public);

	if (ok)
		kdf2(s->chaining_key, s->key, s->chaining_key, dh, sizeof(dh));
	wipe(dh, sizeof(dh));
	return ok;
}

static MUST_CHECK bool mix_static(struct symmetric *s, const struct noise_remote *r)
{
	if (is_zero_ct(r->static_static, WIRE_KEY_LEN))
		return false;
	kdf2(s->chaining_key, s->key, s->chaining_key, r->static_static, WIRE_KEY_LEN);
	return true;
}

static void mix_psk(struct symmetric *s, const uint8_t psk[static WIRE_KEY_LEN])
{
	uint8_t tau[WIRE_HASH_LEN];

	kdf3(s->chaining_key, tau, s->key, s->chaining_key, psk, WIRE_KEY_LEN);
	mix_hash(s, tau, sizeof(tau));
	wipe(tau, sizeof(tau));
}

static void encrypt_and_hash(struct symmetric *s, uint8_t *dst, const void *src, size_t len)
{
	aead_seal_ad(dst, src, len, s->hash, WIRE_HASH_LEN, 0, s->key);
	mix_hash(s, dst, len + WIRE_TAG_LEN);
}

/* Decrypts the @len bytes at @src, which include the tag, to @dst. */
static MUST_CHECK bool decrypt_and_hash(struct symmetric *s, uint8_t *dst, const uint8_t *src,
					size_t len)
{
	if (!aead_open_ad(dst, src, len, s->hash, WIRE_HASH_LEN, 0, s->key))
		return false;
	mix_hash(s, src, len);
	return true;
}

void noise_identity_set(struct noise_identity *id, const uint8_t private[static WIRE_KEY_LEN])
{
	if (is_zero_ct(private, WIRE_KEY_LEN)) {
		noise_identity_wipe(id);
		return;
	}
	memcpy(id->private, private, WIRE_KEY_LEN);
	x25519_clamp(id->private);
	x25519_public(id->public, id->private);
	id->set = true;
}

void noise_identity_wipe(struct noise_identity *id)
{
	wipe(id, sizeof(*id));
}

void noise_remote_set(struct noise_remote *r, const struct noise_identity *id,
		      const uint8_t public[static WIRE_KEY_LEN])
{
	memmove(r->public, public, WIRE_KEY_LEN);
	r->stale = false;
	/* An unset private key is all zeros. Do not use it: clamping would turn it into a private
	 * key that everybody knows. */
	if (!id->set || !x25519(r->static_static, id->private, r->public))
		wipe(r->static_static, WIRE_KEY_LEN);
}

void noise_remote_expire(struct noise_remote *r)
{
	wipe(r->static_static, WIRE_KEY_LEN);
	r->stale = true;
}

bool noise_remote_unusable(struct noise_remote *r, const struct noise_identity *id)
{
	if (r->stale)
		noise_remote_set(r, id, r->public);
	return id->set && is_zero_ct(r->static_static, WIRE_KEY_LEN);
}

void noise_handshake_clear(struct noise_handshake *hs)
{
	wipe(hs, sizeof(*hs));
}

/* -> e, es, s, ss, {t}. Each step is labelled with its token of the Noise pattern. */
bool noise_create_initiation(struct wire_initiation *msg, struct noise_handshake *hs,
			     const struct noise_identity *id, const struct noise_remote *r,
			     const uint8_t ephemeral[static WIRE_KEY_LEN],
			     const uint8_t timestamp[static WIRE_TIMESTAMP_LEN],
			     uint32_t local_index)
{
	struct symmetric s;
	bool ok = false;

	noise_handshake_clear(hs);
	if (!id->set)
		goto out;
	memcpy(hs->ephemeral_private, ephemeral, WIRE_KEY_LEN);
	x25519_clamp(hs->ephemeral_private);
	msg->header = (struct wire_header){ .type = WIRE_INITIATION };
	msg->sender_index = htole32(local_index);
	symmetric_begin(&s, r->public);

	/* e */
	x25519_public(msg->ephemeral, hs->ephemeral_private);
	mix_ephemeral(&s, msg->ephemeral);
	/* es */
	if (!mix_dh(&s, hs->ephemeral_private, r->public))
		goto out;
	/* s */
	encrypt_and_hash(&s, msg->encrypted_static, id->public, WIRE_KEY_LEN);
	/* ss */
	if (!mix_static(&s, r))
		goto out;
	/* {t} */
	encrypt_and_hash(&s, msg->encrypted_timestamp, timestamp, WIRE_TIMESTAMP_LEN);

	hs->local_index = local_index;
	symmetric_store(&s, hs, NOISE_CREATED_INITIATION);
	ok = true;
out:
	if (!ok)
		noise_handshake_clear(hs);
	wipe(&s, sizeof(s));
	return ok;
}

/* -> e, es, s. Each step is labelled with its token of the Noise pattern. */
bool noise_open_initiation(const struct wire_initiation *msg, const struct noise_identity *id,
			   struct noise_incoming *in)
{
	uint8_t remote_static[WIRE_KEY_LEN];
	struct symmetric s;
	bool ok = false;

	if (!id->set)
		goto out;
	symmetric_begin(&s, id->public);

	/* e */
	mix_ephemeral(&s, msg->ephemeral);
	/* es */
	if (!mix_dh(&s, id->private, msg->ephemeral))
		goto out;
	/* s */
	if (!decrypt_and_hash(&s, remote_static, msg->encrypted_static,
			      sizeof(msg->encrypted_static)))
		goto out;

	memcpy(in->remote_static, remote_static, WIRE_KEY_LEN);
	memcpy(in->hash, s.hash, WIRE_HASH_LEN);
	memcpy(in->chaining_key, s.chaining_key, WIRE_HASH_LEN);
	ok = true;
out:
	wipe(remote_static, sizeof(remote_static));
	wipe(&s, sizeof(s));
	return ok;
}

/* -> ss, {t}. Each step is labelled with its token of the Noise pattern. */
enum noise_verdict noise_consume_initiation(const struct wire_initiation *msg,
					    const struct noise_incoming *in, struct noise_remote *r,
					    struct noise_handshake *hs)
{
	enum noise_verdict verdict = NOISE_BAD;
	uint8_t timestamp[WIRE_TIMESTAMP_LEN];
	struct symmetric s;

	symmetric_load(&s, in->chaining_key, in->hash);

	/* ss */
	if (!mix_static(&s, r))
		goto out;
	/* {t} */
	if (!decrypt_and_hash(&s, timestamp, msg->encrypted_timestamp,
			      sizeof(msg->encrypted_timestamp)))
		goto out;

	/* TAI64N is big endian, so memcmp() orders by time. */
	verdict = NOISE_OLD;
	if (memcmp(timestamp, r->latest_timestamp, WIRE_TIMESTAMP_LEN) <= 0)
		goto out;

	memcpy(r->latest_timestamp, timestamp, WIRE_TIMESTAMP_LEN);
	memcpy(hs->remote_ephemeral, msg->ephemeral, WIRE_KEY_LEN);
	wipe(hs->ephemeral_private, WIRE_KEY_LEN);
	hs->remote_index = le32toh(msg->sender_index);
	symmetric_store(&s, hs, NOISE_CONSUMED_INITIATION);
	verdict = NOISE_OK;
out:
	wipe(timestamp, sizeof(timestamp));
	wipe(&s, sizeof(s));
	return verdict;
}

/* <- e, ee, se, psk, {}. Each step is labelled with its token of the Noise pattern. */
bool noise_create_response(struct wire_response *msg, struct noise_handshake *hs,
			   const struct noise_remote *r,
			   const uint8_t ephemeral[static WIRE_KEY_LEN], uint32_t local_index)
{
	uint8_t ephemeral_private[WIRE_KEY_LEN];
	struct symmetric s;
	bool ok = false;

	if (hs->state != NOISE_CONSUMED_INITIATION)
		return false;
	memcpy(ephemeral_private, ephemeral, WIRE_KEY_LEN);
	x25519_clamp(ephemeral_private);
	msg->header = (struct wire_header){ .type = WIRE_RESPONSE };
	msg->sender_index = htole32(local_index);
	msg->receiver_index = htole32(hs->remote_index);
	symmetric_load(&s, hs->chaining_key, hs->hash);

	/* e */
	x25519_public(msg->ephemeral, ephemeral_private);
	mix_ephemeral(&s, msg->ephemeral);
	/* ee */
	if (!mix_dh(&s, ephemeral_private, hs->remote_ephemeral))
		goto out;
	/* se */
	if (!mix_dh(&s, ephemeral_private, r->public))
		goto out;
	/* psk */
	mix_psk(&s, r->psk);
	/* {} */
	encrypt_and_hash(&s, msg->encrypted_nothing, NULL, 0);

	hs->local_index = local_index;
	symmetric_store(&s, hs, NOISE_CREATED_RESPONSE);
	ok = true;
out:
	if (!ok)
		noise_handshake_clear(hs);
	wipe(ephemeral_private, sizeof(ephemeral_private));
	wipe(&s, sizeof(s));
	return ok;
}

/* <- e, ee, se, psk, {}. Each step is labelled with its token of the Noise pattern. */
bool noise_consume_response(const struct wire_response *msg, struct noise_handshake *hs,
			    const struct noise_identity *id, const struct noise_remote *r)
{
	struct symmetric s;
	uint8_t nothing;
	bool ok = false;

	if (hs->state != NOISE_CREATED_INITIATION ||
	    hs->local_index != le32toh(msg->receiver_index))
		return false;
	symmetric_load(&s, hs->chaining_key, hs->hash);

	/* e */
	mix_ephemeral(&s, msg->ephemeral);
	/* ee */
	if (!mix_dh(&s, hs->ephemeral_private, msg->ephemeral))
		goto out;
	/* se */
	if (!mix_dh(&s, id->private, msg->ephemeral))
		goto out;
	/* psk */
	mix_psk(&s, r->psk);
	/* {} */
	if (!decrypt_and_hash(&s, &nothing, msg->encrypted_nothing, sizeof(msg->encrypted_nothing)))
		goto out;

	memcpy(hs->remote_ephemeral, msg->ephemeral, WIRE_KEY_LEN);
	wipe(hs->ephemeral_private, WIRE_KEY_LEN);
	hs->remote_index = le32toh(msg->sender_index);
	symmetric_store(&s, hs, NOISE_CONSUMED_RESPONSE);
	ok = true;
out:
	wipe(&s, sizeof(s));
	return ok;
}

void noise_derive_keys(struct noise_handshake *hs, struct noise_keys *keys)
{
	if (hs->state == NOISE_CONSUMED_RESPONSE)
		kdf2(keys->send, keys->recv, hs->chaining_key, NULL, 0);
	else
		kdf2(keys->recv, keys->send, hs->chaining_key, NULL, 0);
	noise_handshake_clear(hs);
}

void noise_tai64n(uint8_t out[static WIRE_TIMESTAMP_LEN], uint64_t unix_ns)
{
	uint32_t ns = (uint32_t)(unix_ns % NS_PER_S);
	uint64_t be_s = htobe64(TAI64_EPOCH + unix_ns / NS_PER_S);
	uint32_t be_ns = htobe32(ns - ns % TAI64N_GRAIN_NS);

	memcpy(out, &be_s, sizeof(be_s));
	memcpy(out + sizeof(be_s), &be_ns, sizeof(be_ns));
}
