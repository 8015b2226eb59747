/* SPDX-License-Identifier: MIT */
/*
 * pins.h - the directory of an interface in the BPF file system, where its maps are pinned, such as
 * /sys/fs/bpf/wgxdp/wg0/peers. One loader owns the directory. Only the control thread
 * may call these functions.
 *
 * Pins let an administrator inspect the maps. If the maps cannot be pinned, the caller goes on
 * without pins, and pins.why gives the reason:
 *
 *   no bpffs at PINS_ROOT ─▶ mount one, as bpftool does ─▶ not permitted ─▶ unpinned
 *   another user has made the directory, or may replace it ───────────────▶ unpinned
 *   a live daemon of the same name holds the lock on the directory ───────▶ unpinned
 *
 * Two daemons can have the same name if they run in containers that share a bpffs. The owner holds
 * a lock on the directory, which the kernel releases when the owner dies. So the pins of a live
 * owner are never removed.
 */
#ifndef WGXDP_PINS_H
#define WGXDP_PINS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"
#include "wgxdp/limits.h"

#define PINS_ROOT "/sys/fs/bpf"
#define PINS_PATH_MAX 64 /* PINS_ROOT "/wgxdp/" interface, and its NUL */

struct pins {
	char path[PINS_PATH_MAX]; /* path of the directory; "" = unpinned */
	DIR *dir;	  /* the directory; its descriptor holds the lock; NULL = unpinned */
	struct fault why; /* why the maps are not pinned */
};

/* Creates an empty directory with mode 0700 for @interface. Mounts a bpffs if necessary, and
 * removes pins that a dead daemon left. */
void pins_init(struct pins *p, const char *interface);

/* Removes the directory and its pins. */
void pins_done(struct pins *p);

/* Pins the map @fd as @name. If that fails, removes all pins. Does nothing if there is no
 * directory. */
void pins_add(struct pins *p, const char *name, int fd);

/* Removes the pins that a dead daemon of @interface left. Does not mount a bpffs. */
void pins_clean(const char *interface);

/* Finds the interface whose directory has a pin @name of the map with id @map_id. Returns true with
 * the name of this interface in @interface, or returns false. */
bool pins_find(const char *name, uint32_t map_id, char interface[static IFNAME_MAX + 1]);

#endif
