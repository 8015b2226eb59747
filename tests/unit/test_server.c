/* SPDX-License-Identifier: MIT */
/* test_server.c - server.c over real sockets in a temporary directory. The tests run the loop and
 * set its clock themselves. */
#include <sys/resource.h>

#include "server_fixture.h"

#define BIG (1 << 20)

#define PIECES 100000
#define PIECE_NS (NS_PER_MS / 10)
#define SLOW_NS (2 * NS_PER_MS)

/* The lines that the server understands: "echo X" is answered by X, "big" by BIG bytes, "long" by
 * PIECES pieces, each of which takes PIECE_NS, and "end" by "bye" and the end of the connection.
 * "slow" takes SLOW_NS. The test itself answers "later", and keeps its client in `later`. */
static struct server_client *later;
static unsigned opened, closed;
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
		return SERVER_MORE;
	}
	if (strcmp(line, "slow") == 0) {
		skipped_ns += SLOW_NS;
		slow_lines++;
	}
	if (strcmp(line, "later") == 0) {
		later = client;
		return SERVER_LATER;
	}
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
		return SERVER_MORE;
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

static const struct server_protocol protocol = { 100, 1, on_open, on_line, on_more, on_close };

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct server_config config = {
		.path = w->path, .directory_mode = 0750, .inherited_fd = -1, .protocol = &protocol
	};
	struct fault f;

	strcpy(w->directory, "/tmp/test_server.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/run/wg0.sock", w->directory);
	w->loop = loop_new();
	assert_non_null(w->loop);
	opened = closed = 0;
	config.loop = w->loop;
	assert_int_equal(server_new(&w->server, &config, &f), 0);
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
	text[100] = '\n'; /* a line of 100 bytes, the limit */
	say(w, a, text);
	assert_int_equal(strlen(hear(a)), 96);
	memset(text + 100, 'x', 2);
	text[102] = '\0';
	say(w, a, text); /* a longer line, whose newline has not arrived */
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

/* A long answer is produced for 5 ms in each turn of the loop. Other clients are answered
 * meanwhile. The next line of the same client is answered afterwards. */
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

/* The lines of a client are handled for 5 ms at a time. Other clients are answered meanwhile. If
 * a client closes its side, the lines that it sent before are still handled. */
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
		/* A turn of the loop handles lines at most twice: once because the socket is
		 * readable, and once because the timer for the remaining lines fires. */
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

/* If a client does not read a long answer, the server stops producing the answer when the output
 * buffer is full. If the client then disconnects, the rest of the answer is not produced. */
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

/* If no file descriptor is left, a new connection waits to be accepted, and does not keep the loop
 * busy. */
static void no_descriptors(void **state)
{
	struct world *w = *state;
	int fd = ring(w), highest = dup(fd);
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)highest, before.rlim_max };
	close(highest);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	say(w, fd, "echo in\n");
	assert_int_equal(opened, 0);
	assert_true(loop_timer_armed(&w->server->pause_timer));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	loop_timer_arm(&w->server->pause_timer, 0);
	turn(w);
	assert_false(loop_timer_armed(&w->server->pause_timer));
	assert_string_equal(hear(fd), "in\n");
	close(fd);
}

/* Reads everything that the socket holds now, so that the server can send more of a big answer. */
static void read_some(struct world *w, int fd)
{
	while (*hear(fd))
		;
	turn(w);
}

static void send_later(const char *text)
{
	struct buffer answer = { 0 };

	buffer_printf(&answer, "%s", text);
	server_send(later, &answer);
	buffer_done(&answer);
}

/* The lines that follow a line with a late answer are handled after this answer has been given. */
static void answers_later(void **state)
{
	struct world *w = *state;
	int a = dial(w), b = dial(w);

	say(w, a, "later\necho after\n");
	say(w, a, "echo last\n");
	assert_string_equal(hear(a), "");
	send_later("now\n");
	turn(w);
	assert_string_equal(hear(a), "now\nafter\nlast\n");
	say(w, b, "later\n");
	close(b);
	turn(w);
	assert_null(later); /* the client has hung up, so its connection was closed */
	close(a);
}

