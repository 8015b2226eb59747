/* SPDX-License-Identifier: MIT */
/* test_ctlserver.c - requests on the control socket, including those that are answered later. The
 * socket and its clients are real. */
#include "server_fixture.h"

#include "wgxdp/control.h"

/* The test uses a directory of its own instead of the system's. */
#undef CONTROL_DIRECTORY
#define CONTROL_DIRECTORY "wgxdp-test-ctlserver"
#include "control/ctlserver.c" /* NOLINT(bugprone-suspicious-include) */

#define SHOW_PIECES 10

/* Stands for the daemon. It decides a `confirm` without "wait" at once. Reloads and `confirm`
 * requests that wait are answered by finish(), or by the test with the functions of ctlserver.h. */
static struct daemon {
	struct ctlserver *control;
	unsigned runs, reloaded; /* how many reloads have begun, how many are answered */
	const char *failed;	 /* why the last reload failed; NULL = it succeeded */
	unsigned waits;		 /* unanswered `confirm` requests, which wait for a decision */
	unsigned shows, sets, detaches;
	bool closed;	 /* the memory that requests use has been freed */
	int closes_fd;	 /* `set` closes this client's socket; -1: none */
	unsigned pieces; /* pieces of the current show that are still to be sent */
} d;

static int show_begin(void *ctx, struct ctlserver_show *at, struct buffer *reply)
{
	(void)ctx, (void)at;
	assert_false(d.closed);
	d.shows++;
	d.pieces = SHOW_PIECES;
	buffer_printf(reply, "{\"show\":[0");
	return SERVER_MORE;
}

/* Adds a piece, and takes all the time that one client may have in a turn of the event loop. */
static int show_more(void *ctx, struct ctlserver_show *at, struct buffer *reply)
{
	(void)ctx, (void)at;
	assert_false(d.closed);
	skipped_ns += PASS_TURN_NS;
	if (--d.pieces) {
		buffer_printf(reply, ",0");
		return SERVER_MORE;
	}
	buffer_printf(reply, "]}\n");
	return 0;
}

/* Takes all the time that one client may have in a turn, so that the timer handles the client's
 * next request. */
static json_t *set_debug(void *ctx, bool on)
{
	(void)ctx, (void)on;
	assert_false(d.closed);
	d.sets++;
	skipped_ns += PASS_TURN_NS;
	if (d.closes_fd >= 0)
		close(d.closes_fd);
	d.closes_fd = -1;
	return json_pack("{s:b}", "set", 1);
}

static json_t *logs(void *ctx)
{
	(void)ctx;
	assert_false(d.closed);
	return json_pack("{s:[]}", "lines");
}

static unsigned begin_reload(void *ctx, bool exact, bool adopt, struct fault *f)
{
	(void)ctx, (void)exact, (void)adopt, (void)f;
	assert_false(d.closed);
	return ++d.runs;
}

/* Returns the number of the last reload, or 0 if that reload has ended. */
static unsigned awaited(void *ctx, const char **error)
{
	(void)ctx;
	*error = d.failed;
	assert_false(d.closed);
	return d.reloaded < d.runs ? d.runs : 0;
}

static const char *begin_confirm(void *ctx, bool waits)
{
	(void)ctx;
	assert_false(d.closed);
	if (waits)
		d.waits++;
	else
		ctlserver_decided(d.control, true);
	return NULL;
}

static const char *begin_detach(void *ctx)
{
	(void)ctx;
	assert_false(d.closed);
	d.detaches++;
	return NULL;
}

static const struct ctlserver_ops ops = { show_begin,	show_more, set_debug,	  logs,
					  begin_reload, awaited,   begin_confirm, begin_detach };

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fault f;

	snprintf(w->path, sizeof(w->path), CONTROL_DIRECTORY "/wg0" CONTROL_SUFFIX);
	w->loop = loop_new();
	assert_non_null(w->loop);
	d = (struct daemon){ .closes_fd = -1 };
	assert_int_equal(ctlserver_new(&d.control, w->loop, "wg0", &ops, NULL, &f), 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	ctlserver_free(d.control);
	loop_free(w->loop);
	free(w);
	return rmdir(CONTROL_DIRECTORY);
}

/* In each turn of the loop, answers all requests that wait for a reload or for a decision. */
static void finish(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	while (d.reloaded < d.runs)
		ctlserver_reloaded(d.control, ++d.reloaded, NULL);
	if (d.waits)
		ctlserver_decided(d.control, true);
	d.waits = 0;
	loop_timer_arm(ctx, 0);
}

enum kind { SHOW, SET, RELOAD, WAIT, KINDS };

