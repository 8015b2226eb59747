/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "conf/conf.h"
#include "daemon/instance.h"
#include "wgxdp/control.h"

#define LEAVE_MS 5000
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
	/* It said so a moment before it ends; an attach that follows must find the name free. */
	if (!instance_wait_free(interface, LEAVE_MS))
		return cli_fail(CLI_FAILED, "%s: everything is undone, but its daemon does not end",
				interface);
	return CLI_OK;
}
