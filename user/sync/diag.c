/* SPDX-License-Identifier: MIT */
#include "sync/diag.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "bpf/loader.h"
#include "conf/keytext.h"
#include "dataplane/dataplane.h"
#include "util/log.h"

/* "peer KEY (name) (address)" */
#define SUBJECT_LEN (KEYTEXT_BASE64_LEN + PEER_NAME_LEN + ENDPOINT_TEXT_LEN + 16)

/* A log line consists of @before, the peer or address (see subject()), and @behind. If @reason is
 * not REASON_none, each occurrence is a dropped packet, so the drop counter of @reason counts all
 * occurrences, with or without a line. */
static const struct {
	const char *before, *behind;
	enum reason reason;
} kinds[DIAG_DROP] = {
	[DEVICE_HANDSHAKE_RETRY] = { "Handshake for ",
				     " did not complete after 5 seconds, retrying", REASON_none },
	[DEVICE_HANDSHAKE_GIVEN_UP] = { "Handshake for ", " did not complete, giving up",
					REASON_none },
	[DEVICE_BAD_INITIATION] = { "Invalid handshake initiation from ", "", REASON_none },
	[DEVICE_BAD_MAC1] = { "Invalid initiation MAC from ", "", REASON_bad_mac1 },
	[DEVICE_BAD_RESPONSE] = { "Invalid handshake response from ", "", REASON_none },
	[DEVICE_SESSION_BEGUN] = { "Session with ", " begun", REASON_none },
	[DEVICE_KEEPALIVE_SENT] = { "Keepalive sent to ", "", REASON_none },
	[DEVICE_KEYS_WIPED] = { "Keys of ", " wiped", REASON_none },
	[DEVICE_COOKIE_SENT] = { "Cookie reply sent to ", "", REASON_none },
	[DIAG_UNALLOWED] = { "Packet has unallowed src IP ", "", REASON_unallowed_source },
};

static const char *const sentences[REASON_COUNT] = {
#define X(id, name, sentence) [id] = (sentence),
	FOREACH_REASON(X)
#undef X
};

static const char *const hooks[] = {
	[EVENT_XDP] = "XDP",
	[EVENT_NIC] = "TC on the NIC",
	[EVENT_EGRESS] = "TC egress",
	[EVENT_INGRESS] = "TC ingress",
};

bool diag_is_on(void)
{
	return log_get_level() >= LOG_LEVEL_DEBUG;
}

/* Limit of lines per second -------------------------------------------------------------------- */

/* Returns the index of the limit for @kind. All kinds with the same reason share one limit, because
 * the drop counter of the reason does not tell their occurrences apart. */
static unsigned limit_of(unsigned kind)
{
	bool is_drop = kind < DIAG_DROP && kinds[kind].reason != REASON_none;

	return is_drop ? DIAG_DROP + kinds[kind].reason : kind;
}

/* Returns how many packets were dropped for @reason since the last call. */
static uint64_t new_drops(struct diag *d, enum reason reason)
{
	uint64_t sums[REASON_COUNT], before = d->dropped[reason];

	dataplane_drops(d->dataplane, sums);
	d->dropped[reason] = sums[reason];
	return sums[reason] > before ? sums[reason] - before : 0;
}

static void end_second(struct diag *d, unsigned limit)
{
	bool is_drop = limit >= DIAG_DROP;
	enum reason reason = is_drop ? (enum reason)(limit - DIAG_DROP) : REASON_none;
	uint64_t all = is_drop ? new_drops(d, reason) : d->all[limit];

	if (all > d->said[limit])
		log_debug("%s... and %llu more like it",
			  is_drop ? sentences[reason] : kinds[limit].before,
			  (unsigned long long)(all - d->said[limit]));
	d->until_ns[limit] = d->said[limit] = d->all[limit] = 0;
}

/* Counts one occurrence of @kind. Returns true if a line may be written for it. */
static bool may_say(struct diag *d, unsigned kind)
{
	uint64_t now_ns = loop_now_ns();
	unsigned limit = limit_of(kind);

	if (!diag_is_on())
		return false;
	if (d->until_ns[limit] && now_ns >= d->until_ns[limit])
		end_second(d, limit);
	if (!d->until_ns[limit]) {
		d->until_ns[limit] = now_ns + NS_PER_S;
		loop_timer_arm_sooner(&d->second_timer, d->until_ns[limit]);
	}
	d->all[limit]++;
	if (d->said[limit] == DIAG_PER_S)
		return false;
	d->said[limit]++;
	return true;
}

/* Logs how many lines were left out, for each limit whose current period is over at @now_ns. Each
 * limit has its own periods of one second. A period begins at the first line after the previous
 * period has ended. */
static void end_seconds(void *ctx, uint64_t now_ns)
{
	struct diag *d = ctx;

	for (unsigned limit = 0; limit < DIAG_KINDS; limit++) {
		if (!d->until_ns[limit])
			continue;
		if (now_ns >= d->until_ns[limit])
			end_second(d, limit);
		else
			loop_timer_arm_sooner(&d->second_timer, d->until_ns[limit]);
	}
}

void diag_set(struct diag *d, bool on)
{
	if (on) {
		dataplane_drops(d->dataplane, d->dropped);
		log_set_level(LOG_LEVEL_DEBUG);
		log_debug("debugging is on");
	} else {
		end_seconds(d, UINT64_MAX);
		log_debug("debugging is off");
		log_set_level(d->quiet_level);
	}
	workers_set_debug(&d->dataplane->workers, on);
}

/* Lines ---------------------------------------------------------------------------------------- */

/* Writes the key and the name of the peer, if the peer is known, and an address: that of @from, or
 * the peer's endpoint if @from is NULL. */
