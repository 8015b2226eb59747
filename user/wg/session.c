/* SPDX-License-Identifier: MIT */
/* session.c - see session.h. */
#include "wg/session.h"

#include <stdlib.h>
#include <string.h>

#include "crypto/wipe.h"
#include "wg/spin.h"
#include "wgxdp/limits.h"

struct session *session_new(struct peer *peer, const struct noise_keys *keys, bool initiator,
			    uint32_t local_index, uint32_t remote_index, uint64_t now_ns)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	memcpy(s->send_key, keys->send, sizeof(s->send_key));
	memcpy(s->recv_key, keys->recv, sizeof(s->recv_key));
	s->peer = peer;
	s->born_ns = now_ns;
	s->local_index = local_index;
	s->remote_index = remote_index;
	s->initiator = initiator;
	atomic_flag_clear(&s->lock);
	return s;
}

void session_free(void *session)
{
	if (!session)
		return;
	wipe(session, sizeof(struct session));
	free(session);
}

/* @now_ns of a worker may be earlier than born_ns, which the control thread has set. The difference
 * would then wrap, so compare with a sum instead. */
static bool older_than(const struct session *s, uint64_t seconds, uint64_t now_ns)
{
	return now_ns >= s->born_ns + seconds * NS_PER_S;
}

bool session_may_receive(const struct session *s, uint64_t now_ns)
{
	return !atomic_load_explicit(&s->revoked, memory_order_relaxed) &&
	       !older_than(s, REJECT_AFTER_TIME_S, now_ns);
}

bool session_may_send(const struct session *s, uint64_t now_ns)
{
	return session_may_receive(s, now_ns) &&
	       atomic_load_explicit(&s->send_counter, memory_order_relaxed) < REJECT_AFTER_MESSAGES;
}

/* Uses compare-and-swap, because a plain add would increase the counter even in a call that is
 * refused. After enough refused calls the counter would wrap, and counters would be used twice. */
bool session_take_counters(struct session *s, unsigned n, uint64_t *first)
{
	uint64_t next = atomic_load_explicit(&s->send_counter, memory_order_relaxed), after;
	bool enough;

	do {
		enough = next <= REJECT_AFTER_MESSAGES && n <= REJECT_AFTER_MESSAGES - next;
		if (!enough && next >= REJECT_AFTER_MESSAGES)
			return false;
		after = enough ? next + n : REJECT_AFTER_MESSAGES;
	} while (!atomic_compare_exchange_weak_explicit(
		&s->send_counter, &next, after, memory_order_relaxed, memory_order_relaxed));
	if (enough)
		*first = next;
	return enough;
}

bool session_renew_after_send(const struct session *s, uint64_t now_ns)
{
	if (atomic_load_explicit(&s->send_counter, memory_order_relaxed) >= REKEY_AFTER_MESSAGES)
		return true;
	return s->initiator && older_than(s, REKEY_AFTER_TIME_S, now_ns);
}

bool session_renew_after_receive(const struct session *s, uint64_t now_ns)
{
	return s->initiator &&
	       older_than(s, REJECT_AFTER_TIME_S - KEEPALIVE_TIMEOUT_S - REKEY_TIMEOUT_S, now_ns);
}

void session_lock(struct session *s)
{
	spin_lock(&s->lock);
}

void session_unlock(struct session *s)
{
	spin_unlock(&s->lock);
}
