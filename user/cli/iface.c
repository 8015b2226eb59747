/* SPDX-License-Identifier: MIT */
/*
 * wgxdp [-f|--foreground] IFACE: starts a daemon for the interface, as wg-quick(8) expects of a
 * userspace implementation. Without -f the command returns when the configuration socket answers.
 * wg(8) and ip(8) then configure the interface.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "daemon/daemon.h"
#include "daemon/lease.h"
#include "util/log.h"
#include "util/open_files.h"

static int inherited_fd(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long fd;

	if (!text || !*text)
		return -1;
	errno = 0;
	fd = strtol(text, &end, 10);
	return errno || *end || fd < 0 || fd > 1 << 20 ? -1 : (int)fd;
}

static int start(const struct options *options, struct fault *f)
{
	uint32_t ifindex;
	int lease = lease_start(options, NULL, daemon_run, f), err;

	if (lease < 0)
		return lease;
	err = lease_wait(lease, "ready", &ifindex, cli_warn, f);
	if (err) {
		lease_cancel(lease);
		return err;
	}
	err = lease_commit(lease);
	return err ? fault(f, err, "the daemon exited; try --foreground") : 0;
}

/* Returns true if the variable is set to 1. */
static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && !strcmp(value, "1");
}

int iface_main(int argc, char **argv)
{
	const char *name = NULL;
	struct options options;
	struct fault f = { "" };

	options_default(&options);
	if (options_read_variable(&options, &f))
		return cli_fail(CLI_USAGE, "%s", f.text);
	options.conf.wg_quick = getenv("WG_QUICK_USERSPACE_IMPLEMENTATION") != NULL;
	options.foreground |= is_set("WG_PROCESS_FOREGROUND");
	options.nics.tune |= is_set("WGXDP_TUNE");
	options.tun_fd = inherited_fd("WG_TUN_FD");
	options.uapi_fd = inherited_fd("WG_UAPI_FD");
	for (int i = 1; i < argc; i++) {
		bool option = cli_is_option(&argv[i]);

		if (option && (!strcmp(argv[i], "-f") || !strcmp(argv[i], "--foreground")))
			options.foreground = true;
		else if (!name && !option)
			name = argv[i];
		else
			return cli_fail(CLI_USAGE, "%s: unexpected argument; see wgxdp --help%s",
					argv[i], option ? cli_dash_hint(argv[i]) : "");
	}
	if (!name)
		return cli_fail(CLI_USAGE,
				"the name of the interface is missing; see wgxdp --help");
	if (conf_check_interface(name, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	if (conf_is_path(name))
		return cli_fail(
			CLI_USAGE,
			"%s: this names a config file, not an interface; did you mean wgxdp "
			"attach --foreground %s?",
			name, name);
	if (options_read_nics(&options, &f))
		return cli_fail(CLI_USAGE, "%s", f.text);
	snprintf(options.interface, sizeof(options.interface), "%s", name);
	if (open_files_raise(&f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	if (options.foreground)
		return daemon_run(&options, NULL, -1);
	return start(&options, &f) ? cli_fail(CLI_FAILED, "%s", f.text) : CLI_OK;
}
