/* SPDX-License-Identifier: MIT */
/* test_server.c - server.c over real sockets in a temporary directory. The tests run the loop and
 * set its clock themselves. */
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

#define BIG (1 << 20)

#define PIECES 100000
#define PIECE_NS (NS_PER_MS / 10)
#define SLOW_NS (2 * NS_PER_MS)

/* "slow" takes SLOW_NS; "long" -> PIECES pieces, each of which takes PIECE_NS; "echo X" -> "X";
 * "big" -> BIG bytes; "end" -> "bye" and the end, "later" -> answered by the test */
static struct server_client *later;
static unsigned opened, closed, deleted;
static unsigned pieces_left, slow_lines;

static int on_open(void *ctx, void *session)
{
	(void)ctx;
	assert_int_equal(*(char *)session, 0);
	*(char *)session = 'o';
	opened++;
	return 0;
}

static int on_line(void *ctx, void *session, struct server_client *client, char *line, size_t len,
		   struct buffer *reply)
{
	(void)ctx;
	assert_int_equal(*(char *)session, 'o');
	assert_int_equal(strlen(line), len);
	if (strncmp(line, "echo ", 5) == 0)
		buffer_printf(reply, "%s\n", line + 5);
	if (strcmp(line, "long") == 0) {
		pieces_left = PIECES;
		return 1;
	}
	if (strcmp(line, "slow") == 0) {
		skipped_ns += SLOW_NS;
		slow_lines++;
	}
	if (strcmp(line, "later") == 0)
		later = client;
	if (strcmp(line, "big") == 0 && buffer_reserve(reply, BIG)) {
		memset(reply->data + reply->end, 'x', BIG);
		reply->end += BIG;
	}
	if (strcmp(line, "end") != 0)
		return 0;
	buffer_printf(reply, "bye\n");
	return -EPROTO;
}

static int on_more(void *ctx, void *session, struct buffer *reply)
{
	(void)ctx, (void)session;
	assert_true(pieces_left);
	buffer_printf(reply, "0123456789");
	skipped_ns += PIECE_NS;
	if (--pieces_left)
		return 1;
	buffer_printf(reply, "\n");
	return 0;
}

static void on_close(void *ctx, void *session, struct server_client *client)
{
	(void)ctx, (void)session;
	closed++;
	if (client == later)
		later = NULL;
}

static void on_deleted(void *ctx)
{
	(void)ctx;
	deleted++;
}

static const struct server_protocol protocol = { 100, 1, on_open, on_line, on_more, on_close };

struct world {
	char directory[64], path[108];
	struct loop *loop;
	struct server *server;
};

static int start_server(struct world *w, struct server **s, struct fault *f)
{
	struct server_config config = { .loop = w->loop,
					.path = w->path,
					.directory_mode = 0750,
					.inherited_fd = -1,
					.protocol = &protocol,
					.deleted = on_deleted };

	return server_new(s, &config, f);
}

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fault f;

	strcpy(w->directory, "/tmp/test_server.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/run/wg0.sock", w->directory);
	w->loop = loop_new();
	assert_non_null(w->loop);
	opened = closed = deleted = 0;
	assert_int_equal(start_server(w, &w->server, &f), 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;
	char run[80];

	server_free(w->server);
	loop_free(w->loop);
	assert_int_equal(access(w->path, F_OK), -1);
	snprintf(run, sizeof(run), "%s/run", w->directory);
	assert_int_equal(rmdir(run), 0);
	assert_int_equal(rmdir(w->directory), 0);
	assert_int_equal(opened, closed);
	free(w);
	return 0;
}

static void nothing(void *ctx, uint64_t now_ns)
{
	(void)ctx, (void)now_ns;
}

/* Runs the loop until nothing is left to do. A timer that is due keeps the loop from waiting. */
static void turn(struct world *w)
{
	struct loop_timer due;

	loop_timer_init(&due, w->loop, nothing, NULL);
	for (int i = 0; i < 20; i++) {
		loop_timer_arm(&due, 0);
		assert_int_equal(loop_once(w->loop), 0);
	}
	loop_timer_done(&due);
}

static int dial(struct world *w)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn(w);
	return fd;
}

static void say(struct world *w, int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
	turn(w);
}

