/* SPDX-License-Identifier: MIT */
/* test_crash_record.c - a line that does not fit on the disk leaves the record as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/crash_record.h"

#define RECORD_MAX 512

static size_t read_record(int fd, char text[static RECORD_MAX])
{
	ssize_t n = pread(fd, text, RECORD_MAX - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return (size_t)n;
}

static void set_size_limit(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_full_disk(void **state)
{
	static const struct encap_next first = { .family = AF_INET,
						 .ifindex = 2,
						 .addr = { 192, 0, 2, 2 } };
	static const struct encap_next second = { .family = AF_INET,
						  .ifindex = 3,
						  .addr = { 192, 0, 2, 3 } };
	char before[RECORD_MAX], after[RECORD_MAX];
	int fd = memfd_create("record", MFD_CLOEXEC), err;
	struct crash_record r;
	struct rlimit old;
	size_t len;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(crash_record_begin(&r, fd), 0);
	assert_int_equal(crash_record_neighbour(&r, &first, true), 0);
	len = read_record(fd, before);
	for (rlim_t room = 0; room < strlen("neighbour 3 c0000203\n"); room++) {
		set_size_limit(len + room);
		errno = 0;
		err = crash_record_neighbour(&r, &second, true);
		set_size_limit(old.rlim_cur);
		assert_int_equal(err, -EFBIG);
		assert_int_equal(read_record(fd, after), len);
		assert_string_equal(after, before);
	}
	assert_int_equal(crash_record_neighbour(&r, &second, true), 0);
	read_record(fd, after);
	assert_string_equal(after + len, "neighbour 3 c0000203\n");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
