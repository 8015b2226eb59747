/* SPDX-License-Identifier: MIT */
/* test_host_dns.c - dns.c and run.c: the arguments of resolvectl and resolvconf, the reports of
 * their failures, and the notifications that keep the watchdog quiet while programs are slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char resolved_serves[64];
#define RESOLVED_SERVES resolved_serves
#include "host/dns.c" /* NOLINT(bugprone-suspicious-include) */
#include "util/notify.h"

static char folder[] = "/tmp/wgxdp-dns-XXXXXX";
static char *servers[] = { "10.0.0.53", "fd00::53" }, *search[] = { "corp.example", "example.com" };
static const struct plan plan = { .servers = { servers, 2 }, .search = { search, 2 } };

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, mode);
}

static void program(const char *name, const char *script)
{
	char text[512];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);
	write_file(name, text, 0755);
}

/* Returns the text that the programs have written to "calls". */
static const char *calls(void)
{
	static char text[1024];
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/calls", folder);
	file = fopen(path, "r");
	text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
	if (file)
		fclose(file);
	unlink(path);
	return text;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(resolved_serves, sizeof(resolved_serves), "%s/serves", folder);
	return setenv("PATH", folder, 1);
}

static int teardown(void **state)
{
	static const char *const names[] = { "resolvconf", "resolvectl", "serves", "calls", "p" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static void by_resolvconf(void **state)
{
	struct fault f = { "" };
	struct dns dns;

	(void)state;
	program("resolvconf", "cd ${0%/*}; echo \"$*\" >>calls; [ $1 = -d ] || /bin/cat >>calls");
	assert_int_equal(dns_choose(&dns, "wg0", &f), 0);
	assert_int_equal(dns.tool, DNS_RESOLVCONF);
	snprintf(dns.name, sizeof(dns.name), "tun.wg0");
	assert_int_equal(dns_set(&dns, &plan, &f), 0);
	assert_string_equal(calls(), "-a tun.wg0 -m 0 -x\nnameserver 10.0.0.53\n"
				     "nameserver fd00::53\nsearch corp.example example.com\n");
	assert_int_equal(dns_unset(&dns, &f), 0);
	assert_string_equal(calls(), "-d tun.wg0 -f\n");
}

static void by_resolvectl(void **state)
{
	struct fault f = { "" };
	struct dns dns;

	(void)state;
	program("resolvectl", "cd ${0%/*}; echo \"$*\" >>calls");
	write_file("serves", "", 0644);
	assert_int_equal(dns_choose(&dns, "wg0", &f), 0);
	assert_int_equal(dns.tool, DNS_RESOLVECTL);
	assert_int_equal(dns_set(&dns, &plan, &f), 0);
	assert_string_equal(calls(), "dns wg0 10.0.0.53 fd00::53\n"
				     "domain wg0 corp.example example.com ~.\n");
	assert_int_equal(dns_unset(&dns, &f), 0);
	assert_string_equal(calls(), "revert wg0\n");
}

static int run_p(const char *script, const char *input, unsigned timeout_ms, struct fault *f)
{
	char path[128];
	char *argv[] = { path, NULL };

	program("p", script);
	snprintf(path, sizeof(path), "%s/p", folder);
	return run_program(argv, input, timeout_ms, f);
}

static void ends(void **state)
{
	static const char *const long_output =
		"/usr/bin/yes 0123456789 | /usr/bin/head -n 9999; exit 7";
	struct fault f = { "" };
	time_t begin = time(NULL);

	(void)state;
	assert_int_equal(run_p("exit 0", NULL, 9000, &f), 0);
	assert_int_equal(run_p("echo out; echo 'no such thing' >&2; exit 3", NULL, 9000, &f),
			 -EREMOTEIO);
	assert_non_null(strstr(f.text, "/p failed with status 3: out no such thing"));
	assert_int_equal(run_p("kill -9 $$", NULL, 9000, &f), -EREMOTEIO);
	assert_non_null(strstr(f.text, "signal 9"));
	assert_int_equal(run_p("read a; [ \"$a\" = word ]", "word\n", 9000, &f), 0);
	assert_int_equal(run_p(long_output, NULL, 9000, &f), -EREMOTEIO);
	assert_non_null(strstr(f.text, "status 7: 0123456789 0123456789"));
	/* On a timeout the program and its children are killed. If a program ends and leaves a
	 * child running, run_program() does not wait for the child. */
	assert_int_equal(run_p("/bin/sleep 30", NULL, 100, &f), -ETIMEDOUT);
	assert_int_equal(run_p("/bin/sleep 3 & exit 0", NULL, 9000, &f), 0);
	assert_true(time(NULL) - begin < 9);
}

/* run_program() notifies the service manager's watchdog before it starts a program. Otherwise the
 * watchdog would kill a daemon that waits for several slow programs in a row. */
static void watchdog_is_notified(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct fault f = { "" };
	char got[32] = "";

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(notify_open(), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_p("exit 0", NULL, 9000, &f), 0);
		assert_true(recv(listener, got, sizeof(got) - 1, 0) > 0);
		assert_string_equal(got, "WATCHDOG=1");
	}
	notify_close();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unlink(address.sun_path);
	close(listener);
}

static void nothing_installed(void **state)
{
	struct fault f = { "" };
	char path[PATH_MAX];
	struct dns dns;

	(void)state;
	unlink(resolved_serves);
	snprintf(path, sizeof(path), "%s/resolvconf", folder);
	unlink(path);
	if (run_find("resolvconf", path))
		skip();
	assert_int_equal(dns_choose(&dns, "wg0", &f), -ENOENT);
	assert_non_null(strstr(f.text, "install the package openresolv"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_resolvconf),
		cmocka_unit_test(by_resolvectl),
		cmocka_unit_test(ends),
		cmocka_unit_test(watchdog_is_notified),
		cmocka_unit_test(nothing_installed),
	};

	return cmocka_run_group_tests_name("host_dns", tests, setup, teardown);
}
