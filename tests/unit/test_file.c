/* SPDX-License-Identifier: MIT */
/* test_file.c - file.c opens only regular files, reads whole files up to a limit, and replaces
 * files atomically. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/file.h"

static char directory[] = "/tmp/wgxdp-file-XXXXXX";
static char path[64], link_path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/record", directory);
	snprintf(link_path, sizeof(link_path), "%s/link", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	unlink(link_path);
	return rmdir(directory);
}

static unsigned count_files(void)
{
	unsigned count = 0;
	DIR *d = opendir(directory);

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count - 2; /* . and .. */
}

static int read_file(struct buffer *out, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	assert_true(fd >= 0);
	err = file_read(fd, out, max);
	close(fd);
	return err;
}

static void assert_record(const void *data, size_t len)
{
	struct buffer out = { 0 };
	struct stat s;

	assert_int_equal(read_file(&out, SIZE_MAX), 0);
	assert_int_equal(buffer_len(&out), len);
	assert_memory_equal(out.data + out.at, data, len);
	buffer_done(&out);
	assert_int_equal(lstat(path, &s), 0);
	assert_int_equal(s.st_mode & (S_IFMT | 07777), S_IFREG | 0600);
}

static void replaced(void **state)
{
	static char large[300000];

	(void)state;
	memset(large, 'x', sizeof(large));
	umask(0);
	assert_int_equal(file_replace(path, "old", 3, false), 0);
	assert_record("old", 3);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(file_replace(path, large, sizeof(large), true), 0);
	assert_record(large, sizeof(large));
	/* A link is replaced, and the file to which it points stays. */
	assert_int_equal(symlink("record", link_path), 0);
	assert_int_equal(rename(path, link_path), 0);
	assert_int_equal(symlink("link", path), 0);
	assert_int_equal(file_replace(path, "new", 4, false), 0);
	assert_record("new", 4);
	assert_int_equal(count_files(), 2);
}

/* A failure keeps the old file, and leaves no temporary file. */
static void failures(void **state)
{
	char name[PATH_MAX];

	(void)state;
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(file_replace(path, "old", 3, false), 0);
	assert_int_equal(file_replace(name, "new", 3, false), -ENAMETOOLONG);
	assert_int_equal(file_replace("/proc/record", "new", 3, false), -ENOENT);
	assert_int_equal(file_replace(directory, "new", 3, true), -EISDIR);
	assert_record("old", 3);
	snprintf(name, sizeof(name), "ls -d %s.* 2>/dev/null", directory);
	assert_int_not_equal(system(name), 0);
}

static void limits(void **state)
{
	struct buffer out = { 0 };

	(void)state;
	assert_int_equal(file_replace(path, "12345678", 8, false), 0);
	assert_int_equal(read_file(&out, 8), 0);
	assert_int_equal(buffer_len(&out), 8);
	assert_int_equal(read_file(&out, 16), 0); /* appends 8 more bytes to @out */
	assert_int_equal(buffer_len(&out), 16);
	buffer_done(&out);
	assert_int_equal(read_file(&out, 7), -EFBIG);
	buffer_done(&out);
	assert_int_equal(file_read(-1, &out, 7), -EBADF);
	buffer_done(&out);
}

/* Only regular files are opened. Opening a FIFO fails and does not block. */
static void kinds(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct buffer out = { 0 };
	struct fault f;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[160];

	(void)state;
	unlink(path);
	unlink(link_path);
	assert_int_equal(file_open(path, O_RDONLY, &f), -ENOENT);
	assert_int_equal(file_load(path, &out, 8, NULL), -ENOENT);
	snprintf(text, sizeof(text), "%s: this is not a regular file; remove it", link_path);
	for (unsigned kind = 0; kind < 4; kind++) {
		snprintf(address.sun_path, sizeof(address.sun_path), "%s", link_path);
		if (kind == 0)
			assert_int_equal(mkfifo(link_path, 0600), 0);
		else if (kind == 1)
			assert_int_equal(symlink("record", link_path), 0);
		else if (kind == 2)
			assert_int_equal(mkdir(link_path, 0700), 0);
		else
			assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(file_open(link_path, O_RDONLY, &f), -EINVAL);
		assert_string_equal(f.text, text);
		assert_int_equal(file_open(link_path, O_RDWR | O_CREAT, &f), -EINVAL);
		assert_string_equal(f.text, text);
		assert_int_equal(file_load(link_path, &out, 8, &f), -EINVAL);
		assert_string_equal(f.text, text);
		assert_int_equal(remove(link_path), 0);
	}
	close(fd);
	fd = file_open(path, O_RDWR | O_CREAT, &f);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	assert_record("", 0);
	assert_int_equal(file_load(path, &out, 8, &f), 0);
	buffer_done(&out);
}

static void directories(void **state)
{
	static const struct {
		const char *path, *directory;
	} cases[] = {
		{ "wg0.conf", "." },
		{ "/wg0.conf", "/" },
		{ "etc/wg0.conf", "etc" },
		{ "./wg0.conf", "." },
		{ "/etc/wg/0.conf", "/etc/wg" },
		{ "", "." },
	};
	char out[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		file_directory(cases[i].path, out);
		assert_string_equal(out, cases[i].directory);
	}
}

/* If a sysctl is missing, empty or not a number, the caller's default applies. */
static void switches(void **state)
{
	static const struct {
		const char *text; /* NULL = there is no file */
		bool otherwise, on;
	} cases[] = {
		{ "0\n", true, false }, { "1\n", false, true }, { "2\n", false, true },
		{ "", true, true },	{ "", false, false },	{ "x\n", false, false },
		{ NULL, true, true },	{ NULL, false, false },
	};
	char name[] = "/tmp/wgxdp-switch-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i].text ?: "";
		ssize_t len = (ssize_t)strlen(text);

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, text, (size_t)len, 0), len);
		if (!cases[i].text)
			unlink(name);
		assert_int_equal(file_switched_on(name, cases[i].otherwise), cases[i].on);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaced),    cmocka_unit_test(failures),
		cmocka_unit_test(limits),      cmocka_unit_test(kinds),
		cmocka_unit_test(directories), cmocka_unit_test(switches),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