/* Returns the received text: "" if there is none yet, NULL if the connection is closed. */
static const char *hear(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return NULL;
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void modes(void **state)
{
	struct world *w = *state;
	char run[80];
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(run, sizeof(run), "%s/run", w->directory);
	assert_int_equal(stat(run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void lines(void **state)
{
	struct world *w = *state;
	int a = dial(w), b = dial(w);

	say(w, a, "echo one\necho t");
	say(w, b, "echo b\n");
	assert_string_equal(hear(a), "one\n");
	say(w, a, "wo\n\necho three\n");
	assert_string_equal(hear(a), "two\nthree\n");
	assert_string_equal(hear(b), "b\n");
	/* Complete lines are answered, even if the client hangs up in the middle of the next. */
	say(w, a, "echo four\nech");
	shutdown(a, SHUT_WR);
	turn(w);
	assert_string_equal(hear(a), "four\n");
	assert_null(hear(a));
	/* Lines after one that ends the connection are not read. */
	say(w, b, "end\necho x\n");
	assert_string_equal(hear(b), "bye\n");
	assert_null(hear(b));
	close(a);
	close(b);
	close(dial(w)); /* a client that sends nothing */
	turn(w);
	assert_int_equal(closed, 3);
}

static void bounded_lines(void **state)
{
	struct world *w = *state;
	char text[200];
	int a = dial(w), b = dial(w);

	memset(text, 'x', sizeof(text));
	text[101] = '\0';
	memcpy(text, "echo ", 5);
	text[100] = '\n'; /* exactly 100 */
	say(w, a, text);
	assert_int_equal(strlen(hear(a)), 96);
	memset(text + 100, 'x', 2);
	text[102] = '\0';
	say(w, a, text); /* a line without a newline */
	assert_null(hear(a));
	text[101] = '\n';
	say(w, b, text);
	assert_null(hear(b));
	close(a);
	close(b);
}

/* A client that asks for long answers and reads nothing costs bounded memory and does not delay
 * others. */
static void slow_reader(void **state)
{
	struct world *w = *state;
	int slow = dial(w), other = dial(w);
	size_t got = 0;

	for (int i = 0; i < 10; i++)
		say(w, slow, "big\n");
	say(w, other, "echo here\n");
	assert_string_equal(hear(other), "here\n");
	shutdown(slow, SHUT_WR);
	for (const char *text; (text = hear(slow)); turn(w))
		got += strlen(text);
	assert_int_equal(got, 10 * BIG); /* everything is answered in spite of the hangup */
	close(slow);
	close(other);
}

/* A long answer is produced for 5 ms in each turn. Other clients are answered meanwhile, and the
 * client's own next line afterwards. */
static void long_answer(void **state)
{
	struct world *w = *state;
	int fd = dial(w), other = dial(w);
	unsigned before = PIECES;
	const char *text;
	size_t got = 0;

	assert_int_equal(send(fd, "long\necho after\n", 16, MSG_NOSIGNAL), 16);
	assert_int_equal(loop_once(w->loop), 0);
	for (unsigned turns = 0; turns < 20; turns++) {
		assert_int_equal(loop_once(w->loop), 0);
		assert_in_range(before - pieces_left, 1, 5 * NS_PER_MS / PIECE_NS + 1);
		before = pieces_left;
	}
	say(w, other, "echo here\n");
	assert_string_equal(hear(other), "here\n");
	shutdown(fd, SHUT_WR);
	for (; (text = hear(fd)); turn(w))
		got += strlen(text);
	assert_int_equal(got, PIECES * 10 + 1 + 6);
	close(fd);
	close(other);
}

/* The lines of a client are handled for 5 ms in each turn. Other clients are answered meanwhile. A
 * client that closes its side has its last lines handled. */
static void slow_lines_in_turns(void **state)
{
	struct world *w = *state;
	int fd = dial(w), other = dial(w);
	char lines[1001], *end = lines;

	slow_lines = 0;
	for (unsigned i = 0; i < 200; i++)
		end = stpcpy(end, "slow\n");
	assert_int_equal(send(fd, lines, 1000, MSG_NOSIGNAL), 1000);
	assert_int_equal(send(fd, "echo after\n", 11, MSG_NOSIGNAL), 11);
	shutdown(fd, SHUT_WR);
	for (unsigned turns = 0; turns < 10; turns++) {
		unsigned before = slow_lines;

		assert_int_equal(loop_once(w->loop), 0);
		/* once when the socket is readable, and once for what was left */
		assert_in_range(slow_lines - before, 0, 2 * (5 * NS_PER_MS / SLOW_NS + 1));
	}
	say(w, other, "echo here\n");
	assert_string_equal(hear(other), "here\n");
	assert_in_range(slow_lines, 1, 199);
	for (unsigned turns = 0; turns < 20; turns++)
		turn(w);
	assert_int_equal(slow_lines, 200);
	assert_string_equal(hear(fd), "after\n");
	assert_null(hear(fd));
	close(fd);
	close(other);
}

/* The answer for a client that does not read stops when its output buffer is full. The client may
 * then disconnect. */
static void long_answer_unread(void **state)
{
	struct world *w = *state;
	int fd = dial(w);
	unsigned left;

	say(w, fd, "long\n");
	for (left = 0; left != pieces_left; turn(w))
		left = pieces_left;
	assert_true(left > 0);
	close(fd);
	turn(w);
	assert_int_equal(closed, 1);
	assert_int_equal(pieces_left, left);
}

static void answers_later(void **state)
{
	struct world *w = *state;
	int a = dial(w), b = dial(w);

	say(w, a, "later\n");
	assert_string_equal(hear(a), "");
	server_send(later, "now\n", 4);
	server_flush(w->server, 1000);
	assert_string_equal(hear(a), "now\n");
	say(w, b, "later\n");
	close(b);
	turn(w);
	assert_null(later);
	close(a);
}

static void too_many(void **state)
{
	struct world *w = *state;
	int fds[SERVER_CLIENTS_MAX], extra;

	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		fds[i] = dial(w);
	extra = dial(w);
	assert_null(hear(extra)); /* no client has been idle for long enough */
	say(w, fds[0], "echo still\n");
	assert_string_equal(hear(fds[0]), "still\n");
	close(extra);
	close(fds[0]);
	turn(w);
	extra = dial(w);
	say(w, extra, "echo in\n");
	assert_string_equal(hear(extra), "in\n");
	close(extra);
	for (int i = 1; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
}

/* Reads everything that the socket holds now, so that the server can send more of a big answer. */
static void read_some(struct world *w, int fd)
{
	while (*hear(fd))
		;
	turn(w);
}

/* Idle clients make room for new clients, first those that have no unread answer. */
static void eviction(void **state)
{
	struct world *w = *state;
	int fds[SERVER_CLIENTS_MAX], extra;

	for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
		fds[i] = dial(w);
		say(w, fds[i],
		    i == 2 ? "echo x\n" : "big\n"); /* only client 2 has its whole answer */
	}
	skipped_ns += IDLE_NS / 2;
	read_some(w, fds[0]); /* the oldest client, but not idle, because it reads */
	skipped_ns += IDLE_NS / 2;
	extra = dial(w);
	assert_int_equal(closed, 1);
	say(w, extra, "big\n");
	assert_string_equal(hear(fds[2]), "x\n");
	assert_null(hear(fds[2])); /* newer than client 1, but has no unread answer */
	close(fds[2]);
	fds[2] = extra;

	/* All other clients have unread answers, so the client that was idle for longest is
	 * disconnected. */
	extra = dial(w);
	assert_int_equal(closed, 2);
	say(w, extra, "big\n");
	while (hear(fds[1]))
		;
	close(fds[1]);
	fds[1] = extra;

	/* No client is idle. */
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		read_some(w, fds[i]);
	extra = dial(w);
	assert_null(hear(extra));
	assert_int_equal(closed, 2);
	close(extra);
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
}

static void in_use_and_stale(void **state)
{
	struct world *w = *state, second = *w;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct server *s;
	struct fault f;
	int dead;

	assert_int_equal(start_server(&second, &s, &f), -EADDRINUSE);
	assert_non_null(strstr(f.text, "in use"));
	assert_int_equal(access(w->path, F_OK), 0);
	snprintf(second.path, sizeof(second.path), "%s/run/stale.sock", w->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", second.path);
	dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&address, sizeof(address)), 0);
	close(dead);
	assert_int_equal(start_server(&second, &s, &f), 0);
	close(dial(&second));
	server_free(s);
	assert_int_equal(access(second.path, F_OK), -1);
}

static void deletion(void **state)
{
	struct world *w = *state;
	char other[120];

	snprintf(other, sizeof(other), "%s.other", w->path);
	fclose(fopen(other, "w"));
	unlink(other);
	turn(w);
	assert_int_equal(deleted, 0);
	unlink(w->path);
	turn(w);
	assert_int_equal(deleted, 1);
	/* the socket file belongs to another process now and stays */
	fclose(fopen(w->path, "w"));
	server_free(w->server);
	w->server = NULL;
	assert_int_equal(unlink(w->path), 0);
}

static void bad_places(void **state)
{
	struct world *w = *state, second = *w;
	char open[100];
	struct server *s;
	struct fault f;

	snprintf(open, sizeof(open), "%s/open", w->directory);
	assert_int_equal(mkdir(open, 0700), 0);
	assert_int_equal(chmod(open, 0777), 0);
	snprintf(second.path, sizeof(second.path), "%s/open/a.sock", w->directory);
	assert_int_equal(start_server(&second, &s, &f), -EACCES);
	rmdir(open);
	snprintf(second.path, sizeof(second.path), "%s/none/at/all", w->directory);
	assert_int_equal(start_server(&second, &s, &f), -ENOENT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(modes),
		TEST(lines),
		TEST(bounded_lines),
		TEST(slow_reader),
		TEST(long_answer),
		TEST(long_answer_unread),
		TEST(slow_lines_in_turns),
		TEST(answers_later),
		TEST(too_many),
		TEST(eviction),
		TEST(in_use_and_stale),
		TEST(deletion),
		TEST(bad_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
