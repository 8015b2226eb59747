/* SPDX-License-Identifier: MIT */
/*
 * log_ring.h - the last lines of the log, kept in memory for `wgxdp logs`, which works even without
 * a journal or syslog. A line that is added to a full ring replaces the oldest one. Any thread may
 * call these functions.
 *
 *   log_error, log_info, log_debug ─▶ log_ring_add() ─▶ 256 lines ─▶ log_ring_next() ─▶ report.c
 */
#ifndef WGXDP_LOG_RING_H
#define WGXDP_LOG_RING_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_RING_LINES 256
#define LOG_TEXT_MAX 1000 /* bytes of a line with its terminating zero */

enum log_level { LOG_LEVEL_SILENT, LOG_LEVEL_ERROR, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_line {
	uint64_t serial;  /* 1 = the first line of the process */
	uint64_t time_ms; /* Unix time */
	enum log_level level;
	char text[LOG_TEXT_MAX];
};

/* Adds a line. @text is cut to LOG_TEXT_MAX - 1 bytes. */
void log_ring_add(enum log_level level, const char *text);

/* Copies to @line the oldest line whose serial is greater than line->serial. The caller sets
 * line->serial to 0 before its first call. Returns false if there is no such line. */
bool log_ring_next(struct log_line *line);

#endif
