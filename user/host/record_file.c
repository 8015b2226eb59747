/* SPDX-License-Identifier: MIT */
#include "host/record_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/netns.h"
#include "util/file.h"
#include "util/log.h"

#define FILE_MAX 16384 /* bytes */

void record_file_path(char path[static RECORD_FILE_PATH_LEN], const char *interface,
		      const char *suffix)
{
	snprintf(path, RECORD_FILE_PATH_LEN, CONTROL_DIRECTORY "/%s.%s", interface, suffix);
}

static int replace(const char *path, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT); /* NULL if @json is NULL */
	int err = text ? file_replace(path, text, strlen(text), false) : -ENOMEM;

	free(text);
	json_decref(json);
	return err;
}

int record_file_write(const char *path, bool empty, json_t *json, struct fault *f)
{
	int err = 0;

	if (!empty)
		err = replace(path, json);
	else if (unlink(path) && errno != ENOENT)
		err = -errno;
	if (err && !f)
		log_error("%s: this record of host settings cannot be updated: %s%s", path,
			  strerror(-err), fault_remedy(-err));
	return err ? fault(f, err, "%s: %s%s", path, strerror(-err), fault_remedy(-err)) : 0;
}

void record_file_complain(const char *path)
{
	log_error("%s: this is not a valid record of host settings, so the file is ignored", path);
}

int record_file_read(const char *path, json_t **json, struct fault *f)
{
	struct buffer text = { 0 };
	json_t *read = NULL;
	struct fault why, sentence;
	int err = file_load(path, &text, FILE_MAX, &why);

	if (!err)
		read = json_loadb(text.data, buffer_len(&text), 0, NULL);
	buffer_done(&text);
	if (read) {
		*json = read;
		return 0;
	}
	if (!err || err == -EFBIG) {
		record_file_complain(path);
		return -EINVAL;
	}
	fault(&sentence, err, "a record of host settings cannot be read: %.300s%s", why.text,
	      err == -EIO ? "; if this does not go away, remove the file and undo its settings by "
			    "hand"
			  : "");
	if (err == -EINVAL) /* not a regular file */
		log_error("%s", sentence.text);
	return fault(f, err, "%s", sentence.text);
}

int record_file_in_netns(uint64_t netns, int (*fn)(void *ctx), void *ctx)
{
	int fd, result;

	if (!netns || netns == netns_of_process("self"))
		return fn(ctx);
	fd = netns_open(netns);
	if (fd < 0)
		return fd == -ENOENT ? -ESTALE : fd;
	result = netns_call(fd, fn, ctx);
	close(fd);
	return result;
}
