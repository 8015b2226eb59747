/* SPDX-License-Identifier: MIT */
/*
 * ct.h - marks for the constant-time test, which runs the code under memcheck with the secrets
 * "undefined" (tests/ct). They compile to nothing but there.
 */
#ifndef WGXDP_CT_H
#define WGXDP_CT_H

#ifdef CT_TEST
#include <valgrind/memcheck.h>
#endif

/* From here on the @n bytes at @p, made from secrets, are public. */
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
