/* SPDX-License-Identifier: MIT */
/* handoff.c - see handoff.h. */
#include "path/handoff.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "path/spsc.h"
#include "wgxdp/limits.h"

#define NOTES_LEN 4096
#define UNSENT_LEN 64 /* at least ICMP_BURST, the most that a worker adds at once */

struct handoff {
	struct spsc notes, messages, unsent;
	int event_fd;
	_Atomic bool kicked; /* event_fd has been written since the last handoff_clear() */
	_Atomic bool notes_lost;
	bool dirty; /* worker: an item was added to one of the rings since the last kick */
};

struct handoff *handoff_new(void)
{
	struct handoff *h = aligned_alloc(64, sizeof(*h));

	if (!h)
		return NULL;
	memset(h, 0, sizeof(*h));
	h->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (h->event_fd < 0 || !spsc_init(&h->notes, NOTES_LEN, sizeof(struct note)) ||
	    !spsc_init(&h->messages, HANDSHAKE_QUEUE_LEN, sizeof(struct handshake_message)) ||
	    !spsc_init(&h->unsent, UNSENT_LEN, sizeof(struct unsent_packet))) {
		handoff_free(h);
		return NULL;
	}
	return h;
}

void handoff_free(struct handoff *h)
{
	if (!h)
		return;
	if (h->event_fd >= 0)
		close(h->event_fd);
	spsc_done(&h->notes);
	spsc_done(&h->messages);
	spsc_done(&h->unsent);
	free(h);
}

int handoff_fd(const struct handoff *h)
{
	return h->event_fd;
}

bool handoff_note(struct handoff *h, const struct note *n)
{
	h->dirty = true;
	if (spsc_put(&h->notes, n))
		return true;
	atomic_store_explicit(&h->notes_lost, true, memory_order_release);
	return false;
}

bool handoff_message(struct handoff *h, const struct endpoint *from, const void *msg, uint16_t len)
{
	struct handshake_message m;

	if (len > sizeof(m.data))
		return false;
	m.from = *from;
	m.len = len;
	memcpy(m.data, msg, len);
	memset(m.data + len, 0, sizeof(m.data) - len);
	h->dirty = true;
	return spsc_put(&h->messages, &m);
}

bool handoff_unsent(struct handoff *h, const uint8_t *packet, size_t len, uint16_t mtu)
{
	struct unsent_packet u = { .mtu = mtu };

	u.len = (uint16_t)(len < sizeof(u.data) ? len : sizeof(u.data));
	memcpy(u.data, packet, u.len);
	h->dirty = true;
	return spsc_put(&h->unsent, &u);
}

void handoff_kick(struct handoff *h)
{
	if (!h->dirty)
		return;
	h->dirty = false;
	/* The write fails only when the counter is full, and then the eventfd is readable
	 * anyway. */
	if (!atomic_exchange_explicit(&h->kicked, true, memory_order_acq_rel))
		eventfd_write(h->event_fd, 1);
}

void handoff_wake(struct handoff *h)
{
	h->dirty = true;
	handoff_kick(h);
}

void handoff_clear(struct handoff *h)
{
	eventfd_t count;

	/* Read the eventfd before clearing the flag. In the other order, a kick in between would
	 * be consumed while the flag stays true, and no later kick would write to the eventfd. The
	 * exchange pairs with the exchange in handoff_kick(). If a kick found the flag true, the
	 * caller of this function sees the items that were added before that kick, because the
	 * caller empties the rings afterwards. */
	eventfd_read(h->event_fd, &count); /* EAGAIN: nothing was written */
	atomic_exchange_explicit(&h->kicked, false, memory_order_acq_rel);
}

bool handoff_take_note(struct handoff *h, struct note *n)
{
	return spsc_take(&h->notes, n);
}

bool handoff_take_message(struct handoff *h, struct handshake_message *m)
{
	return spsc_take(&h->messages, m);
}

bool handoff_take_unsent(struct handoff *h, struct unsent_packet *u)
{
	return spsc_take(&h->unsent, u);
}

bool handoff_notes_lost(struct handoff *h)
{
	return atomic_load_explicit(&h->notes_lost, memory_order_relaxed) &&
	       atomic_exchange_explicit(&h->notes_lost, false, memory_order_acquire);
}

unsigned handoff_messages_waiting(const struct handoff *h)
{
	return spsc_count(&h->messages);
}

bool handoff_unsent_waiting(const struct handoff *h)
{
	return spsc_count(&h->unsent) > 0;
}
