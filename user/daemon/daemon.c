/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/apply.h"
#include "daemon/daemon_private.h"
#include "daemon/name_lock.h"
#include "host/tuning.h"
#include "util/log.h"
#include "util/notify.h"

#define DEFAULT_MTU 1420

static int start_core(struct daemon *d, struct fault *f)
{
	int err;

	d->env = (struct device_ops_env){
		.device = &d->core.device,
		.dataplane = &d->dataplane,
		.nexthops = &d->nexthops,
		.names = &d->names.endpoints,
		.mapsync = &d->mapsync,
		.diag = &d->diag,
		.suspend = &d->core.suspend,
	};
	d->loop = loop_new();
	if (!d->loop)
		return fault(f, -errno, "cannot start the daemon: %s", strerror(errno));
	err = core_init(&d->core, d->loop, d->options, &d->env, &d->mapsync, f);
	if (err)
		return err;
	d->env.qsbr = d->core.qsbr;
	d->netlink = netlink_open();
	err = d->netlink ? 0 : -errno;
	if (!err)
		err = host_watch_open(&d->host_watch, d->loop, &d->dataplane, &d->mapsync,
				      &d->nexthops);
	return err ? fault(f, err, "cannot open a netlink socket: %s", strerror(-err)) : 0;
}

/* Adds an alternative name by which other programs recognise our interfaces. The name matches
 * configs/05-wgxdp.network, so that systemd-networkd leaves the interface alone. networkd waits
 * until udev has processed a new interface, so the name is added in time. */
static void add_altname(const struct daemon *d)
{
	char name[sizeof("wgxdp-") + IFNAME_MAX];
	int err;

	snprintf(name, sizeof(name), "wgxdp-%s", d->tun.name);
	err = netlink_add_altname(d->netlink, d->tun.ifindex, name);
	if (err)
		log_info("cannot add the alternative name %s to the interface: %s", name,
			 strerror(-err));
}

static int start_dataplane(struct daemon *d, const struct conf *conf, struct fault *f)
{
	const struct dataplane_config dataplane = {
		.options = d->options,
		.loop = d->loop,
		.device = &d->core.device,
		.qsbr = d->core.qsbr,
		.suspend = &d->core.suspend,
		.tun = &d->tun,
		.netlink = d->netlink,
		.ops = &daemon_dataplane_ops,
		.ctx = d,
	};
	const struct tunnel_config tunnel = {
		.loop = d->loop,
		.tun = &d->tun,
		.dataplane = &d->dataplane,
		.ops = &daemon_tunnel_ops,
		.ctx = d,
	};
	int err = tun_open(&d->tun, d->options->interface, d->options->tun_fd, DEFAULT_MTU, f);

	if (!err && d->options->tun_fd < 0)
		add_altname(d);
	if (!err && d->tun.vnet_len)
		err = tun_set_offloads(&d->tun, !d->options->off.gso, !d->options->off.uso, f);
	if (!err)
		err = dataplane_open(&d->dataplane, &dataplane, conf, DEFAULT_MTU, f);
	if (!err)
		tunnel_open(&d->tunnel, &tunnel, DEFAULT_MTU);
	return err;
}

static int start_sync(struct daemon *d, enum log_level quiet_level, struct fault *f)
{
	const struct mapsync_config mapsync = {
		.loop = d->loop,
		.loader = d->dataplane.loader,
		.device = &d->core.device,
		.netlink = d->netlink,
		.worker_count = d->dataplane.workers.count,
		.strict = d->options->strict,
	};
	const struct nexthops_config nexthops = {
		.loop = d->loop,
		.device = &d->core.device,
		.qsbr = d->core.qsbr,
		.netlink = d->netlink,
		.dataplane = &d->dataplane,
		.neighbour_managed = daemon_neighbour_managed,
		.ctx = d,
	};
	const struct handshake_rx_config handshake_rx = {
		.loop = d->loop,
		.device = &d->core.device,
		.dataplane = &d->dataplane,
		.nexthops = &d->nexthops,
		.tunnel = &d->tunnel,
		.diag = &d->diag,
	};
	int err = handshake_rx_init(&d->handshake_rx, &handshake_rx);

	mapsync_init(&d->mapsync, &mapsync);
	nexthops_init(&d->nexthops, &nexthops);
	diag_init(&d->diag, d->loop, &d->dataplane, quiet_level);
	if (!err)
		err = names_init(&d->names, d->loop, &d->core.device, &d->nexthops, &d->dataplane);
	return err ? fault(f, err, "cannot start the daemon: %s", strerror(-err)) : 0;
}

