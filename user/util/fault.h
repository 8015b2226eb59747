/* SPDX-License-Identifier: MIT */
/*
 * fault.h - an error message for the user: one sentence that names the place, the value and the
 * remedy. Setup code returns -errno and fills a fault; the command or the daemon prints it once.
 * Not for the data path.
 *
 *   io, conf, bpf ─▶ return fault(f, -errno, "...") ─▶ cli, daemon: log_error("%s", f.text)
 */
#ifndef WGXDP_FAULT_H
#define WGXDP_FAULT_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct fault {
	char text[512]; /* a longer sentence is truncated */
};

/* Formats the sentence, without newline or program name, into @f (may be NULL) and returns @err.
 * Example: return fault(f, -ENODEV, "%s: no such interface; see `ip link`", name) */
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

/* Replaces all bytes of @text except printable ASCII by '?'. Use this for a name that somebody else
 * has chosen, because JSON and terminals do not accept every byte. */
static inline void fault_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* Returns "-- " if @name begins with "-", else "". A message that suggests a command of wgxdp has
 * this just before @name, so that the command does not take the name for an option. */
static inline const char *fault_dashes(const char *name)
{
	return *name == '-' ? "-- " : "";
}

/* Returns the remedy for the errno @number of a failed file access, as the end of a sentence, or ""
 * if there is no general remedy. */
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
