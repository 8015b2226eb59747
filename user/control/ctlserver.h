/* SPDX-License-Identifier: MIT */
/*
 * ctlserver.h - the daemon's side of wgxdp/control.h: JSON lines in, calls of struct ctlserver_ops
 * out. Control thread.
 */
#ifndef WGXDP_CTLSERVER_H
#define WGXDP_CTLSERVER_H

#include <jansson.h>

#include "control/server.h"
#include "wg/device.h"

/* How far the answer to `show` has come. */
struct ctlserver_show {
	struct device_place peer; /* the last one that is in it */
	uint64_t last_serial;	  /* peers that were added since are left out */
	char *tail;		  /* what follows the peers; from malloc() */
};

struct ctlserver_ops {
	/* Append the answer to `show`, whose fields control.h lists, in pieces: what precedes
	 * the first peer; then at each call one peer, or what follows the last. @at begins all
	 * zero; its owner frees the tail. Return 1: more follows; 0: the answer is complete; or
	 * -ENOMEM. */
	int (*show_begin)(void *ctx, struct ctlserver_show *at, struct buffer *reply);
	int (*show_more)(void *ctx, struct ctlserver_show *at, struct buffer *reply);
	/* Turns debugging on or off. Returns a new object; NULL when out of memory. */
	json_t *(*set_debug)(void *ctx, bool on);
	/* The last lines of the log. Returns a new object; NULL when out of memory. */
	json_t *(*logs)(void *ctx);
	/* Begins a reload of the config file, or takes what is in the file for applied (@adopt).
	 * Returns its number for ctlserver_reloaded(), which answers; or 0 with @f: there is no
	 * file. */
	unsigned (*reload)(void *ctx, bool exact, bool adopt, struct fault *f);
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

/* Answers the clients that asked for reload number @run. @error: NULL, or what went wrong. */
void ctlserver_reloaded(struct ctlserver *c, unsigned run, const char *error);

void ctlserver_free(struct ctlserver *c); /* NULL is fine */

#endif