static int start_sockets(struct daemon *d, struct fault *f)
{
	const struct report report = {
		.device = &d->core.device,
		.dataplane = &d->dataplane,
		.tunnel = &d->tunnel,
		.diag = &d->diag,
		.names = &d->names.endpoints,
	};

	return sockets_open(&d->sockets, &d->dataplane, &d->ending, &report, d->options->uapi_fd,
			    f);
}

struct host_result {
	int err;
	struct fault *f;
};

static void host_applied(void *ctx, int err, const struct fault *f)
{
	struct host_result *result = ctx;

	result->err = err;
	if (err)
		*result->f = *f;
}

/* Sets up the host (addresses, routes) for @conf. Returns 0, or -errno with @f filled in. */
static int start_host(struct daemon *d, const struct conf *conf, struct fault *f)
{
	const struct host_config config = {
		.loop = d->loop,
		.interface = d->options->interface,
		.ops = &daemon_host_ops,
		.ctx = d,
	};
	struct host_result result = { .f = f };
	int err = host_new(&d->follow.host, &config, f);

	if (err)
		return err;
	host_moved(d->follow.host, d->tun.ifindex);
	host_apply(d->follow.host, conf, host_applied, &result);
	host_wait(d->follow.host);
	return result.err;
}

static void before_wait(void *ctx)
{
	struct daemon *d = ctx;

	core_before_wait(&d->core);
	names_before_wait(&d->names);
}

static int start_watches(struct daemon *d, struct fault *f)
{
	int err = ending_watch(&d->ending, d->loop);

	if (!err)
		err = host_watch_start(&d->host_watch);
	if (!err)
		err = handshake_rx_watch(&d->handshake_rx);
	if (!err)
		err = tunnel_watch(&d->tunnel);
	if (!err)
		err = diag_watch(&d->diag);
	if (err)
		return fault(f, err, "cannot watch for events: %s", strerror(-err));
	nexthops_watch(&d->nexthops);
	core_watch(&d->core);
	watchdog_start(&d->watchdog, d->loop, &d->dataplane.workers);
	loop_before_wait(d->loop, before_wait, d);
	return 0;
}

static int start_follow(struct daemon *d, struct conf *conf, struct fault *f)
{
	d->follow.dataplane = &d->dataplane;
	d->follow.sockets = &d->sockets;
	d->follow.ending = &d->ending;
	return config_follow_start(&d->follow, d->loop, &d->names.endpoints, conf, f);
}

static int start(struct daemon *d, struct conf *conf, enum log_level quiet_level, struct fault *f)
{
	int err = name_lock_take(d->options->interface, &d->lock_fd, f);
	struct fault why;

	d->record = (struct crash_record){ .lock_fd = d->lock_fd };
	if (!err)
		err = tuning_record_undo(d->options->interface, f);
	/* With a config, host_new() takes over a dead daemon's settings. */
	if (!err && !conf && host_record_undo(d->options->interface, &why))
		log_error("%s", why.text);
	if (!err)
		err = start_core(d, f);
	if (!err)
		err = start_dataplane(d, conf, f);
	if (!err)
		err = start_sync(d, quiet_level, f);
	if (!err && conf) {
		d->dataplane.wanted_port = conf->listen_port;
		err = apply_conf(&d->core.device, &d->names.endpoints, conf, loop_now_ns(), f);
	}
	if (!err)
		err = start_sockets(d, f);
	if (!err)
		err = start_watches(d, f);
	if (err)
		return err;
	ending_tell(&d->ending, "ready", d->tun.ifindex);
	if (!conf)
		return 0;
	err = start_host(d, conf, f);
	if (!err)
		err = start_follow(d, conf, f);
	/* Send "up" only now: the attach command may exit on this message, and the user may then
	 * run `wgxdp detach`, which needs the record of the hooks that start_follow() writes. */
	if (!err)
		ending_tell(&d->ending, "up", d->dataplane.udp.port);
	return err;
}

