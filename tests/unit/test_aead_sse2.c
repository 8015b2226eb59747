/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/aead_sse2.c" /* NOLINT(bugprone-suspicious-include) */

#if defined(__x86_64__)

#define POLY_LANES 1

/* Computes Poly1305 over @mac's data, which must be whole blocks. One call adds the bytes
 * before offset @first, and another call the rest. This backend has no lanes for Poly1305, so
 * @other and @lane are unused. */
static void poly1305_in_lane(const struct mac *mac, const struct mac *other, int lane, size_t first)
{
	struct poly poly;

	(void)other;
	(void)lane;
	poly_scalar_init(&poly.one, mac->key);
	poly_scalar_blocks(&poly.one, mac->data, first / 16);
	poly_scalar_blocks(&poly.one, mac->data + first, (mac->len - first) / 16);
	poly_scalar_finish(mac->tag, poly.one.h, mac->key);
}

#include "aead_lanes.h"

int main(void)
{
	return run_lanes_tests(&aead_sse2);
}

#else

int main(void)
{
	print_message("1..0 # skip not an x86-64\n");
	return 0;
}

#endif
