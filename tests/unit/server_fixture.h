/* SPDX-License-Identifier: MIT */
/* server_fixture.h - server.c with a clock that the test sets, and clients of its socket. A test
 * includes this header once, in place of server.h. */
#ifndef WGXDP_TEST_SERVER_FIXTURE_H
#define WGXDP_TEST_SERVER_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/loop.h"

static uint64_t skipped_ns;

static uint64_t test_now_ns(void)
{
	return loop_now_ns() + skipped_ns;
}

#define loop_now_ns test_now_ns
#include "control/server.c" /* NOLINT(bugprone-suspicious-include) */
#undef loop_now_ns

struct world {
	char directory[64], path[108];
	struct loop *loop;
	struct server *server;
};

static inline void nothing(void *ctx, uint64_t now_ns)
{
	(void)ctx, (void)now_ns;
}

/* Runs 20 turns of the loop. A timer that is due keeps the loop from waiting. */
static inline void turn(struct world *w)
{
	struct loop_timer due;

	loop_timer_init(&due, w->loop, nothing, NULL);
	for (int i = 0; i < 20; i++) {
		loop_timer_arm(&due, 0);
		assert_int_equal(loop_once(w->loop), 0);
	}
	loop_timer_done(&due);
}

/* Connects to the server, which accepts the connection only in the next turn(). */
static inline int ring(const struct world *w)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline int dial(struct world *w)
{
	int fd = ring(w);

	turn(w);
	return fd;
}

static inline void say(struct world *w, int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
	turn(w);
}

/* Returns the received text: "" if there is none yet, NULL if the connection is closed. */
static inline const char *hear(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return NULL;
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

#endif
