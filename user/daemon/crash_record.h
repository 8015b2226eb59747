/* SPDX-License-Identifier: MIT */
/*
 * crash_record.h - undoes what outlives a daemon that is killed. Pins, sockets, TC filters and
 * entries in libxdp's dispatchers are found by the name of the interface. What has no name is
 * written to the lock file of the interface as soon as it exists:
 *
 *   /run/wgxdp/wg0.lock    1234                    pid of the owner
 *                          netns 4026531840        its network namespace
 *                          neighbour 2 c0000202    refreshed by the kernel: ifindex, address
 */
#ifndef WGXDP_CRASH_RECORD_H
#define WGXDP_CRASH_RECORD_H

#include "io/nexthop.h"

/* Replaces the record, with our pid. 0/-errno. */
int crash_record_write(int lock_fd, const struct nexthop_managed *managed);

/* Undoes what the dead owner of @interface left in the kernel, by its record in @lock_fd, in the
 * network namespace its network namespace, if that can be found (io/netns.h). The caller holds
 * the lock. */
void crash_record_undo(const char *interface, int lock_fd);

#endif
