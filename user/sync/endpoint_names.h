/* SPDX-License-Identifier: MIT */
/*
 * endpoint_names.h - endpoints that are given by a name. This module decides when a name is looked
 * up again, and which answer replaces an endpoint. It makes no system call and has no clock.
 *
 *   endpoint_names_set ─▶ look up ─▶ answer ─▶ keep it; replace the endpoint, or not
 *                            ▲          │
 *                            └──────────┘  after the TTL (5 s to 1 h); 1, 2, 4, 8, then 16 s
 *                                          after a failure; 30 s after an answer without a
 *                                          usable address; and when a handshake has had no
 *                                          answer for 10 s
 *
 * Normally an answer replaces the endpoint of a peer only if all of these conditions hold:
 *   - The lookup of the endpoint's address family was answered, and the endpoint is not in the
 *     answer: its address is missing, or its port is not the port of the name. So an answer that
 *     only lists the addresses in another order changes nothing.
 *   - In the last 15 s, no packet of the peer was authenticated, and its endpoint was not replaced.
 *     A peer whose packets arrive needs no other endpoint.
 *   - The endpoint came from the name, or the peer has roamed to it and it seems stale: since the
 *     peer's last packet, an answer contained none of the addresses of the previous answer (the
 *     peer has a new address), or a handshake has had no answer for 10 s.
 * An answer that arrives within the 15 s is kept, and is checked again after the 15 s. There are
 * two exceptions. A peer that has no endpoint, or whose name was set by a reload, gets an address
 * of the first answer immediately. If the endpoint is in the answer but is dead (see
 * ENDPOINT_NAMES_DEAD_S), the next address of the answer is tried.
 *
 * Only the control thread calls these functions. All times are CLOCK_BOOTTIME in ns.
 */
#ifndef WGXDP_ENDPOINT_NAMES_H
#define WGXDP_ENDPOINT_NAMES_H

#include "sync/resolver.h"
#include "wg/device.h"

#define ENDPOINT_NAMES_TTL_MIN_S 5
#define ENDPOINT_NAMES_TTL_MAX_S 3600
#define ENDPOINT_NAMES_SILENCE_S 15
/* An endpoint is dead if this time has passed between the first and the last report that a
 * handshake has no answer. The reports come every 5 s, from 10 s to 80 s after the first
 * initiation. */
#define ENDPOINT_NAMES_DEAD_S 70
#define ENDPOINT_NAMES_LOOKUPS_MAX 64 /* lookups that run at the same time; the others wait */
#define ENDPOINT_NAMES_WHY_LEN 96

/* The name of one peer. Only endpoint_names.c uses the members, except for @lookup, which belongs
 * to the implementation of struct endpoint_names_ops. */
struct endpoint_name {
	void *lookup; /* handle that look_up() stores; NULL = no lookup runs */
	struct endpoint_names *names;

	struct endpoint_name *next;
	struct peer *peer;
	char *host;
	uint16_t port;
	bool urgent;	       /* if the next answer lacks the endpoint, replace it at once */
	bool marked;	       /* the next lookup carries the fwmark */
	bool looking;	       /* a lookup is running */
	unsigned failures;     /* number of consecutive lookups that failed */
	char why[64];	       /* reason of the last failure; "" = the last lookup succeeded */
	uint64_t look_up_ns;   /* time at which the next lookup begins */
	uint64_t last_look_ns; /* time at which the last lookup began; 0 = never */
	uint64_t review_ns;    /* when the answer may replace the endpoint; LOOP_NEVER = never */
	struct endpoint given; /* last endpoint that came from the name; AF_UNSPEC = none */
	uint64_t given_ns;     /* time at which @given was set */
	uint64_t moved_ns;     /* when the last answer with only new addresses arrived; 0 = never */
	struct {
		uint64_t first_ns;	/* first report of the current series; 0 = none */
		uint64_t last_ns;	/* newest report; 0 = never */
	} unanswered;			/* times of the reports that a handshake has no answer */
	struct resolver_answer *answer; /* newest answer with addresses; NULL = none */
};

