/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>

#include "cli/ctlclient.h"
#include "conf/conf.h"

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

int cli_ask(const char *word, json_t *request, unsigned timeout_s,
	    char interface[static IFNAME_MAX + 1], json_t **reply)
{
	struct fault f;
	int err = conf_interface(word, interface, &f);

	if (err)
		json_decref(request);
	else
		err = ctlclient_ask(interface, request, timeout_s, reply, &f);
	return err ? cli_fail(CLI_FAILED, "%s", f.text) : CLI_OK;
}
