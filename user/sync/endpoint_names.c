/* SPDX-License-Identifier: MIT */
#include "sync/endpoint_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sync/endpoint_rank.h"
#include "util/counter.h"
#include "wgxdp/limits.h"

#define SILENCE_NS (ENDPOINT_NAMES_SILENCE_S * NS_PER_S)
#define RETRY_MAX_SHIFT 4 /* failed lookups are repeated after 1, 2, 4, 8, then every 16 s */
#define NO_NAME_RETRY_S 30
#define DEAD_NS (ENDPOINT_NAMES_DEAD_S * NS_PER_S)
/* Two reports of unanswered handshakes that are further apart than this belong to different
 * attempts. */
#define SAME_ATTEMPT_NS (30 * NS_PER_S)
/* An unanswered handshake causes a new lookup of the name only if the last lookup began at least
 * this long ago. */
#define STALE_EVERY_NS (15 * NS_PER_S)
/* The least time between two passes over all names is PASS_EVERY_NS plus PASS_EVERY_NS_EACH for
 * each name. A pass costs about 20 ns for each name, so passes use at most 2 % of the control
 * thread's time. */
#define PASS_EVERY_NS (20 * NS_PER_MS)
#define PASS_EVERY_NS_EACH 1000

static struct endpoint_name *find(const struct endpoint_names *n, const struct peer *p)
{
	return p->slot < n->slot_count ? n->by_slot[p->slot] : NULL;
}

static void schedule_pass(struct endpoint_names *n, uint64_t at_ns)
{
	if (at_ns < n->next_ns)
		n->next_ns = at_ns;
}

/* Names ---------------------------------------------------------------------------------------- */

void endpoint_names_init(struct endpoint_names *n, struct device *device,
			 const struct endpoint_names_ops *ops, void *ctx)
{
	*n = (struct endpoint_names){
		.device = device, .ops = ops, .ctx = ctx, .next_ns = LOOP_NEVER
	};
}

void endpoint_names_done(struct endpoint_names *n)
{
	while (n->first)
		endpoint_names_forget(n, n->first->peer);
	free(n->by_slot);
	n->by_slot = NULL;
	n->slot_count = 0;
}

static int make_room(struct endpoint_names *n, uint32_t slot)
{
	struct endpoint_name **grown;
	uint32_t count = n->slot_count ? n->slot_count : 16;

	while (count <= slot)
		count *= 2;
	if (count == n->slot_count)
		return 0;
	grown = reallocarray(n->by_slot, count, sizeof(struct endpoint_name *));
	if (!grown)
		return -ENOMEM;
	memset(grown + n->slot_count, 0, (count - n->slot_count) * sizeof(struct endpoint_name *));
	n->by_slot = grown;
	n->slot_count = count;
	return 0;
}

int endpoint_names_set(struct endpoint_names *n, struct peer *p, const char *host, uint16_t port,
		       const struct endpoint *known, uint64_t now_ns)
{
	struct endpoint_name *name = find(n, p);

	if (name && name->port == port && strcmp(name->host, host) == 0)
		return 0;
	if (make_room(n, p->slot))
		return -ENOMEM;
	name = calloc(1, sizeof(*name));
	if (!name)
		return -ENOMEM;
	name->host = strdup(host);
	if (!name->host) {
		free(name);
		return -ENOMEM;
	}
	endpoint_names_forget(n, p);
	name->names = n;
	name->peer = p;
	name->port = port;
	name->review_ns = LOOP_NEVER;
	name->urgent = !known && p->endpoint.remote.sa.sa_family != AF_UNSPEC;
	if (known) {
		name->given = *known;
		name->given_ns = now_ns;
	}
	name->next = n->first;
	n->first = name;
	n->by_slot[p->slot] = name;
	schedule_pass(n, now_ns);
	return 0;
}