static const char *const requests[KINDS] = {
	[SHOW] = "{\"op\":\"show\"}\n",
	[SET] = "{\"op\":\"set\",\"debug\":true}\n",
	[RELOAD] = "{\"op\":\"reload\"}\n",
	[WAIT] = "{\"op\":\"confirm\",\"wait\":true}\n",
};

/* The JSON member by which the test recognises an answer of each kind. */
static const char *const members[KINDS] = {
	[SHOW] = "show", [SET] = "set", [RELOAD] = CONTROL_OK, [WAIT] = CONTROL_OK
};

/* Checks that *@text begins with a complete answer of @kind, and moves *@text past it. */
static void assert_answer(const char **text, enum kind kind)
{
	const char *newline = strchr(*text, '\n');
	json_t *object;

	assert_non_null(newline);
	object = json_loadb(*text, (size_t)(newline - *text), 0, NULL);
	assert_non_null(json_object_get(object, members[kind]));
	json_decref(object);
	*text = newline + 1;
}

/* Four requests that arrive together are answered in the order of the requests. The test tries
 * every sequence of four requests of the four kinds. Five calls of turn() are enough, even if
 * each of the four requests has to wait for finish(). */
static void any_order(void **state)
{
	struct world *w = *state;
	struct loop_timer timer;
	int fd = dial(w);

	loop_timer_init(&timer, w->loop, finish, &timer);
	loop_timer_arm(&timer, 0);
	for (unsigned i = 0; i < KINDS * KINDS * KINDS * KINDS; i++) {
		enum kind order[] = { i % 4, i / 4 % 4, i / 16 % 4, i / 64 };
		struct buffer sent = { 0 }, heard = { 0 };
		const char *text;

		for (unsigned n = 0; n < 4; n++)
			buffer_printf(&sent, "%s", requests[order[n]]);
		say(w, fd, sent.data);
		for (unsigned turns = 0; turns < 5; turns++) {
			turn(w);
			text = hear(fd);
			assert_non_null(text);
			buffer_printf(&heard, "%s", text);
		}
		text = heard.data;
		for (unsigned n = 0; n < 4; n++)
			assert_answer(&text, order[n]);
		assert_string_equal(text, "");
		buffer_done(&sent);
		buffer_done(&heard);
	}
	loop_timer_done(&timer);
	close(fd);
}

/* While a client waits, its further requests are not handled. */
static void waiting_holds_back(void **state)
{
	struct world *w = *state;
	int a = dial(w), b = dial(w);
	const char *text;

	say(w, a, "{\"op\":\"reload\"}\n{\"op\":\"reload\"}\n{\"op\":\"show\"}\n");
	say(w, b, "{\"op\":\"detach\"}\n{\"op\":\"show\"}\n");
	assert_int_equal(d.runs, 1);
	assert_int_equal(d.detaches, 1);
	assert_int_equal(d.shows, 0);
	ctlserver_reloaded(d.control, 1, "no");
	turn(w);
	text = hear(a);
	assert_non_null(strstr(text, "\"error\":\"no\""));
	assert_non_null(strchr(text, '\n'));
	assert_string_equal(strchr(text, '\n'), "\n"); /* only one answer has arrived */
	assert_int_equal(d.runs, 2);
	ctlserver_reloaded(d.control, 2, NULL);
	turn(w);
	text = hear(a);
	assert_answer(&text, RELOAD);
	assert_answer(&text, SHOW);
	assert_int_equal(d.shows, 1);
	close(a);
	close(b);
}

/* `settle` is answered at once if no reload runs, else together with the last reload. */
static void settles_after_reload(void **state)
{
	struct world *w = *state;
	int a = dial(w), b = dial(w);
	const char *text;

	say(w, b, "{\"op\":\"settle\"}\n");
	text = hear(b);
	assert_answer(&text, RELOAD);
	say(w, a, "{\"op\":\"reload\"}\n");
	say(w, b, "{\"op\":\"settle\"}\n");
	assert_string_equal(hear(b), "");
	ctlserver_reloaded(d.control, ++d.reloaded, NULL);
	turn(w);
	text = hear(a);
	assert_answer(&text, RELOAD);
	text = hear(b);
	assert_answer(&text, RELOAD);
	say(w, b, "{\"op\":\"settle\"}\n");
	text = hear(b);
	assert_answer(&text, RELOAD);
	d.failed = "no";
	say(w, b, "{\"op\":\"settle\"}\n");
	assert_non_null(strstr(hear(b), "\"error\":\"no\",\"failed\":true"));
	say(w, a, "{\"op\":\"reload\"}\n");
	say(w, b, "{\"op\":\"settle\"}\n");
	ctlserver_reloaded(d.control, ++d.reloaded, "port");
	turn(w);
	assert_non_null(strstr(hear(b), "\"error\":\"port\",\"failed\":true"));
	close(a);
	close(b);
}

