/* SPDX-License-Identifier: MIT */
/*
 * ctlserver.h - the daemon's side of wgxdp/control.h: JSON lines in, calls of struct ctlserver_ops
 * out. Control thread.
 */
#ifndef WGXDP_CTLSERVER_H
#define WGXDP_CTLSERVER_H

#include <jansson.h>

#include "control/server.h"

struct ctlserver_ops {
	/* A new object with the fields of control.h; NULL when out of memory. */
	json_t *(*show)(void *ctx);
	/* Turns debugging on or off. Returns as show(). */
	json_t *(*set_debug)(void *ctx, bool on);
	/* Ends the daemon. ctlserver_detached() answers when the teardown is done. */
	void (*detach)(void *ctx);
};

struct ctlserver;

/* Listens on /run/wgxdp/@interface.sock. Returns 0 or -errno with @f, as server_new(). */
int ctlserver_new(struct ctlserver **c, struct loop *loop, const char *interface,
		  const struct ctlserver_ops *ops, void *ctx, struct fault *f);

/* Sends {"ok":true} to all clients that asked for detach, and waits up to 1 s until they have taken
 * it. Call it when everything else is torn down, before ctlserver_free(). */
void ctlserver_detached(struct ctlserver *c);

void ctlserver_free(struct ctlserver *c); /* NULL is fine */

#endif
