/* SPDX-License-Identifier: MIT */
/* aead_backends.h - the backends that aead.c chooses from. Private to user/crypto/aead*.c. */
#ifndef WGXDP_AEAD_BACKENDS_H
#define WGXDP_AEAD_BACKENDS_H

#include "crypto/aead.h"

/* aead_libsodium.c: the reference, which runs on every CPU. */
extern const struct aead_backend aead_libsodium;

#if defined(__x86_64__)
/* aead_avx512.c: 16 lanes of 32 bits. aead_avx2.c: 8 lanes. */
extern const struct aead_backend aead_avx512, aead_avx2;
#endif

#endif
