/* SPDX-License-Identifier: MIT */
/*
 * ctlserver.h - the daemon's side of wgxdp/control.h: JSON lines in, calls of struct ctlserver_ops
 * out. Each connection has one request at a time: while a client waits for the answer to reload,
 * settle, detach or confirm, no further request of this client is read. Only the control thread may
 * call these functions.
 */
#ifndef WGXDP_CTLSERVER_H
#define WGXDP_CTLSERVER_H

#include <jansson.h>

#include "control/server.h"
#include "wg/device.h"

/* The progress of the reply to `show`. */
struct ctlserver_show {
	struct device_place peer; /* the last peer in the reply so far */
	uint64_t last_serial; /* peers with a greater serial are newer than the reply; omitted */
	char *tail;	      /* text after the peers; from malloc() */
};

struct ctlserver_ops {
	/* Append the reply of `show` in pieces; control.h lists its fields. show_begin() appends
	 * the text before the peers. Each call of show_more() appends one peer, or, after the last
	 * peer, the rest of the text. @at is all zero at first; the caller frees at->tail. Return
	 * SERVER_MORE if more follows, 0 if the answer is complete, or -ENOMEM. */
	int (*show_begin)(void *ctx, struct ctlserver_show *at, struct buffer *reply);
	int (*show_more)(void *ctx, struct ctlserver_show *at, struct buffer *reply);
	/* Turns debugging on or off. Returns the answer as a new object; NULL when out of
	 * memory. */
	json_t *(*set_debug)(void *ctx, bool on);
	/* Returns the answer with the last lines of the log, as a new object; NULL when out of
	 * memory. */
	json_t *(*logs)(void *ctx);
	/* Begins a reload of the config file. @exact: the device becomes exactly like the file, as
	 * with `wg syncconf`. @adopt: applies nothing; the file counts as applied, because
	 * `wgxdp save` has written it. Returns the number of the reload, or 0 with @f filled in if
	 * there is no file. When the reload has ended, ctlserver_reloaded() answers the client. */
	unsigned (*reload)(void *ctx, bool exact, bool adopt, struct fault *f);
	/* Returns the number of the reload that must end before the config file is applied. When
	 * the reload has ended, ctlserver_reloaded() answers the client. Returns 0 if there is no
	 * such reload, and sets *@error to the reason if the last reload failed. */
	unsigned (*settle)(void *ctx, const char **error);
	/* Confirms the tunnel, so that it stays. If @wait, does not confirm, but only checks that
	 * the decision is still open; ctlserver_decided() answers the client later. Returns NULL,
	 * or a sentence that says that there is nothing to confirm. */
	const char *(*confirm)(void *ctx, bool wait);
	/* Ends the daemon; ctlserver_detached() answers the client. Returns NULL, or a sentence
	 * that says why this is not possible. */
	const char *(*detach)(void *ctx);
};

struct ctlserver;

/* Listens on /run/wgxdp/@interface.sock. Returns 0, or -errno with @f filled in, like
 * server_new(). */
int ctlserver_new(struct ctlserver **c, struct loop *loop, const char *interface,
		  const struct ctlserver_ops *ops, void *ctx, struct fault *f);

/* Stops the handling of requests: no function of struct ctlserver_ops is called any more, but
 * deferred answers can still be sent. Call this before you close anything that those functions
 * use. */
void ctlserver_stop(struct ctlserver *c);

/* Sends {"ok":true} to all clients that requested detach, and waits up to 1 s until all clients
 * have received their answers. Call this after everything else has been closed, before
 * ctlserver_free(). */
void ctlserver_detached(struct ctlserver *c);

/* Sends the result to the clients that wait for reload number @run. @error: NULL, or the error
 * message. */
void ctlserver_reloaded(struct ctlserver *c, unsigned run, const char *error);

/* Tells the waiting clients whether the tunnel was confirmed (@stays) or the time has expired. */
void ctlserver_decided(struct ctlserver *c, bool stays);

void ctlserver_free(struct ctlserver *c); /* does nothing if @c is NULL */

#endif
