/* SPDX-License-Identifier: MIT */
/*
 * uapi.h - the configuration protocol that wg(8) speaks ([contract] 1): lines in, calls on the
 * device and reply text out. No system calls.
 *
 *   "set=1" key=value ... ""  ─▶ each line applies as it is read ─▶ "errno=N\n\n", N = 0 or negative
 *   "get=1" ""                ─▶ the whole configuration         ─▶ ... "errno=N\n\n", N = 0 or positive
 *   anything else             ─▶ the connection is closed without a word
 *
 * After an error the rest of that operation is read and has no effect. What replace_allowed_ips=true
 * replaces goes when the lines of its peer end, less what they give to it again. Control thread.
 */
#ifndef WGXDP_UAPI_H
#define WGXDP_UAPI_H

#include "control/server.h"
#include "util/buffer.h"
#include "wg/device.h"

#define UAPI_LINE_MAX 1024 /* bytes of a line; the longest meaningful one has 79 */

/* What belongs to the node rather than to the device. Returns 0 or -errno (only its sign matters:
 * what the other side is told is EADDRINUSE). A port of 0 lets the kernel choose. */
struct uapi_ops {
	int (*set_listen_port)(void *ctx, uint16_t port);
	int (*set_fwmark)(void *ctx, uint32_t fwmark);
	uint16_t (*listen_port)(void *ctx); /* as bound; 0 = none */
	uint32_t (*fwmark)(void *ctx);
	uint64_t (*now_ns)(void *ctx); /* BOOTTIME, for device.h */
};

/* Where all connections of one socket lead to; lives as long as the server. */
struct uapi {
	struct device *device;
	const struct uapi_ops *ops;
	void *ctx; /* for ops */
};

enum uapi_operation { UAPI_NONE, UAPI_GET, UAPI_SET };

/* One connection. All zero but for @uapi = fresh. Peers are remembered by key, not by pointer: they
 * may vanish between two lines. */
struct uapi_session {
	struct uapi *uapi;
	enum uapi_operation operation;
	int error;     /* 0 or the first -errno of this operation */
	bool has_peer; /* lines are for the peer @peer_key ... */
	bool skip;     /* ... which is not there (removed, own key, update_only): no effect */
	bool fresh;    /* ... which this operation made, by the line "public_key=" just before */
	bool replaces; /* ... whose allowed IPs are being replaced */
	uint8_t peer_key[WIRE_KEY_LEN];
};

/* Takes one line (without its newline; may be altered and wiped) and appends what there is to
 * answer. Returns 0, or -errno: close the connection. */
int uapi_line(struct uapi_session *s, char *line, size_t len, struct buffer *reply);

/* The above as a protocol of server.h; its context is a struct uapi. */
extern const struct server_protocol uapi_protocol;

#endif
