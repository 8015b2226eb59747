/* SPDX-License-Identifier: MIT */
/*
 * log.c - one message is one system call, so that lines of several threads never mix.
 *
 * syslog(3) is not used, because it blocks while the syslog daemon does not read. A flood of
 * messages must not delay the control thread. For the same reason a message for the journal is a
 * datagram of the journal's native protocol, and not a line on stderr: stderr is a stream, and a
 * write to a full stream blocks. The datagram also sets SYSLOG_IDENTIFIER, so that the journal
 * shows the name of the interface, whichever unit started the daemon.
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
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "wgxdp/limits.h"

#define HEAD_MAX 160 /* bytes that precede the text of a message */
#ifndef SYSLOG_PATH
#define SYSLOG_PATH "/dev/log"
#endif
#ifndef JOURNAL_PATH
#define JOURNAL_PATH "/run/systemd/journal/socket"
#endif

static char interface_name[IFNAME_MAX + 1];
static char identifier[sizeof("wgxdp[]") + IFNAME_MAX] = "wgxdp";
static atomic_int current_level = LOG_LEVEL_INFO;
static bool journal;
static int journal_fd = -1;
static int syslog_fd = -1; /* >= 0: messages go to syslog, not to stderr or the journal */

static const struct sockaddr_un syslog_address = { .sun_family = AF_UNIX, .sun_path = SYSLOG_PATH };
static const struct sockaddr_un journal_address = { .sun_family = AF_UNIX,
						    .sun_path = JOURNAL_PATH };

/* The socket is not connected, because a connected socket would no longer reach the log daemon
 * after a restart of that daemon. */
static int datagram_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream to the journal, systemd.exec(5). */
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

void log_open(const char *interface, enum log_level level)
{
	snprintf(interface_name, sizeof(interface_name), "%s", interface);
	if (*interface)
		snprintf(identifier, sizeof(identifier), "wgxdp[%s]", interface_name);
	else
		snprintf(identifier, sizeof(identifier), "wgxdp");
	journal = log_is_journal();
	if (journal && journal_fd < 0)
		journal_fd = datagram_socket();
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
	syslog_fd = datagram_socket();
}

/* Uses a second, connected socket to find out whether syslog listens. */
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

/* Replaces control characters. Values from files and sockets may contain any characters, but they
 * must not start a new line or control a terminal. */
static void replace_controls(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			text[i] = '?';
	}
}

/* Sends a message. Returns false if no log daemon listens. If the daemon's receive queue is full,
 * the message is lost and the result is true. */
static bool send_to(int fd, const struct sockaddr_un *to, char *head, char *text, char *tail)
{
	struct iovec parts[] = {
		{ .iov_base = head, .iov_len = strlen(head) },
		{ .iov_base = text, .iov_len = strlen(text) },
		{ .iov_base = tail, .iov_len = strlen(tail) },
	};
	struct msghdr message = {
		.msg_name = (struct sockaddr_un *)to,
		.msg_namelen = sizeof(*to),
		.msg_iov = parts,
		.msg_iovlen = sizeof(parts) / sizeof(parts[0]),
	};

	return sendmsg(fd, &message, MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
}

/* Writes the message in the variant of RFC 3164 that syslog daemons expect on a local socket. */
static void write_syslog(int priority, char *text)
{
	char head[HEAD_MAX], date[sizeof("Nov 25 10:00:00")] = "";
	time_t now = time(NULL);
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(date, sizeof(date), "%b %e %T", &tm);
	snprintf(head, sizeof(head), "<%d>%s %s[%d]: ", LOG_DAEMON | priority, date, identifier,
		 (int)getpid());
	send_to(syslog_fd, &syslog_address, head, text, "");
}

/* Writes the message as described in https://systemd.io/JOURNAL_NATIVE_PROTOCOL. Returns false if
 * no journal accepts datagrams. */
static bool write_journal(int priority, char *text)
{
	char head[HEAD_MAX];

	snprintf(head, sizeof(head),
		 "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nWGXDP_INTERFACE=%s\n"
		 "MESSAGE=",
		 priority, LOG_DAEMON >> 3, identifier, interface_name);
	return send_to(journal_fd, &journal_address, head, text, "\n");
}

/* Writes to stderr. A journal that reads stderr finds the priority at the beginning of the line. */
static void write_stderr(int priority, char *text)
{
	char head[HEAD_MAX], number[8] = "";
	struct iovec parts[] = {
		{ .iov_base = head },
		{ .iov_base = text, .iov_len = strlen(text) },
		{ .iov_base = (char[]){ '\n' }, .iov_len = 1 },
	};

	if (journal)
		snprintf(number, sizeof(number), "<%d>", priority);
	parts[0].iov_len = (size_t)snprintf(head, sizeof(head), "%swgxdp: %s%s", number,
					    interface_name, *interface_name ? ": " : "");
	if (writev(STDERR_FILENO, parts, 3) < 0)
		return; /* a failed write cannot be reported anywhere else */
}

static void write_message(enum log_level level, int priority, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void write_message(enum log_level level, int priority, const char *format, va_list args)
{
	enum log_level wanted = log_get_level();
	bool shown = level <= wanted;
	int saved_errno = errno;
	char text[LOG_TEXT_MAX];
	int n;

	if (!shown && (level > LOG_LEVEL_INFO || wanted == LOG_LEVEL_SILENT))
		return;
	n = vsnprintf(text, sizeof(text), format, args);
	if (n < 0)
		goto out;
	if ((size_t)n >= sizeof(text))
		memset(text + sizeof(text) - 4, '.', 3);
	replace_controls(text, strlen(text));
	log_ring_add(level, text);
	if (!shown)
		goto out;
	if (syslog_fd >= 0)
		write_syslog(priority, text);
	else if (!journal || !write_journal(priority, text))
		write_stderr(priority, text);
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
