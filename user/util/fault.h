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
#include <stdbool.h>
#include <stdio.h>

struct fault {
	char text[512]; /* a longer sentence is truncated */
};

/* Returns true if @err says that no file could be opened because this process (EMFILE) or the whole
 * host (ENFILE) has too many open files. */
static inline bool fault_is_limit(int err)
{
	return err == -EMFILE || err == -ENFILE;
}

/* Formats the sentence, without newline or program name, into @f (may be NULL) and returns @err. If
 * fault_is_limit(@err), appends the limit of open files and how to raise it, because any function
 * that opens a file, socket or BPF map may fail for this reason.
 * Example: return fault(f, -ENODEV, "%s: no such interface; see `ip link`", name) */
int fault(struct fault *f, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Replaces all bytes of @text except printable ASCII by '?'. Use this for a name that somebody else
 * has chosen, because JSON and terminals do not accept every byte. */
static inline void fault_printable(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

/* Returns "-- " if @name begins with "-", else "". A message that suggests a wgxdp command puts
 * the result just before @name, so that the command does not take the name for an option. */
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
