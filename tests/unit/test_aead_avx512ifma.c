/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/aead_avx512ifma.c" /* NOLINT(bugprone-suspicious-include) */

#if defined(__x86_64__)

#include "aead_ifma.h"
#include "aead_lanes.h"

int main(void)
{
	return run_lanes_tests(&aead_avx512ifma);
}

#else

int main(void)
{
	print_message("1..0 # skip not an x86-64\n");
	return 0;
}

#endif