void endpoint_names_forget(struct endpoint_names *n, const struct peer *p)
{
	struct endpoint_name *name = find(n, p), **at;

	if (!name)
		return;
	if (name->looking) {
		n->ops->cancel(n->ctx, name);
		n->looking--;
		if (n->crowded) /* let a lookup begin that waits for a free place */
			schedule_pass(n, 0);
	}
	for (at = &n->first; *at != name; at = &(*at)->next)
		;
	*at = name->next;
	n->by_slot[p->slot] = NULL;
	free(name->answer);
	free(name->host);
	free(name);
}

/* Answers -------------------------------------------------------------------------------------- */

static bool same_address(const struct endpoint *a, const struct endpoint *b)
{
	if (a->remote.sa.sa_family != b->remote.sa.sa_family)
		return false;
	if (a->remote.sa.sa_family == AF_INET)
		return a->remote.v4.sin_addr.s_addr == b->remote.v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->remote.v6.sin6_addr, &b->remote.v6.sin6_addr) &&
	       a->remote.v6.sin6_scope_id == b->remote.v6.sin6_scope_id;
}

static bool has_address(const struct resolver_answer *a, const struct endpoint *e)
{
	for (unsigned i = 0; i < a->count; i++)
		if (same_address(&a->addresses[i], e))
			return true;
	return false;
}

/* Returns the endpoint to use, with the port of the name: the peer's current address if the answer
 * contains it, else the best address of the answer. */
static struct endpoint choose(const struct endpoint_name *name)
{
	const struct endpoint *now = &name->peer->endpoint;
	const struct endpoint_names *n = name->names;
	const struct resolver_answer *a = name->answer;

	for (unsigned i = 0; i < a->count; i++)
		if (same_address(&a->addresses[i], now))
			return endpoint_best(&a->addresses[i], 1, name->port, n->ops->rank, n->ctx);
	return endpoint_best(a->addresses, a->count, name->port, n->ops->rank, n->ctx);
}

/* Returns true if the peer's endpoint has an address of the newest answer, and the name's port. */
static bool is_named(const struct endpoint_name *name)
{
	const struct endpoint *e = &name->peer->endpoint;

	return has_address(name->answer, e) && e->remote.v4.sin_port == htons(name->port);
}

static bool share_address(const struct resolver_answer *a, const struct resolver_answer *b)
{
	for (unsigned i = 0; i < a->count; i++)
		if (has_address(b, &a->addresses[i]))
			return true;
	return false;
}

static bool covers_family(const struct resolver_answer *a, const struct endpoint *e)
{
	return e->remote.sa.sa_family == AF_INET ? a->has_v4 : a->has_v6;
}

static uint64_t last_heard(const struct endpoint_name *name)
{
	return counter_read(&name->peer->timers.last_received_ns);
}

/* Returns the time before which the endpoint must not be replaced, because the peer was heard or
 * the endpoint was set a short time ago. */
static uint64_t silent_at(const struct endpoint_name *name)
{
	uint64_t heard_ns = last_heard(name);
	uint64_t since_ns = heard_ns > name->given_ns ? heard_ns : name->given_ns;

	return since_ns ? since_ns + SILENCE_NS : 0;
}

/* Returns true if the peer has roamed to an endpoint that did not come from the name and that does
 * not seem stale. The endpoint seems stale if, since the peer's last packet, a handshake was
 * reported as unanswered, or a DNS answer contained no address of the previous answer. */
static bool has_roamed(const struct endpoint_name *name)
{
	return !endpoint_same_remote(&name->peer->endpoint, &name->given) &&
	       last_heard(name) >= name->moved_ns && last_heard(name) >= name->unanswered.last_ns;
}

static void set_endpoint(struct endpoint_name *name, const struct endpoint *e, uint64_t now_ns)
{
	name->urgent = false;
	name->given = *e;
	name->given_ns = now_ns;
	device_peer_redirect(name->names->device, name->peer, e, now_ns);
}

static void replace_endpoint(struct endpoint_name *name, uint64_t now_ns)
{
	struct endpoint e = choose(name);

	set_endpoint(name, &e, now_ns);
}

