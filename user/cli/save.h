/* SPDX-License-Identifier: MIT */
/* save.h - writes the running configuration of an interface to its config file, as wg-quick(8)
 * does. */
#ifndef WGXDP_SAVE_H
#define WGXDP_SAVE_H

#include "conf/conf.h"

/* Reads the current key, port, mark and peers from the daemon of @interface, and the addresses of
 * the interface, into @conf, which was read from @path. Writes @conf to @path. Then tells the
 * daemon that the new file is already applied. Returns 0, or -errno with @f filled in. After an
 * error the file is unchanged, except if it was written and only the message to the daemon
 * failed. */
int save_running(const char *interface, const char *path, struct conf *conf, struct fault *f);

#endif
