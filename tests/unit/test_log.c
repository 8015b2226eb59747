/* SPDX-License-Identifier: MIT */
/*
 * test_log.c - the exact bytes that reach stderr (a memory file in this test), the journal and
 * syslog.
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

/* The test logs to sockets of its own instead of the system's. */
#define SYSLOG_PATH "wgxdp-test-log.socket"
#define JOURNAL_PATH "wgxdp-test-journal.socket"
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

/* Receives a datagram as a string. */
static void receive(int fd, char *text, size_t room)
{
	ssize_t n = recv(fd, text, room - 1, MSG_DONTWAIT);

	assert_in_range(n, 1, room - 1);
	text[n] = '\0';
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
		log_open("wg0", LOG_LEVEL_SILENT);
		log_set_level(table[i].level);
		assert_int_equal(log_get_level(), table[i].level);
		log_error("e %d", 1);
		log_info("i %d", 2);
		log_debug("d %d", 3);
		assert_string_equal(written(), table[i].want);
	}
}

/* Makes stderr look like a stream of the journal. */
static void be_a_service(void)
{
	char stream[48];
	struct stat st;

	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void test_journal(void **state)
{
	int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char message[2048];

	(void)state;
	be_a_service();
	unlink(JOURNAL_PATH);
	assert_int_equal(bind(listener, (const struct sockaddr *)&journal_address,
			      sizeof(journal_address)),
			 0);
	log_open("wg0", LOG_LEVEL_INFO);
	assert_string_equal(log_where(), "journal");
	log_error("e\n%d", 1);
	log_debug("not wanted");
	receive(listener, message, sizeof(message));
	assert_string_equal(message, "PRIORITY=3\nSYSLOG_FACILITY=3\n"
				     "SYSLOG_IDENTIFIER=wgxdp[wg0]\nWGXDP_INTERFACE=wg0\n"
				     "MESSAGE=e?1\n");
	assert_int_equal(recv(listener, message, sizeof(message), MSG_DONTWAIT), -1);
	for (unsigned i = 0; i < 10000; i++)
		log_info("flood");
	assert_string_equal(written(), "");
	close(listener);
	unlink(JOURNAL_PATH);
}

/* Without the journal's socket, for example in a container, the lines go to stderr. */
static void test_journal_priorities(void **state)
{
	(void)state;
	be_a_service();
	log_open("", LOG_LEVEL_DEBUG);
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
	log_open("", LOG_LEVEL_DEBUG);
	assert_string_equal(log_where(), "stderr");
	log_error("e");
	assert_string_equal(written(), "wgxdp: e\n");
}

/* An untrusted value cannot forge a line or a terminal sequence. UTF-8 is unchanged. */
static void test_control_characters(void **state)
{
	(void)state;
	log_open("", LOG_LEVEL_INFO);
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
	log_open("", LOG_LEVEL_INFO);
	log_info("%s", text);
	len = strlen(written());
	assert_int_equal(len, sizeof("wgxdp: \n") - 1 + LOG_TEXT_MAX - 1);
	assert_string_equal(seen + len - 5, "x...\n");
}

static void test_errno_is_kept(void **state)
{
	(void)state;
	log_open("", LOG_LEVEL_INFO);
	close(STDERR_FILENO);
	errno = ENOENT;
	log_info("to nobody");
	assert_int_equal(errno, ENOENT);
}

/* Messages of a daemon without a terminal go to syslog. Syslog may start and stop while the daemon
 * runs, and a syslog that does not read must not block the daemon. */
static void test_syslog(void **state)
{
	int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char line[2048], want[64], date[16];

	(void)state;
	unlink(SYSLOG_PATH);
	log_open("wg0", LOG_LEVEL_DEBUG);
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
	receive(listener, line, sizeof(line));
	memcpy(date, line + 4, 15);
	date[15] = '\0';
	snprintf(want, sizeof(want), "<27>%s wgxdp[wg0][%d]: e?1", date, (int)getpid());
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

/* Reads the log ring from @line to its end. Returns the number of lines, and the last line in
 * @line. */
static unsigned rest_of_ring(struct log_line *line)
{
	unsigned n = 0;

	while (log_ring_next(line))
		n++;
	return n;
}

static void test_ring(void **state)
{
	static const struct {
		enum log_level level;
		unsigned kept; /* how many of an error, an info and a debug message are kept */
	} table[] = {
		{ LOG_LEVEL_SILENT, 0 },
		{ LOG_LEVEL_ERROR, 2 },
		{ LOG_LEVEL_INFO, 2 },
		{ LOG_LEVEL_DEBUG, 3 },
	};
	struct log_line line = { 0 }, first = { 0 };
	uint64_t before_ms = (uint64_t)time(NULL) * 1000;

	(void)state;
	rest_of_ring(&line);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		log_open("wg0", table[i].level);
		log_error("e");
		log_info("i");
		log_debug("d");
		assert_int_equal(rest_of_ring(&line), table[i].kept);
	}
	for (unsigned i = 0; i < LOG_RING_LINES + 7; i++)
		log_error("line %u\n", i);
	assert_true(log_ring_next(&first));
	assert_string_equal(first.text, "line 7?");
	assert_int_equal(first.serial, line.serial + 8);
	assert_int_equal(first.level, LOG_LEVEL_ERROR);
	assert_in_range(first.time_ms, before_ms, before_ms + 60000);
	assert_int_equal(rest_of_ring(&first), LOG_RING_LINES - 1);
	assert_string_equal(first.text, "line 262?");
	assert_false(log_ring_next(&first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_journal_priorities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_somebody_elses_journal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_control_characters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_message_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syslog, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errno_is_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
