/* SPDX-License-Identifier: MIT */
/*
 * ending.h - what ends the daemon: a signal, a command that goes away before it commits (lease.h),
 * or a module that cannot go on. The service manager is told that the daemon is ready when the
 * command commits, and that the daemon stops. Control thread.
 */
#ifndef WGXDP_ENDING_H
#define WGXDP_ENDING_H

#include <stdbool.h>

#include "util/fault.h"
#include "util/loop.h"

struct ending_ops {
	void (*hangup)(void *ctx);    /* SIGHUP */
	void (*committed)(void *ctx); /* the attach that started the daemon has succeeded */
};

struct ending {
	struct loop *loop;
	int lease_fd;  /* -1: no command waits, or it has committed */
	int signal_fd; /* -1: not open */
	bool foreground;
	const struct ending_ops *ops; /* may be NULL */
	void *ctx;
	bool stopping;
	bool committed; /* the attach that started the daemon has succeeded */
	bool detached;	/* `wgxdp detach` ends the daemon, and runs the hooks */
	int exit_code;
};

/* Holds signals back from the first moment on: one that arrives during the start is read after it.
 * @lease_fd is -1 or is closed by ending_done(). Without @ops SIGHUP ends a daemon in the
 * foreground, and has no effect on any other. */
void ending_init(struct ending *e, bool foreground, int lease_fd, const struct ending_ops *ops,
		 void *ctx);

/* Reads signals and the lease from now on. 0/-errno. */
int ending_watch(struct ending *e, struct loop *loop);

/* Ends the loop after this turn. */
void ending_stop(struct ending *e, int exit_code);

/* Sends "@word @number", or an error, to the command that waits; does nothing if none waits. */
void ending_tell(struct ending *e, const char *word, uint32_t number);
void ending_tell_error(struct ending *e, const struct fault *f);
/* Sends a warning to the command that waits. If no command waits, logs the warning. */
void ending_warn(const struct ending *e, const char *sentence);

/* ending_unwatch() closes the descriptors that the loop watches. ending_done() is the very last
 * step of the daemon, because the command waits for the lease to be closed. */
void ending_unwatch(struct ending *e);
void ending_done(struct ending *e);

#endif
