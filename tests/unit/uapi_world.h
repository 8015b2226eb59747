/* SPDX-License-Identifier: MIT */
/*
 * uapi_world.h - a connection over which wg(8) configures a real struct device. Everything around
 * the device is simulated.
 *
 *   begin() ─▶ say("set=1\n...") ─▶ heard() ─▶ end()
 */
#ifndef WGXDP_TEST_UAPI_WORLD_H
#define WGXDP_TEST_UAPI_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/valuetext.h"
#include "control/uapi.h"

/* Device ops ---------------------------------------------------------------------------------- */

static unsigned sent;

static void op_random(void *ctx, void *out, size_t n)
{
	(void)ctx;
	randombytes_buf(out, n);
}

static uint64_t op_unix_ns(void *ctx)
{
	(void)ctx;
	return 1700000000 * NS_PER_S;
}

static int op_send(void *ctx, struct peer *peer, const struct endpoint *to, const void *msg,
		   size_t len)
{
	(void)ctx, (void)peer, (void)to, (void)msg, (void)len;
	sent++;
	return 0;
}

static int op_index_begin(void *ctx, uint32_t index, const struct peer *peer, bool pending)
{
	(void)ctx, (void)index, (void)peer, (void)pending;
	return 0;
}

static void op_index_end(void *ctx, uint32_t index)
{
	(void)ctx, (void)index;
}

static unsigned peers_max; /* size of the simulated BPF map of peers */
static unsigned peers;

static int op_peer_begin(void *ctx, const struct peer *peer)
{
	(void)ctx, (void)peer;
	if (peers == peers_max)
		return -ENOSPC;
	peers++;
	return 0;
}

static void op_peer_end(void *ctx, const struct peer *peer)
{
	(void)ctx, (void)peer;
	peers--;
}

static void op_peer_changed(void *ctx, struct peer *peer, enum peer_change change)
{
	(void)ctx, (void)peer, (void)change;
}

static void op_identity_changed(void *ctx)
{
	(void)ctx;
}

static int op_allowed_begin(void *ctx, const struct prefix *prefix, const struct peer *peer)
{
	(void)ctx, (void)prefix, (void)peer;
	return 0;
}

static char ended[256]; /* allowed IPs that were removed, each followed by a blank */

static void op_allowed_end(void *ctx, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_LEN];
	size_t len = strlen(ended);

	(void)ctx;
	snprintf(ended + len, sizeof(ended) - len, "%s ", prefix_text(prefix, text));
}

static void op_flush(void *ctx, struct peer *peer)
{
	(void)ctx, (void)peer;
}

static void op_retire(void *ctx, void *object, void (*release)(void *object))
{
	(void)ctx;
	release(object);
}

static void op_event(void *ctx, enum device_event event, const struct peer *peer,
		     const struct endpoint *from)
{
	(void)ctx, (void)event, (void)peer, (void)from;
}

static const struct device_mirror device_mirror = {
	.index_begin = op_index_begin,
	.index_end = op_index_end,
	.peer_begin = op_peer_begin,
	.peer_end = op_peer_end,
	.identity_changed = op_identity_changed,
	.allowed_begin = op_allowed_begin,
	.allowed_end = op_allowed_end,
};

static const struct device_ops device_ops = {
	.random = op_random,
	.unix_ns = op_unix_ns,
	.send = op_send,
	.peer_changed = op_peer_changed,
	.flush = op_flush,
	.retire = op_retire,
	.event = op_event,
};

/* Node ops ------------------------------------------------------------------------------------ */

struct node {
	uint16_t port;
	uint32_t mark;
};

static int set_listen_port(void *ctx, uint16_t port)
{
	struct node *n = ctx;

	if (port == 666) /* any error: uapi.c reports each one as EADDRINUSE */
		return -EACCES;
	n->port = port;
	return 0;
}

static int set_fwmark(void *ctx, uint32_t mark)
{
	struct node *n = ctx;

	if (mark == 666)
		return -EPERM;
	n->mark = mark;
	return 0;
}

static uint16_t listen_port(void *ctx)
{
	return ((struct node *)ctx)->port;
}

static uint32_t fwmark(void *ctx)
{
	return ((struct node *)ctx)->mark;
}

static uint64_t now_ns(void *ctx)
{
	(void)ctx;
	return 1000 * NS_PER_S;
}

static unsigned endpoints_set;

static void endpoint_set(void *ctx, struct peer *peer)
{
	(void)ctx, (void)peer;
	endpoints_set++;
}

static const struct uapi_ops uapi_ops = { set_listen_port, set_fwmark, listen_port,
					  fwmark,	   now_ns,     endpoint_set };

/* Conversation -------------------------------------------------------------------------------- */

struct world {
	struct device device;
	struct node node;
	struct uapi uapi;
	struct uapi_session session;
	struct buffer reply;
};

static inline void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	peers = sent = endpoints_set = 0;
	ended[0] = '\0';
	peers_max = 1000;
	assert_int_equal(device_init(&w->device, &device_ops, w, &device_mirror, w), 0);
	w->uapi = (struct uapi){ &w->device, &uapi_ops, &w->node };
	w->session.uapi = &w->uapi;
}

static inline void end(struct world *w)
{
	device_done(&w->device);
	buffer_done(&w->reply);
}

/* Sends the lines of @text. Returns 0, or the -errno with which a line closed the connection. */
static inline int say(struct world *w, const char *text)
{
	int err = 0;

	while (*text && !err) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		err = uapi_line(&w->session, line, len, &w->reply);
		while (err > 0)
			err = uapi_more(&w->session, &w->reply);
		free(line);
		text += len + (text[len] == '\n');
	}
	return err;
}

/* Returns the answers since the last call. */
static inline const char *heard(struct world *w)
{
	static char text[65536];
	size_t len = buffer_len(&w->reply);

	assert_true(len < sizeof(text));
	if (len)
		memcpy(text, w->reply.data + w->reply.at, len);
	text[len] = '\0';
	if (len)
		buffer_consume(&w->reply, len);
	return text;
}

#endif
