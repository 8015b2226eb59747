/* SPDX-License-Identifier: MIT */
/*
 * file.h - opens a regular file, reads a whole file or a sysctl, writes all bytes, replaces a whole
 * file atomically, and names the directory of a file.
 *
 *   file_replace(path) ─▶ path.XXXXXX, mode 0600 ─▶ write ─▶ rename(2) ─▶ path
 */
#ifndef WGXDP_FILE_H
#define WGXDP_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/buffer.h"
#include "util/fault.h"

struct stat;

/* Returns true if both describe the same contents of the same file, as far as stat(2) tells. */
bool file_same(const struct stat *a, const struct stat *b);

/* Opens the regular file @path with the @flags of open(2) and close-on-exec. A file that is created
 * gets mode 0600. Does not wait if @path is a FIFO, and does not follow a symbolic link. Returns a
 * descriptor. On failure returns -errno (-EINVAL if @path is not a regular file) and fills in @f,
 * which names @path. */
int file_open(const char *path, int flags, struct fault *f);

/* Appends the rest of the file @fd to @out. Returns 0, -EFBIG if @out then has more than @max
 * bytes, -ENOMEM, or the -errno of read(2). After an error, @out may hold a part of the file. */
int file_read(int fd, struct buffer *out, size_t max);

/* Appends the contents of the regular file @path to @out. Returns 0. On failure returns the error
 * of file_open() or file_read(), with @f filled in. */
int file_load(const char *path, struct buffer *out, size_t max, struct fault *f);

/* Writes all @len bytes at @data to @fd. Returns 0 or the -errno of write(2). After an error, the
 * file may hold the first part of the bytes. */
int file_write(int fd, const void *data, size_t len);

/* Returns true if the sysctl file @path holds a number other than 0. Returns @otherwise if the file
 * cannot be read or holds no number. */
bool file_switched_on(const char *path, bool otherwise);

/* Sets @directory to the directory part of @path, or to "." if @path has no slash. @path has fewer
 * than PATH_MAX bytes. */
void file_directory(const char *path, char directory[static PATH_MAX]);

/* Replaces the file @path by a new one that holds the @len bytes at @data and has mode 0600. Other
 * processes see the old file or the whole new one. If @path is a symbolic link, the link itself is
 * replaced. If @durable, the new file survives a power failure after this function has returned 0.
 * Returns 0, -ENAMETOOLONG or the -errno of the file system. After an error @path is unchanged.
 * The only exception: with @durable, the directory is synced after @path has been replaced, so if
 * this sync fails, @path is the new file. */
int file_replace(const char *path, const void *data, size_t len, bool durable);

#endif
