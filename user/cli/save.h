/* SPDX-License-Identifier: MIT */
/* save.h - writes the running state of an interface to its config file, as wg-quick(8) does. */
#ifndef WGXDP_SAVE_H
#define WGXDP_SAVE_H

#include "conf/conf.h"

/* Copies the present key, port, mark and peers of the daemon of @interface to @conf, which was read
 * from @path, and writes @conf to that file. Then tells the daemon that it need not apply the file.
 * Returns 0, or -errno with @f filled in and the file unchanged. */
int save_running(const char *interface, const char *path, struct conf *conf, struct fault *f);

#endif
