/* SPDX-License-Identifier: MIT */
/*
 * detach_child.h - if there are hooks or SaveConfig, a signal that ends the daemon acts like `wgxdp
 * detach`: the daemon starts that command, which runs PreDown, asks this daemon to end, and runs
 * PostDown.
 *
 *   signal ─▶ detach_child_start ─┬─▶ the command asks the daemon to end ─▶ detach_child_wait
 *                                 └─▶ the command fails ─▶ ended()
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_DETACH_CHILD_H
#define WGXDP_DETACH_CHILD_H

#include <sys/types.h>

#include "util/loop.h"

struct detach_child {
	struct loop *loop; /* NULL = no command was started */
	pid_t pid;
	int pidfd;
	void (*ended)(void *ctx);
	void *ctx;
};

/* Starts `wgxdp detach INTERFACE`. Calls @ended if the command ends while the loop still runs,
 * which means that the command has failed to end this daemon. Returns 0; or -errno with nothing
 * started, -EALREADY if the command was started before. */
int detach_child_start(struct detach_child *c, struct loop *loop, const char *interface,
		       void (*ended)(void *ctx), void *ctx);

/* Waits until the command has ended. In a container this process may be PID 1, whose exit would
 * kill PostDown. Call this after the name of the interface was released, because the command waits
 * for the name. Does nothing if no command was started. */
void detach_child_wait(struct detach_child *c);

#endif
