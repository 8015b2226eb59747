/* SPDX-License-Identifier: MIT */
/*
 * conf_write.h - writes a config file, for SaveConfig = true and `wgxdp save`.
 *
 *   file ─▶ conf_read ─▶ struct conf ─▶ conf_set_running ─▶ conf_write ─▶ file
 *                                        ▲
 *      reply of the daemon to get=1 ─────┘
 *
 * The file has the same lines in the same order as `wg-quick save` writes. In addition, the file
 * keeps the search domains and the names of peers ("# Name ="). Other comments are lost, as with
 * wg-quick.
 */
#ifndef WGXDP_CONF_WRITE_H
#define WGXDP_CONF_WRITE_H

#include <stddef.h>

#include "conf/conf.h"
#include "util/buffer.h"

/* Replaces the private key, port, mark and peers of @c with those in @reply, the daemon's reply of
 * @len bytes to the request get=1 of wg(8). A peer that is also in @c keeps its name. Other lines
 * of @reply are ignored.
 * Returns 0. Or returns -EINVAL (the reply is invalid or its errno is not 0), -E2BIG or -ENOMEM,
 * with @f filled in and @c unchanged. */
int conf_set_running(struct conf *c, const char *reply, size_t len, struct fault *f);

/* Appends the text of a config file with the values of @c, so that conf_parse() of the text
 * yields the same values. Writes no MTU if c->mtu is 0, and no Table if c->table_text is "".
 * Also writes a peer that has our own public key. The text contains secrets. Sets out->failed
 * when out of memory. */
void conf_format(const struct conf *c, struct buffer *out);

/* Atomically replaces the file @path, or the target if @path is a symbolic link, with the text of
 * conf_format(). The new file has mode 0600 and is on disk when this function returns. Returns 0.
 * Or returns -ENOMEM or the -errno of the file system, with @f filled in and the old file
 * unchanged. */
int conf_write(const struct conf *c, const char *path, struct fault *f);

#endif
