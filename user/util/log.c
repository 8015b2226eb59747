/* SPDX-License-Identifier: MIT */
/*
 * log.c - one message is one write(2) or sendto(2), so that lines of several threads never mix.
 *
 * syslog(3) is not used, because it blocks while the syslog daemon does not read. A flood of
 * messages must not delay the control thread.
 */
#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#ifndef SYSLOG_PATH
#define SYSLOG_PATH "/dev/log"
#endif

static const char *line_prefix = "wgxdp";
static atomic_int current_level = LOG_LEVEL_INFO;
static bool journal;
static int syslog_fd = -1; /* >= 0: messages go to syslog instead of stderr */

static const struct sockaddr_un syslog_address = { .sun_family = AF_UNIX, .sun_path = SYSLOG_PATH };

/* JOURNAL_STREAM is "DEVICE:INODE" of the journal's stream, systemd.exec(5). */
bool log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char found[48];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(found, sizeof(found), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(stream, found);
}

void log_open(const char *prefix, enum log_level level)
{
	line_prefix = prefix;
	journal = log_is_journal();
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

void log_use_syslog(void)
{
	syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Tests with a second socket whether syslog listens. syslog_fd stays unconnected, because a
 * connected socket would not reach a syslog daemon that was restarted. */
const char *log_where(void)
{
	int fd, err;

	if (syslog_fd < 0)
		return journal ? "journal" : "stderr";
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return "nowhere";
	err = connect(fd, (const struct sockaddr *)&syslog_address, sizeof(syslog_address));
	close(fd);
	return err ? "nowhere" : "syslog";
}

/* Replaces control characters. Values from files and sockets may contain anything, and must not
 * start a new line or control a terminal. */
static void replace_controls(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			text[i] = '?';
	}
}

/* Writes "<30>Nov 25 10:00:00 wgxdp[123]: " for syslog, "<6>" for the journal, or nothing. */
static size_t begin_line(char line[static LINE_MAX_BYTES], int priority)
{
	char date[sizeof("Nov 25 10:00:00")] = "";
	time_t now = time(NULL);
	struct tm tm;
	int n = 0;

	if (syslog_fd >= 0) {
		if (localtime_r(&now, &tm))
			strftime(date, sizeof(date), "%b %e %T", &tm);
		n = snprintf(line, LINE_MAX_BYTES, "<%d>%s wgxdp[%d]: ", LOG_DAEMON | priority,
			     date, (int)getpid());
	} else if (journal) {
		n = snprintf(line, LINE_MAX_BYTES, "<%d>", priority);
	}
	return (size_t)n;
}

/* Writes the line out. Errors are ignored, because there is no other place to report them. */
static void end_line(char *line, size_t len)
{
	if (syslog_fd >= 0) {
		if (sendto(syslog_fd, line, len, MSG_NOSIGNAL,
			   (const struct sockaddr *)&syslog_address, sizeof(syslog_address)) < 0)
			return;
	} else {
		line[len++] = '\n';
		if (write(STDERR_FILENO, line, len) < 0)
			return;
	}
}

/* Returns the prefix. For syslog it comes without "wgxdp: ", which begin_line() has written. */
static const char *message_prefix(void)
{
	static const char name[] = "wgxdp: ";

	return syslog_fd >= 0 && !strncmp(line_prefix, name, sizeof(name) - 1)
		       ? line_prefix + sizeof(name) - 1
		       : line_prefix;
}

static void write_message(enum log_level level, int priority, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void write_message(enum log_level level, int priority, const char *format, va_list args)
{
	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	size_t len, start;
	int n;

	if (level > log_get_level())
		return;
	start = len = begin_line(line, priority);
	n = snprintf(line + len, sizeof(line) - len, "%s: ", message_prefix());
	len += (size_t)n;
	n = vsnprintf(line + len, sizeof(line) - len, format, args);
	if (n < 0)
		goto out;
	len += (size_t)n;
	if (len > sizeof(line) - 1) {
		len = sizeof(line) - 1;
		memset(line + len - 3, '.', 3);
	}
	replace_controls(line + start, len - start);
	end_line(line, len);
out:
	errno = saved_errno;
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(LOG_LEVEL_ERROR, LOG_ERR, format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(LOG_LEVEL_INFO, LOG_INFO, format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_message(LOG_LEVEL_DEBUG, LOG_DEBUG, format, args);
	va_end(args);
}
