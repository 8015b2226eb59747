/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "conf/conf.h"
#include "wgxdp/control.h"

#define TIMEOUT_S 30 /* a daemon that takes longer than this is not going to */

int detach_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	json_t *reply = NULL;
	struct fault f;

	if (argc != 2 || argv[1][0] == '-')
		return cli_fail(CLI_USAGE, "usage: wgxdp detach IFACE|CONF");
	if (conf_interface(argv[1], interface, &f) ||
	    ctlclient_request(interface, CONTROL_OP_DETACH, TIMEOUT_S, &reply, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	json_decref(reply);
	return CLI_OK;
}
