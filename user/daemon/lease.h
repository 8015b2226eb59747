/* SPDX-License-Identifier: MIT */
/*
 * lease.h - a command that starts a daemon holds a lease on the daemon: a socket pair with these
 * messages:
 *
 *   daemon ─▶ command   "ready <ifindex>"      the interface exists, and wg(8) can configure it
 *   daemon ─▶ command   "up <port>"            UDP sockets are open, workers run, host is set up
 *   daemon ─▶ command   "warning <sentence>"   something works but looks wrong
 *   daemon ─▶ command   "error <sentence>"     the daemon ends
 *   command ─▶ daemon   "commit"               the daemon no longer depends on the command
 *
 * If the command ends before it commits (an error, kill -9), the daemon sees the other end closed
 * and undoes everything. SIGINT, SIGTERM and SIGHUP do not end the command at once. These signals
 * shut the lease down, so that lease_wait() or lease_commit() fails and lease_cancel() waits for
 * the daemon to end; then the command ends by that signal. A second signal ends the command without
 * waiting.
 */
#ifndef WGXDP_LEASE_H
#define WGXDP_LEASE_H

#include <stdint.h>
#include <sys/types.h>

#include "util/fault.h"

struct conf;
struct options;

/* Runs the daemon and returns its exit code. */
typedef int (*lease_run_fn)(const struct options *options, struct conf *conf, int lease_fd);

/* Starts @run in a new process, and returns the command's descriptor of the lease, or -errno with
 * @f filled in. With options->foreground, the calling process becomes the daemon and exits with the
 * exit code of @run, and a child process returns from this function as the command. */
int lease_start(const struct options *options, struct conf *conf, lease_run_fn run,
		struct fault *f);

/* Command: waits for the message @word ("ready" or "up") and sets *@number. Calls @warn for each
 * warning that arrives before that message. Returns 0, or -errno with the daemon's error in @f. */
int lease_wait(int fd, const char *word, uint32_t *number,
	       void (*warn)(void *ctx, const char *sentence), struct fault *f);
/* Command: commits, closes @fd and returns 0. If the daemon has ended, calls lease_cancel() instead
 * and returns -errno. If a signal has arrived, calls lease_cancel(), which ends the process. */
int lease_commit(int fd);
/* Command: cancels the lease. Waits until the daemon has undone everything, then closes @fd. If a
 * signal was the cause, this function ends the process by that signal and does not return. */
void lease_cancel(int fd);

/* Daemon: send a message to the command. Do nothing if @fd is -1. */
void lease_tell(int fd, const char *word, uint32_t number);
void lease_tell_error(int fd, const struct fault *f);
void lease_tell_warning(int fd, const char *sentence);

/* Daemon: reads from @fd, which is readable. Returns 1 if the command has committed, 0 if not yet,
 * or -EPIPE if the command has ended. */
int lease_read(int fd);

#endif
