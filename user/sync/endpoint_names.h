/* SPDX-License-Identifier: MIT */
/*
 * endpoint_names.h - endpoints that are given by a name: when names are looked up again, and which
 * answer replaces an endpoint. The module makes no system call and has no clock.
 *
 *   endpoint_names_set ─▶ look up ─▶ answer ─▶ keep it; replace the endpoint, or not
 *                            ▲          │
 *                            └──────────┘  after the TTL (5 s to 1 h); after failures in 1, 2,
 *                                          4, 8, then each 16 s; 10 s into a handshake that
 *                                          nobody answers
 *
 * An answer replaces the endpoint of a peer only if
 *   - the address of the endpoint is not in the answer, which has to cover its address family:
 *     a name that stands for several addresses in turn does not move a peer, and
 *   - no packet of the peer was authenticated for 15 s, and the endpoint was not set within 15 s: a
 *     peer that can be heard is where it is, and
 *   - the endpoint is one that the name gave. If the peer has roamed from there, a later answer
 *     must be without any address of the answer before it (the peer has moved after it roamed), or
 *     a handshake must have had no answer for 10 s.
 * An answer that may not replace the endpoint yet is looked at again as soon as it may. So a peer
 * that moved is found 15 s after it was last heard, or at the end of the TTL.
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

/* The name of one peer. Opaque but for the two members of the implementation of struct
 * endpoint_names_ops. */
struct endpoint_name {
	void *lookup; /* what look_up() keeps here; NULL when no lookup is under way */
	struct endpoint_names *names;

	struct endpoint_name *next;
	struct peer *peer;
	char *host;
	uint16_t port;
	bool urgent;	       /* the next answer replaces any other endpoint at once */
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
	/* How good an endpoint is: 0 cannot be routed; the highest number wins, among equals the
	 * first of the answer. */
	unsigned (*rank)(void *ctx, const struct endpoint *e);
	/* Is a fwmark set? Then a lookup that had no answer is repeated with it, because the
	 * queries may have been routed into a tunnel that is down. */
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
	bool crowded;	      /* some wait until others end */
	uint64_t next_ns;     /* no name has anything to do before; LOOP_NEVER */
	uint64_t earliest_ns; /* the next pass over the names; limits how often there is one */
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

/* The result of the lookup of @name, as resolver_fn has it. */
void endpoint_names_answered(struct endpoint_name *name, int err,
			     const struct resolver_answer *answer, const char *why,
			     uint64_t now_ns);

/* Does what is due; to be called at endpoint_names_next(), which is LOOP_NEVER if nothing is. */
void endpoint_names_run(struct endpoint_names *n, uint64_t now_ns);
uint64_t endpoint_names_next(const struct endpoint_names *n);

/* For `show`: the host and port from which the endpoint of @p comes; NULL if from none. @why gets
 * the end of a sentence if the last lookup failed or none has ended, else "". */
const char *endpoint_names_describe(const struct endpoint_names *n, const struct peer *p,
				    uint16_t *port, char why[static ENDPOINT_NAMES_WHY_LEN],
				    uint64_t now_ns);

#endif
