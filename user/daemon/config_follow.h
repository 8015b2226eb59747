/* SPDX-License-Identifier: MIT */
/*
 * config_follow.h - connects reload.h with the data plane, the host, the record of the hooks, and
 * the sources of reload requests. Control thread.
 */
#ifndef WGXDP_CONFIG_FOLLOW_H
#define WGXDP_CONFIG_FOLLOW_H

#include "daemon/confirm.h"
#include "daemon/ending.h"
#include "daemon/reload.h"
#include "daemon/sockets.h"
#include "dataplane/dataplane.h"

struct host;

struct config_follow {
	const struct options *options;
	struct dataplane *dataplane;
	struct host *host; /* NULL: another program, such as wg-quick(8), sets up the host */
	struct sockets *sockets;
	bool has_hooks; /* PreDown or PostDown in the last applied config */
	struct ending *ending;
	struct reload reload;
	struct confirm confirm;
};

/* Begins to follow the file of @conf, which has been applied. The caller has filled in the pointers
 * in @c, which are borrowed. This module owns *@conf afterwards. Returns 0, or -errno with @f
 * filled in. */
int config_follow_start(struct config_follow *c, struct loop *loop, struct endpoint_names *names,
			struct conf *conf, struct fault *f);
void config_follow_stop(struct config_follow *c); /* fine if it was never started */

/* SIGHUP reloads; after the commit the time for a confirmation begins. The context is a struct
 * config_follow. */
extern const struct ending_ops config_follow_ending_ops;

/* Removes the record of the hooks, or logs that they have not run. To be called before the daemon
 * releases the name of the interface. */
void config_follow_end_record(const struct config_follow *c, const struct ending *ending);

#endif
