/* SPDX-License-Identifier: MIT */
/*
 * secure.h - keeps the secrets of the process out of swap, core files and debuggers, and finds out
 * which capabilities the process has.
 *
 *   main ─▶ secure_forbid_dumps ─▶ read keys ─▶ fork the daemon ─▶ secure_memory ─▶ start threads
 */
#ifndef WGXDP_SECURE_H
#define WGXDP_SECURE_H

#include <stdbool.h>

/* Returns true if the calling thread has the capability (CAP_*, linux/capability.h) in its user
 * namespace. Use this only to choose a message. To find out whether an action is permitted, try
 * the action. */
bool secure_capable(unsigned capability);

/* Forbids core dumps and ptrace, for this process and for its children until they call execve(2).
 * Call it before the first secret is read. */
void secure_forbid_dumps(void);

/* Locks all memory of the process: the pages in use now, and every other page when it is first
 * touched. Call this before other threads start. Children of fork() do not inherit the lock.
 * Returns 0, or -errno if there is a limit for locked memory; then nothing is locked, and the
 * caller warns that secrets may be swapped out. */
int secure_memory(void);

#endif
