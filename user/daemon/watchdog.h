/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - tells the service manager, twice in each interval of its watchdog, that the daemon
 * works. The notification proves that the event loop runs, because the loop fires the timer, and
 * that each worker has completed an iteration of its main loop since the last notification. If a
 * worker hangs, the daemon sends no notification, so systemd kills and restarts the daemon.
 *
 * While run_program() waits for a program such as resolvectl(1), the timer cannot fire. Therefore
 * run_program() notifies the service manager before each program. Only the control thread calls
 * these functions.
 */
#ifndef WGXDP_WATCHDOG_H
#define WGXDP_WATCHDOG_H

#include <stdbool.h>

#include "util/loop.h"

struct workers;

struct watchdog {
	struct workers *workers;
	struct loop_timer timer;
	bool silent; /* a worker hung at the last check, so no notification was sent */
};

/* Begins to notify the service manager. Does nothing unless the service manager requested watchdog
 * notifications (util/notify.h). */
void watchdog_start(struct watchdog *w, struct loop *loop, struct workers *workers);
void watchdog_stop(struct watchdog *w); /* does nothing if it was never started */

#endif
