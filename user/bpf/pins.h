/* SPDX-License-Identifier: MIT */
/*
 * pins.h - an interface's directory in the BPF file system, where people find its maps:
 * /sys/fs/bpf/wgxdp/wg0/peers. Belongs to one loader; control thread.
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
	char path[PINS_PATH_MAX]; /* of the directory; empty: unpinned */
};

/* Makes the directory for @interface anew, 0700; whatever a dead owner left in it is removed. Where
 * PINS_ROOT is no BPF file system p->path stays empty and all is well. Returns 0 or -errno with @f:
 * -EPERM (it belongs to another user), -EINVAL (no name for an interface). */
int pins_init(struct pins *p, const char *interface, struct fault *f);

/* Removes the directory and all in it. */
void pins_done(struct pins *p);

/* Pins @fd as @name. Nothing to do when unpinned. */
int pins_add(const struct pins *p, const char *name, int fd, struct fault *f);

/* Which interface's pins are there with the map of id @map_id as @name? */
bool pins_find(const char *name, uint32_t map_id, char interface[static IFNAME_MAX + 1]);

#endif
