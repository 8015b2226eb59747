/* SPDX-License-Identifier: MIT */
/*
 * endpoint_names.h - endpoints that are given by a name. This module decides when a name is looked
 * up again, and which answer replaces an endpoint. It makes no system call and has no clock.
 *
 *   endpoint_names_set ─▶ look up ─▶ answer ─▶ keep it; replace the endpoint, or not
 *                            ▲          │
 *                            └──────────┘  after the TTL (5 s to 1 h); after failures in 1, 2,
 *                                          4, 8, then each 16 s; and when a handshake has had
 *                                          no answer for 10 s
 *
 * An answer replaces the endpoint of a peer only if
 *   - the answer covers the address family of the endpoint and does not contain its address, so
 *     that a name whose answers contain different addresses in turn does not change the endpoint,
 *     and
 *   - no packet of the peer was authenticated for 15 s, and the endpoint was not set within 15 s,
 *     because the endpoint of a peer that sends packets is right, and
 *   - the endpoint came from the name. If the peer has roamed to another endpoint, either a later
 *     answer must contain no address of the answer before it (the peer has a new address), or a
 *     handshake must have had no answer for 10 s.
 * An answer that may not replace the endpoint yet is checked again when it may. So a peer with a
 * new address is found 15 s after its last packet, or at the end of the TTL.
 *
 * Control thread. All times are CLOCK_BOOTTIME in ns.
 */
#ifndef WGXDP_ENDPOINT_NAMES_H
#define WGXDP_ENDPOINT_NAMES_H

#include "sync/resolver.h"
#include "wg/device.h"

#define ENDPOINT_NAMES_TTL_MIN_S 5
#define ENDPOINT_NAMES_TTL_MAX_S 3600
#define ENDPOINT_NAMES_SILENCE_S 15
#define ENDPOINT_NAMES_LOOKUPS_MAX 64 /* at once; the others wait */
#define ENDPOINT_NAMES_WHY_LEN 96

/* The name of one peer. Opaque, except for the two members that belong to the implementation of
 * struct endpoint_names_ops. */
struct endpoint_name {
	void *lookup; /* what look_up() keeps here; NULL when no lookup is under way */
	struct endpoint_names *names;

	struct endpoint_name *next;
	struct peer *peer;
	char *host;
	uint16_t port;
	bool urgent;	       /* the next answer replaces any other endpoint immediately */
	bool marked;	       /* the next lookup carries the fwmark */
	bool asked;	       /* a lookup has ended since the name was set */
	bool looking;	       /* a lookup is under way */
	unsigned failures;     /* lookups in a row that failed */
	char why[64];	       /* of the last failure; "" = the last lookup succeeded */
	uint64_t look_up_ns;   /* when the next lookup begins */
	uint64_t last_look_ns; /* when the last one began; 0 = never */
	uint64_t review_ns; /* when the answer may replace the endpoint; LOOP_NEVER: it may not */
	struct endpoint given; /* the endpoint that the name gave; AF_UNSPEC: none yet */
	uint64_t given_ns;
	uint64_t moved_ns;	/* when an answer shared no address with the one before; 0: never */
	uint64_t unanswered_ns; /* when a handshake had had no answer for 10 s; 0: never */
	struct resolver_answer *answer; /* the newest that has addresses; NULL: none */
};

struct endpoint_names_ops {
	/* Begins to look up @host for @name. If @marked, the queries carry the device's fwmark. The
	 * result goes to endpoint_names_answered(), not before this function returns. Returns 0 or
	 * -errno. */
	int (*look_up)(void *ctx, struct endpoint_name *name, const char *host, bool marked);
	/* @name ends while its lookup is under way; no result may be given to it any more. */
	void (*cancel)(void *ctx, struct endpoint_name *name);
	/* Returns how good an endpoint is; 0 = no route. The endpoint with the highest number is
	 * used, or the first of several in the answer. */
	unsigned (*rank)(void *ctx, const struct endpoint *e);
	/* Returns true if a fwmark is set. A lookup without an answer is then repeated with the
	 * fwmark, because the queries may have been routed into a tunnel that is down. */
	bool (*has_fwmark)(void *ctx);
};

struct endpoint_names {
	struct device *device;
	const struct endpoint_names_ops *ops;
	void *ctx;
	struct endpoint_name **by_slot;
	uint32_t slot_count;
	struct endpoint_name *first;
	unsigned looking;     /* lookups under way */
	bool crowded;	      /* some lookups wait until others end */
	uint64_t next_ns;     /* when the next name must be handled; LOOP_NEVER: none */
	uint64_t earliest_ns; /* the names are not checked again before this time */
};

/* @device and @ops are borrowed. */
void endpoint_names_init(struct endpoint_names *n, struct device *device,
			 const struct endpoint_names_ops *ops, void *ctx);
void endpoint_names_done(struct endpoint_names *n); /* fine if all zero */

/* From now on the endpoint of @p is that of @host (no numeric address) at @port (host order); the
 * first lookup begins in the next endpoint_names_run(). @known is the endpoint that @host is known
 * to stand for, which the caller has set; it is replaced as any other. With NULL the first answer
 * replaces the endpoint that the peer has now, if it is not in the answer. Does nothing if the peer
 * has that name and port already. Returns 0 or -ENOMEM (the peer has the name that it had). */
int endpoint_names_set(struct endpoint_names *n, struct peer *p, const char *host, uint16_t port,
		       const struct endpoint *known, uint64_t now_ns);

/* The name no longer applies: an endpoint was set by hand, or the peer is being removed. The
 * endpoint stays. Fine if the peer has no name. */
void endpoint_names_forget(struct endpoint_names *n, const struct peer *p);

/* For device_ops: a handshake with the peer has had no answer for 10 s. */
void endpoint_names_unanswered(struct endpoint_names *n, const struct peer *p, uint64_t now_ns);

/* Reports the result of the lookup of @name; the arguments are those of resolver_fn. */
void endpoint_names_answered(struct endpoint_name *name, int err,
			     const struct resolver_answer *answer, const char *why,
			     uint64_t now_ns);

/* Handles names whose time has come. Call it at the time that endpoint_names_next() returns;
 * LOOP_NEVER: there is nothing to do. */
void endpoint_names_run(struct endpoint_names *n, uint64_t now_ns);
uint64_t endpoint_names_next(const struct endpoint_names *n);

/* For `show`: returns the host name from which the endpoint of @p comes and sets *@port, or returns
 * NULL if the endpoint does not come from a name. If the last lookup failed, or none has finished
 * yet, sets @why to the reason, worded to end a sentence; otherwise to "". */
const char *endpoint_names_describe(const struct endpoint_names *n, const struct peer *p,
				    uint16_t *port, char why[static ENDPOINT_NAMES_WHY_LEN],
				    uint64_t now_ns);

#endif
