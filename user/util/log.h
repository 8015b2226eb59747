/* SPDX-License-Identifier: MIT */
/*
 * log.h - messages of the daemon and the commands, on stderr (where that is the journal's each line
 * begins with <N>, its priority), or for a daemon without a terminal in syslog.
 * Never a secret. Any thread; never blocks for syslog's sake.
 */
#ifndef WGXDP_LOG_H
#define WGXDP_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_SILENT, LOG_LEVEL_ERROR, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* @prefix (borrowed for good) begins each line: "wgxdp" or "wgxdp: wg0". */
void log_open(const char *prefix, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* From here on messages go to syslog, facility daemon, and not to stderr. Once, before any thread. */
void log_use_syslog(void);

/* Is stderr the journal's? JOURNAL_STREAM alone does not say so: whatever a service starts inherits it. */
bool log_is_journal(void);

/* Where they go: "stderr", "journal" (by stderr), "syslog", or "nowhere": there is no syslog. */
const char *log_where(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
