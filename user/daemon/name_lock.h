/* SPDX-License-Identifier: MIT */
/*
 * name_lock.h - the name of an interface belongs to one daemon of the host, whatever namespace it is
 * in: to who holds the lock on /run/wgxdp/<interface>.lock. The file holds its pid, for people; the
 * lock goes with the process, so a dead owner needs no cleaning up here.
 */
#ifndef WGXDP_NAME_LOCK_H
#define WGXDP_NAME_LOCK_H

#include <stdbool.h>

#include "util/fault.h"

/* Takes the name. 0 and *@lock_fd; or with @f -EBUSY (held; by whom is in the sentence), -errno. */
int name_lock_take(const char *interface, int *lock_fd, struct fault *f);

/* Gives it back; fine if @lock_fd is -1. */
void name_lock_release(const char *interface, int lock_fd);

/* Waits until nobody holds the name; true if so within @timeout_ms. */
bool name_lock_wait_free(const char *interface, unsigned timeout_ms);

#endif
