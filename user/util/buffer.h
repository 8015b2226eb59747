/* SPDX-License-Identifier: MIT */
/*
 * buffer.h - bytes that grow at the end and are taken from the front. What it held is wiped before
 * memory is given back or moved: keys pass through it. One thread.
 */
#ifndef WGXDP_BUFFER_H
#define WGXDP_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {		/* all zero = empty */
	char *data;	/* the allocation */
	size_t at, end; /* data[at..end) is what it holds */
	size_t size;
	bool failed; /* something did not fit into memory; sticky until buffer_done() */
};

/* Makes room for @n more bytes at b->data + b->end. False when out of memory. */
bool buffer_reserve(struct buffer *b, size_t n);

void buffer_append(struct buffer *b, const void *data, size_t n);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline size_t buffer_len(const struct buffer *b)
{
	return b->end - b->at;
}

/* Takes @n bytes from the front, wiping them. */
void buffer_consume(struct buffer *b, size_t n);

/* Wipes and frees; the buffer is empty again. */
void buffer_done(struct buffer *b);

#endif
