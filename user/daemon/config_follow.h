/* SPDX-License-Identifier: MIT */
/*
 * config_follow.h - connects reload.h with the data plane, the host, the record of the hooks
 * (hook_record.h), and the sources of reload requests. Only the control thread calls these
 * functions.
 */
#ifndef WGXDP_CONFIG_FOLLOW_H
#define WGXDP_CONFIG_FOLLOW_H

#include "daemon/confirm.h"
#include "daemon/detach_child.h"
#include "daemon/ending.h"
#include "daemon/reload.h"
#include "daemon/sockets.h"
#include "dataplane/dataplane.h"

struct host;

struct config_follow {
	const struct options *options;
	struct dataplane *dataplane;
	struct host *host; /* NULL = another program, such as wg-quick(8), sets up the host */
	struct sockets *sockets;
	bool has_hooks; /* the last applied config has PreDown or PostDown */
	int hooks_err;	/* 0, or the -errno of recording the hooks in the last reload */
	struct fault hooks_fault;
	struct ending *ending;
	struct reload reload;
	struct confirm confirm;
	struct detach_child detach_child;
};

/* Begins to follow the file of @conf, which has been applied. The caller has set the pointers in
 * @c, which are borrowed. On success takes ownership of the contents of *@conf. Returns 0, or
 * -errno with @f filled in. */
int config_follow_start(struct config_follow *c, struct loop *loop, struct endpoint_names *names,
			struct conf *conf, struct fault *f);
void config_follow_stop(struct config_follow *c); /* does nothing if it was never started */

/* On SIGHUP, requests a reload. On a signal that ends the daemon, lets `wgxdp detach` end the
 * daemon if there are hooks or SaveConfig. When `attach --confirm` has succeeded, starts the time
 * limit for `wgxdp confirm`. The context is a struct config_follow. */
extern const struct ending_ops config_follow_ending_ops;

/* Removes the record of the hooks. If there are hooks that have not run, keeps the record instead,
 * and logs this. Call this before the daemon releases the name of the interface. */
void config_follow_end_record(const struct config_follow *c, const struct ending *ending);

#endif
