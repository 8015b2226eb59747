/* SPDX-License-Identifier: MIT */
/* reload.c - wgxdp reload IFACE|CONF [--exact]: the daemon applies what has changed in the file. */
#include <string.h>

#include "cli/cli.h"
#include "wgxdp/control.h"

#define USAGE "reload IFACE|CONF [--exact]"
#define TIMEOUT_S 120 /* ample: the largest file, of 64 MiB, takes the daemon a few seconds */

int reload_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	const char *word = NULL;
	json_t *request, *reply = NULL;
	bool exact = false;
	int exit;

	for (int i = 1; i < argc; i++) {
		bool option = cli_is_option(&argv[i]);

		if (option && !strcmp(argv[i], "--exact"))
			exact = true;
		else if (!word && !option)
			word = argv[i];
		else
			return cli_usage(USAGE, argv[i]);
	}
	if (!word)
		return cli_usage(USAGE, NULL);
	request = json_pack("{s:s, s:b}", CONTROL_OP, CONTROL_OP_RELOAD, CONTROL_EXACT, exact);
	exit = cli_ask(word, request, TIMEOUT_S, interface, &reply);
	json_decref(reply);
	return exit;
}
