/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - a byte queue that grows at the end and is consumed from the front. Keys pass through
 * the queue, so memory that it no longer uses is wiped. Only one thread at a time may use a buffer.
 *
 *   data        at              end        size
 *   ┌───────────┬───────────────┬──────────┐
 *   │ consumed  │   contents    │   room   │
 *   └───────────┴───────────────┴──────────┘
 */
#ifndef WGXDP_BUFFER_H
#define WGXDP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {		/* all zero = empty */
	char *data;	/* the allocated memory */
	size_t at, end; /* the contents are data[at..end) */
	size_t size;
	bool failed; /* memory ran out; stays set until buffer_done() */
};

/* Makes room for @n more bytes at b->data + b->end. Returns false if memory runs out now or ran out
 * in an earlier call. */
bool buffer_reserve(struct buffer *b, size_t n);

/* Append bytes or formatted text. If memory runs out, both functions append nothing and set
 * b->failed. */
void buffer_append(struct buffer *b, const void *data, size_t n);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline size_t buffer_len(const struct buffer *b)
{
	return b->end - b->at;
}

/* Removes @n bytes, at most buffer_len(), from the front and wipes them. */
void buffer_consume(struct buffer *b, size_t n);

/* Wipes and frees the memory. The buffer is then empty and can be used again. */
void buffer_done(struct buffer *b);

#endif
