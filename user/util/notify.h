/* SPDX-License-Identifier: MIT */
/*
 * notify.h - tells the service manager how the daemon is, in the protocol of sd_notify(3): one
 * datagram to the socket that the environment names. The protocol is stable, so no library is
 * needed. One thread.
 *
 *   NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID ─▶ notify_open() ─▶ notify_ready() ... ─▶ systemd
 */
#ifndef WGXDP_NOTIFY_H
#define WGXDP_NOTIFY_H

#include <stdint.h>

/* Reads the environment. Call it in the main process of the service, which is the only one to which
 * systemd listens (NotifyAccess=main). Returns 0, also if no service manager listens; or -errno if
 * NOTIFY_SOCKET cannot be used. Without notify_open() the functions below do nothing. */
int notify_open(void);
void notify_close(void);

/* The interface is up, or a reload is finished. */
void notify_ready(void);
/* A reload begins; notify_ready() ends it. */
void notify_reloading(void);
void notify_stopping(void);
/* A line for `systemctl status`; control characters in it become '?'. */
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The service works. To be called at least every notify_watchdog_ns(). */
void notify_watchdog(void);

/* The time after which systemd kills a service that did not call notify_watchdog(); 0: never. */
uint64_t notify_watchdog_ns(void);

#endif
