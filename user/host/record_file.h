/* SPDX-License-Identifier: MIT */
/*
 * record_file.h - reads and writes the JSON files in /run/wgxdp that record what a daemon has
 * changed on the host: IFACE.host (record.h) and IFACE.nics (tuning.h). After a `kill -9`, the next
 * daemon of the interface undoes the recorded changes.
 */
#ifndef WGXDP_RECORD_FILE_H
#define WGXDP_RECORD_FILE_H

#include <jansson.h>
#include <stdint.h>

#include "util/fault.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define RECORD_FILE_PATH_LEN (sizeof(CONTROL_DIRECTORY) + IFNAME_MAX + 16)

/* Sets @path to the record file of @interface with this @suffix, such as "/run/wgxdp/wg0.host". */
void record_file_path(char path[static RECORD_FILE_PATH_LEN], const char *interface,
		      const char *suffix);

/* Removes the file if @empty, else replaces its contents with @json. Takes over the caller's
 * reference to @json; NULL means that the caller ran out of memory. Returns 0, or -errno with @f
 * filled in. If @f is NULL, logs the failure. */
int record_file_write(const char *path, bool empty, json_t *json, struct fault *f);

/* Reads the file into *@json, a new reference. Returns 0, or -ENOENT if there is no file. If the
 * file is not a record (not a regular file, too large, or not JSON), logs this and returns -EINVAL,
 * and the caller ignores the file. If the file cannot be read now, returns another -errno with @f
 * filled in, and the caller must keep the file. */
int record_file_read(const char *path, json_t **json, struct fault *f);

/* Logs that the file at @path is not a valid record and is ignored. */
void record_file_complain(const char *path);

/* Calls @fn(@ctx) in the network namespace @netns (io/netns.h; 0 = the caller's). Returns the
 * result of @fn, -ESTALE if the namespace no longer exists, or another -errno. */
int record_file_in_netns(uint64_t netns, int (*fn)(void *ctx), void *ctx);

#endif