struct endpoint_names_ops {
	/* Begins to look up @host for @name. If @marked, the queries carry the device's fwmark. The
	 * resolver passes the result to endpoint_names_answered(), but only after this function has
	 * returned. Returns 0 or -errno. */
	int (*look_up)(void *ctx, struct endpoint_name *name, const char *host, bool marked);
	/* Cancels the lookup of @name, because @name is being removed. The resolver must not call
	 * endpoint_names_answered() for this lookup. */
	void (*cancel)(void *ctx, struct endpoint_name *name);
	/* Returns the rank of an endpoint; 0 = no route. The endpoint with the highest rank is
	 * used; of several with this rank, the first in the answer. */
	unsigned (*rank)(void *ctx, const struct endpoint *e);
	/* Returns true if the device has a fwmark. If it has one, the retries of an unanswered
	 * lookup alternate between queries with and without the fwmark, because queries without it
	 * may have been routed into a tunnel that is down. */
	bool (*has_fwmark)(void *ctx);
};

struct endpoint_names {
	struct device *device;
	const struct endpoint_names_ops *ops;
	void *ctx;
	struct endpoint_name **by_slot;
	uint32_t slot_count;
	struct endpoint_name *first;
	unsigned looking;     /* number of lookups that are running */
	bool crowded;	      /* some lookups wait until others end */
	uint64_t next_ns;     /* when the next pass over the names is due; LOOP_NEVER = none */
	uint64_t earliest_ns; /* the next pass does not begin before this time */
};

/* Borrows @device and @ops. */
void endpoint_names_init(struct endpoint_names *n, struct device *device,
			 const struct endpoint_names_ops *ops, void *ctx);
void endpoint_names_done(struct endpoint_names *n); /* does nothing if *n is all zero */

/* Makes the endpoint of @p follow the name @host (not a numeric address) with @port (host order).
 * The next endpoint_names_run() begins the first lookup. @known is the address of @host that the
 * caller has already set as the endpoint; it may be replaced later. If @known is NULL, the first
 * answer replaces the peer's current endpoint, unless this endpoint has @port and an address of the
 * answer. Does nothing if the peer already has this name and port. Returns 0, or -ENOMEM with the
 * old name kept. */
int endpoint_names_set(struct endpoint_names *n, struct peer *p, const char *host, uint16_t port,
		       const struct endpoint *known, uint64_t now_ns);

/* Removes the name of @p, because its endpoint was set by hand or the peer is being removed. Does
 * not change the endpoint. Does nothing if the peer has no name. */
void endpoint_names_forget(struct endpoint_names *n, const struct peer *p);

/* Reports that a handshake with the peer has been unanswered for 10 s or more. Called through
 * device_ops before each further initiation. */
void endpoint_names_unanswered(struct endpoint_names *n, const struct peer *p, uint64_t now_ns);

/* Reports the result of the lookup of @name; the arguments are those of resolver_fn. */
void endpoint_names_answered(struct endpoint_name *name, int err,
			     const struct resolver_answer *answer, const char *why,
			     uint64_t now_ns);

/* Handles the names whose next step is due. Call this at the time that endpoint_names_next()
 * returns; LOOP_NEVER = no step is pending. */
void endpoint_names_run(struct endpoint_names *n, uint64_t now_ns);
uint64_t endpoint_names_next(const struct endpoint_names *n);

/* Returns the host name that the endpoint of @p follows and sets *@port, or returns NULL if the
 * endpoint follows no name. If the last lookup failed or no lookup has finished yet, sets @why to
 * the reason, worded as the end of a sentence. Otherwise sets @why to "". Used by `show`. */
const char *endpoint_names_describe(const struct endpoint_names *n, const struct peer *p,
				    uint16_t *port, char why[static ENDPOINT_NAMES_WHY_LEN],
				    uint64_t now_ns);

#endif
