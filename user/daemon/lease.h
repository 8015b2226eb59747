/* SPDX-License-Identifier: MIT */
/*
 * lease.h - a command starts a daemon and holds a lease on it: a socket pair over which
 *
 *   daemon ─▶ command   "ready <ifindex>"      the interface is there, configured, and down
 *   daemon ─▶ command   "up <port>"            ... is up: its sockets answer, its worker runs
 *   daemon ─▶ command   "error <sentence>"     ... and the daemon ends
 *   command ─▶ daemon   "commit"               from here on the daemon stands on its own
 *
 * If the command ends before it commits (an error, kill -9), the daemon sees the other end closed and
 * undoes everything. SIGINT, SIGTERM and SIGHUP do not end the command at once: they give the lease
 * up, so that what waits for the daemon fails and lease_cancel() is called, which waits for it and then
 * ends the process by that signal. A second one ends it without waiting.
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
 * @f. With options->foreground the calling process becomes the daemon (and exits with its code), and
 * a child returns from here as the command. */
int lease_start(const struct options *options, struct conf *conf, lease_run_fn run,
		struct fault *f);

/* Command: waits for "ready" or "up" (@word) and returns its number, or -errno with the daemon's
 * sentence. */
int lease_wait(int fd, const char *word, uint32_t *number, struct fault *f);
/* Command: 0, or -errno if the daemon has gone or a signal came before: as lease_cancel(). Closes @fd. */
int lease_commit(int fd);
/* Command: gives up; returns when the daemon has undone everything, if no signal was the cause. Closes
 * @fd. */
void lease_cancel(int fd);

/* Daemon: tells the command; fine if @fd is -1. */
void lease_tell(int fd, const char *word, uint32_t number);
void lease_tell_error(int fd, const struct fault *f);

/* Daemon: the fd is readable. 1: committed; 0: not yet; -EPIPE: the command has gone. */
int lease_read(int fd);

#endif
