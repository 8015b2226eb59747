/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

#include "cli/ctlclient.h"
#include "conf/conf.h"

static char *const *options_end; /* the first argument after "--"; NULL = there is no "--" */

void cli_end_options(int *argc, char **argv)
{
	int i = 0;

	while (i < *argc && strcmp(argv[i], "--") != 0)
		i++;
	if (i == *argc)
		return;
	options_end = &argv[i];
	for (; i < *argc; i++)
		argv[i] = argv[i + 1];
	--*argc;
}

bool cli_is_option(char *const *arg)
{
	return **arg == '-' && (!options_end || arg < options_end);
}

const char *cli_dash_hint(const char *arg)
{
	return arg && arg[0] == '-' && arg[1] != '-'
		       ? "; write -- before the name of an interface that begins with -"
		       : "";
}

int cli_usage(const char *usage, const char *arg)
{
	return cli_fail(CLI_USAGE, "usage: wgxdp %s%s", usage, cli_dash_hint(arg));
}

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
