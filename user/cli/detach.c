/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/pins.h"
#include "cli/cli.h"
#include "cli/ctlclient.h"
#include "cli/down.h"
#include "cli/save.h"
#include "conf/conf.h"
#include "control/socket_file.h"
#include "daemon/name_lock.h"
#include "host/host.h"
#include "host/tuning.h"
#include "wgxdp/control.h"

#define LEAVE_MS 5000
#define DYING_MS 2000
#define TIMEOUT_S 30

/* Removes the files that a killed daemon of @interface left, and undoes its changes of the host's
 * settings. (The kernel has already removed the interface.) If another program, such as
 * wireguard-go, now serves an interface of this name, sets *@served and does not touch that
 * interface. Returns 0; -ENOENT if there was nothing to remove; -EBUSY if a wgxdp daemon serves the
 * interface; or another -errno with @f filled in, for example if settings could not be undone. */
static int clean_up_dead(const char *interface, bool *served, struct fault *f)
{
	char uapi[sizeof(UAPI_DIRECTORY) + 32], control[sizeof(CONTROL_DIRECTORY) + 32];
	int lock_fd, err, host_err, nics_err;
	struct fault why;

	snprintf(uapi, sizeof(uapi), UAPI_DIRECTORY "/%s.sock", interface);
	snprintf(control, sizeof(control), CONTROL_DIRECTORY "/%s" CONTROL_SUFFIX, interface);
	/* The daemon may have died before it created all files. A failed attach may have left only
	 * the record of the host's settings (host/record.h). */
	if (access(control, F_OK) != 0 && !name_lock_exists(interface) &&
	    !host_record_exists(interface))
		return -ENOENT;
	err = name_lock_take(interface, &lock_fd, &why);
	if (err)
		return err == -EBUSY ? err : fault(f, err, "%s", why.text);
	host_err = host_record_undo(interface, &why);
	nics_err = tuning_record_undo(interface, host_err ? NULL : &why);
	pins_clean(interface);
	*served = access(uapi, F_OK) == 0 && socket_file_answers(uapi);
	if (!*served)
		unlink(uapi);
	unlink(control);
	if (host_err || nics_err) {
		/* Keep the lock file, by which the next detach sees that the daemon was killed. */
		close(lock_fd);
		return fault(f, -EIO,
			     "%s: the daemon had been killed, and not all of its settings of this "
			     "host could be undone; run `wgxdp detach %s%s` again: %.300s",
			     interface, fault_dashes(interface), interface, why.text);
	}
	name_lock_release(interface, lock_fd);
	return 0;
}

/* Returns true if @err means that the daemon ended during the request, and if the daemon releases
 * the name of the interface within LEAVE_MS. Waits for the release. */
static bool was_ending(const char *interface, int err)
{
	return (err == -ECONNRESET || err == -EPIPE) && name_lock_wait_free(interface, LEAVE_MS);
}

/* Ends the daemon, or removes the files that a killed daemon left. @recorded is true if a record of
 * the hooks exists. Returns an exit code. */
static int take_down(const char *interface, bool recorded)
{
	json_t *reply = NULL;
	bool served = false;
	struct fault f;
	int err = ctlclient_request(interface, CONTROL_OP_DETACH, TIMEOUT_S, &reply, &f);
	bool ended = was_ending(interface, err);
	int cleaned = err ? clean_up_dead(interface, &served, &f) : -EBUSY;

	if (!cleaned) {
		hook_record_remove(interface);
		cli_warn(NULL, "the daemon had been killed; the files that it left are removed");
		return served ? cli_fail(CLI_FAILED,
					 "%s: another program serves this interface now and keeps "
					 "running; `ip link delete %s` ends it",
					 interface, interface)
			      : CLI_OK;
	}
	if (cleaned != -EBUSY && cleaned != -ENOENT)
		return cli_fail(CLI_FAILED, "%s", f.text);
	/* If a signal ended the daemon, PostDown has not run. The caller has read the record of the
	 * hooks and runs PostDown, so the record can be removed. */
	if (ended || (err == -ENOENT && recorded)) {
		hook_record_remove(interface);
		return CLI_OK;
	}
	/* systemd runs ExecStop even after a signal has ended the daemon. On a signal
	 * the daemon undoes everything, as on detach, so nothing is left to do. */
	if (err == -ENOENT && getenv("SERVICE_RESULT"))
		return CLI_OK;
	if (err)
		return cli_fail(CLI_FAILED, "%s", f.text);
	json_decref(reply);
	/* The daemon answers shortly before it ends. Wait until it has released the name, so that
	 * an attach can follow immediately. */
	if (!name_lock_wait_free(interface, LEAVE_MS))
		return cli_fail(CLI_FAILED,
				"%s: everything is undone, but the daemon has not exited yet",
				interface);
	return CLI_OK;
}

/* Returns true if a request failed with @err because no daemon serves the interface any more. */
static bool has_ended(const char *interface, int err)
{
	return was_ending(interface, err) || ctlclient_reach(interface, NULL) == -ENOENT;
}

/* Saves the running configuration if SaveConfig is true. If the daemon has ended, only warns,
 * because its configuration is lost. Also only warns if the file has an edit that could not be
 * applied, because the user must decide which of the two configurations to keep. Returns an exit
 * code. */
static int save(struct down *d)
{
	struct fault f, sentence;
	int err, pid;

	if (!d->has_file || !d->file.save_config || name_lock_is_stale(d->interface, &pid))
		return CLI_OK;
	err = save_running(d->interface, d->path, NULL, &f);
	if (!err)
		return CLI_OK;
	if (err == -ECANCELED) {
		cli_warn(NULL, f.text);
		return CLI_OK;
	}
	if (has_ended(d->interface, err)) {
		fault(&sentence, 0,
		      "%s: the daemon has ended, so changes that were not saved to %.400s are lost",
		      d->interface, d->path);
		cli_warn(NULL, sentence.text);
		return CLI_OK;
	}
	return cli_fail(CLI_FAILED,
			"%s; the configuration was not saved, so the tunnel stays up. To take it "
			"down without saving, remove SaveConfig = true from the file and run "
			"`wgxdp detach` again",
			f.text);
}

/* Returns true if systemd runs this command (ExecStop) because the daemon has crashed or was killed
 * (systemd.exec(5), SERVICE_RESULT). This command then removes nothing, so that the packet filter
 * rules of a full tunnel block the default route until the next daemon has set up the tunnel. */
static bool is_before_restart(const char *interface)
{
	const char *result = getenv("SERVICE_RESULT");

	/* A dying process releases its lock late, so wait for the lock. */
	return result && strcmp(result, "success") != 0 && name_lock_exists(interface) &&
	       name_lock_wait_free(interface, DYING_MS);
}

int detach_main(int argc, char **argv)
{
	char interface[IFNAME_MAX + 1];
	struct down down;
	struct fault f;
	int code;

	if (argc != 2 || cli_is_option(&argv[1]))
		return cli_usage("detach IFACE|CONF", argv[1]);
	if (conf_interface(argv[1], interface, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	if (is_before_restart(interface))
		return CLI_OK;
	down_open(&down, interface, conf_is_path(argv[1]) ? argv[1] : NULL);
	down_pre(&down);
	code = save(&down);
	if (code == CLI_OK)
		code = take_down(interface, down.record.path);
	if (code == CLI_OK)
		down_post(&down);
	if (code == CLI_OK && down.failures)
		code = cli_fail(CLI_FAILED, "%s: the tunnel is down, but %u of its hooks failed",
				interface, down.failures);
	down_done(&down);
	return code;
}
