/* SPDX-License-Identifier: MIT */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 65536 /* bytes */

bool file_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       !memcmp(&a->st_mtim, &b->st_mtim, sizeof(a->st_mtim)) &&
	       !memcmp(&a->st_ctim, &b->st_ctim, sizeof(a->st_ctim));
}

int file_open(const char *path, int flags, struct fault *f)
{
	/* O_NONBLOCK: do not wait until another process opens the other end of a FIFO. */
	int fd = open(path, flags | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : 0;
	struct stat st;

	if (!err && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		err = -EINVAL;
	}
	if (err == -EINVAL || err == -ELOOP || err == -EISDIR || err == -ENXIO)
		return fault(f, -EINVAL, "%s: this is not a regular file; remove it", path);
	return err ? fault(f, err, "%s: %s%s", path, strerror(-err), fault_remedy(-err)) : fd;
}

int file_read(int fd, struct buffer *out, size_t max)
{
	ssize_t n;

	do {
		if (!buffer_reserve(out, READ_SIZE))
			return -ENOMEM;
		n = read(fd, out->data + out->end, READ_SIZE);
		if (n < 0 && errno != EINTR)
			return -errno;
		out->end += n > 0 ? (size_t)n : 0;
		if (buffer_len(out) > max)
			return -EFBIG;
	} while (n != 0);
	return 0;
}

int file_load(const char *path, struct buffer *out, size_t max, struct fault *f)
{
	int fd = file_open(path, O_RDONLY, f), err;

	if (fd < 0)
		return fd;
	err = file_read(fd, out, max);
	close(fd);
	return err ? fault(f, err, "%s: %s", path, strerror(-err)) : 0;
}

bool file_switched_on(const char *path, bool otherwise)
{
	FILE *file = fopen(path, "re");
	int value = otherwise;

	if (!file)
		return otherwise;
	if (fscanf(file, "%d", &value) != 1)
		value = otherwise;
	fclose(file);
	return value != 0;
}

int file_write(int fd, const void *bytes, size_t len)
{
	const char *data = bytes;

	while (len) {
		ssize_t n = write(fd, data, len);

		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

void file_directory(const char *path, char directory[static PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int len = slash == path ? 1 : slash ? (int)(slash - path) : 1;

	snprintf(directory, PATH_MAX, "%.*s", len, slash ? path : ".");
}

/* Syncs the directory of @path, so that its new entry survives a power failure. */
static int sync_directory(const char *path)
{
	char directory[PATH_MAX];
	int fd, err;

	file_directory(path, directory);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

int file_replace(const char *path, const void *data, size_t len, bool durable)
{
	char beside[PATH_MAX + 8];
	int fd, err;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	fd = mkostemp(beside, O_CLOEXEC); /* mode 0600 */
	if (fd < 0)
		return -errno;
	err = file_write(fd, data, len);
	if (!err && durable && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(beside, path))
		err = -errno;
	if (err) {
		unlink(beside);
		return err;
	}
	return durable ? sync_directory(path) : 0;
}
