/* SPDX-License-Identifier: MIT */
/* save.h - writes the running configuration of an interface to its config file, as wg-quick(8)
 * does. */
#ifndef WGXDP_SAVE_H
#define WGXDP_SAVE_H

#include "conf/conf.h"

/* Waits until no reload runs, so that neither a half-applied file is saved nor an edit of the file
 * is overwritten. Then reads the file @path, replaces its key, port, mark and peers by those of the
 * daemon of @interface, and its addresses by those of the interface, and writes the file. Then
 * tells the daemon that the new file is already applied. If the file changes meanwhile, tries again
 * up to three times. @warn gets the warnings about the file, and may be NULL. Returns 0, or -errno
 * with @f filled in; -ECANCELED if the last reload failed, because the file then has an edit that
 * was not applied. After an error the file is unchanged, except if it was written and only the
 * message to the daemon failed. */
int save_running(const char *interface, const char *path, conf_warn_fn warn, struct fault *f);

#endif
