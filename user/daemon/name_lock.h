/* SPDX-License-Identifier: MIT */
/*
 * name_lock.h - one daemon of the host owns the name of an interface, whatever namespace it is in:
 * the daemon that holds the lock on /run/wgxdp/<interface>.lock. The file holds its pid, for
 * people. The kernel releases the lock when the process ends, so a dead owner leaves no lock
 * behind.
 */
#ifndef WGXDP_NAME_LOCK_H
#define WGXDP_NAME_LOCK_H

#include <stdbool.h>

#include "util/fault.h"

/* Takes the name, and undoes what a dead owner left (crash_record.h). Returns 0 and *@lock_fd, or
 * -errno with @f: -EBUSY (held; the sentence names the owner). */
int name_lock_take(const char *interface, int *lock_fd, struct fault *f);

/* Releases the name; fine if @lock_fd is -1. */
void name_lock_release(const char *interface, int lock_fd);

/* Did the owner of the name die without releasing it? *@pid is then its process, or 0 if that is
 * unknown. */
bool name_lock_is_stale(const char *interface, int *pid);

/* Waits until the name is free. False: @timeout_ms passed before. */
bool name_lock_wait_free(const char *interface, unsigned timeout_ms);

#endif
