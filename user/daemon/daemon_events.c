/* SPDX-License-Identifier: MIT */
/* daemon_events.c - handles the events that modules report. */
#include <errno.h>
#include <string.h>

#include "daemon/daemon_private.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/open_files.h"

/* Up and down --------------------------------------------------------------------------------- */

static int link_up(void *ctx)
{
	struct daemon *d = ctx;
	struct fault f;
	int err;

	if (d->dataplane.up)
		return 0;
	err = dataplane_up(&d->dataplane, &f);
	if (err) {
		log_error("%s", f.text);
		ending_tell_error(&d->ending, &f);
		if (d->ending.lease_fd >= 0)
			ending_stop(&d->ending, 1);
		return err;
	}
	mapsync_listen(&d->mapsync, d->dataplane.udp.port);
	nexthops_now(&d->nexthops);
	device_set_up(&d->core.device, true, loop_now_ns());
	log_info("up, port %u", d->dataplane.udp.port);
	notify_status("Up, port %u", d->dataplane.udp.port);
	return 0;
}

void daemon_link_down(void *ctx)
{
	struct daemon *d = ctx;

	if (!d->dataplane.up)
		return;
	mapsync_listen(&d->mapsync, 0);
	/* Stop the workers before the sessions end. Otherwise the workers would read more packets,
	 * and queue them for the next session. */
	dataplane_stop(&d->dataplane);
	device_set_up(&d->core.device, false, loop_now_ns());
	dataplane_down(&d->dataplane);
	log_info("down");
	notify_status("The interface is down");
}

/* Notifications of modules --------------------------------------------------------------------- */

static void tunnel_at_home(void *ctx, uint32_t ifindex)
{
	struct daemon *d = ctx;

	nexthops_set_tunnel(&d->nexthops, ifindex);
	host_moved(d->follow.host, ifindex);
}

static void tunnel_ended(void *ctx, int exit_code)
{
	struct daemon *d = ctx;

	ending_stop(&d->ending, exit_code);
}

const struct tunnel_ops daemon_tunnel_ops = {
	.link_up = link_up,
	.link_down = daemon_link_down,
	.at_home = tunnel_at_home,
	.ended = tunnel_ended,
};

static void sockets_closing(void *ctx)
{
	struct daemon *d = ctx;

	handshake_rx_unwatch_leader(&d->handshake_rx);
}

static int sockets_opened(void *ctx)
{
	struct daemon *d = ctx;

	if (d->dataplane.up) { /* the listen port was changed while the interface was up */
		mapsync_listen(&d->mapsync, d->dataplane.udp.port);
		nexthops_now(&d->nexthops);
	}
	return handshake_rx_watch_leader(&d->handshake_rx);
}

static void paths_changed(void *ctx)
{
	struct daemon *d = ctx;

	nexthops_changed(&d->nexthops);
}

static void dataplane_failed(void *ctx)
{
	struct daemon *d = ctx;

	ending_stop(&d->ending, 1);
}

void daemon_neighbour_managed(void *ctx, const struct encap_next *next, bool managed)
{
	struct daemon *d = ctx;
	int err = crash_record_neighbour(&d->record, next, managed);

	if (err)
		log_info("cannot write the crash record: %s", strerror(-err));
}

/* The most files that tunnel_look() opens at a time, to ask the kernel about the interface. */
#define LOOK_FILES 4

/* Starts the data plane. The interface is up, but the daemon may not have read the kernel's
 * notification of this yet, so tunnel_look() reads the state of the interface. */
static int host_start(void *ctx, struct fault *f)
{
	struct daemon *d = ctx;

	tunnel_look(&d->tunnel);
	return d->dataplane.up ? 0
			       : fault(f, open_files_room(LOOK_FILES) ?: -ENETDOWN,
				       "the tunnel cannot be started");
}

static int host_set_fwmark(void *ctx, uint32_t fwmark)
{
	struct daemon *d = ctx;

	return dataplane_set_fwmark(&d->dataplane, fwmark);
}

static void host_back(void *ctx)
{
	struct daemon *d = ctx;

	reload_host_again(&d->follow.reload);
}

static void warn(void *ctx, const char *sentence)
{
	const struct daemon *d = ctx;

	ending_warn(&d->ending, sentence);
}

/* Sends @sentence, which was logged at level INFO, to the waiting command. In the foreground, does
 * so only if the log does not show INFO, because the log and the command both write to standard
 * error. */
static void say(void *ctx, const char *sentence)
{
	const struct daemon *d = ctx;

	if (!d->options->foreground || log_get_level() < LOG_LEVEL_INFO)
		ending_warn(&d->ending, sentence);
}

const struct host_ops daemon_host_ops = {
	.start = host_start,
	.set_fwmark = host_set_fwmark,
	.back = host_back,
	.warn = warn,
};

const struct dataplane_ops daemon_dataplane_ops = {
	.sockets_closing = sockets_closing,
	.sockets_opened = sockets_opened,
	.changed = paths_changed,
	.failed = dataplane_failed,
	.say = say,
};