/* Returns true if the handshakes with the endpoint have had no answer for so long that another
 * address should be tried. */
static bool is_dead(const struct endpoint_name *name)
{
	return name->unanswered.first_ns && name->unanswered.first_ns >= name->given_ns &&
	       last_heard(name) < name->unanswered.first_ns &&
	       name->unanswered.last_ns >= name->unanswered.first_ns + DEAD_NS;
}

/* Sets the endpoint to the next address of the answer that has a route. The current endpoint is
 * also in the answer; it stays if no other address has a route. */
static void try_next(struct endpoint_name *name, uint64_t now_ns)
{
	const struct endpoint_names *n = name->names;
	const struct resolver_answer *a = name->answer;
	unsigned at = 0;

	while (!same_address(&a->addresses[at], &name->peer->endpoint))
		at++;
	for (unsigned i = 1; i < a->count; i++) {
		struct endpoint e = a->addresses[(at + i) % a->count];

		e.remote.v4.sin_port =
			htons(name->port); /* IPv6 has the port at this offset, too */
		if (!n->ops->rank(n->ctx, &e))
			continue;
		set_endpoint(name, &e, now_ns);
		return;
	}
	name->unanswered.first_ns = 0;
}

/* Replaces the endpoint with an address of the newest answer if the rules in endpoint_names.h allow
 * that now. If they will allow it only later, records that time in review_ns. */
static void review(struct endpoint_name *name, uint64_t now_ns)
{
	const struct endpoint *e = &name->peer->endpoint;

	name->review_ns = LOOP_NEVER;
	if (!name->answer)
		return;
	if (is_named(name)) {
		name->urgent = false;
		if (is_dead(name))
			try_next(name, now_ns);
	} else if (name->urgent || e->remote.sa.sa_family == AF_UNSPEC) {
		replace_endpoint(name, now_ns);
	} else if (covers_family(name->answer, e) && !has_roamed(name)) {
		if (now_ns >= silent_at(name))
			replace_endpoint(name, now_ns);
		else
			name->review_ns = silent_at(name);
	}
	schedule_pass(name->names, name->review_ns);
}

/* Keeps a copy of the answer. If there is no memory, keeps the previous answer. */
static void keep_answer(struct endpoint_name *name, const struct resolver_answer *answer,
			uint64_t now_ns)
{
	struct resolver_answer *kept = malloc(sizeof(*kept));

	if (!kept)
		return;
	*kept = *answer;
	if (name->answer ? !share_address(name->answer, kept)
			 : name->given_ns && !has_address(kept, &name->given))
		name->moved_ns = now_ns;
	free(name->answer);
	name->answer = kept;
}

static uint64_t ttl_ns(const struct resolver_answer *answer)
{
	uint64_t s = answer->ttl_s;

	if (s < ENDPOINT_NAMES_TTL_MIN_S)
		s = ENDPOINT_NAMES_TTL_MIN_S;
	return (s < ENDPOINT_NAMES_TTL_MAX_S ? s : ENDPOINT_NAMES_TTL_MAX_S) * NS_PER_S;
}

static void record_failure(struct endpoint_name *name, int err, const char *why, uint64_t now_ns)
{
	const struct endpoint_names *n = name->names;
	unsigned shift = name->failures < RETRY_MAX_SHIFT ? name->failures : RETRY_MAX_SHIFT;

	name->failures++;
	snprintf(name->why, sizeof(name->why), "%s", why);
	if (err == -ENOENT) {
		name->look_up_ns = now_ns + NO_NAME_RETRY_S * NS_PER_S;
	} else {
		name->look_up_ns = now_ns + (NS_PER_S << shift);
		name->marked = !name->marked && n->ops->has_fwmark(n->ctx);
	}
}

