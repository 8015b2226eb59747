/* SPDX-License-Identifier: MIT */
#include "daemon/hook_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/file.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define RECORD_MAX (256U << 20) /* bytes; the hooks of a config file take less */
#define PATH_LEN (sizeof(CONTROL_DIRECTORY) + 48)

enum record_kind { PRE_DOWN = 'D', POST_DOWN = 'P' };

static void record_path(char path[static PATH_LEN], const char *interface)
{
	snprintf(path, PATH_LEN, CONTROL_DIRECTORY "/%.32s.hooks", interface);
}

/* Writing -------------------------------------------------------------------------------------- */

static void append_hooks(struct buffer *out, enum record_kind kind, const struct conf_list *hooks)
{
	char letter = (char)kind;

	for (uint32_t i = 0; i < hooks->count; i++) {
		buffer_append(out, &letter, 1);
		buffer_append(out, hooks->items[i], strlen(hooks->items[i]) + 1);
	}
}

int hook_record_write(const char *interface, const struct conf *conf, const char *path)
{
	char file[PATH_LEN];
	struct buffer out = { 0 };
	int err;

	record_path(file, interface);
	buffer_append(&out, HOOK_RECORD_MAGIC, sizeof(HOOK_RECORD_MAGIC));
	buffer_append(&out, path, strlen(path) + 1);
	append_hooks(&out, PRE_DOWN, &conf->hooks[CONF_PRE_DOWN]);
	append_hooks(&out, POST_DOWN, &conf->hooks[CONF_POST_DOWN]);
	err = out.failed ? -ENOMEM : file_replace(file, out.data, buffer_len(&out), false);
	buffer_done(&out);
	return err;
}

void hook_record_remove(const char *interface)
{
	char file[PATH_LEN];

	record_path(file, interface);
	unlink(file);
}

/* Locking -------------------------------------------------------------------------------------- */

/* Returns true if @path still names the file that is open as @fd. */
static bool is_current(int fd, const char *path)
{
	struct stat held, named;

	return !fstat(fd, &held) && !stat(path, &named) && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

int hook_record_lock(const char *interface, bool wait)
{
	char path[PATH_LEN];

	record_path(path, interface);
	for (;;) {
		int fd = file_open(path, O_RDONLY, NULL), err;

		if (fd < 0)
			return fd;
		err = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) ? -errno : 0;
		if (!err && is_current(fd, path))
			return fd;
		close(fd);
		if (err && err != -EINTR)
			return err;
	}
}

/* Reading -------------------------------------------------------------------------------------- */

int hook_record_read(const char *interface, struct hook_record *r, struct fault *f)
{
	char file[PATH_LEN];
	struct buffer in = { 0 };
	int err;

	record_path(file, interface);
	err = file_load(file, &in, RECORD_MAX, f);
	if (!err) {
		err = hook_record_parse(r, in.data, buffer_len(&in));
		if (err)
			fault(f, err, "%s: %s", file,
			      err == -EBADMSG ? "the file is damaged" : strerror(-err));
	}
	if (err)
		buffer_done(&in);
	return err;
}

static void append_item(struct conf_list *list, char *item)
{
	list->items[list->count++] = item;
}

int hook_record_parse(struct hook_record *r, char *text, size_t len)
{
	struct hook_record out = { .text = text };
	size_t count = 0;
	char *at = text, *end = text + len;
	int err = -EBADMSG;

	if (!len || end[-1] || strcmp(text, HOOK_RECORD_MAGIC) != 0)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		count += !text[i];
	if (count < 2)
		return -EBADMSG;
	out.pre_down.items = calloc(count, sizeof(char *));
	out.post_down.items = calloc(count, sizeof(char *));
	if (!out.pre_down.items || !out.post_down.items) {
		err = -ENOMEM;
		goto failed;
	}
	at += strlen(at) + 1;
	out.path = at;
	for (at += strlen(at) + 1; at < end; at += strlen(at) + 1) {
		if (*at != PRE_DOWN && *at != POST_DOWN)
			goto failed;
		append_item(*at == PRE_DOWN ? &out.pre_down : &out.post_down, at + 1);
	}
	*r = out;
	return 0;
failed:
	free(out.pre_down.items);
	free(out.post_down.items);
	return err;
}

void hook_record_done(struct hook_record *r)
{
	free(r->pre_down.items);
	free(r->post_down.items);
	free(r->text);
	*r = (struct hook_record){ 0 };
}
