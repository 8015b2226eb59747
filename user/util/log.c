/* SPDX-License-Identifier: MIT */
/*
 * log.c - one message is one write(2), so that lines of several threads never mix.
 */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const char *line_prefix = "wgxdp";
static atomic_int current_level = LOG_LEVEL_INFO;
static bool journal;

void log_open(const char *prefix, enum log_level level)
{
	line_prefix = prefix;
	journal = getenv("JOURNAL_STREAM") != NULL;
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return atomic_load_explicit(&current_level, memory_order_relaxed);
}

/* Values quoted from files and sockets may hold anything: nothing of it may start a new line or
 * drive a terminal. */
static void tame(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			text[i] = '?';
	}
}

static void emit(enum log_level level, int priority, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void emit(enum log_level level, int priority, const char *format, va_list args)
{
	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	size_t len = 0, start;
	int n;

	if (level > log_get_level())
		return;
	if (journal)
		len += (size_t)snprintf(line, sizeof(line), "<%d>", priority);
	start = len;
	n = snprintf(line + len, sizeof(line) - len, "%s: ", line_prefix);
	len += (size_t)n;
	n = vsnprintf(line + len, sizeof(line) - len, format, args);
	if (n < 0)
		goto out;
	len += (size_t)n;
	if (len > sizeof(line) - 1) {
		len = sizeof(line) - 1;
		memcpy(line + len - 3, "...", 3);
	}
	tame(line + start, len - start);
	line[len++] = '\n';
	/* There is nobody to tell that telling failed. */
	if (write(STDERR_FILENO, line, len) < 0)
		goto out;
out:
	errno = saved_errno;
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(LOG_LEVEL_ERROR, 3, format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(LOG_LEVEL_INFO, 6, format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(LOG_LEVEL_DEBUG, 7, format, args);
	va_end(args);
}
