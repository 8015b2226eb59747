/* SPDX-License-Identifier: MIT */
/*
 * core.h - runs the protocol core (user/wg) in this process: the device, the timer that drives it,
 * the reclamation of objects that workers may still be using, and the wiping of all keys after the
 * host was suspended, restored or cloned. Only the control thread calls these functions.
 */
#ifndef WGXDP_CORE_H
#define WGXDP_CORE_H

#include "path/qsbr.h"
#include "path/suspend.h"
#include "util/fault.h"
#include "util/loop.h"
#include "wg/device.h"

struct device_ops_env;
struct options;
struct vmgenid;

struct core {
	struct loop *loop;
	struct device device;
	struct qsbr *qsbr;
	struct suspend suspend;
	struct vmgenid *vmgenid;	  /* NULL = a restore or clone is not noticed */
	struct loop_timer protocol_timer; /* fires at the device's next deadline */
	struct loop_timer collect_timer;  /* armed while workers may use retired objects */
};

/* Selects the AEAD backend, locks memory and makes an empty device. The device calls device_ops_all
 * with the context @env, and mapsync_mirror with the context @mapsync. Returns 0, or -errno with @f
 * filled in. */
int core_init(struct core *c, struct loop *loop, const struct options *options,
	      struct device_ops_env *env, void *mapsync, struct fault *f);

/* Watches for suspends, and for reports that this virtual machine was restored or cloned. */
void core_watch(struct core *c);

/* Arms the timers. Call this before each wait of the loop. */
void core_before_wait(struct core *c);

/* Removes all peers. Their objects are retired (path/qsbr.h), but not freed yet. */
void core_stop(struct core *c);
/* Frees the retired objects. All workers must have been freed. core_stop() and core_done() may be
 * called even if core_init() failed or was never called. */
void core_done(struct core *c);

#endif
