/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - tells the service manager, twice in each interval of its watchdog, that the daemon
 * works. The notification proves that the event loop runs, because the loop fires the timer, and
 * that each worker has run a turn since the last notification. If a worker hangs, the daemon is
 * silent, so systemd kills and restarts it. run_program() also notifies the service manager before
 * it waits for a program, because the daemon does not hang if several programs in a row are slow.
 * Control thread.
 */
#ifndef WGXDP_WATCHDOG_H
#define WGXDP_WATCHDOG_H

#include <stdbool.h>

#include "util/loop.h"

struct workers;

struct watchdog {
	struct workers *workers;
	struct loop_timer timer;
	bool silent; /* a worker hung at the last check */
};

/* Begins to notify the service manager. Does nothing unless the service manager requested watchdog
 * notifications (util/notify.h). */
void watchdog_start(struct watchdog *w, struct loop *loop, struct workers *workers);
void watchdog_stop(struct watchdog *w); /* does nothing if it was never started */

#endif
