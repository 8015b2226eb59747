/* SPDX-License-Identifier: MIT */
#include "daemon/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/options.h"
#include "util/log.h"

/* The socket pair is SOCK_SEQPACKET, so each message is one datagram. */
#define MESSAGE_MAX (sizeof(struct fault) + 16)

/* Closes all descriptors that were inherited from the caller, except stdio and @keep (-1: none). If
 * the daemon kept the descriptor of a lock or a pipe, it would block the other users of the lock or
 * pipe as long as it runs. */
static void close_inherited(int keep[static 3])
{
	unsigned from = STDERR_FILENO + 1;

	for (unsigned i = 0; i < 3; i++)
		for (unsigned j = i + 1; j < 3; j++)
			if (keep[j] < keep[i]) {
				int swap = keep[i];

				keep[i] = keep[j];
				keep[j] = swap;
			}
	for (unsigned i = 0; i < 3; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0U, 0);
}

/* Detaches the daemon from the caller's terminal. Messages still go to stderr if the journal reads
 * stderr, or if LOG_LEVEL is "verbose" or "debug"; otherwise they go to syslog. */
static void leave_terminal(const struct options *options, int lease)
{
	const char *level = getenv("LOG_LEVEL");
	bool quiet = !log_is_journal() &&
		     (!level || (strcmp(level, "verbose") && strcmp(level, "debug")));
	int null, keep[3] = { lease, options->tun_fd, options->uapi_fd };

	setsid();
	close_inherited(keep);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (chdir("/") || null < 0)
		return;
	dup2(null, STDIN_FILENO);
	if (quiet) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		log_use_syslog();
	}
	close(null);
}

/* Signals of the command ------------------------------------------------------------------- */

static const int enders[] = { SIGINT, SIGTERM, SIGHUP };
/* The lease (the command's socket to the daemon) that give_up() shuts down; -1 = none. */
static int guarded = -1;
static volatile sig_atomic_t ender;

/* Handles SIGINT, SIGTERM and SIGHUP in the command. Shuts down the lease, which makes the daemon
 * undo everything. Then the command's reads and writes on the lease fail, and lease_cancel() waits
 * for the daemon. A second signal ends the command without waiting. */
static void give_up(int number)
{
	int saved = errno;

	if (ender) {
		signal(number, SIG_DFL);
		raise(number);
	}
	ender = number;
	shutdown(guarded, SHUT_WR);
	errno = saved;
}

/* Blocks SIGINT, SIGTERM and SIGHUP, so that none arrives between fork() and guard(). */
static void block_enders(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(enders) / sizeof(enders[0]); i++)
		sigaddset(&set, enders[i]);
	sigprocmask(SIG_BLOCK, &set, before);
}

static void guard(int lease, const sigset_t *before)
{
	struct sigaction action = { .sa_handler = give_up, .sa_flags = SA_RESTART }, was;

	guarded = lease;
	for (size_t i = 0; i < sizeof(enders) / sizeof(enders[0]); i++)
		if (!sigaction(enders[i], NULL, &was) && was.sa_handler != SIG_IGN)
			sigaction(enders[i], &action, NULL);
	sigprocmask(SIG_SETMASK, before, NULL);
}

static void unguard(void (*handler)(int))
{
	struct sigaction was;

	for (size_t i = 0; i < sizeof(enders) / sizeof(enders[0]); i++)
		if (!sigaction(enders[i], NULL, &was) && was.sa_handler == give_up)
			signal(enders[i], handler);
	guarded = -1;
	if (ender)
		raise(ender);
}

/* The command ---------------------------------------------------------------------------------- */

int lease_start(const struct options *options, struct conf *conf, lease_run_fn run, struct fault *f)
{
	sigset_t before;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fault(f, -errno, "cannot make a socket pair: %s", strerror(errno));
	block_enders(&before);
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(pair[0]);
		close(pair[1]);
		sigprocmask(SIG_SETMASK, &before, NULL);
		return fault(f, err, "cannot start the daemon: %s", strerror(-err));
	}
	if ((pid == 0) == options->foreground) { /* this process is the command */
		close(pair[1]);
		guard(pair[0], &before);
		return pair[0];
	}
	close(pair[0]);
	if (!options->foreground)
		leave_terminal(options, pair[1]);
	else
		signal(SIGCHLD, SIG_IGN); /* reap the command, our child, automatically */
	exit(run(options, conf, pair[1]));
}

/* Receives one message from the daemon as a string. Returns false if the daemon has ended. */
static bool receive(int fd, char message[static MESSAGE_MAX + 1])
{
	ssize_t n;

	do {
		n = recv(fd, message, MESSAGE_MAX, 0);
	} while (n < 0 && errno == EINTR);
	message[n > 0 ? n : 0] = '\0';
	return n > 0;
}

int lease_wait(int fd, const char *word, uint32_t *number,
	       void (*warn)(void *ctx, const char *sentence), struct fault *f)
{
	char message[MESSAGE_MAX + 1];
	size_t len = strlen(word);

	for (;;) {
		if (!receive(fd, message))
			return fault(f, -EPIPE,
				     "the daemon ended without an error message; try --foreground");
		if (strncmp(message, "warning ", 8) != 0)
			break;
		warn(NULL, message + 8);
	}
	if (!strncmp(message, "error ", 6))
		return fault(f, -EREMOTEIO, "%s", message + 6);
	if (strncmp(message, word, len) || message[len] != ' ')
		return fault(f, -EPROTO, "the daemon said \"%.40s\" instead of \"%s\"", message,
			     word);
	*number = (uint32_t)strtoul(message + len + 1, NULL, 10);
	return 0;
}

int lease_commit(int fd)
{
	if (send(fd, "commit", 6, MSG_NOSIGNAL) != 6) {
		int err = -errno;

		lease_cancel(fd);
		return err;
	}
	/* A signal that arrives from here on is too late to undo the tunnel: the interface stays,
	 * and the exit status reports success. */
	ender = 0;
	unguard(SIG_IGN);
	close(fd);
	return 0;
}

void lease_cancel(int fd)
{
	char message[MESSAGE_MAX];
	ssize_t n;

	shutdown(fd, SHUT_WR);
	do {
		n = recv(fd, message, sizeof(message), 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	unguard(SIG_DFL);
	close(fd);
}

/* The daemon ----------------------------------------------------------------------------------- */

static void tell(int fd, const char *message)
{
	/* An error means that the command has ended, which lease_read() reports. */
	if (fd >= 0 && send(fd, message, strlen(message), MSG_NOSIGNAL) < 0)
		return;
}

void lease_tell(int fd, const char *word, uint32_t number)
{
	char message[64];

	snprintf(message, sizeof(message), "%s %u", word, number);
	tell(fd, message);
}

void lease_tell_error(int fd, const struct fault *f)
{
	char message[MESSAGE_MAX];

	snprintf(message, sizeof(message), "error %s", f->text);
	tell(fd, message);
}

void lease_tell_warning(int fd, const char *sentence)
{
	char message[MESSAGE_MAX];

	snprintf(message, sizeof(message), "warning %s", sentence);
	tell(fd, message);
}

int lease_read(int fd)
{
	char message[MESSAGE_MAX];
	ssize_t n = recv(fd, message, sizeof(message), MSG_DONTWAIT);

	/* If the command closed the lease without reading all our messages, the first read fails
	 * with ECONNRESET. The next read returns the message that the command has sent. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(fd, message, sizeof(message), MSG_DONTWAIT);
	if (n == 6 && !memcmp(message, "commit", 6))
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return -EPIPE;
}
