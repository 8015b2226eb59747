/* SPDX-License-Identifier: MIT */
/*
 * handshake.c - messages of types 1 to 3. The cheapest checks come first, and no state of a peer
 * changes before the message has authenticated:
 *
 *   form ─▶ index known ─▶ mac1 ─▶ under load: mac2 or cookie reply ─▶ rate of the source ─▶ noise
 *
 * The state for answering an initiation is on the stack, so that our own pending initiation stays
 * valid. If both sides send an initiation at the same time, both handshakes succeed.
 */
#include <endian.h>
#include <string.h>

#include "crypto/wipe.h"
#include "wg/device_private.h"
#include "wgxdp/limits.h"

union message {
	struct wire_header header;
	struct wire_initiation initiation;
	struct wire_response response;
	struct wire_cookie cookie;
};

/* Sending ------------------------------------------------------------------------------------- */

/* Returns the Unix time in ns for the next initiation to @p. The returned time is always later than
 * the time in the last initiation, even if the wall clock was set back or the peer was removed and
 * added again. The difference is at least 2^24 ns, because noise_tai64n() may round a timestamp
 * down by almost 2^24 ns. */
static uint64_t next_tai64n(struct device *d, struct peer *p)
{
	uint64_t unix_ns = d->ops->unix_ns(d->ctx), least = p->last_tai64n_unix_ns + (1 << 24);

	if (unix_ns < least)
		unix_ns = least;
	p->last_tai64n_unix_ns = unix_ns;
	if (d->last_tai64n_unix_ns < unix_ns)
		d->last_tai64n_unix_ns = unix_ns;
	return unix_ns;
}

void handshake_drop(struct device *d, struct peer *p)
{
	if (p->handshake.state != NOISE_NONE) {
		indextab_del(d->indices, p->handshake.local_index);
		d->mirror->index_end(d->mirror_ctx, p->handshake.local_index);
	}
	noise_handshake_clear(&p->handshake);
}

/* Makes the initiation ([W] 5.4.2) and publishes its index. Returns false, with no
 * handshake pending, if the keys are unusable or a table is full. */
static bool create_initiation(struct device *d, struct peer *p, struct wire_initiation *msg)
{
	uint8_t ephemeral[WIRE_KEY_LEN], timestamp[WIRE_TIMESTAMP_LEN];
	uint32_t index;
	bool ok = false;

	if (keypairs_new_index(d, &index))
		return false;
	d->ops->random(d->ctx, ephemeral, sizeof(ephemeral));
	noise_tai64n(timestamp, next_tai64n(d, p));
	if (!noise_create_initiation(msg, &p->handshake, &d->identity, &p->remote, ephemeral,
				     timestamp, index))
		goto out;
	if (indextab_add(d->indices, index, p, NULL))
		goto clear;
	if (d->mirror->index_begin(d->mirror_ctx, index, p, true))
		goto forget;
	ok = true;
	goto out;

forget:
	indextab_del(d->indices, index);
clear:
	noise_handshake_clear(&p->handshake);
out:
	wipe(ephemeral, sizeof(ephemeral));
	return ok;
}

void handshake_initiate(struct device *d, struct peer *p, uint64_t now_ns)
{
	struct wire_initiation msg;
	uint32_t jitter;

	d->ops->random(d->ctx, &jitter, sizeof(jitter));
	timers_initiation_sent(&p->timers, now_ns, jitter % (REKEY_TIMEOUT_JITTER_MS + 1));
	handshake_drop(d, p);
	if (!create_initiation(d, p, &msg))
		return;
	cookie_sign(&p->cookie, &msg, sizeof(msg), now_ns);
	peer_timers_send(d, p, &msg, sizeof(msg), now_ns);
}

void handshake_begin(struct device *d, struct peer *p, uint64_t now_ns)
{
	if (!peer_timers_reachable(d, p))
		return;
	if (!p->timers.retry_at_ns && timers_may_initiate(&p->timers, now_ns))
		handshake_initiate(d, p, now_ns);
	else
		timers_handshake_wanted(&p->timers, now_ns);
}

/* Answers the initiation that was consumed into @hs ([W] 5.4.3). The session is
 * published before the response is sent, so that the peer's first data message finds the
 * session. */
static enum reason send_response(struct device *d, struct peer *p, struct noise_handshake *hs,
				 uint64_t now_ns)
{
	enum reason why = REASON_bad_handshake;
	uint8_t ephemeral[WIRE_KEY_LEN];
	struct wire_response msg;
	uint32_t index;

	if (keypairs_new_index(d, &index))
		return REASON_no_resources;
	d->ops->random(d->ctx, ephemeral, sizeof(ephemeral));
	if (!noise_create_response(&msg, hs, &p->remote, ephemeral, index))
		goto out;
	cookie_sign(&p->cookie, &msg, sizeof(msg), now_ns);
	why = REASON_no_resources;
	if (keypairs_begin(d, p, hs, now_ns))
		goto out;
	timers_response_sent(&p->timers, now_ns);
	peer_timers_send(d, p, &msg, sizeof(msg), now_ns);
	why = REASON_none;
out:
	wipe(ephemeral, sizeof(ephemeral));
	return why;
}

