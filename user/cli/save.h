/* SPDX-License-Identifier: MIT */
/* save.h - writes the running state of an interface to its config file, as wg-quick(8) does. */
#ifndef WGXDP_SAVE_H
#define WGXDP_SAVE_H

#include "conf/conf.h"

/* Puts the key, port, mark and peers that the daemon of @interface has now into @conf, which was
 * read from @path, and writes it there. Then tells the daemon that the file is no news. Returns 0,
 * or -errno with @f; the file is unchanged then. */
int save_running(const char *interface, const char *path, struct conf *conf, struct fault *f);

#endif
