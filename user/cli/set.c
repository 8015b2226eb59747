/* SPDX-License-Identifier: MIT */
/* set.c - wgxdp set IFACE debug on|off, like `ifconfig wg0 debug` for OpenBSD's wg(4). */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "wgxdp/control.h"

#define TIMEOUT_S 10

/* Prints where the debug messages can be read. */
static void say_where(const char *interface, const json_t *reply)
{
	const char *log = json_string_value(json_object_get(reply, "log"));
	const char *file = json_string_value(json_object_get(reply, "stderr"));
	int pid = (int)json_integer_value(json_object_get(reply, "pid"));

	printf("%s: debugging is on; ", interface);
	if (log && !strcmp(log, "journal"))
		printf("see `journalctl -f -t 'wgxdp[%s]'`\n", interface);
	else if (log && !strcmp(log, "syslog"))
		printf("see `journalctl -f -t 'wgxdp[%s]'`, or wgxdp[%s] in syslog's file for "
		       "daemon.debug\n",
		       interface, interface);
	else if (log && !strcmp(log, "stderr"))
		printf("see the standard error of process %d: %s\n", pid, file ? file : "unknown");
	else
		printf("but nobody listens on /dev/log, so only `wgxdp logs %s%s` has the "
		       "messages; start a syslog service, or attach with --foreground\n",
		       fault_dashes(interface), interface);
}

int set_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	json_t *request, *reply = NULL;
	bool on;
	int exit;

	if (argc != 4 || cli_is_option(&argv[1]) || strcmp(argv[2], "debug") != 0 ||
	    (strcmp(argv[3], "on") != 0 && strcmp(argv[3], "off") != 0))
		return cli_usage("set IFACE|CONF debug on|off", argv[1]);
	on = !strcmp(argv[3], "on");
	request = json_pack("{s:s, s:b}", CONTROL_OP, CONTROL_OP_SET, CONTROL_DEBUG, on);
	exit = cli_ask(argv[1], request, TIMEOUT_S, interface, &reply);
	if (exit == CLI_OK && on)
		say_where(interface, reply);
	json_decref(reply);
	return exit;
}
