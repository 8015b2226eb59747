/* SPDX-License-Identifier: MIT */
/*
 * aead_avx512ifma256.c - the AEAD with ChaCha20 in 512-bit registers, and with a Poly1305 that
 * multiplies 52 bits at a time (IFMA) in 256-bit registers.
 *
 * On Ice Lake servers IFMA in 512-bit registers lowers the clock of the core, and IFMA in 256-bit
 * registers does not. See docs/aead.md.
 */
#if defined(__x86_64__)

#define IFMA_REGISTERS "crypto/aead_ifma_ymm.h"
#include "crypto/aead_ifma.h"

const struct aead_backend aead_avx512ifma256 = {
	.name = "avx512ifma256",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
