/* SPDX-License-Identifier: MIT */
/*
 * crash_record.h - removes what a killed daemon left behind. Pins, sockets, TC filters and entries
 * in libxdp's dispatchers are found by the name of the interface. Neighbours that the kernel keeps
 * resolved for the daemon (NTF_EXT_MANAGED) do not carry this name, so the daemon records them in
 * the lock file of the interface:
 *
 *   /run/wgxdp/wg0.lock    1234                    pid of the owner
 *                          netns 4026531840        network namespace of the owner
 *                          neighbour 2 c0000202    is managed from here on: ifindex, address
 *                          released 2 c0000202     is no longer managed
 *
 * When more than RECORD_SLACK lines cancel each other, the file is rewritten without them.
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

/* Begins a new record with our pid in the file of @lock_fd, which is locked and borrowed. Returns 0
 * or -errno. */
int crash_record_begin(struct crash_record *r, int lock_fd);

/* Records that the kernel now manages the neighbour @next for us, or, if @managed is false, that
 * the kernel no longer does. Returns 0 or -errno. */
int crash_record_neighbour(struct crash_record *r, const struct encap_next *next, bool managed);

/* Removes what the dead owner of @interface left in its network namespace, if this namespace still
 * exists (io/netns.h). Reads the owner's record from the file of @lock_fd. The caller holds the
 * lock. */
void crash_record_undo(const char *interface, int lock_fd);

#endif
