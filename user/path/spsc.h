/* SPDX-License-Identifier: MIT */
/*
 * spsc.h - a bounded ring between one producer and one consumer thread, items copied in and out.
 *
 *   producer                         consumer
 *   load  tail        (B)            load  head        (D)
 *   write items[head]                read  items[tail]
 *   store head, release (A)          store tail, release (C)
 *
 * A pairs with D: an item is complete before the consumer sees it. B pairs with C: an item is
 * copied out before its place is written again.
 */
#ifndef WGXDP_SPSC_H
#define WGXDP_SPSC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct spsc {
	_Alignas(64) _Atomic uint32_t head; /* written by the producer */
	_Alignas(64) _Atomic uint32_t tail; /* written by the consumer */
	_Alignas(64) uint32_t size;	    /* items, a power of two */
	uint32_t item;			    /* bytes of one */
	uint8_t *items;
};

/* @size: a power of two. False when out of memory. */
static inline bool spsc_init(struct spsc *r, uint32_t size, uint32_t item)
{
	atomic_init(&r->head, 0);
	atomic_init(&r->tail, 0);
	r->size = size;
	r->item = item;
	r->items = calloc(size, item);
	return r->items;
}

static inline void spsc_done(struct spsc *r)
{
	free(r->items);
	r->items = NULL;
}

/* Producer. False when full. */
static inline bool spsc_put(struct spsc *r, const void *item)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) == r->size) /* B */
		return false;
	memcpy(r->items + (size_t)(head & (r->size - 1)) * r->item, item, r->item);
	atomic_store_explicit(&r->head, head + 1, memory_order_release); /* A */
	return true;
}

/* Consumer. False when empty. */
static inline bool spsc_take(struct spsc *r, void *item)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (atomic_load_explicit(&r->head, memory_order_acquire) == tail) /* D */
		return false;
	memcpy(item, r->items + (size_t)(tail & (r->size - 1)) * r->item, r->item);
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release); /* C */
	return true;
}

/* Either thread. The other thread may have changed the count already. */
static inline uint32_t spsc_count(const struct spsc *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
	       atomic_load_explicit(&r->tail, memory_order_relaxed);
}

#endif
