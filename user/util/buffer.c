/* SPDX-License-Identifier: MIT */
#include "util/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/wipe.h"

#define SIZE_MIN 1024

bool buffer_reserve(struct buffer *b, size_t n)
{
	size_t len = buffer_len(b), size = b->size ? b->size : SIZE_MIN;
	char *data;

	if (b->failed)
		return false;
	if (n <= b->size - b->end)
		return true;
	if (b->at && n <= b->size - len) {
		memmove(b->data, b->data + b->at, len);
		wipe(b->data + len, b->end - len);
		b->at = 0;
		b->end = len;
		return true;
	}
	while (size - len < n) {
		if (size > SIZE_MAX / 2) {
			b->failed = true;
			return false;
		}
		size *= 2;
	}
	/* Do not use realloc(): if it moves the data, the old memory, which may hold keys, is freed
	 * without being wiped. */
	data = malloc(size);
	if (!data) {
		b->failed = true;
		return false;
	}
	if (b->data) {
		memcpy(data, b->data + b->at, len);
		wipe(b->data, b->size);
		free(b->data);
	}
	*b = (struct buffer){ .data = data, .end = len, .size = size };
	return true;
}

void buffer_append(struct buffer *b, const void *data, size_t n)
{
	if (!n || !buffer_reserve(b, n))
		return;
	memcpy(b->data + b->end, data, n);
	b->end += n;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list args;
	int n;

	if (!buffer_reserve(b, 256))
		return;
	va_start(args, format);
	n = vsnprintf(b->data + b->end, b->size - b->end, format, args);
	va_end(args);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if ((size_t)n >= b->size - b->end) {
		if (!buffer_reserve(b, (size_t)n + 1))
			return;
		va_start(args, format);
		vsnprintf(b->data + b->end, (size_t)n + 1, format, args);
		va_end(args);
	}
	b->end += (size_t)n;
}

void buffer_consume(struct buffer *b, size_t n)
{
	wipe(b->data + b->at, n);
	b->at += n;
	if (b->at == b->end)
		b->at = b->end = 0;
}

void buffer_done(struct buffer *b)
{
	if (b->data)
		wipe(b->data, b->size);
	free(b->data);
	*b = (struct buffer){ 0 };
}
