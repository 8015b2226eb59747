/* SPDX-License-Identifier: MIT */
/*
 * ct.h - declassify() for the constant-time test (tests/ct), which marks the secrets as undefined
 * and runs the code under memcheck. In every other build declassify() compiles to nothing.
 */
#ifndef WGXDP_CT_H
#define WGXDP_CT_H

#ifdef CT_TEST
#include <valgrind/memcheck.h>
#endif

/* Declares that the @n bytes at @p are public from here on, although they depend on secrets. */
static inline void declassify(const void *p, unsigned long n)
{
#ifdef CT_TEST
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
#else
	(void)p;
	(void)n;
#endif
}

#endif
