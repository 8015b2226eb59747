/* SPDX-License-Identifier: MIT */
/*
 * lease.h - a command starts a daemon and holds a lease on it: a socket pair over which
 *
 *   daemon ─▶ command   "ready <ifindex>"      the interface is there, configured, and down
 *   daemon ─▶ command   "up <port>"            sockets answer, workers run, the host is set up
 *   daemon ─▶ command   "warning <sentence>"   something works but looks wrong
 *   daemon ─▶ command   "error <sentence>"     the daemon ends
 *   command ─▶ daemon   "commit"               from now on the daemon lives on its own
 *
 * If the command ends before it commits (an error, kill -9), the daemon sees the other end closed
 * and undoes everything. SIGINT, SIGTERM and SIGHUP do not end the command at once. They shut the
 * lease down, so that lease_wait() or lease_commit() fails and lease_cancel() waits for the daemon
 * to end; then the command ends by that signal. A second signal ends the command without waiting.
 */
#ifndef WGXDP_LEASE_H
#define WGXDP_LEASE_H

#include <stdint.h>
#include <sys/types.h>

#include "util/fault.h"

struct conf;
struct options;

/* Runs the daemon; returns its exit code. */
typedef int (*lease_run_fn)(const struct options *options, struct conf *conf, int lease_fd);

/* Starts @run in a process of its own and returns the command's end of the lease, or -errno with
 * @f. With options->foreground the calling process becomes the daemon (and exits with its code),
 * and a child returns from here as the command. */
int lease_start(const struct options *options, struct conf *conf, lease_run_fn run,
		struct fault *f);

/* Command: waits for "ready" or "up" (@word) and returns its number, or -errno with the daemon's
 * sentence. Warnings that come before it go to @warn. */
int lease_wait(int fd, const char *word, uint32_t *number,
	       void (*warn)(void *ctx, const char *sentence), struct fault *f);
/* Command: 0, or -errno if the daemon has ended or a signal came before, after lease_cancel().
 * Closes
 * @fd. */
int lease_commit(int fd);
/* Command: gives up. Waits until the daemon has undone everything, then closes @fd. If a signal
 * was the cause, it ends the process instead of returning. */
void lease_cancel(int fd);

/* Daemon: tells the command. Fine if @fd is -1. */
void lease_tell(int fd, const char *word, uint32_t number);
void lease_tell_error(int fd, const struct fault *f);
void lease_tell_warning(int fd, const char *sentence);

/* Daemon: @fd is readable. 1: committed; 0: not yet; -EPIPE: the command has ended. */
int lease_read(int fd);

#endif
