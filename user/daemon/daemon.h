/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - one WireGuard interface and the process that serves it.
 *
 *   start: name lock ─▶ core ─▶ TUN ─▶ data plane ─▶ config ─▶ sockets ─▶ watches ─▶ "ready"
 *          then, with a config: the host's settings, among them link up ─▶ "up"
 *   link up ─▶ UDP sockets, workers, listen map              link down ─▶ the reverse
 *   end:   on SIGTERM, SIGINT or `wgxdp detach`; when the interface or wg's socket file is deleted;
 *          or when the attach command that started the daemon exits before attach has succeeded
 *
 * Only daemon.c and daemon_events.c know all modules. Each module owns its struct, its timers and
 * its descriptors; user/daemon/README.md shows who calls whom.
 */
#ifndef WGXDP_DAEMON_H
#define WGXDP_DAEMON_H

struct conf;
struct options;

/* Runs the interface until it is stopped, and removes everything that the daemon has created. @conf
 * may be NULL. The daemon wipes @conf after applying it. @lease_fd is the daemon's descriptor of
 * the lease (lease.h), or -1. Returns the exit code. */
int daemon_run(const struct options *options, struct conf *conf, int lease_fd);

#endif
