/* SPDX-License-Identifier: MIT */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "conf/valuetext.h"
#include "sync/endpoint_rank.h"
#include "sync/resolver.h"

#define LOOKUPS_MAX 64 /* lookups that run at the same time */
#define TICK_NS (100 * NS_PER_MS)
#define RETRY_NS (1 * NS_PER_S)

struct waiting;

/* The lookup of one endpoint name. */
struct name {
	struct waiting *waiting;
	struct conf_peer *peer;
	bool looking, known;
	uint64_t look_up_ns;
};

struct waiting {
	struct conf *conf;
	struct loop *loop;
	struct resolver *resolver;
	struct netlink *netlink;
	struct loop_timer tick;
	struct name *names;
	uint32_t count, known, looking;
	uint64_t until_ns;
	unsigned said_s; /* the remaining seconds that were last printed */
	const char *why; /* reason of the last failure; NULL = no failure */
	int err;
	struct fault *f;
};

static unsigned rank(void *ctx, const struct endpoint *e)
{
	const struct waiting *w = ctx;
	const struct netlink_flow flow = { w->conf->fwmark, htons(w->conf->listen_port) };

	return endpoint_rank(w->netlink, e, &flow, 0);
}

static void know(struct name *name)
{
	name->known = true;
	name->waiting->known++;
}

/* Called for a name that neither DNS nor /etc/hosts has, and for an address with an interface
 * ("fe80::1%eth0"). Looks up the name with getaddrinfo(3), which also uses the other sources of
 * nsswitch.conf and knows the interfaces. @why is the reason to print if there is no such host. */
static void ask_name_services(struct name *name, const char *why)
{
	struct waiting *w = name->waiting;
	int err = conf_resolve(name->peer);

	if (!err)
		know(name);
	else if (err != -EAGAIN)
		w->err = fault(w->f, err, "%s:%u: %s: %s; check the Endpoint", w->conf->path,
			       name->peer->endpoint_line, name->peer->host, why);
}

static void on_answer(void *ctx, int err, const struct resolver_answer *answer, const char *why)
{
	struct name *name = ctx;
	struct waiting *w = name->waiting;
	uint32_t port = 0;

	name->looking = false;
	w->looking--;
	name->look_up_ns = loop_now_ns() + RETRY_NS;
	if (err == -ENOENT) {
		ask_name_services(name, why);
	} else if (err) {
		w->why = why;
	} else if (valuetext_number(name->peer->port, 10, UINT16_MAX, &port)) {
		name->peer->endpoint =
			endpoint_best(answer->addresses, answer->count, (uint16_t)port, rank, w);
		know(name);
	}
	loop_timer_arm(&w->tick, 0);
}

static const struct name *first_unknown(const struct waiting *w)
{
	for (uint32_t i = 0; i < w->count; i++)
		if (!w->names[i].known)
			return &w->names[i];
	return NULL;
}

/* Writes for example "vpn.example.net and 2 others". */
static void describe_unknown(const struct waiting *w, char *text, size_t room)
{
	const struct name *name = first_unknown(w);
	uint32_t others = w->count - w->known - 1;

	if (others)
		snprintf(text, room, "%.200s and %u other%s", name->peer->host, others,
			 others == 1 ? "" : "s");
	else
		snprintf(text, room, "%.200s", name->peer->host);
}

/* Prints how long the wait for DNS can still last: each second on a terminal, else once. */
static void say_waiting(struct waiting *w, uint64_t now_ns)
{
	unsigned left_s = (unsigned)((w->until_ns - now_ns + NS_PER_S - 1) / NS_PER_S);
	bool terminal = isatty(STDERR_FILENO);
	char which[256];

	if (left_s == w->said_s || left_s >= NAMES_WAIT_S || (w->said_s && !terminal))
		return;
	describe_unknown(w, which, sizeof(which));
	fprintf(stderr,
		terminal ? "\rwgxdp: %s: waiting %u s for DNS\033[K"
			 : "wgxdp: %s: waiting up to %u s for DNS\n",
		which, left_s);
	w->said_s = left_s;
}

static void on_tick(void *ctx, uint64_t now_ns)
{
	struct waiting *w = ctx;

	for (uint32_t i = 0; i < w->count && w->looking < LOOKUPS_MAX; i++) {
		struct name *name = &w->names[i];

		if (name->known || name->looking || now_ns < name->look_up_ns)
			continue;
		if (!resolver_look_up(w->resolver, name->peer->host, on_answer, name)) {
			w->err = fault(w->f, -ENOMEM, "cannot look up names: out of memory");
			return;
		}
		name->looking = true;
		w->looking++;
	}
	if (w->known < w->count && now_ns < w->until_ns)
		say_waiting(w, now_ns);
	loop_timer_arm(&w->tick, now_ns + TICK_NS);
}

static bool is_dns_name(const struct conf_peer *peer)
{
	return peer->named && !peer->own && !strchr(peer->host, ':');
}

static int collect_names(struct waiting *w)
{
	struct conf *conf = w->conf;

	w->names = calloc(conf->peer_count ? conf->peer_count : 1, sizeof(*w->names));
	if (!w->names)
		return fault(w->f, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < conf->peer_count && !w->err; i++) {
		struct name *name = &w->names[w->count];

		*name = (struct name){ .waiting = w, .peer = &conf->peers[i] };
		if (is_dns_name(name->peer))
			w->count++;
		else if (name->peer->named && !name->peer->own)
			ask_name_services(name, "there is no such interface");
	}
	return w->err;
}

static void warn_unknown(const struct waiting *w)
{
	const struct name *name = first_unknown(w);
	char which[256];
	struct fault sentence;

	describe_unknown(w, which, sizeof(which));
	fault(&sentence, 0,
	      "%s:%u: %s: %s; the tunnel comes up without this endpoint, and the daemon looks up "
	      "the name again",
	      w->conf->path, name->peer->endpoint_line, which, w->why ?: "DNS did not answer");
	cli_warn(NULL, sentence.text);
}

static int wait_for_names(struct waiting *w)
{
	int err = 0;

	w->until_ns = loop_now_ns() + NAMES_WAIT_S * NS_PER_S;
	loop_timer_init(&w->tick, w->loop, on_tick, w);
	loop_timer_arm(&w->tick, 0);
	while (!err && !w->err && w->known < w->count && loop_now_ns() < w->until_ns)
		err = loop_once(w->loop);
	if (w->said_s && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
	if (err)
		return fault(w->f, err, "event loop: %s", strerror(-err));
	if (!w->err && w->known < w->count)
		warn_unknown(w);
	return w->err;
}

int names_resolve(struct conf *conf, uint32_t fwmark, struct fault *f)
{
	struct waiting w = { .conf = conf, .f = f };
	int err = collect_names(&w);

	if (err || !w.count)
		goto out;
	w.loop = loop_new();
	w.resolver = w.loop ? resolver_new(w.loop, fwmark) : NULL;
	w.netlink = w.resolver ? netlink_open() : NULL;
	err = w.netlink ? wait_for_names(&w)
			: fault(f, -errno, "cannot look up names: %s", strerror(errno));
out:
	netlink_close(w.netlink);
	resolver_free(w.resolver);
	loop_free(w.loop);
	free(w.names);
	return err;
}