/* Receiving ----------------------------------------------------------------------------------- */

/* Updates the endpoint, counters and timers of @p after an authentic message from @from. */
static void note_authentic(struct device *d, struct peer *p, const struct endpoint *from,
			   size_t len, uint64_t now_ns)
{
	device_roamed(d, p, from);
	peer_received(p, 1, len, false, now_ns);
}

static enum reason consume_initiation(struct device *d, const struct wire_initiation *msg,
				      const struct endpoint *from, uint64_t now_ns)
{
	struct noise_handshake hs = { .state = NOISE_NONE };
	enum reason why = REASON_bad_handshake;
	struct peer *p, *proven = NULL;
	enum noise_verdict verdict;
	struct noise_incoming in;

	if (!noise_open_initiation(msg, &d->identity, &in))
		goto out;
	p = device_find(d, in.remote_static);
	if (!p)
		goto out;
	if (p->last_initiation_consumed_ns &&
	    now_ns < p->last_initiation_consumed_ns + NS_PER_S / INITIATIONS_PER_SECOND) {
		why = REASON_rate_limited;
		goto out;
	}
	if (noise_remote_unusable(&p->remote, &d->identity))
		goto out;
	verdict = noise_consume_initiation(msg, &in, &p->remote, &hs);
	if (verdict != NOISE_OK) {
		why = verdict == NOISE_OLD ? REASON_old_timestamp : REASON_bad_handshake;
		/* A replayed initiation is authentic, so the event names @p, even if another host
		 * sent the copy. */
		proven = verdict == NOISE_OLD ? p : NULL;
		goto out;
	}
	p->last_initiation_consumed_ns = now_ns;
	note_authentic(d, p, from, sizeof(*msg), now_ns);
	if (!peer_timers_reachable(d, p)) /* @p has no endpoint, and @from cannot be one */
		why = REASON_no_endpoint;
	else
		why = send_response(d, p, &hs, now_ns);
	peer_timers_schedule(d, p, now_ns);
out:
	if (why == REASON_bad_handshake || why == REASON_old_timestamp)
		d->ops->event(d->ctx, DEVICE_BAD_INITIATION, proven, from);
	noise_handshake_clear(&hs);
	wipe(&in, sizeof(in));
	return why;
}

/* Returns true if @index is the index of our pending initiation to @p. */
static bool is_pending(const struct peer *p, uint32_t index)
{
	return p->handshake.state == NOISE_CREATED_INITIATION && p->handshake.local_index == index;
}

static enum reason consume_response(struct device *d, struct peer *p,
				    const struct wire_response *msg, const struct endpoint *from,
				    uint64_t now_ns)
{
	if (!noise_consume_response(msg, &p->handshake, &d->identity, &p->remote)) {
		d->ops->event(d->ctx, DEVICE_BAD_RESPONSE, NULL, from);
		return REASON_bad_handshake;
	}
	note_authentic(d, p, from, sizeof(*msg), now_ns);
	if (keypairs_begin(d, p, &p->handshake, now_ns)) {
		peer_timers_schedule(d, p, now_ns);
		return REASON_no_resources;
	}
	peer_timers_handshake_done(d, p);
	/* The responder may send only after our first data message has arrived ([W]
	 * 6.1). So send the staged packets now, or a keepalive if no packet is staged. */
	peer_timers_keepalive(d, p, now_ns);
	peer_timers_schedule(d, p, now_ns);
	return REASON_none;
}

/* Sends a cookie reply ([W] 5.4.7) to an unauthenticated source. Changes no state of a
 * peer. */
static void send_cookie(struct device *d, const void *msg, size_t len, __le32 sender_index,
			const struct endpoint *from, uint64_t now_ns)
{
	uint8_t nonce[WIRE_COOKIE_NONCE_LEN], secret[WIRE_HASH_LEN];
	struct wire_cookie reply;

	if (endpoint_martian(from))
		return;
	if (cookie_secret_due(&d->checker, now_ns)) {
		d->ops->random(d->ctx, secret, sizeof(secret));
		cookie_secret_set(&d->checker, secret, now_ns);
		wipe(secret, sizeof(secret));
	}
	d->ops->random(d->ctx, nonce, sizeof(nonce));
	cookie_reply(&reply, &d->checker, msg, len, from, sender_index, nonce);
	d->ops->send(d->ctx, NULL, from, &reply, sizeof(reply));
	d->ops->event(d->ctx, DEVICE_COOKIE_SENT, NULL, from);
}