static const char *subject(char text[static SUBJECT_LEN], const struct peer *peer,
			   const struct endpoint *from)
{
	char key[KEYTEXT_BASE64_LEN + 1], address[ENDPOINT_TEXT_LEN] = "no address";

	if (!from && peer)
		from = &peer->endpoint;
	if (from && from->remote.sa.sa_family != AF_UNSPEC)
		endpoint_text(from, address);
	if (!peer) {
		snprintf(text, SUBJECT_LEN, "%s", address);
		return text;
	}
	keytext_to_base64(key, peer->remote.public);
	snprintf(text, SUBJECT_LEN, "peer %s %s%s%s(%s)", key, *peer->name ? "(" : "", peer->name,
		 *peer->name ? ") " : "", address);
	return text;
}

void diag_event(struct diag *d, enum device_event event, const struct peer *peer,
		const struct endpoint *from)
{
	char text[SUBJECT_LEN];

	if (may_say(d, event))
		log_debug("%s%s%s", kinds[event].before, subject(text, peer, from),
			  kinds[event].behind);
}

void diag_unallowed(struct diag *d, const struct peer *peer, const struct endpoint *source)
{
	char text[SUBJECT_LEN], address[INET6_ADDRSTRLEN];
	const void *ip = source->remote.sa.sa_family == AF_INET
				 ? (const void *)&source->remote.v4.sin_addr
				 : (const void *)&source->remote.v6.sin6_addr;

	if (!may_say(d, DIAG_UNALLOWED))
		return;
	inet_ntop(source->remote.sa.sa_family, ip, address, sizeof(address));
	log_debug("%s(%s) from %s", kinds[DIAG_UNALLOWED].before, address,
		  subject(text, peer, NULL));
}

void diag_no_gso(const struct peer *peer, int error)
{
	char text[SUBJECT_LEN];

	log_info("%s: the kernel refused UDP segmentation (%s); datagrams to this peer are sent "
		 "one by one",
		 subject(text, peer, NULL), strerror(error));
}

/* Reads the addresses, the ports and the WireGuard message type from the head of a sampled packet.
 * Leaves an output unchanged if the head does not contain its value. */
static void read_head(const struct event *e, struct endpoint *from, struct endpoint *to, int *type)
{
	const uint8_t *ip = e->head;
	unsigned at = 0; /* offset of the UDP header */

	if (e->head_len >= 20 && ip[0] >> 4 == 4) {
		from->remote.v4.sin_family = to->remote.v4.sin_family = AF_INET;
		memcpy(&from->remote.v4.sin_addr, ip + 12, 4);
		memcpy(&to->remote.v4.sin_addr, ip + 16, 4);
		at = ip[9] == IPPROTO_UDP ? (ip[0] & 15U) * 4 : 0;
	} else if (e->head_len >= 40 && ip[0] >> 4 == 6) {
		from->remote.v6.sin6_family = to->remote.v6.sin6_family = AF_INET6;
		memcpy(&from->remote.v6.sin6_addr, ip + 8, 16);
		memcpy(&to->remote.v6.sin6_addr, ip + 24, 16);
		at = ip[6] == IPPROTO_UDP ? 40 : 0;
	}
	if (!at || at + 8 >= e->head_len)
		return;
	memcpy(&from->remote.v4.sin_port, ip + at, 2); /* the same offset as in IPv6 endpoints */
	memcpy(&to->remote.v4.sin_port, ip + at + 2, 2);
	*type = ip[at + 8];
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
	       "read_head() writes the port of either family at this offset");

static void on_sample(void *ctx, const struct event *e)
{
	struct diag *d = ctx;
	struct endpoint from = { 0 }, to = { 0 };
	char source[ENDPOINT_TEXT_LEN] = "?", destination[ENDPOINT_TEXT_LEN] = "?";
	int type = 0;

	if (e->reason >= REASON_COUNT || e->hook >= sizeof(hooks) / sizeof(*hooks) ||
	    e->head_len > sizeof(e->head))
		return;
	read_head(e, &from, &to, &type);
	if (from.remote.sa.sa_family != AF_UNSPEC) {
		endpoint_text(&from, source);
		endpoint_text(&to, destination);
	}
	if (e->reason == REASON_bad_mac1 && type == WIRE_INITIATION) {
		if (may_say(d, DEVICE_BAD_MAC1))
			log_debug("%s%s (dropped by %s)", kinds[DEVICE_BAD_MAC1].before, source,
				  hooks[e->hook]);
	} else if (may_say(d, DIAG_DROP + e->reason)) {
		log_debug("%s dropped a packet of %u bytes from %s to %s: %s", hooks[e->hook],
			  e->bytes, source, destination, sentences[e->reason]);
	}
}

static void on_events(void *ctx, int fd, uint32_t events)
{
	struct diag *d = ctx;

	(void)fd;
	(void)events;
	loader_events_read(d->dataplane->loader, diag_is_on() ? on_sample : NULL, d);
}

int diag_watch(struct diag *d)
{
	struct loader *loader = d->dataplane->loader;
	int fd = loader ? loader_events_fd(loader) : -1;

	return fd < 0 ? 0 : loop_add(d->loop, fd, EPOLLIN, on_events, d);
}

void diag_init(struct diag *d, struct loop *loop, struct dataplane *dataplane,
	       enum log_level quiet_level)
{
	*d = (struct diag){ .loop = loop, .dataplane = dataplane, .quiet_level = quiet_level };
	loop_timer_init(&d->second_timer, loop, end_seconds, d);
}

void diag_done(struct diag *d)
{
	loop_timer_done(&d->second_timer);
}
