/* SPDX-License-Identifier: MIT */
/* confirm.c - wgxdp confirm IFACE|CONF, and the process that detaches the interface if no
 * confirmation comes in time (daemon/confirm.h). */
#include "cli/confirm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "daemon/confirm.h"
#include "wgxdp/control.h"
#include "wgxdp/limits.h"

#define TIMEOUT_S 10

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	close_range(STDERR_FILENO + 1, ~0U, 0);
}

static int wait_and_detach(const char *interface, uint32_t seconds)
{
	char verb[] = "detach", end[] = "--", name[IFNAME_MAX + 1];
	char *argv[] = { verb, end, name, NULL };
	json_t *reply = NULL;
	int argc = 3;
	int err = ctlclient_ask(
		interface, json_pack("{s:s, s:b}", CONTROL_OP, CONTROL_OP_CONFIRM, CONTROL_WAIT, 1),
		seconds + TIMEOUT_S, &reply, NULL);
	bool expired = !err && json_is_false(json_object_get(reply, CONTROL_OK));

	json_decref(reply);
	if (!expired) /* confirmed, or the daemon has ended */
		return CLI_OK;
	snprintf(name, sizeof(name), "%s", interface);
	cli_end_options(&argc, argv);
	return detach_main(argc, argv);
}

int confirm_guard(const char *interface, uint32_t seconds, struct fault *f)
{
	pid_t pid = fork();

	if (pid < 0)
		return fault(
			f, -errno,
			"%s is up, but the process that waits for `wgxdp confirm` cannot be "
			"started: %s; unless you confirm, the daemon ends after %u seconds and "
			"runs no hooks",
			interface, strerror(errno),
			seconds + (unsigned)(CONFIRM_GRACE_NS / NS_PER_S));
	if (pid > 0)
		return 0;
	leave_terminal();
	_exit(wait_and_detach(interface, seconds));
}

int confirm_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	json_t *reply = NULL;
	int exit;

	if (argc != 2 || cli_is_option(&argv[1]))
		return cli_usage("confirm IFACE|CONF", argv[1]);
	exit = cli_ask(argv[1], json_pack("{s:s}", CONTROL_OP, CONTROL_OP_CONFIRM), TIMEOUT_S,
		       interface, &reply);
	json_decref(reply);
	return exit;
}
