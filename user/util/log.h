/* SPDX-License-Identifier: MIT */
/*
 * log.h - messages of the daemon and the commands. Callers never log a secret. Any thread. A write
 * to syslog never blocks: a message for which there is no room is lost.
 *
 *   log_error, log_info, log_debug ─┬─▶ stderr, a terminal or file   "wgxdp: wg0: ..."
 *                                   ├─▶ stderr, the journal          the same, after "<priority>"
 *                                   └─▶ /dev/log (log_use_syslog)    "<N>date wgxdp[pid]: wg0: ..."
 */
#ifndef WGXDP_LOG_H
#define WGXDP_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_SILENT, LOG_LEVEL_ERROR, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Each line begins with @prefix, "wgxdp" or "wgxdp: wg0". The string must stay valid for ever. */
void log_open(const char *prefix, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Sends all further messages to syslog, facility daemon, instead of stderr. Call it once, before
 * other threads start. */
void log_use_syslog(void);

/* Returns true if stderr is a stream of the journal. JOURNAL_STREAM alone does not prove it,
 * because every child of a service inherits the variable. */
bool log_is_journal(void);

/* Returns where messages go: "stderr", "journal" (through stderr), "syslog", or "nowhere" if
 * log_use_syslog() was called but no syslog listens. */
const char *log_where(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
