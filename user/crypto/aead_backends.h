/* SPDX-License-Identifier: MIT */
/* aead_backends.h - the backends that aead.c chooses from. Private to user/crypto/aead*.c. */
#ifndef WGXDP_AEAD_BACKENDS_H
#define WGXDP_AEAD_BACKENDS_H

#include "crypto/aead.h"

/* How many packets a SIMD backend takes from a batch at a time. The bytes of so few packets stay in
 * the cache between the passes of ChaCha20 and Poly1305. */
#define AEAD_WINDOW 32

/* aead_libsodium.c: the reference, which runs on every CPU. */
extern const struct aead_backend aead_libsodium;

#if defined(__x86_64__)
/* 16 lanes of 32 bits, with and without IFMA. */
extern const struct aead_backend aead_avx512ifma, aead_avx512ifma256, aead_avx512;

/* 8 lanes of 32 bits. */
extern const struct aead_backend aead_avx2;

/* 4 lanes of 32 bits. */
extern const struct aead_backend aead_sse2;
#endif

#if defined(__aarch64__) && defined(__AARCH64EL__)
#define AEAD_HAS_NEON
/* 4 lanes of 32 bits. */
extern const struct aead_backend aead_neon;
#endif

#endif
