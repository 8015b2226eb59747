/* SPDX-License-Identifier: MIT */
#include "sync/resolver.h"

#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "wgxdp/limits.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define TIMEOUT_MS 2000
#define TRIES 2
/* A lookup that has found addresses of one family waits this much longer for the other family,
 * because some servers never answer queries for AAAA. */
#define PATIENCE_NS (2 * NS_PER_S)
#define LITERAL_TTL_S 60 /* for fe80::1%eth0, because a new link may get the name eth0 */

/* Identifies one version of a file. All zero = the file does not exist. */
struct file_state {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct resolver_query {
	struct resolver_query *next;
	struct resolver *resolver;
	resolver_fn fn; /* receives the result; NULL = cancelled or already called */
	void *ctx;
	unsigned pending;  /* number of families whose lookup has not ended */
	uint64_t until_ns; /* end of the wait for the other family; LOOP_NEVER = no end */
	bool exists;	   /* the name exists, even if it has no address records */
	const char *why;   /* reason of the last failure */
	struct resolver_answer answer;
};

/* The lookup of one family. c-ares holds a pointer to this struct until it calls half_ended(). */
struct half {
	struct resolver_query *query;
	int family;
};

struct resolver {
	struct loop *loop;
	uint32_t fwmark;
	ares_channel channel; /* NULL = not created yet */
	struct file_state state;
	struct loop_timer timer; /* armed for c-ares's next timeout or the next result to deliver */
	struct resolver_query *queries;
};

/* The channel ---------------------------------------------------------------------------------- */

static void rearm(struct resolver *r)
{
	struct timeval tv, *next = r->channel ? ares_timeout(r->channel, NULL, &tv) : NULL;
	uint64_t at_ns = LOOP_NEVER;

	if (next)
		at_ns = loop_now_ns() + (uint64_t)next->tv_sec * NS_PER_S +
			(uint64_t)next->tv_usec * 1000;
	for (const struct resolver_query *q = r->queries; q; q = q->next) {
		uint64_t ready_ns = q->pending ? q->until_ns : 0;

		if (ready_ns < at_ns)
			at_ns = ready_ns;
	}
	loop_timer_arm(&r->timer, at_ns);
}

static void on_socket(void *ctx, int fd, uint32_t events)
{
	struct resolver *r = ctx;
	bool failed = events & (EPOLLERR | EPOLLHUP);

	ares_process_fd(r->channel, failed || events & EPOLLIN ? fd : ARES_SOCKET_BAD,
			failed || events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	rearm(r);
}

/* Called when c-ares wants to read or write a socket, or is about to close the socket. */
static void watch_socket(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = ctx;
	uint32_t events = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);

	if (!events)
		loop_delete(r->loop, fd);
	else if (loop_modify(r->loop, fd, events))
		loop_add(r->loop, fd, events, on_socket, r); /* on failure the query times out */
}

static int mark_socket(ares_socket_t fd, int type, void *ctx)
{
	const struct resolver *r = ctx;

	(void)type;
	if (!r->fwmark)
		return 0;
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &r->fwmark, sizeof(r->fwmark));
}

static struct file_state state_of(const char *path)
{
	struct file_state s;
	struct stat st;

	memset(&s, 0, sizeof(s)); /* clear the padding, because states are compared as bytes */
	if (stat(path, &st))
		return s;
	s.device = st.st_dev;
	s.inode = st.st_ino;
	s.size = st.st_size;
	s.changed = st.st_mtim;
	return s;
}

/* Ends all running lookups: c-ares calls half_ended() for each. */
static void close_channel(struct resolver *r)
{
	if (r->channel)
		ares_destroy(r->channel);
	r->channel = NULL;
}

static int open_channel(struct resolver *r)
{
	struct ares_options options = {
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.sock_state_cb = watch_socket,
		.sock_state_cb_data = r,
	};
	struct file_state state = state_of(RESOLV_CONF);

	if (r->channel && memcmp(&state, &r->state, sizeof(state)) == 0)
		return 0;
	close_channel(r);
	if (ares_init_options(&r->channel, &options,
			      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB)) {
		r->channel = NULL;
		return -ENOMEM;
	}
	r->state = state;
	ares_set_socket_configure_callback(r->channel, mark_socket, r);
	return 0;
}

