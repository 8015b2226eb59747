/* SPDX-License-Identifier: MIT */
/*
 * crash_record.h - undoes what outlives a daemon that is killed. Pins, sockets, TC filters and
 * entries in libxdp's dispatchers are found by the name of the interface. What has no name is
 * appended to the lock file of the interface as it comes and goes:
 *
 *   /run/wgxdp/wg0.lock    1234                    pid of the owner
 *                          netns 4026531840        its network namespace
 *                          neighbour 2 c0000202    managed for it from here on: ifindex, address
 *                          released 2 c0000202     and no longer
 *
 * The file is rewritten without its pairs when more than RECORD_SLACK lines are of no use.
 */
#ifndef WGXDP_CRASH_RECORD_H
#define WGXDP_CRASH_RECORD_H

#include <stdbool.h>

#include "io/encap.h"

#define RECORD_SLACK 256

struct crash_record {
	int lock_fd;
	unsigned useless; /* lines that cancel each other */
};

/* Begins a new record with our pid in the file that @lock_fd, which is borrowed, has locked.
 * 0/-errno. */
int crash_record_begin(struct crash_record *r, int lock_fd);

/* Appends that the kernel manages @next for us, or does so no longer. 0/-errno. */
int crash_record_neighbour(struct crash_record *r, const struct encap_next *next, bool managed);

/* Undoes what the dead owner of @interface left in the kernel, as recorded in @lock_fd, in the
 * network namespace of that owner if it still exists (io/netns.h). The caller holds the lock. */
void crash_record_undo(const char *interface, int lock_fd);

#endif
