/* SPDX-License-Identifier: MIT */
/* test_notify.c - the datagrams of sd_notify(3), sent to a socket at a path and to an abstract
 * socket, and the environment variables that request them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/notify.c" /* NOLINT(bugprone-suspicious-include) */

static int listener = -1;
static char name[64], seen[1024];

/* Listens at @notify_socket, and sets the environment variable NOTIFY_SOCKET to it. */
static void listen_at(const char *notify_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(notify_socket);

	memcpy(address.sun_path, notify_socket, len);
	if (*notify_socket == '@')
		address.sun_path[0] = '\0';
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	setenv("NOTIFY_SOCKET", notify_socket, 1);
}

static const char *received(void)
{
	ssize_t n = recv(listener, seen, sizeof(seen) - 1, 0);

	seen[n > 0 ? n : 0] = '\0';
	return seen;
}

static int setup(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	notify_close();
	if (listener >= 0)
		close(listener);
	listener = -1;
	return 0;
}

static void check_messages(void)
{
	unsigned long long us;

	assert_int_equal(notify_open(), 0);
	notify_ready();
	assert_string_equal(received(), "READY=1");
	notify_status("port %d\nREADY=1\x7f", 5);
	assert_string_equal(received(), "STATUS=port 5?READY=1?");
	notify_stopping();
	assert_string_equal(received(), "STOPPING=1");
	notify_reloading();
	assert_int_equal(sscanf(received(), "RELOADING=1\nMONOTONIC_USEC=%llu", &us), 1);
	assert_true(us > 0);
}

static void test_abstract(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "@wgxdp-test-notify-%d", (int)getpid());
	listen_at(name);
	check_messages();
}

static void test_path(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "/tmp/wgxdp-test-notify-%d", (int)getpid());
	listen_at(name);
	check_messages();
	unlink(name);
}

static void test_nobody(void **state)
{
	static const struct {
		const char *socket;
		int err;
	} table[] = {
		{ "", 0 },
		{ "relative", -EINVAL },
		{ "vsock:2:1234", -EINVAL },
		{ "/nonexistent/socket", -ENOENT },
		{ "@nobody listens", -ECONNREFUSED },
		{ "/123456789/123456789/123456789/123456789/123456789/123456789/123456789/123456789"
		  "/123456789/123456789/1234567",
		  -EINVAL },
	};

	(void)state;
	assert_int_equal(notify_open(), 0);
	notify_ready();
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		setenv("NOTIFY_SOCKET", table[i].socket, 1);
		assert_int_equal(notify_open(), table[i].err);
		notify_ready();
		assert_int_equal(notify_watchdog_ns(), 0);
	}
}

/* A service manager that has exited does not block the daemon. */
static void test_deaf(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "@wgxdp-test-notify-%d", (int)getpid());
	listen_at(name);
	assert_int_equal(notify_open(), 0);
	close(listener);
	listener = -1;
	notify_ready();
	notify_watchdog();
}

static void test_watchdog(void **state)
{
	char own[16], other[16];
	const struct {
		const char *usec, *pid;
		uint64_t ns;
	} table[] = {
		{ NULL, NULL, 0 },
		{ "30000000", NULL, 30000000000ULL },
		{ "30000000", own, 30000000000ULL },
		{ "30000000", other, 0 },
		{ "30000000", "", 0 },
		{ "30000000", "self", 0 },
		{ "0", own, 0 },
		{ "-1", own, 0 },
		{ "30s", own, 0 },
		{ "", own, 0 },
		{ "99999999999999999999999", own, 0 },
		{ "18446744073709551615", own, 0 },
	};

	(void)state;
	snprintf(own, sizeof(own), "%d", (int)getpid());
	snprintf(other, sizeof(other), "%d", (int)getppid());
	snprintf(name, sizeof(name), "@wgxdp-test-notify-%d", (int)getpid());
	listen_at(name);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (table[i].usec)
			setenv("WATCHDOG_USEC", table[i].usec, 1);
		if (table[i].pid)
			setenv("WATCHDOG_PID", table[i].pid, 1);
		assert_int_equal(notify_open(), 0);
		assert_int_equal(notify_watchdog_ns(), table[i].ns);
		notify_watchdog();
		assert_string_equal(received(), table[i].ns ? "WATCHDOG=1" : "");
		notify_close();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_abstract, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deaf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
