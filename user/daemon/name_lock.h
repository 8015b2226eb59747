/* SPDX-License-Identifier: MIT */
/*
 * name_lock.h - ensures that only one daemon on the host, in any namespace, uses the name of an
 * interface. The daemon holds the lock on /run/wgxdp/<interface>.lock, which contains its pid for
 * information. The kernel releases the lock when the process ends, so a dead owner leaves no lock
 * behind.
 */
#ifndef WGXDP_NAME_LOCK_H
#define WGXDP_NAME_LOCK_H

#include <stdbool.h>

#include "util/fault.h"

/* Returns true if a daemon owns the name, or died without releasing it. */
bool name_lock_exists(const char *interface);

/* Locks the name, and undoes what a dead owner left behind (crash_record.h). The caller must undo
 * the owner's changes of NICs (host/tuning.h), and take over or undo its rules, nftables tables and
 * DNS servers (host/host.h). Returns 0 and sets *@lock_fd, or returns -errno with @f filled in:
 * -EBUSY (another daemon, which @f names, owns the name). */
int name_lock_take(const char *interface, int *lock_fd, struct fault *f);

/* Releases the name. Does nothing if @lock_fd is -1. */
void name_lock_release(const char *interface, int lock_fd);

/* Returns true if the owner of the name has died without releasing the name. If so, sets *@pid to
 * the owner's process id, or to 0 if it is unknown. */
bool name_lock_is_stale(const char *interface, int *pid);

/* Waits until the name is free. Returns false if it is not free after @timeout_ms. */
bool name_lock_wait_free(const char *interface, unsigned timeout_ms);

#endif