/* Answers -------------------------------------------------------------------------------------- */

static bool is_usable(struct endpoint *e, const struct ares_addrinfo_node *node, int family)
{
	struct sockaddr_storage sa = { 0 };

	if (node->ai_family != family || !node->ai_addr || node->ai_addr->sa_family != family ||
	    node->ai_addrlen <
		    (family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)))
		return false;
	memcpy(&sa, node->ai_addr,
	       family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	if (!endpoint_from_sockaddr(e, (struct sockaddr *)&sa))
		return false;
	/* endpoint_martian() rejects port 0, so set another port. Both families have the port at
	 * the same offset. */
	e->remote.v4.sin_port = htons(1);
	if (endpoint_martian(e) ||
	    (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&e->remote.v6.sin6_addr)))
		return false;
	e->remote.v4.sin_port = 0;
	return true;
}

static void lower_ttl(struct resolver_answer *a, int ttl_s)
{
	uint32_t n = ttl_s > 0 ? (uint32_t)ttl_s : 0;

	if (n < a->ttl_s)
		a->ttl_s = n;
}

void resolver_collect(struct resolver_answer *answer, const struct ares_addrinfo *found, int family)
{
	unsigned kept = 0;

	if (!found)
		return;
	for (const struct ares_addrinfo_cname *c = found->cnames; c; c = c->next)
		lower_ttl(answer, c->ttl);
	for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
		struct endpoint e;

		if (kept == RESOLVER_FAMILY_MAX || answer->count == RESOLVER_MAX)
			break;
		if (!is_usable(&e, node, family))
			continue;
		lower_ttl(answer, node->ai_ttl);
		answer->addresses[answer->count++] = e;
		kept++;
	}
}

static const char *reason_of(int status)
{
	switch (status) {
	case ARES_ETIMEOUT:
		return "DNS did not answer";
	case ARES_ECONNREFUSED:
		return "no DNS server can be reached";
	case ARES_ESERVFAIL:
		return "the DNS server could not resolve the name";
	case ARES_EREFUSED:
		return "the DNS server refused the query";
	case ARES_EDESTRUCTION:
	case ARES_ECANCELLED:
		return "the DNS servers were changed";
	case ARES_ENOMEM:
		return "out of memory";
	default:
		return "the answer of the DNS server is not valid";
	}
}

/* Puts IPv4 before IPv6, whichever lookup ended first. */
static void sort_families(struct resolver_answer *a)
{
	struct resolver_answer sorted = *a;
	unsigned n = 0;

	for (unsigned i = 0; i < a->count; i++)
		if (a->addresses[i].remote.sa.sa_family == AF_INET)
			sorted.addresses[n++] = a->addresses[i];
	for (unsigned i = 0; i < a->count; i++)
		if (a->addresses[i].remote.sa.sa_family == AF_INET6)
			sorted.addresses[n++] = a->addresses[i];
	*a = sorted;
}

static void half_ended(void *ctx, int status, int timeouts, struct ares_addrinfo *found)
{
	struct half *half = ctx;
	struct resolver_query *q = half->query;
	bool *has = half->family == AF_INET ? &q->answer.has_v4 : &q->answer.has_v6;

	(void)timeouts;
	/* EBADNAME: the text is not a valid name, so c-ares sends no query. Handle this like an
	 * answer that the name does not exist. */
	*has = status == ARES_SUCCESS || status == ARES_ENOTFOUND || status == ARES_ENODATA ||
	       status == ARES_EBADNAME;
	q->exists |= status == ARES_SUCCESS || status == ARES_ENODATA;
	if (!*has)
		q->why = reason_of(status);
	if (status == ARES_SUCCESS)
		resolver_collect(&q->answer, found, half->family);
	if (q->answer.count)
		q->until_ns = loop_now_ns() + PATIENCE_NS;
	if (found)
		ares_freeaddrinfo(found);
	free(half);
	q->pending--;
}

static void begin_half(struct resolver_query *q, const char *host, int family)
{
	const struct ares_addrinfo_hints hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM };
	struct half *half = malloc(sizeof(*half));

	if (!half) {
		q->why = reason_of(ARES_ENOMEM);
		return;
	}
	*half = (struct half){ q, family };
	q->pending++;
	ares_getaddrinfo(q->resolver->channel, host, NULL, &hints, half_ended, half);
}