void endpoint_names_answered(struct endpoint_name *name, int err,
			     const struct resolver_answer *answer, const char *why, uint64_t now_ns)
{
	struct endpoint_names *n = name->names;

	name->looking = false;
	name->lookup = NULL;
	n->looking--;
	if (n->crowded)
		schedule_pass(n, now_ns);
	if (err) {
		record_failure(name, err, why, now_ns);
	} else {
		name->failures = 0;
		name->why[0] = '\0';
		name->look_up_ns = now_ns + ttl_ns(answer);
		keep_answer(name, answer, now_ns);
		review(name, now_ns);
	}
	schedule_pass(n, name->look_up_ns);
}

/* Time ----------------------------------------------------------------------------------------- */

void endpoint_names_unanswered(struct endpoint_names *n, const struct peer *p, uint64_t now_ns)
{
	struct endpoint_name *name = find(n, p);

	if (!name)
		return;
	if (last_heard(name) >= name->unanswered.first_ns ||
	    name->given_ns > name->unanswered.first_ns ||
	    now_ns > name->unanswered.last_ns + SAME_ATTEMPT_NS)
		name->unanswered.first_ns = now_ns;
	name->unanswered.last_ns = now_ns;
	/* Leave the replacement of the endpoint to the next pass. A replacement sends an
	 * initiation, and the caller is about to send one anyway. */
	name->review_ns = now_ns;
	if (!name->looking && now_ns >= name->last_look_ns + STALE_EVERY_NS)
		name->look_up_ns = now_ns;
	schedule_pass(n, now_ns);
}

static void begin_lookup(struct endpoint_name *name, uint64_t now_ns)
{
	struct endpoint_names *n = name->names;
	int err;

	name->last_look_ns = now_ns;
	name->looking = true;
	n->looking++;
	err = n->ops->look_up(n->ctx, name, name->host, name->marked);
	if (err)
		endpoint_names_answered(name, -EAGAIN, NULL, "out of memory", now_ns);
}

/* Handles one name if its next step is due, and records when the name must be handled again. */
static void run_name(struct endpoint_name *name, uint64_t now_ns)
{
	struct endpoint_names *n = name->names;

	if (name->review_ns <= now_ns)
		review(name, now_ns);
	schedule_pass(n, name->review_ns);
	if (name->looking)
		return;
	if (name->look_up_ns > now_ns)
		schedule_pass(n, name->look_up_ns);
	else if (n->looking < ENDPOINT_NAMES_LOOKUPS_MAX)
		begin_lookup(name, now_ns);
	else
		n->crowded = true;
}

void endpoint_names_run(struct endpoint_names *n, uint64_t now_ns)
{
	n->next_ns = LOOP_NEVER;
	n->earliest_ns = now_ns + PASS_EVERY_NS;
	n->crowded = false;
	for (struct endpoint_name *name = n->first; name; name = name->next) {
		run_name(name, now_ns);
		n->earliest_ns += PASS_EVERY_NS_EACH;
	}
}

uint64_t endpoint_names_next(const struct endpoint_names *n)
{
	return n->next_ns > n->earliest_ns ? n->next_ns : n->earliest_ns;
}

/* Report --------------------------------------------------------------------------------------- */

const char *endpoint_names_describe(const struct endpoint_names *n, const struct peer *p,
				    uint16_t *port, char why[static ENDPOINT_NAMES_WHY_LEN],
				    uint64_t now_ns)
{
	const struct endpoint_name *name = find(n, p);
	uint64_t wait_ns;

	why[0] = '\0';
	if (!name)
		return NULL;
	*port = name->port;
	wait_ns = name->look_up_ns > now_ns ? name->look_up_ns - now_ns : 0;
	if (!name->answer && !name->failures) /* no lookup has ended since the name was set */
		snprintf(why, ENDPOINT_NAMES_WHY_LEN, "DNS has not answered yet");
	else if (*name->why && name->looking)
		snprintf(why, ENDPOINT_NAMES_WHY_LEN, "%s, trying again", name->why);
	else if (*name->why)
		snprintf(why, ENDPOINT_NAMES_WHY_LEN, "%s, next try in %u s", name->why,
			 (unsigned)((wait_ns + NS_PER_S - 1) / NS_PER_S));
	return name->host;
}
