/* SPDX-License-Identifier: MIT */
/* spawn.h - sets the signal mask and actions of a process that posix_spawn(3) starts. */
#ifndef WGXDP_SPAWN_H
#define WGXDP_SPAWN_H

#include <spawn.h>
#include <stdbool.h>

/* Sets @attributes so that the new process blocks no signal and has the default action for each
 * signal. With @keep_ignored, signals that this process ignores stay ignored, such as SIGHUP under
 * nohup(1). Keeps the other flags of @attributes. Returns 0 or -errno. */
int spawn_reset_signals(posix_spawnattr_t *attributes, bool keep_ignored);

#endif
