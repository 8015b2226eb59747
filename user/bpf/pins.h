/* SPDX-License-Identifier: MIT */
/*
 * pins.h - the directory of an interface in the BPF file system, where its maps are pinned, such as
 * /sys/fs/bpf/wgxdp/wg0/peers. One loader owns it. All functions are for the control thread.
 */
#ifndef WGXDP_PINS_H
#define WGXDP_PINS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"
#include "wgxdp/limits.h"

#define PINS_ROOT "/sys/fs/bpf"
#define PINS_PATH_MAX 64 /* PINS_ROOT "/wgxdp/" interface, and its NUL */

struct pins {
	char path[PINS_PATH_MAX]; /* of the directory; empty if unpinned */
};

/* Makes an empty directory for @interface with mode 0700. Pins that a dead owner left are removed.
 * Where PINS_ROOT is no BPF file system, p->path stays empty and the result is 0. Returns 0 or
 * -errno with
 * @f: -EPERM (the directory belongs to another user), -EINVAL (not an interface name). */
int pins_init(struct pins *p, const char *interface, struct fault *f);

/* Removes the directory and its pins. */
void pins_done(struct pins *p);

/* Pins map @fd as @name; does nothing if unpinned. Returns 0 or -errno with @f. */
int pins_add(const struct pins *p, const char *name, int fd, struct fault *f);

/* Finds the interface that has pinned the map of id @map_id as @name. Returns whether there is one,
 * with its name in @interface. */
bool pins_find(const char *name, uint32_t map_id, char interface[static IFNAME_MAX + 1]);

#endif
