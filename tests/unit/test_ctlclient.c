/* SPDX-License-Identifier: MIT */
/* test_ctlclient.c - the command asks a daemon of the same version, an older one or a newer one.
 * The daemon is a child process that sends one answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "wgxdp/control.h"

/* The test uses a directory of its own instead of the system's. */
#undef CONTROL_DIRECTORY
#define CONTROL_DIRECTORY "wgxdp-test-ctlclient"
#include "cli/ctlclient.c" /* NOLINT(bugprone-suspicious-include) */

#define REQUEST_SIZE (1 << 22) /* bytes; more than the buffer of a socket holds */
#define SOCKET CONTROL_DIRECTORY "/wg0" CONTROL_SUFFIX

static int setup(void **state)
{
	(void)state;
	mkdir(CONTROL_DIRECTORY, 0700);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(SOCKET);
	return rmdir(CONTROL_DIRECTORY);
}

/* Starts a child process that answers the first request with @answer and @end. The child process
 * exits with status 1 if there was a request, otherwise with 0. */
static pid_t serve(const char *answer, const char *end)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	char request[256];
	pid_t pid;

	unlink(SOCKET);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	pid = fork();
	if (!pid) {
		alarm(10);
		fd = accept(listener, NULL, NULL);
		if (read(fd, request, sizeof(request)) <= 0)
			_exit(0);
		dprintf(fd, "%s%s", answer, end);
		_exit(1);
	}
	close(listener);
	return pid;
}

static void ask(const char *answer, int err, json_t **reply, struct fault *f)
{
	pid_t pid = serve(answer, "\n");

	assert_int_equal(ctlclient_request("wg0", "show", 5, reply, f), err);
	waitpid(pid, NULL, 0);
}

static void test_answers(void **state)
{
	static const struct {
		const char *answer, *differs; /* differs: a message; NULL = equal versions */
	} table[] = {
		{ "{\"ok\":true,\"version\":\"" WGXDP_VERSION "\"}", NULL },
		{ "{\"ok\":true}",
		  "the daemon is wgxdp 0.2.0 or older, this command is " WGXDP_VERSION
		  "; restart wg0 to use " WGXDP_VERSION },
		{ "{\"ok\":true,\"version\":\"9.1\",\"novel\":[1]}",
		  "the daemon is wgxdp 9.1, this command is " WGXDP_VERSION
		  "; restart wg0 to use " WGXDP_VERSION },
		{ "{\"ok\":true,\"version\":5}",
		  "the daemon is wgxdp 0.2.0 or older, this command is " WGXDP_VERSION
		  "; restart wg0 to use " WGXDP_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		json_t *reply = NULL;
		struct fault f = { "" };

		ask(table[i].answer, 0, &reply, &f);
		assert_int_equal(ctlclient_version_differs("wg0", reply, &f), !!table[i].differs);
		assert_string_equal(f.text, table[i].differs ? table[i].differs : "");
		json_decref(reply);
	}
}

static void test_refusals(void **state)
{
	json_t *reply = NULL;
	struct fault f = { "" };

	(void)state;
	ask("{\"error\":\"no\",\"version\":\"" WGXDP_VERSION "\"}", -EREMOTEIO, &reply, &f);
	assert_string_equal(f.text, "wg0: no");
	ask("{\"error\":\"no\",\"failed\":true,\"version\":\"" WGXDP_VERSION "\"}", -ECANCELED,
	    &reply, &f);
	assert_string_equal(f.text, "wg0: no");
	ask("{\"error\":\"this version of the daemon does not know that request\"}", -EREMOTEIO,
	    &reply, &f);
	assert_string_equal(f.text,
			    "wg0: this version of the daemon does not know that request: the "
			    "daemon is wgxdp 0.2.0 or older, this command is " WGXDP_VERSION
			    "; restart wg0 to use " WGXDP_VERSION);
	ask("neither JSON", -EPROTO, &reply, &f);
	assert_string_equal(f.text, "wg0: the daemon's answer is not a JSON object");
	ask("[\"no object\"]", -EPROTO, &reply, &f);
	assert_null(reply);
}

/* The daemon ends while the command waits for the answer, or for the rest of the answer. */
static void test_end(void **state)
{
	static const char *const answers[] = { "", "{\"ok\":tr" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		json_t *reply = NULL;
		struct fault f = { "" };
		pid_t pid = serve(answers[i], "");

		assert_int_equal(ctlclient_request("wg0", "reload", 5, &reply, &f), -ECONNRESET);
		assert_string_equal(f.text, "wg0: the daemon ended before its answer was complete");
		assert_null(reply);
		waitpid(pid, NULL, 0);
	}
}

/* The daemon does not read, so the buffer of the socket takes only a part of the request, and
 * sending the rest times out. The client must then fail and not read the "{}" that has arrived. */
static void test_half_request(void **state)
{
	struct timeval timeout = { .tv_usec = 10000 };
	char *text = malloc(REQUEST_SIZE);
	struct buffer in = { 0 };
	json_t *request;
	int fds[2];

	(void)state;
	assert_non_null(text);
	memset(text, 'x', REQUEST_SIZE - 1);
	text[REQUEST_SIZE - 1] = '\0';
	request = json_pack("{s:s}", CONTROL_OP, text);
	assert_non_null(request);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
	assert_int_equal(send(fds[1], "{}\n", 3, MSG_NOSIGNAL), 3);
	errno = 0;
	assert_int_equal(talk(fds[0], request, &in), -EAGAIN);
	assert_int_equal(buffer_len(&in), 0);
	close(fds[0]);
	close(fds[1]);
	buffer_done(&in);
	json_decref(request);
	free(text);
}

/* A request that json_pack() could not make for lack of memory is not sent. */
static void test_no_request(void **state)
{
	struct buffer in = { 0 };
	int fds[2];
	char byte;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(send(fds[1], "{}\n", 3, MSG_NOSIGNAL), 3);
	assert_int_equal(talk(fds[0], NULL, &in), -ENOMEM);
	assert_int_equal(recv(fds[1], &byte, 1, MSG_DONTWAIT), -1);
	close(fds[0]);
	close(fds[1]);
	buffer_done(&in);
}

static void test_reach(void **state)
{
	struct fault f = { "" };
	pid_t pid = serve("", "\n");
	int status;

	(void)state;
	assert_int_equal(ctlclient_reach("wg0", &f), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0); /* no request was sent */
	assert_int_equal(ctlclient_reach("wg0", &f), -ENOENT);
	assert_string_equal(f.text, "wg0: no wgxdp serves this interface; `wgxdp show` lists the "
				    "interfaces that are served");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reach, setup, teardown),
		cmocka_unit_test(test_half_request),
		cmocka_unit_test(test_no_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
