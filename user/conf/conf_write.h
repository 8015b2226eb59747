/* SPDX-License-Identifier: MIT */
/*
 * conf_write.h - writes a config file, for SaveConfig = true and `wgxdp save`.
 *
 *   file ─▶ conf_read ─▶ struct conf ─▶ conf_set_running ─▶ conf_write ─▶ file
 *                                        ▲
 *      reply of the daemon to get=1 ─────┘
 *
 * The file has the lines, and their order, of `wg-quick save`. In addition it keeps the search
 * domains and the names of peers ("# Name ="). Other comments are lost, as with wg-quick.
 */
#ifndef WGXDP_CONF_WRITE_H
#define WGXDP_CONF_WRITE_H

#include <stddef.h>

#include "conf/conf.h"
#include "util/buffer.h"

/* Replaces the private key, port, mark and peers of @c by those in @reply, the @len bytes that the
 * daemon answers to get=1. A peer keeps the name that @c has for its key. Lines with other keys are
 * ignored. Returns 0; or with @f -EINVAL (no such reply, or one with an errno), -E2BIG or -ENOMEM,
 * and @c is unchanged. */
int conf_set_running(struct conf *c, const char *reply, size_t len, struct fault *f);

/* Appends the text of a config file with the values of @c: conf_parse() of that text gives the same
 * values. c->mtu = 0 writes no MTU, and c->table_text = "" no Table; a peer that is c's own is
 * written, too. The text holds secrets. out->failed is set if memory runs out. */
void conf_format(const struct conf *c, struct buffer *out);

/* Replaces the file @path, or the file that it is a link to, in one step, by the text of
 * conf_format(). The new file has mode 0600 and is on disk when this returns. Returns 0; or with @f
 * -ENOMEM or the -errno of the file system, and the old file is unchanged. */
int conf_write(const struct conf *c, const char *path, struct fault *f);

#endif
