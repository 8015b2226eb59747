/* SPDX-License-Identifier: MIT */
/*
 * wgxdp attach: reads the config, runs the hooks, and starts the daemon, which sets up the tunnel
 * and the host. Until setup is complete, this command holds a lease on the daemon (daemon/lease.h),
 * so that the daemon undoes everything if this command ends early, for example by Ctrl-C.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/confirm.h"
#include "cli/down.h"
#include "cli/hooks.h"
#include "cli/names.h"
#include "conf/conf.h"
#include "daemon/daemon.h"
#include "daemon/lease.h"
#include "daemon/name_lock.h"
#include "host/host.h"
#include "host/tuning.h"
#include "util/open_files.h"

/* Hooks ---------------------------------------------------------------------------------------- */

/* Runs the PreDown and PostDown hooks of an earlier daemon that ended without `wgxdp detach`, for
 * example by a signal. Fails if another daemon holds the lock on the name of the interface. Taking
 * this lock creates a file, which Ctrl-C would leave behind. So the lock is taken only if an
 * earlier daemon left its lock file or a record of its hooks. */
static int finish_dead(const char *interface, struct fault *f)
{
	struct hook_record record = { 0 };
	struct down down;
	int lock_fd, err;
	bool recorded = hook_record_read(interface, &record, NULL) == 0;

	hook_record_done(&record);
	if (!recorded && !name_lock_exists(interface))
		return 0;
	err = name_lock_take(interface, &lock_fd, f);
	if (err)
		return err;
	err = tuning_record_undo(interface, f);
	if (err) {
		close(lock_fd); /* keep the file, because the next attach has to try again */
		return err;
	}
	down_open_recorded(&down, interface);
	if (down.record.path) {
		down_pre(&down);
		down_post(&down);
		hook_record_remove(interface);
	}
	down_done(&down);
	name_lock_release(interface, lock_fd);
	return 0;
}

/* Runs the hooks that are left from a dead daemon (finish_dead()), then the PreUp hooks. Runs no
 * PreUp hook if the name of the interface is in use. When the daemon locks the name, it
 * checks again whether the name is in use. */
static int before_up(const char *interface, const struct conf *conf, struct fault *f)
{
	const struct hooks hooks = { interface, conf->path, .lease = -1 };
	int err = finish_dead(interface, f);

	if (err)
		return err;
	if (conf->hooks[CONF_PRE_UP].count && if_nametoindex(interface))
		return fault(f, -EEXIST,
			     "%s: an interface of this name exists already; `ip link delete %s` "
			     "removes it",
			     interface, interface);
	return hooks_run(&hooks, CONF_PRE_UP, &conf->hooks[CONF_PRE_UP], f);
}

static bool has_names(const struct conf *conf)
{
	bool found = false;

	for (uint32_t i = 0; i < conf->peer_count && !found; i++)
		found = conf->peers[i].named && !conf->peers[i].own;
	return found;
}

/* Looks up the names of endpoints. If the packet filter rules of a killed daemon still block the
 * default route, the queries carry the mark that these rules accept, and go to the host's own DNS
 * servers, because the tunnel's DNS servers are unreachable. */
static int look_up_names(const char *interface, struct conf *conf, struct fault *f)
{
	uint32_t mark = host_record_mark(interface);

	if (mark && has_names(conf))
		host_record_unset_dns(interface);
	return names_resolve(conf, mark, f);
}

/* After a failed attach, warns if the packet filter rules of a killed daemon still block the
 * default route, so that the user knows why the host has no network. */
static void warn_closed(const char *interface)
{
	struct fault sentence;

	if (!name_lock_wait_free(interface, 0) || !host_record_mark(interface))
		return;
	fault(&sentence, 0,
	      "the packet filter rules of a daemon that was killed still block the default route "
	      "of this host; `wgxdp detach %s%s` removes them",
	      fault_dashes(interface), interface);
	cli_warn(NULL, sentence.text);
}

/* Waits until the daemon has created and set up the interface. Then runs PostUp. */
static int bring_up(int lease, const char *interface, const struct conf *conf, struct fault *f)
{
	const struct hooks hooks = { interface, conf->path, lease };
	uint32_t ifindex, port;
	int err = lease_wait(lease, "ready", &ifindex, cli_warn, f);

	if (!err)
		err = lease_wait(lease, "up", &port, cli_warn, f);
	if (!err)
		err = hooks_run(&hooks, CONF_POST_UP, &conf->hooks[CONF_POST_UP], f);
	if (err) {
		lease_cancel(lease);
		return err;
	}
	err = lease_commit(lease);
	return err ? fault(f, err, "the daemon exited; try --foreground") : 0;
}

/* Makes @path absolute, because a daemon in the background changes to the root directory. Symbolic
 * links are kept, because the administrator may change their targets later. */
static int make_absolute(const char *path, char absolute[static PATH_MAX], struct fault *f)
{
	char here[PATH_MAX];
	int len;

	if (*path == '/')
		len = snprintf(absolute, PATH_MAX, "%s", path);
	else if (getcwd(here, sizeof(here)))
		len = snprintf(absolute, PATH_MAX, "%s/%s", here, path);
	else
		return fault(f, -errno, "cannot find the current directory: %s", strerror(errno));
	return len < PATH_MAX ? 0 : fault(f, -ENAMETOOLONG, "%s: this path is too long", path);
}

/* Calls stat() on the config file. The daemon later compares the file with the result, to see
 * whether the file has changed. */
static int stat_file(const char *path, struct stat *st, struct fault *f)
{
	return stat(path, st) ? fault(f, -errno, "%s: %s", path, strerror(errno)) : 0;
}

/* Starts the process that waits for `wgxdp confirm`. Without this process, an unconfirmed daemon
 * still ends by itself, but no hook runs. */
static int ask_to_confirm(const struct options *o)
{
	struct fault f;

	if (confirm_guard(o->interface, o->conf.confirm_s, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	printf("Run `wgxdp confirm %s%s` within %u seconds; otherwise everything is undone.\n",
	       fault_dashes(o->interface), o->interface, o->conf.confirm_s);
	return CLI_OK;
}

int attach_main(int argc, char **argv)
{
	struct conf conf = { 0 };
	struct options options;
	struct fault f = { "" };
	struct stat st;
	char path[PATH_MAX], absolute[PATH_MAX];
	const char *arg;
	int lease;

	options_default(&options);
	if (options_parse(&options, argc, argv, &arg, &f))
		return cli_fail(CLI_USAGE, "%s", f.text);
	if (conf_find(arg, path, options.interface, &f) || make_absolute(path, absolute, &f) ||
	    stat_file(path, &st, &f) || conf_read(&conf, path, cli_warn, NULL, &f))
		return cli_fail(CLI_CONFIG, "%s", f.text);
	options.conf.path = absolute;
	options.conf.st = &st;
	if (open_files_raise(&f) || before_up(options.interface, &conf, &f) ||
	    look_up_names(options.interface, &conf, &f))
		goto failed;
	lease = lease_start(&options, &conf, daemon_run, &f);
	if (lease < 0 || bring_up(lease, options.interface, &conf, &f))
		goto failed;
	conf_done(&conf);
	return options.conf.confirm_s ? ask_to_confirm(&options) : CLI_OK;
failed:
	conf_done(&conf);
	warn_closed(options.interface);
	return cli_fail(CLI_FAILED, "%s", f.text);
}
