/* SPDX-License-Identifier: MIT */
/*
 * spsc.h - a bounded ring between one producer thread and one consumer thread. Items are copied in
 * and out.
 *
 *   producer                         consumer
 *   load  tail        (B)            load  head        (D)
 *   write items[head]                read  items[tail]
 *   store head, release (A)          store tail, release (C)
 *
 * A pairs with D: the consumer sees only complete items. B pairs with C: the producer overwrites an
 * item only after the consumer has copied it.
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
	uint32_t item;			    /* size of one item in bytes */
	uint8_t *items;
};

/* @size: number of items, a power of two. @item: bytes of one item. Returns false when out of
 * memory. */
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

/* Producer: adds a copy of @item. Returns false if the ring is full. The letters A to D refer to
 * the diagram at the top of this file. */
static inline bool spsc_put(struct spsc *r, const void *item)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) == r->size) /* B */
		return false;
	memcpy(r->items + (size_t)(head & (r->size - 1)) * r->item, item, r->item);
	atomic_store_explicit(&r->head, head + 1, memory_order_release); /* A */
	return true;
}

/* Consumer: moves the oldest item to @item. Returns false if the ring is empty. */
static inline bool spsc_take(struct spsc *r, void *item)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (atomic_load_explicit(&r->head, memory_order_acquire) == tail) /* D */
		return false;
	memcpy(item, r->items + (size_t)(tail & (r->size - 1)) * r->item, r->item);
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release); /* C */
	return true;
}

/* Either thread: returns the number of items. The other thread may be changing it. */
static inline uint32_t spsc_count(const struct spsc *r)
{
	return atomic_load_explicit(&r->head, memory_order_relaxed) -
	       atomic_load_explicit(&r->tail, memory_order_relaxed);
}

#endif
