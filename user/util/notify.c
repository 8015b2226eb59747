/* SPDX-License-Identifier: MIT */
#include "util/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

#define MESSAGE_MAX 512
#define SEND_TIMEOUT_S 1 /* a service manager that does not read must not block the daemon */
#define WATCHDOG_MAX_US 86400000000ULL

static int notify_fd = -1; /* connected to the service manager */
static uint64_t watchdog_ns;

/* Returns the decimal number in an environment variable, or 0. */
static uint64_t number_in(const char *variable)
{
	const char *text = getenv(variable);
	unsigned long long n;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return errno || *end ? 0 : n;
}

/* Returns the watchdog interval in ns, or 0 if the service manager expects no watchdog messages
 * from this process. WATCHDOG_PID may name another process, such as a shell that has started this
 * one. The messages must then come from that process. */
static uint64_t wanted_watchdog_ns(void)
{
	uint64_t us = number_in("WATCHDOG_USEC"), pid = number_in("WATCHDOG_PID");

	if (getenv("WATCHDOG_PID") && pid != (uint64_t)getpid())
		return 0;
	return us > WATCHDOG_MAX_US ? 0 : us * 1000;
}

int notify_open(void)
{
	const struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	int err;

	if (!len)
		return 0;
	/* '@' stands for the zero byte with which the name of an abstract socket begins. */
	if ((*path != '/' && *path != '@') || len >= sizeof(address.sun_path))
		return -EINVAL;
	memcpy(address.sun_path, path, len);
	if (*path == '@')
		address.sun_path[0] = '\0';
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd < 0)
		return -errno;
	if (setsockopt(notify_fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) ||
	    connect(notify_fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len))) {
		err = -errno;
		notify_close();
		return err;
	}
	watchdog_ns = wanted_watchdog_ns();
	return 0;
}

void notify_close(void)
{
	if (notify_fd >= 0)
		close(notify_fd);
	notify_fd = -1;
	watchdog_ns = 0;
}

static void send_message(const char *message)
{
	if (notify_fd >= 0 && send(notify_fd, message, strlen(message), MSG_NOSIGNAL) < 0)
		return; /* ignore this: systemd ends a service whose reports are missing */
}

void notify_ready(void)
{
	send_message("READY=1");
}

void notify_reloading(void)
{
	char message[64];

	snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)clock_ns(CLOCK_MONOTONIC) / 1000);
	send_message(message);
}

void notify_stopping(void)
{
	send_message("STOPPING=1");
}

void notify_status(const char *format, ...)
{
	char message[MESSAGE_MAX] = "STATUS=";
	size_t len = strlen(message);
	va_list args;

	va_start(args, format);
	vsnprintf(message + len, sizeof(message) - len, format, args);
	va_end(args);
	for (char *at = message + len; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	send_message(message);
}

void notify_watchdog(void)
{
	if (watchdog_ns)
		send_message("WATCHDOG=1");
}

uint64_t notify_watchdog_ns(void)
{
	return watchdog_ns;
}