static enum reason check_form(const union message *m, size_t len)
{
	static const size_t lengths[] = {
		[WIRE_INITIATION] = sizeof(m->initiation),
		[WIRE_RESPONSE] = sizeof(m->response),
		[WIRE_COOKIE] = sizeof(m->cookie),
	};
	const uint8_t *reserved = m->header.reserved;

	if (m->header.type < WIRE_INITIATION || m->header.type > WIRE_COOKIE ||
	    len != lengths[m->header.type] || reserved[0] || reserved[1] || reserved[2])
		return REASON_malformed;
	return REASON_none;
}

/* Sets *@p to the peer whose index is in the response or cookie reply @m. The index of a cookie
 * reply may be that of a session, because a cookie reply may also answer our response. */
static enum reason find_receiver(const struct device *d, const union message *m, struct peer **p)
{
	uint32_t index;

	if (m->header.type == WIRE_INITIATION)
		return REASON_none;
	index = le32toh(m->header.type == WIRE_RESPONSE ? m->response.receiver_index
							: m->cookie.receiver_index);
	*p = indextab_peer(d->indices, index);
	if (!*p)
		return REASON_unknown_index;
	if (m->header.type == WIRE_RESPONSE && !is_pending(*p, index))
		return REASON_not_pending;
	return REASON_none;
}

/* Charges a handshake to its source, whose address was proven by mac2. Called only under load. A
 * message that was accepted before is refused without a charge, because an observer may have
 * replayed the message to use up the tokens of the source. */
static enum reason charge_source(struct device *d, const uint8_t mac2[static WIRE_MAC_LEN],
				 const struct endpoint *from, uint64_t now_ns)
{
	if (ratelimit_remembers(d->limiter, mac2))
		return REASON_old_timestamp;
	if (!ratelimit_take(d->limiter, from, now_ns))
		return REASON_rate_limited;
	ratelimit_remember(d->limiter, mac2);
	return REASON_none;
}

static enum reason check_macs(struct device *d, const union message *m, size_t len,
			      const struct endpoint *from, bool under_load, uint64_t now_ns)
{
	/* sender_index is at the same offset in initiations and responses. */
	__le32 sender_index = m->initiation.sender_index;

	_Static_assert(offsetof(struct wire_initiation, sender_index) ==
			       offsetof(struct wire_response, sender_index),
		       "[W] 5.4.2, 5.4.3");
	if (m->header.type == WIRE_COOKIE)
		return REASON_none;
	switch (cookie_check(&d->checker, m, len, from, now_ns)) {
	case COOKIE_BAD_MAC1:
		d->ops->event(d->ctx,
			      m->header.type == WIRE_INITIATION ? DEVICE_BAD_MAC1
								: DEVICE_BAD_RESPONSE,
			      NULL, from);
		return REASON_bad_mac1;
	case COOKIE_MAC1_ONLY:
		if (!under_load)
			return REASON_none;
		send_cookie(d, m, len, sender_index, from, now_ns);
		return REASON_no_mac2;
	case COOKIE_MAC2_VALID:
		if (under_load)
			return charge_source(d, (const uint8_t *)m + len - WIRE_MAC_LEN, from,
					     now_ns);
		break;
	}
	return REASON_none;
}

static enum reason consume_message(struct device *d, struct peer *p, const union message *m,
				   const struct endpoint *from, uint64_t now_ns)
{
	switch (m->header.type) {
	case WIRE_INITIATION:
		return consume_initiation(d, &m->initiation, from, now_ns);
	case WIRE_RESPONSE:
		return consume_response(d, p, &m->response, from, now_ns);
	}
	return cookie_consume(&p->cookie, &m->cookie, now_ns) ? REASON_none : REASON_bad_cookie;
}

enum reason handshake_input(struct device *d, const void *msg, size_t len,
			    const struct endpoint *from, bool under_load, uint64_t now_ns)
{
	enum reason why = REASON_malformed;
	struct peer *p = NULL;
	union message m; /* a copy, because @msg need not be aligned */

	if (len < sizeof(m.header) || len > sizeof(m))
		return why;
	memcpy(&m, msg, len);
	why = check_form(&m, len);
	if (why)
		return why;
	if (!d->up || !d->identity.set)
		return REASON_down;
	why = find_receiver(d, &m, &p);
	if (why)
		return why;
	why = check_macs(d, &m, len, from, under_load, now_ns);
	return why ? why : consume_message(d, p, &m, from, now_ns);
}
