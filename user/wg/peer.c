/* SPDX-License-Identifier: MIT */
#include "wg/peer.h"

#include <stdlib.h>

#include "crypto/wipe.h"

struct peer *peer_new(const struct noise_identity *id, const uint8_t public[static WIRE_KEY_LEN])
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	noise_remote_set(&p->remote, id, public);
	cookie_maker_init(&p->cookie, public);
	stage_init(&p->stage);
	atomic_flag_clear(&p->roaming_lock);
	p->slot = UINT32_MAX;
	p->deadline_ns = TIMERS_NEVER;
	return p;
}

void peer_free(void *peer)
{
	struct peer *p = peer;

	if (!p)
		return;
	session_free(atomic_load_explicit(&p->current, memory_order_relaxed));
	session_free(atomic_load_explicit(&p->next, memory_order_relaxed));
	session_free(p->previous);
	stage_purge(&p->stage);
	wipe(p, sizeof(*p));
	free(p);
}

static void count(_Atomic uint64_t *packets, _Atomic uint64_t *bytes, unsigned n, uint64_t size)
{
	atomic_fetch_add_explicit(packets, n, memory_order_relaxed);
	atomic_fetch_add_explicit(bytes, size, memory_order_relaxed);
}

bool peer_sent(struct peer *p, unsigned packets, uint64_t bytes, bool data, uint64_t now_ns)
{
	count(&p->tx_packets, &p->tx_bytes, packets, bytes);
	return timers_sent(&p->timers, data, now_ns);
}

bool peer_received(struct peer *p, unsigned packets, uint64_t bytes, bool data, uint64_t now_ns)
{
	count(&p->rx_packets, &p->rx_bytes, packets, bytes);
	return timers_received(&p->timers, data, now_ns);
}
