/* SPDX-License-Identifier: MIT */
#include "sync/diag.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "conf/keytext.h"
#include "daemon/daemon.h"
#include "util/log.h"

/* "peer KEY (name) (address)" */
#define SUBJECT_LEN (KEYTEXT_BASE64_LEN + PEER_NAME_LEN + ENDPOINT_TEXT_LEN + 16)

/* What is said around the subject; and the reason by which it is counted, if it dies and is no message
 * of a kind that shares it. */
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

/* So many a second ------------------------------------------------------------------------------- */

static enum reason reason_of(unsigned kind)
{
	return kind < DIAG_DROP ? kinds[kind].reason : (enum reason)(kind - DIAG_DROP);
}

static void end_second(struct daemon *n, unsigned kind)
{
	enum reason reason = reason_of(kind);
	struct diag *d = &n->diag;
	uint64_t all = d->all[kind], drops[REASON_COUNT];

	if (reason) {
		report_drops(n, drops);
		all = drops[reason] > d->dropped[reason] ? drops[reason] - d->dropped[reason] : 0;
		d->dropped[reason] = drops[reason];
	}
	if (all > d->said[kind])
		log_debug("%s... and %llu more like it",
			  kind < DIAG_DROP ? kinds[kind].before : sentences[reason],
			  (unsigned long long)(all - d->said[kind]));
	d->until_ns[kind] = d->said[kind] = d->all[kind] = 0;
}

/* May one more of @kind be said? */
static bool may_say(struct daemon *n, unsigned kind)
{
	uint64_t now_ns = loop_now_ns();
	struct diag *d = &n->diag;

	if (!diag_is_on())
		return false;
	if (d->until_ns[kind] && now_ns >= d->until_ns[kind])
		end_second(n, kind);
	if (!d->until_ns[kind])
		d->until_ns[kind] = now_ns + NS_PER_S;
	d->all[kind]++;
	if (d->said[kind] == DIAG_PER_S)
		return false;
	d->said[kind]++;
	return true;
}

void diag_tick(struct daemon *n, uint64_t now_ns)
{
	for (unsigned kind = 0; kind < DIAG_KINDS; kind++)
		if (n->diag.until_ns[kind] && now_ns >= n->diag.until_ns[kind])
			end_second(n, kind);
}

uint64_t diag_next(const struct daemon *n)
{
	uint64_t next = UINT64_MAX;

	for (unsigned kind = 0; kind < DIAG_KINDS; kind++)
		if (n->diag.until_ns[kind] && n->diag.until_ns[kind] < next)
			next = n->diag.until_ns[kind];
	return next;
}

void diag_set(struct daemon *n, bool on)
{
	if (on) {
		report_drops(n, n->diag.dropped);
		log_set_level(LOG_LEVEL_DEBUG);
		log_debug("debugging is on");
	} else {
		diag_tick(n, UINT64_MAX);
		log_debug("debugging is off");
		log_set_level(n->quiet_level);
	}
	workers_set_debug(n, on);
}

/* What is said ----------------------------------------------------------------------------------- */

/* The peer if it is known, with the address that it came from or, if @from is NULL, goes to. */
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

void diag_event(struct daemon *n, enum device_event event, const struct peer *peer,
		const struct endpoint *from)
{
	char text[SUBJECT_LEN];

	if (may_say(n, event))
		log_debug("%s%s%s", kinds[event].before, subject(text, peer, from),
			  kinds[event].behind);
}

void diag_unallowed(struct daemon *n, const struct peer *peer, const struct endpoint *source)
{
	char text[SUBJECT_LEN], address[INET6_ADDRSTRLEN];
	const void *ip = source->remote.sa.sa_family == AF_INET
				 ? (const void *)&source->remote.v4.sin_addr
				 : (const void *)&source->remote.v6.sin6_addr;

	if (!may_say(n, DIAG_UNALLOWED))
		return;
	inet_ntop(source->remote.sa.sa_family, ip, address, sizeof(address));
	log_debug("%s(%s) from %s", kinds[DIAG_UNALLOWED].before, address,
		  subject(text, peer, NULL));
}

/* Where the sample's packet came from and went to, and the type of a message of ours; what its head
 * does not show is left alone. */
static void read_head(const struct event *e, struct endpoint *from, struct endpoint *to, int *type)
{
	const uint8_t *ip = e->head;
	unsigned at = 0; /* of UDP */

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
	memcpy(&from->remote.v4.sin_port, ip + at, 2); /* where IPv6 has it, too */
	memcpy(&to->remote.v4.sin_port, ip + at + 2, 2);
	*type = ip[at + 8];
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
	       "read_head() writes either");

void diag_sample(struct daemon *n, const struct event *e)
{
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
		if (may_say(n, DEVICE_BAD_MAC1))
			log_debug("%s%s (dropped by %s)", kinds[DEVICE_BAD_MAC1].before, source,
				  hooks[e->hook]);
	} else if (may_say(n, DIAG_DROP + e->reason)) {
		log_debug("%s dropped a packet of %u bytes from %s to %s: %s", hooks[e->hook],
			  e->bytes, source, destination, sentences[e->reason]);
	}
}
