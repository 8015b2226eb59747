/* SPDX-License-Identifier: MIT */
/*
 * secure.h - keeps the process's secrets in its memory: no swap, no core file, no debugger. And what
 * the process may do.
 */
#ifndef WGXDP_SECURE_H
#define WGXDP_SECURE_H

#include <stdbool.h>

/* Is CAP_... in effect for this thread? */
bool secure_capable(unsigned capability);

/* Forbids core dumps and ptrace, then locks all memory, present and future, as it is touched.
 * Call before the first secret is read and before other threads start; children by fork() do not
 * inherit the lock. Returns 0, or -errno when locking is not permitted: everything else is in
 * force then, and the caller says that secrets may reach the swap. */
int secure_memory(void);

#endif