static void run(struct daemon *d)
{
	while (!d->ending.stopping) {
		int err = loop_once(d->loop);

		if (err) {
			log_error("the event loop failed: %s; exiting", strerror(-err));
			ending_stop(&d->ending, 1);
		}
	}
}

/* Undoes start(), even if start() failed half-way. */
static void end(struct daemon *d)
{
	sockets_stop(&d->sockets);
	host_free(d->follow.host);
	d->follow.host = NULL;
	daemon_link_down(d);
	config_follow_stop(&d->follow);
	sockets_close_uapi(&d->sockets);
	watchdog_stop(&d->watchdog);
	core_stop(&d->core);
	names_done(&d->names);
	tunnel_close(&d->tunnel);
	mapsync_done(&d->mapsync);
	diag_done(&d->diag);
	dataplane_close(&d->dataplane);
	core_done(&d->core);
	if (d->tun.fd >= 0)
		tun_close(&d->tun);
	handshake_rx_done(&d->handshake_rx);
	host_watch_close(&d->host_watch);
	nexthops_done(&d->nexthops);
	netlink_close(d->netlink);
	sockets_close_control(&d->sockets);
	ending_unwatch(&d->ending);
	loop_free(d->loop);
	if (d->lock_fd >= 0)
		config_follow_end_record(&d->follow, &d->ending);
	name_lock_release(d->options->interface, d->lock_fd);
	ending_done(&d->ending);
}

/* Returns the log level that LOG_LEVEL selects; wireguard-go has the same values. The default is
 * more verbose for a daemon that has a config file and runs in the foreground, because a person is
 * watching. */
static enum log_level level_wanted(const struct options *options, const struct conf *conf)
{
	const char *level = getenv("LOG_LEVEL");

	if (level && (!strcmp(level, "verbose") || !strcmp(level, "debug")))
		return LOG_LEVEL_DEBUG;
	if (level && !strcmp(level, "silent"))
		return LOG_LEVEL_SILENT;
	return !level && conf && options->foreground ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
}

static void serve(struct daemon *d)
{
	if (d->ending.lease_fd < 0) /* no attach command waits for us, so the start is complete */
		notify_ready();
	if (diag_is_on())
		diag_set(&d->diag, true);
	tunnel_look(&d->tunnel); /* an inherited interface may be up already */
	run(d);
}

/* Opens the connection to the service manager. Only a daemon in the foreground is the main process
 * of a service. */
static void open_notify(const struct options *options)
{
	int err = options->foreground ? notify_open() : 0;

	if (err)
		log_error("NOTIFY_SOCKET=%s: %s; the service manager cannot be told that the "
			  "tunnel is up",
			  getenv("NOTIFY_SOCKET"), strerror(-err));
}

int daemon_run(const struct options *options, struct conf *conf, int lease_fd)
{
	static struct daemon d;
	struct fault f = { "" };
	enum log_level quiet_level;
	int err;

	d = (struct daemon){
		.options = options, .lock_fd = -1, .tun.fd = -1, .follow.options = options
	};
	log_open(options->interface, level_wanted(options, conf));
	quiet_level = diag_is_on() ? LOG_LEVEL_INFO : log_get_level();
	ending_init(&d.ending, options->foreground, lease_fd,
		    conf ? &config_follow_ending_ops : NULL, &d.follow);
	open_notify(options);
	err = start(&d, conf, quiet_level, &f);
	if (conf)
		conf_done(conf); /* from here on only the device has the keys */
	if (err) {
		if (lease_fd < 0 || options->foreground)
			log_error("%s", f.text);
		ending_tell_error(&d.ending, &f);
		ending_stop(&d.ending, 1);
	} else {
		serve(&d);
	}
	end(&d);
	/* Wait for the `wgxdp detach` that this daemon started, but only if this command ended the
	 * daemon. After a second signal the daemon must exit without waiting for hooks. */
	if (d.ending.detached)
		detach_child_wait(&d.follow.detach_child);
	notify_close();
	return d.ending.exit_code;
}
