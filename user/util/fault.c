/* SPDX-License-Identifier: MIT */
#include "util/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define LIMIT_NAME "limit of open files"

/* Appends the remedy for EMFILE or ENFILE, unless @f quotes a sentence that ends with the remedy.
 * If there is too little room, the remedy replaces the end of the sentence. */
static void append_limit(struct fault *f, int err)
{
	char remedy[128] = "; raise the " LIMIT_NAME " of the whole host by `sysctl fs.file-max`";
	size_t at = strlen(f->text), room;
	struct rlimit limit;

	if (strstr(f->text, LIMIT_NAME))
		return;
	if (err == -EMFILE && !getrlimit(RLIMIT_NOFILE, &limit))
		snprintf(remedy, sizeof(remedy),
			 "; the " LIMIT_NAME
			 " is %llu; raise it by `ulimit -n`, or by LimitNOFILE= in the unit",
			 (unsigned long long)limit.rlim_cur);
	room = sizeof(f->text) - strlen(remedy) - 1;
	snprintf(f->text + (at < room ? at : room), sizeof(remedy), "%s", remedy);
}

int fault(struct fault *f, int err, const char *format, ...)
{
	va_list args;

	if (!f)
		return err;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	if (fault_is_limit(err))
		append_limit(f, err);
	return err;
}
