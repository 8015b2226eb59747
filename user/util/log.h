/* SPDX-License-Identifier: MIT */
/*
 * log.h - messages of the daemon. Callers never log a secret. Any thread may call these functions.
 * A write to the journal or to syslog never blocks: a message for which there is no room is lost.
 *
 *   log_error, log_info, log_debug ─┬─▶ stderr, a terminal or file   "wgxdp: wg0: ..."
 *                                   ├─▶ the journal, if it reads stderr    identifier wgxdp[wg0]
 *                                   ├─▶ /dev/log (log_use_syslog)    "<N>date wgxdp[wg0][pid]: ..."
 *                                   └─▶ log_ring.h, for `wgxdp logs`
 */
#ifndef WGXDP_LOG_H
#define WGXDP_LOG_H

#include <stdbool.h>

#include "util/log_ring.h"

/* Begins logging. Each line names @interface, which is copied ("" = no name). Finds out whether the
 * journal reads stderr. */
void log_open(const char *interface, enum log_level level);

/* Messages that are more detailed than @level are not written. The ring for `wgxdp logs` keeps
 * errors and info messages at every @level except LOG_LEVEL_SILENT. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Makes all later messages go to syslog (facility daemon) instead of stderr or the journal. Call it
 * once, before other threads start. */
void log_use_syslog(void);

/* Returns true if stderr is a stream of the journal. The variable JOURNAL_STREAM alone does not
 * prove this, because every child of a service inherits the variable. */
bool log_is_journal(void);

/* Returns where messages go: "stderr", "journal", "syslog", or "nowhere" if log_use_syslog() was
 * called but no syslog listens. */
const char *log_where(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
