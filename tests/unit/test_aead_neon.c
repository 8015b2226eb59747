/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/aead_neon.c" /* NOLINT(bugprone-suspicious-include) */

#if defined(__aarch64__) && defined(__AARCH64EL__)

#include "aead_strips.h"

#include "aead_lanes.h"

int main(void)
{
	return run_lanes_tests(&aead_neon);
}

#else

int main(void)
{
	print_message("1..0 # skip not an arm64\n");
	return 0;
}

#endif