/* Four clients send two `confirm` requests each, the first of which waits for a decision. Two
 * clients hang up. The other two receive the answers to both of their requests. */
static void hung_up_while_waiting(void **state)
{
	struct world *w = *state;
	int fds[4];
	const char *text;

	for (unsigned i = 0; i < 4; i++) {
		fds[i] = dial(w);
		say(w, fds[i], "{\"op\":\"confirm\",\"wait\":true}\n{\"op\":\"confirm\"}\n");
	}
	assert_int_equal(d.waits, 4);
	close(fds[1]);
	close(fds[2]); /* the server has not noticed either hangup yet */
	ctlserver_decided(d.control, true);
	turn(w);
	for (unsigned i = 0; i < 4; i += 3) {
		text = hear(fds[i]);
		assert_answer(&text, WAIT);
		assert_answer(&text, WAIT);
		assert_string_equal(text, "");
		close(fds[i]);
	}
}

/* Two clients wait until somebody confirms. A third client sends `set` and then `confirm`. During
 * the `set` one of the two waiting clients hangs up. The `confirm` answers the third client and the
 * client that still waits. The `set` takes all the time that one client may have in a turn, so the
 * server handles the `confirm` later, in the callback of its timer. */
static void answers_others(void **state)
{
	struct world *w = *state;
	int other = dial(w), dead = dial(w), fd = dial(w);
	const char *text;

	say(w, other, "{\"op\":\"confirm\",\"wait\":true}\n");
	say(w, dead, "{\"op\":\"confirm\",\"wait\":true}\n");
	d.closes_fd = dead;
	say(w, fd, "{\"op\":\"set\",\"debug\":true}\n{\"op\":\"confirm\"}\n");
	text = hear(fd);
	assert_answer(&text, SET);
	assert_answer(&text, WAIT);
	text = hear(other);
	assert_answer(&text, WAIT);
	close(other);
	close(fd);
}

/* A client that waits for an answer stays connected, however long it has been idle. */
static void keeps_its_place(void **state)
{
	struct world *w = *state;
	int fds[SERVER_CLIENTS_MAX], extra;
	const char *text;

	for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++) {
		fds[i] = dial(w);
		if (i != 5)
			say(w, fds[i], "{\"op\":\"confirm\",\"wait\":true}\n");
	}
	skipped_ns += 2 * IDLE_NS;
	extra = dial(w);
	assert_null(hear(fds[5])); /* the only client that does not wait is closed */
	close(fds[5]);
	fds[5] = extra;
	say(w, extra, "{\"op\":\"confirm\",\"wait\":true}\n");
	skipped_ns += 2 * IDLE_NS;
	/* A client that waits stays connected until its answer is sent. */
	extra = ring(w);
	ctlserver_decided(d.control, false);
	turn(w);
	for (unsigned i = 0; i < SERVER_CLIENTS_MAX; i++) {
		text = hear(fds[i]);
		assert_answer(&text, WAIT);
		close(fds[i]);
	}
	say(w, extra, requests[SET]);
	text = hear(extra);
	assert_answer(&text, SET);
	close(extra);
}

/* After ctlserver_stop() no request is handled, not even a request that has been read already. The
 * answer to `detach` is still sent. */
static void no_request_after_stop(void **state)
{
	struct world *w = *state;
	int fd = dial(w), late = dial(w);
	const char *text;

	say(w, fd,
	    "{\"op\":\"detach\"}\n{\"op\":\"show\"}\n{\"op\":\"reload\"}\n{\"op\":\"logs\"}\n");
	assert_int_equal(d.detaches, 1);
	assert_int_equal(send(late, requests[SHOW], strlen(requests[SHOW]), MSG_NOSIGNAL),
			 (int)strlen(requests[SHOW]));
	ctlserver_stop(d.control);
	d.closed = true;
	ctlserver_detached(d.control);
	text = hear(fd);
	assert_answer(&text, RELOAD);
	assert_string_equal(text, "");
	turn(w);
	assert_string_equal(hear(fd), "");
	assert_string_equal(hear(late), "");
	close(fd);
	close(late);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(any_order),
		TEST(waiting_holds_back),
		TEST(hung_up_while_waiting),
		TEST(answers_others),
		TEST(keeps_its_place),
		TEST(no_request_after_stop),
		TEST(settles_after_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
