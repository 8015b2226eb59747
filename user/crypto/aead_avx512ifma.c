/* SPDX-License-Identifier: MIT */
/*
 * aead_avx512ifma.c - the AEAD in 512-bit registers, with a Poly1305 that multiplies 52 bits at a
 * time (IFMA).
 */
#if defined(__x86_64__)

#define IFMA_REGISTERS "crypto/aead_ifma_zmm.h"
#include "crypto/aead_ifma.h"

/* Measured on an Ice Lake server: with this backend all code on the core takes 10 % more time, and
 * TCP through the tunnel is slower than with avx512. See docs/aead.md. */
static bool slows_core(void)
{
	return __builtin_cpu_is("icelake-server");
}

const struct aead_backend aead_avx512ifma = {
	.name = "avx512ifma",
	.usable = usable,
	.slows_core = slows_core,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
