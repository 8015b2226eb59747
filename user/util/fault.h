/* SPDX-License-Identifier: MIT */
/*
 * fault.h - what went wrong, for a person: one sentence with place, value and remedy. Setup code
 * returns -errno and fills a fault; whoever talks to the user prints it once. Not for the data path.
 */
#ifndef WGXDP_FAULT_H
#define WGXDP_FAULT_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct fault {
	char text[512]; /* a longer sentence is cut */
};

/* Writes the sentence (printf style), without newline or program name, and returns @err. @f may be
 * NULL. Example: return fault(f, -ENODEV, "%s: no such interface; see `ip link`", name) */
static inline __attribute__((format(printf, 3, 4))) int fault(struct fault *f, int err,
							      const char *format, ...)
{
	va_list args;

	if (!f)
		return err;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	return err;
}

/* What to do about the error number of a failed access to the file system: the end of a sentence, or
 * "". */
static inline const char *fault_remedy(int number)
{
	switch (number) {
	case EACCES:
	case EPERM:
		return "; wgxdp needs to run as root";
	case EROFS:
		return "; mount a writable file system there";
	case ENOSPC:
	case EDQUOT:
		return "; free some space";
	default:
		return "";
	}
}

#endif
