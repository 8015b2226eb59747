/* SPDX-License-Identifier: MIT */
/*
 * notify.h - reports the state of the daemon to the service manager, in the protocol of
 * sd_notify(3): each report is one datagram to the socket that is named in the environment. The
 * protocol is stable, so no library is needed. Only one thread may call these functions.
 *
 *   NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID ─▶ notify_open() ─▶ notify_ready() ... ─▶ systemd
 */
#ifndef WGXDP_NOTIFY_H
#define WGXDP_NOTIFY_H

#include <stdint.h>

/* Reads the environment. Call this in the main process of the service, because systemd listens only
 * to that process (NotifyAccess=main). Returns -errno if NOTIFY_SOCKET is set but cannot be used,
 * and 0 otherwise, even without a service manager. The functions below do nothing unless
 * notify_open() has found a service manager. */
int notify_open(void);
void notify_close(void);

/* Reports that the daemon is ready, or that a reload is finished. */
void notify_ready(void);
/* Reports that a reload begins. Call notify_ready() when the reload is finished. */
void notify_reloading(void);
void notify_stopping(void);
/* Reports a line of text for `systemctl status`; control characters in it become '?'. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Reports that the service works. Does nothing if the service manager has no watchdog for this
 * process. Call this more often than every notify_watchdog_ns() nanoseconds. */
void notify_watchdog(void);

/* Returns the time after which systemd kills a service that has not called notify_watchdog(), or 0
 * if systemd never does. */
uint64_t notify_watchdog_ns(void);

#endif
