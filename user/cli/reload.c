/* SPDX-License-Identifier: MIT */
/* reload.c - wgxdp reload IFACE|CONF [--exact]: the daemon applies what has changed in the file. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "conf/conf.h"
#include "wgxdp/control.h"

#define TIMEOUT_S 120 /* a file of 64 MiB takes the daemon a few seconds */

int reload_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	const char *word = NULL;
	json_t *reply = NULL;
	bool exact = false;
	struct fault f;
	int err;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--exact"))
			exact = true;
		else if (!word && argv[i][0] != '-')
			word = argv[i];
		else
			return cli_fail(CLI_USAGE, "usage: wgxdp reload IFACE|CONF [--exact]");
	}
	if (!word)
		return cli_fail(CLI_USAGE, "usage: wgxdp reload IFACE|CONF [--exact]");
	err = conf_interface(word, interface, &f);
	if (!err)
		err = ctlclient_ask(interface,
				    json_pack("{s:s, s:b}", CONTROL_OP, CONTROL_OP_RELOAD,
					      CONTROL_EXACT, exact),
				    TIMEOUT_S, &reply, &f);
	if (err)
		return cli_fail(CLI_FAILED, "%s", f.text);
	json_decref(reply);
	return CLI_OK;
}
