/* SPDX-License-Identifier: MIT */
/*
 * uapi.h - the configuration protocol that wg(8) speaks. uapi.c turns the lines of a client into
 * calls of device.h and into reply text, and makes no system call.
 *
 *   "set=1" key=value ... ""  ─▶ each line is applied at once ─▶ "errno=N\n\n", N = 0 or negative
 *   "get=1" ""                ─▶ the whole configuration      ─▶ "errno=0\n\n"
 *   anything else             ─▶ the connection is closed without an answer
 *
 * After an error, the rest of the operation is read and has no effect. With
 * replace_allowed_ips=true, the old allowed IPs are removed at the end of the peer's section, so
 * that a prefix that is given again is never absent. Runs in the control thread.
 */
#ifndef WGXDP_UAPI_H
#define WGXDP_UAPI_H

#include "control/server.h"
#include "util/buffer.h"
#include "wg/device.h"

#define UAPI_LINE_MAX 1024 /* bytes of a line; the longest valid line has 78 */

/* Settings that belong to the data plane and not to the device. The setters return 0 or -errno, and
 * the client gets EADDRINUSE whatever the error. For port 0 the kernel chooses a port. */
struct uapi_ops {
	int (*set_listen_port)(void *ctx, uint16_t port);
	int (*set_fwmark)(void *ctx, uint32_t fwmark);
	uint16_t (*listen_port)(void *ctx); /* the port in use or to be used; 0 = none chosen yet */
	uint32_t (*fwmark)(void *ctx);
	uint64_t (*now_ns)(void *ctx); /* CLOCK_BOOTTIME, for calls of device.h */
	/* The client has set an endpoint to an address, so the endpoint no longer follows a
	 * name. */
	void (*endpoint_set)(void *ctx, struct peer *peer);
};

/* Shared by all connections of one socket; lives as long as the server. */
struct uapi {
	struct device *device;
	const struct uapi_ops *ops;
	void *ctx; /* context of ops */
};

enum uapi_operation { UAPI_NONE, UAPI_GET, UAPI_SET };

/* One connection. A new one is all zero except for @uapi. The peer is remembered by its key,
 * because the peer may be removed between two lines. */
struct uapi_session {
	struct uapi *uapi;
	enum uapi_operation operation;
	int error;     /* first -errno of this operation, or 0 */
	bool has_peer; /* the lines apply to the peer with the key peer_key */
	bool skip;     /* the lines have no effect (peer removed, our own key, update_only) */
	bool fresh;    /* the line public_key= of this section has created the peer */
	bool replaces; /* the allowed IPs of this peer are being replaced */
	uint8_t peer_key[WIRE_KEY_LEN];
	uint64_t clear_serial; /* UAPI_SET: peers up to this serial are being removed; 0 = none */
	/* UAPI_GET: @got is the last peer in the reply so far. Peers with a serial above
	 * last_serial are omitted, because they were added after the reply began. */
	struct device_place got;
	uint64_t last_serial;
};

/* Handles one line without its newline, and appends the reply, if there is one. Alters the line.
 * Returns 0; SERVER_MORE if uapi_more() must finish the work before the next line; or -errno to
 * close the connection. */
int uapi_line(struct uapi_session *s, char *line, size_t len, struct buffer *reply);

/* For get=1, appends the next peer or the end of the reply. For replace_peers=, removes some of the
 * old peers. Peers may be added and removed between two calls. Returns the same values as
 * uapi_line(). */
int uapi_more(struct uapi_session *s, struct buffer *reply);

/* The protocol for server.h. Its context is a struct uapi. */
extern const struct server_protocol uapi_protocol;

#endif
