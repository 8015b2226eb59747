/* SPDX-License-Identifier: MIT */
/*
 * config_follow.h - connects reload.h with the data plane, the host, the record of the hooks and
 * those who ask for a reload. Control thread.
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
	struct host *host; /* NULL: somebody else sets the host up, such as wg-quick(8) */
	struct sockets *sockets;
	bool has_hooks; /* PreDown or PostDown in the last applied config */
	struct ending *ending;
	struct reload reload;
	struct confirm confirm;
};

/* @conf, which has been applied, follows its file from now on. The pointers in @c are filled in and
 * borrowed. Takes over *@conf. 0/-errno with @f. */
int config_follow_start(struct config_follow *c, struct loop *loop, struct endpoint_names *names,
			struct conf *conf, struct fault *f);
void config_follow_stop(struct config_follow *c); /* fine if it was never started */

/* SIGHUP reloads; after the commit the time for a confirmation begins. The context is a struct
 * config_follow. */
extern const struct ending_ops config_follow_ending_ops;

/* Removes the record of the hooks, or says that they have not run. The last step of the daemon that
 * owns the name of the interface. */
void config_follow_end_record(const struct config_follow *c, const struct ending *ending);

#endif
