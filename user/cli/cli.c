/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>

int cli_fail(int exit, const char *format, ...)
{
	va_list args;

	fputs("wgxdp: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return exit;
}

void cli_warn(void *ctx, const char *sentence)
{
	(void)ctx;
	fprintf(stderr, "wgxdp: warning: %s\n", sentence);
}
