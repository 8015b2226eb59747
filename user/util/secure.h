/* SPDX-License-Identifier: MIT */
/*
 * secure.h - keeps the secrets of the process out of swap, core files and debuggers, and tells
 * which capabilities it has.
 *
 *   main ─▶ secure_forbid_dumps ─▶ read keys ─▶ fork the daemon ─▶ secure_memory ─▶ start threads
 */
#ifndef WGXDP_SECURE_H
#define WGXDP_SECURE_H

#include <stdbool.h>

/* Returns true if the capability (CAP_*, linux/capability.h) is in effect for the calling
 * thread, in its user namespace. Good for the choice of a message only: what needs a right is
 * tried. */
bool secure_capable(unsigned capability);

/* Forbids core dumps and ptrace, for this process and its children. Call it before the first secret
 * is read. */
void secure_forbid_dumps(void);

/* Locks all present and future memory when it is first touched. Call it before other threads
 * start. Children of fork() do not inherit the lock. Returns 0, or -errno if any amount of
 * memory cannot be locked; nothing is locked then, and the caller warns that secrets may be
 * swapped out. */
int secure_memory(void);

#endif
