/* SPDX-License-Identifier: MIT */
#include "daemon/watchdog.h"

#include "dataplane/workers.h"
#include "util/log.h"
#include "util/notify.h"

static void on_timer(void *ctx, uint64_t now_ns)
{
	struct watchdog *w = ctx;
	unsigned hung;

	loop_timer_arm(&w->timer, now_ns + notify_watchdog_ns() / 2);
	if (workers_probe(w->workers, &hung)) {
		w->silent = false;
		notify_watchdog();
		return;
	}
	if (!w->silent)
		log_error("worker %u hangs, so the service manager's watchdog gets no notification",
			  hung);
	w->silent = true;
}

void watchdog_start(struct watchdog *w, struct loop *loop, struct workers *workers)
{
	*w = (struct watchdog){ .workers = workers };
	loop_timer_init(&w->timer, loop, on_timer, w);
	if (notify_watchdog_ns())
		loop_timer_arm(&w->timer, 0);
}

void watchdog_stop(struct watchdog *w)
{
	loop_timer_done(&w->timer);
}
