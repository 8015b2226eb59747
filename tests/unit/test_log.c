/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - the exact bytes that reach stderr, which is a memory file here, and syslog.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A socket of the test, because /dev/log belongs to the machine. */
#define SYSLOG_PATH "wgxdp-test-log.socket"
#include "util/log.c" /* NOLINT(bugprone-suspicious-include) */

static int saved_stderr, memory;
static char seen[4096];

static int setup(void **state)
{
	(void)state;
	saved_stderr = dup(STDERR_FILENO);
	memory = memfd_create("stderr", MFD_CLOEXEC);
	dup2(memory, STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(memory);
	return 0;
}

static const char *written(void)
{
	ssize_t n = pread(memory, seen, sizeof(seen) - 1, 0);

	seen[n > 0 ? n : 0] = '\0';
	return seen;
}

static void test_levels(void **state)
{
	static const struct {
		enum log_level level;
		const char *want;
	} table[] = {
		{ LOG_LEVEL_SILENT, "" },
		{ LOG_LEVEL_ERROR, "wgxdp: wg0: e 1\n" },
		{ LOG_LEVEL_INFO, "wgxdp: wg0: e 1\nwgxdp: wg0: i 2\n" },
		{ LOG_LEVEL_DEBUG, "wgxdp: wg0: e 1\nwgxdp: wg0: i 2\nwgxdp: wg0: d 3\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(ftruncate(memory, 0), 0);
		lseek(memory, 0, SEEK_SET);
		log_open("wgxdp: wg0", LOG_LEVEL_SILENT);
		log_set_level(table[i].level);
		assert_int_equal(log_get_level(), table[i].level);
		log_error("e %d", 1);
		log_info("i %d", 2);
		log_debug("d %d", 3);
		assert_string_equal(written(), table[i].want);
	}
}

static void test_journal_priorities(void **state)
{
	char stream[48];
	struct stat st;

	(void)state;
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("wgxdp", LOG_LEVEL_DEBUG);
	assert_string_equal(log_where(), "journal");
	log_error("e");
	log_info("i");
	log_debug("d");
	assert_string_equal(written(), "<3>wgxdp: e\n<6>wgxdp: i\n<7>wgxdp: d\n");
}

/* A shell in a service has JOURNAL_STREAM, but its stderr is a terminal. */
static void test_somebody_elses_journal(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_open("wgxdp", LOG_LEVEL_DEBUG);
	assert_string_equal(log_where(), "stderr");
	log_error("e");
	assert_string_equal(written(), "wgxdp: e\n");
}

/* A foreign value cannot forge a line or a terminal sequence. UTF-8 is unchanged. */
static void test_control_characters(void **state)
{
	(void)state;
	log_open("wgxdp", LOG_LEVEL_INFO);
	log_info("%s", "a\nwgxdp: b\r\x1b[31m\x7f\tc\xc3\xa4");
	assert_string_equal(written(), "wgxdp: a?wgxdp: b??[31m??c\xc3\xa4\n");
}

static void test_long_message_is_cut(void **state)
{
	char text[3000];
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_open("wgxdp", LOG_LEVEL_INFO);
	log_info("%s", text);
	len = strlen(written());
	assert_int_equal(len, 1024);
	assert_string_equal(seen + len - 5, "x...\n");
}

static void test_errno_is_kept(void **state)
{
	(void)state;
	log_open("wgxdp", LOG_LEVEL_INFO);
	close(STDERR_FILENO);
	errno = ENOENT;
	log_info("to nobody");
	assert_int_equal(errno, ENOENT);
}

/* The messages of a daemon without a terminal. Syslog may start and stop while the daemon runs, and
 * a syslog that does not read does not block. */
static void test_syslog(void **state)
{
	int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char line[2048], want[64], date[16];
	ssize_t n;

	(void)state;
	unlink(SYSLOG_PATH);
	log_open("wgxdp: wg0", LOG_LEVEL_DEBUG);
	assert_string_equal(log_where(), "stderr");
	log_use_syslog();
	assert_string_equal(log_where(), "nowhere");
	log_error("to nobody");
	assert_int_equal(bind(listener, (const struct sockaddr *)&syslog_address,
			      sizeof(syslog_address)),
			 0);
	assert_string_equal(log_where(), "syslog");
	log_error("e\n%d", 1);
	log_debug("d");
	n = recv(listener, line, sizeof(line) - 1, MSG_DONTWAIT);
	assert_in_range(n, 1, sizeof(line) - 1);
	line[n] = '\0';
	memcpy(date, line + 4, 15);
	date[15] = '\0';
	snprintf(want, sizeof(want), "<27>%s wgxdp[%d]: wg0: e?1", date, (int)getpid());
	assert_string_equal(line, want);
	assert_in_range(recv(listener, line, sizeof(line), MSG_DONTWAIT), 4, sizeof(line));
	assert_memory_equal(line, "<31>", 4);
	for (unsigned i = 0; i < 10000; i++)
		log_info("flood");
	assert_string_equal(written(), "");
	close(listener);
	unlink(SYSLOG_PATH);
	close(syslog_fd);
	syslog_fd = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_priorities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_somebody_elses_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_control_characters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_message_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syslog, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errno_is_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
