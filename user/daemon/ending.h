/* SPDX-License-Identifier: MIT */
/*
 * ending.h - handles the events that end the daemon: a signal, an attach command that exits before
 * attach has succeeded, or a module that cannot continue. The command reports its success by
 * "commit" (lease.h). This module then notifies the service manager that the daemon is ready, and
 * at the end, that the daemon is stopping. Only the control thread calls these functions.
 */
#ifndef WGXDP_ENDING_H
#define WGXDP_ENDING_H

#include <stdbool.h>

#include "util/fault.h"
#include "util/loop.h"

struct ending_ops {
	void (*hangup)(void *ctx); /* SIGHUP arrived */
	/* After the attach had succeeded, a signal that ends the daemon arrived. Returns true if
	 * the daemon should go on for now, because `wgxdp detach` is about to end it. */
	bool (*signalled)(void *ctx);
	void (*committed)(void *ctx); /* the attach that started the daemon has succeeded */
};

struct ending {
	struct loop *loop;
	int lease_fd;  /* -1 = no attach command waits, or the attach has succeeded */
	int signal_fd; /* -1 = not open */
	bool foreground;
	const struct ending_ops *ops; /* NULL = there is no config file */
	void *ctx;
	bool stopping;
	bool committed; /* the attach that started the daemon has succeeded */
	bool detached;	/* `wgxdp detach` ends the daemon, and the command runs the hooks */
	int exit_code;
};

/* Blocks the signals that this module handles, so that a signal that arrives during the start stays
 * pending until ending_watch(). ending_done() closes @lease_fd unless it is -1. If @ops is NULL,
 * SIGHUP ends a daemon in the foreground and is ignored in the background. */
void ending_init(struct ending *e, bool foreground, int lease_fd, const struct ending_ops *ops,
		 void *ctx);

/* Begins to read signals and the lease. Returns 0 or -errno. */
int ending_watch(struct ending *e, struct loop *loop);

/* Unblocks all signals, so that a signal ends the process at once. Call this when the loop has
 * ended. */
void ending_allow_signals(void);

/* Makes daemon.c leave its event loop after the current iteration. The daemon exits with
 * @exit_code. */
void ending_stop(struct ending *e, int exit_code);

/* Send "@word @number", or an error, to the command that waits. Do nothing if no command waits. */
void ending_tell(struct ending *e, const char *word, uint32_t number);
void ending_tell_error(struct ending *e, const struct fault *f);
/* Sends a warning to the command that waits. If no command waits, logs the warning. */
void ending_warn(const struct ending *e, const char *sentence);

/* ending_unwatch() closes the signal descriptor. ending_done() closes the lease and must be the
 * last step of the daemon, because the command that started the daemon waits until the lease is
 * closed. */
void ending_unwatch(struct ending *e);
void ending_done(struct ending *e);

#endif