/* Resolves a link-local address, such as "fe80::1%eth0", without DNS. While the link does not
 * exist, the answer is empty, because the address needs the ifindex of the link. */
static void resolve_literal(struct resolver_query *q, const char *host)
{
	const struct addrinfo hints = { .ai_family = AF_INET6,
					.ai_socktype = SOCK_DGRAM,
					.ai_flags = AI_NUMERICHOST };
	struct addrinfo *found = NULL;

	q->why = "there is no such interface";
	if (getaddrinfo(host, NULL, &hints, &found) == 0 &&
	    endpoint_from_sockaddr(&q->answer.addresses[0], found->ai_addr)) {
		q->answer.count = 1;
		q->answer.has_v6 = true;
		q->answer.ttl_s = LITERAL_TTL_S;
	}
	if (found)
		freeaddrinfo(found);
}

/* Queries -------------------------------------------------------------------------------------- */

/* Returns true if the lookups of both families have ended, or if the wait for the missing one is
 * over. */
static bool is_ready(const struct resolver_query *q, uint64_t now_ns)
{
	return !q->pending || now_ns >= q->until_ns;
}

/* Calls q->fn with the result. Does nothing if q->fn was called before, or if the query was
 * cancelled. */
static void deliver(struct resolver_query *q)
{
	struct resolver_answer *a = &q->answer;
	bool complete = a->has_v4 && a->has_v6;
	resolver_fn fn = q->fn;

	q->fn = NULL; /* later answers are ignored */
	q->until_ns = LOOP_NEVER;
	if (!fn)
		return;
	sort_families(a);
	if (a->count)
		fn(q->ctx, 0, a, NULL);
	else if (complete)
		fn(q->ctx, -ENOENT, a,
		   q->exists ? "the name has no address that a peer can have"
			     : "there is no such name");
	else
		fn(q->ctx, -EAGAIN, a, q->why);
}

static struct resolver_query *find_ready(struct resolver *r, uint64_t now_ns)
{
	struct resolver_query *q = r->queries;

	while (q && !is_ready(q, now_ns))
		q = q->next;
	return q;
}

static void unlink_query(struct resolver_query *q)
{
	struct resolver_query **at = &q->resolver->queries;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
}

static void on_timer(void *ctx, uint64_t now_ns)
{
	struct resolver *r = ctx;
	struct resolver_query *q;

	if (r->channel)
		ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	while ((q = find_ready(r, now_ns))) {
		bool ended = !q->pending;

		if (ended)
			unlink_query(q);
		deliver(q);
		if (ended)
			free(q);
	}
	rearm(r);
}

struct resolver *resolver_new(struct loop *loop, uint32_t fwmark)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = loop;
	r->fwmark = fwmark;
	loop_timer_init(&r->timer, loop, on_timer, r);
	return r;
}

void resolver_set_fwmark(struct resolver *r, uint32_t fwmark)
{
	if (r->fwmark == fwmark)
		return;
	r->fwmark = fwmark;
	close_channel(r);
	rearm(r);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	close_channel(r);
	for (struct resolver_query *q = r->queries, *next; q; q = next) {
		next = q->next;
		free(q);
	}
	loop_timer_done(&r->timer);
	free(r);
}

struct resolver_query *resolver_look_up(struct resolver *r, const char *host, resolver_fn fn,
					void *ctx)
{
	struct resolver_query *q = calloc(1, sizeof(*q));

	if (!q || open_channel(r)) {
		free(q);
		return NULL;
	}
	q->resolver = r;
	q->fn = fn;
	q->ctx = ctx;
	q->until_ns = LOOP_NEVER;
	q->answer.ttl_s = UINT32_MAX;
	q->next = r->queries;
	r->queries = q;
	if (strchr(host, ':')) {
		resolve_literal(q, host);
	} else {
		begin_half(q, host, AF_INET6);
		begin_half(q, host, AF_INET);
	}
	rearm(r);
	return q;
}

void resolver_cancel(struct resolver_query *q)
{
	if (q)
		q->fn = NULL;
}
