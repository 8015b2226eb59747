/* SPDX-License-Identifier: MIT */
/*
 * secure.h - keeps the secrets of the process out of swap, core files and debuggers, and tells
 * which capabilities it has.
 *
 *   start ─▶ secure_memory ─▶ read keys ─▶ start threads
 */
#ifndef WGXDP_SECURE_H
#define WGXDP_SECURE_H

#include <stdbool.h>

/* Returns true if the capability (CAP_*, linux/capability.h) is in effect for the
 * calling thread. */
bool secure_capable(unsigned capability);

/* Forbids core dumps and ptrace, then locks all present and future memory when it is first touched.
 * Call it before the first secret is read and before other threads start. Children of fork() do not
 * inherit the lock. Returns 0, or -errno if locking is not permitted; core dumps and ptrace are
 * then still forbidden, and the caller warns that secrets may be swapped out. */
int secure_memory(void);

#endif
