/* SPDX-License-Identifier: MIT */
/*
 * crash_record.h - what outlives a daemon that is killed, and undoing it. Most has its name on it: pins,
 * sockets, TC filters, entries in libxdp's dispatchers. What has not stands in the file of the
 * instance's lock, as it comes:
 *
 *   /run/wgxdp/wg0.lock    1234                    pid of the owner
 *                          netns 4026531840        where it lived
 *                          neighbour 2 c0000202    that the kernel manages for it: ifindex, address
 */
#ifndef WGXDP_CRASH_RECORD_H
#define WGXDP_CRASH_RECORD_H

#include "io/nexthop.h"

/* Writes it anew, with our pid. 0/-errno. */
int crash_record_write(int lock_fd, const struct nexthop_managed *managed);

/* Undoes what the dead owner of @interface left in the kernel, by its record in @lock_fd, in the network
 * namespace where it lived, if that can be found (io/netns.h). The caller holds the lock. */
void crash_record_undo(const char *interface, int lock_fd);

#endif