/* A client that has only closed its side for sending receives the late answer. */
static void answers_later_after_shutdown(void **state)
{
	struct world *w = *state;
	int fd = dial(w);

	say(w, fd, "later\necho after\n");
	shutdown(fd, SHUT_WR);
	turn(w);
	assert_int_equal(closed, 0);
	send_later("now\n");
	turn(w);
	assert_string_equal(hear(fd), "now\nafter\n");
	assert_null(hear(fd));
	close(fd);
}

/* After server_stop() no line is handled and no long answer is continued. The late answer to an
 * earlier line is still sent, even if another client does not read its answers. */
static void stops(void **state)
{
	struct world *w = *state;
	int waits = dial(w), other = dial(w), slow = dial(w), fd = dial(w);
	unsigned left;

	say(w, waits, "later\necho after\n");
	say(w, slow, "big\n");
	say(w, fd, "long\n");
	left = pieces_left;
	assert_int_equal(send(other, "echo here\n", 10, MSG_NOSIGNAL), 10);
	server_stop(w->server);
	for (unsigned i = 0; i < 20; i++)
		read_some(w, fd);
	assert_int_equal(pieces_left, left);
	assert_string_equal(hear(other), "");
	send_later("now\n");
	server_flush(w->server, 10);
	assert_string_equal(hear(waits), "now\n");
	turn(w);
	assert_string_equal(hear(waits), "");
	close(waits);
	close(other);
	close(slow);
	close(fd);
	turn(w);
	assert_int_equal(closed, 4);
}

static void too_many(void **state)
{
	struct world *w = *state;
	int fds[SERVER_CLIENTS_MAX], extra;

	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		fds[i] = dial(w);
	extra = dial(w);
	say(w, extra, "echo in\n");
	/* no client is idle, so none is disconnected for the new one */
	assert_string_equal(hear(extra), "");
	say(w, fds[0], "echo still\n");
	assert_string_equal(hear(fds[0]), "still\n");
	close(fds[0]);
	turn(w);
	assert_string_equal(hear(extra), "in\n");
	assert_int_equal(closed, 1);
	close(extra);
	for (int i = 1; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
}

/* If the server is full, it closes an idle client to make room for a new one. It closes clients
 * without an unread answer first. */
static void eviction(void **state)
{
	struct world *w = *state;
	int fds[SERVER_CLIENTS_MAX], extra;

	for (int i = 0; i < SERVER_CLIENTS_MAX; i++) {
		fds[i] = dial(w);
		/* only client 2 receives its whole answer at once */
		say(w, fds[i], i == 2 ? "echo x\n" : "big\n");
	}
	skipped_ns += IDLE_NS / 2;
	read_some(w, fds[0]); /* the oldest client, but not idle, because it reads */
	skipped_ns += IDLE_NS / 2;
	extra = dial(w);
	assert_int_equal(closed, 1);
	say(w, extra, "big\n");
	assert_string_equal(hear(fds[2]), "x\n");
	/* Client 2 was disconnected. It is newer than client 1, but has no unread answer. */
	assert_null(hear(fds[2]));
	close(fds[2]);
	fds[2] = extra;

	/* Now each client has an unread answer, so the server disconnects client 1, which has been
	 * idle longest. */
	extra = dial(w);
	assert_int_equal(closed, 2);
	say(w, extra, "big\n");
	while (hear(fds[1]))
		;
	close(fds[1]);
	fds[1] = extra;

	/* No client is idle. A new client waits until another client becomes idle. */
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		read_some(w, fds[i]);
	extra = dial(w);
	say(w, extra, "echo in\n");
	assert_string_equal(hear(extra), "");
	assert_int_equal(closed, 2);
	skipped_ns += IDLE_NS;
	turn(w);
	assert_int_equal(closed, 2);
	loop_timer_arm(&w->server->pause_timer, 0);
	turn(w);
	assert_int_equal(closed, 3);
	assert_string_equal(hear(extra), "in\n");
	close(extra);
	for (int i = 0; i < SERVER_CLIENTS_MAX; i++)
		close(fds[i]);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(lines),
		TEST(bounded_lines),
		TEST(slow_reader),
		TEST(long_answer),
		TEST(long_answer_unread),
		TEST(slow_lines_in_turns),
		TEST(answers_later),
		TEST(answers_later_after_shutdown),
		TEST(stops),
		TEST(too_many),
		TEST(no_descriptors),
		TEST(eviction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
