/* SPDX-License-Identifier: MIT */
/*
 * The life of an interface.
 *
 *   start: name ─▶ core ─▶ TUN ─▶ NICs (XDP, AF_XDP) ─▶ sockets ─▶ config ─▶ "ready"
 *   link up ─▶ UDP sockets, worker, listen map ─▶ "up"      link down ─▶ the same backwards
 *   end:   SIGTERM, SIGINT, `wgxdp detach`, interface deleted, wg's socket file deleted, or the
 *          command that started us went away before it committed
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/crash_record.h"
#include "daemon/lease.h"
#include "daemon/name_lock.h"
#include "io/udp.h"
#include "util/log.h"
#include "util/secure.h"
#include "wgxdp/control.h"

/* What could not be freed yet is looked at again after this. */
#define COLLECT_NS (10 * NS_PER_MS)
#define SOCKET_PATH_LEN 64

void daemon_stop(struct daemon *n, int exit_code)
{
	n->stopping = true;
	n->exit_code = exit_code;
}

/* Up and down --------------------------------------------------------------------------------- */

int daemon_up(struct daemon *n, struct fault *f)
{
	static const struct udp_group none;
	struct udp_group udp;
	int err;

	if (n->up)
		return 0;
	err = workers_open_udp(n, n->wanted_port, &udp, f);
	if (err)
		return err;
	workers_use_udp(n, &udp);
	err = handshake_rx_watch_leader(n);
	if (!err)
		err = workers_start(n);
	if (err) {
		workers_use_udp(n, &none);
		return fault(f, err, "cannot start the workers: %s", strerror(-err));
	}
	n->up = true;
	mapsync_listen(n);
	nexthops_now(n);
	device_set_up(&n->device, true, loop_now_ns());
	log_info("up, port %u", udp.port);
	return 0;
}

void daemon_down(struct daemon *n)
{
	static const struct udp_group none;

	if (!n->up)
		return;
	n->up = false;
	mapsync_listen(n);
	workers_stop(
		n); /* before the sessions end, or what they read then would wait for the next */
	device_set_up(&n->device, false, loop_now_ns());
	workers_use_udp(n, &none);
	log_info("down");
}

/* The host slept, or is a copy: no key that is in memory may be used again, [contract] 4.23. Workers hold
 * still since they know of it. */
static void wipe_if_stale(void *ctx)
{
	struct daemon *n = ctx;
	struct suspend_mark mark;

	if (!suspend_stale(&n->suspend))
		return;
	mark = suspend_begin(&n->suspend);
	device_zero_all(&n->device, loop_now_ns());
	suspend_end(&n->suspend, mark);
	log_info("the host slept, or was restored or copied: all keys are wiped");
}

/* Events -------------------------------------------------------------------------------------- */

static void on_link(void *ctx, const struct netlink_link *link, bool gone)
{
	struct daemon *n = ctx;

	for (unsigned i = 0; i < n->nic_count && !gone; i++)
		if (link->ifindex == n->nics[i].ifindex && (n->nics[i].attached || n->nics[i].tc))
			loader_set_mac(n->loader, link->ifindex, link->mac);
}

/* What the watch missed: the links that we follow are asked for. */
static void look_at_links(struct daemon *n)
{
	struct netlink_link link;

	for (unsigned i = 0; i < n->nic_count; i++)
		if (!netlink_link(n->netlink, NULL, n->nics[i].ifindex, &link))
			on_link(n, &link, false);
}

static void on_neighbour(void *ctx, const struct netlink_neighbour_event *event)
{
	nexthops_neighbour(ctx, event);
}

static void on_netlink(void *ctx, int fd, uint32_t events)
{
	struct daemon *n = ctx;
	unsigned changed = netlink_watch_read(n->watch, on_link, n);

	(void)fd;
	(void)events;
	if (changed & NETLINK_CHANGED_LOST)
		look_at_links(n);
	if (changed & (NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_LINK))
		mapsync_addresses_changed(n);
	if (changed & NETLINK_CHANGED_FORWARDING)
		mapsync_forwarding(n);
	if (changed & ~NETLINK_CHANGED_FORWARDING)
		nexthops_changed(n);
}

static void on_signal(void *ctx, int fd, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(fd, &info, sizeof(info)) == sizeof(info))
		log_info("%s, leaving", strsignal((int)info.ssi_signo));
	daemon_stop(ctx, 0);
}

static void close_lease(struct daemon *n)
{
	if (n->lease_fd >= 0)
		close(n->lease_fd);
	n->lease_fd = -1;
}

static void on_lease(void *ctx, int fd, uint32_t events)
{
	struct daemon *n = ctx;
	int answer = lease_read(fd);

	(void)events;
	if (answer)
		loop_delete(n->loop, fd);
	if (answer > 0)
		close_lease(n);
	if (answer < 0)
		daemon_stop(n,
			    1); /* the command waits for our end to close: last of all in end() */
}

static void on_socket_deleted(void *ctx)
{
	const struct uapi *uapi = ctx;

	log_info("the socket file was deleted, leaving");
	daemon_stop(uapi->ctx, 0);
}

/* What the configuration socket asks of the node ----------------------------------------------- */

/* While up or down; what was stays where the port is not to be had. */
static int uapi_set_listen_port(void *ctx, uint16_t port)
{
	struct daemon *n = ctx;
	struct udp_group udp;
	int err;

	if (!n->up || (port && port == n->udp.port)) {
		n->wanted_port = port;
		return 0;
	}
	err = workers_open_udp(n, port, &udp, NULL);
	if (err)
		return err;
	workers_stop(n);
	workers_use_udp(n, &udp);
	n->wanted_port = port;
	mapsync_listen(n);
	nexthops_now(n);
	err = handshake_rx_watch_leader(n);
	if (!err)
		err = workers_start(n);
	if (err) {
		log_error("cannot go on with port %u: %s", port, strerror(-err));
		daemon_stop(n, 1);
	}
	return err;
}

static int uapi_set_fwmark(void *ctx, uint32_t fwmark)
{
	struct daemon *n = ctx;
	int err = n->udp.leader ? udp_set_fwmark(n->udp.leader, fwmark) : 0;

	for (unsigned i = 0; i < n->worker_count && !err; i++)
		if (n->udp.members[i])
			err = udp_set_fwmark(n->udp.members[i], fwmark);
	if (err)
		return err;
	n->fwmark = fwmark;
	nexthops_changed(n);
	return 0;
}

static uint16_t uapi_listen_port(void *ctx)
{
	const struct daemon *n = ctx;

	return n->up ? n->udp.port : n->wanted_port;
}

static uint32_t uapi_fwmark(void *ctx)
{
	return ((const struct daemon *)ctx)->fwmark;
}

static uint64_t uapi_now_ns(void *ctx)
{
	(void)ctx;
	return loop_now_ns();
}

static const struct uapi_ops uapi_ops = {
	.set_listen_port = uapi_set_listen_port,
	.set_fwmark = uapi_set_fwmark,
	.listen_port = uapi_listen_port,
	.fwmark = uapi_fwmark,
	.now_ns = uapi_now_ns,
};

/* Start and end -------------------------------------------------------------------------------- */

static int start_core(struct daemon *n, struct fault *f)
{
	const char *failed = NULL;
	int err = secure_memory();

	if (err)
		log_info("memory cannot be locked (%s): keys may reach the swap device",
			 strerror(-err));
	err = aead_select(n->options->aead, &failed);
	if (failed)
		log_error("AEAD backend %s fails its self-test and is not used", failed);
	if (err)
		return fault(f, err, "--aead %s: %s", n->options->aead ?: "auto",
			     err == -ENOENT ? "there is no such backend; try auto"
					    : "it does not work on this CPU; try auto");
	n->loop = loop_new();
	n->qsbr = qsbr_new();
	n->inbox = handoff_new();
	if (!n->loop || !n->qsbr || !n->inbox)
		return fault(f, -ENOMEM, "out of memory or file descriptors");
	err = device_init(&n->device, &upcalls, n, &upcalls_mirror, n);
	if (!err)
		err = device_set_handshake_rate(&n->device, n->options->handshake_rate);
	if (err)
		return fault(f, err, "out of memory");
	n->netlink = netlink_open();
	n->watch = netlink_watch_open();
	if (n->watch)
		netlink_watch_neighbours(n->watch, on_neighbour, n);
	if (!n->netlink || !n->watch)
		return fault(f, -errno, "cannot open a netlink socket: %s", strerror(errno));
	return 0;
}

static int start_data_path(struct daemon *n, const struct conf *conf, struct fault *f)
{
	int err;

	n->fwmark = conf ? conf->fwmark : 0; /* routes to endpoints are looked up under it */
	err = tun_open(&n->tun, n->options->interface, n->options->tun_fd, n->tun_mtu, f);

	if (!err)
		err = paths_open(n, conf, f);
	if (err)
		return err;
	mapsync_identity(n);
	return conf ? apply_conf(n, conf, f) : 0;
}

static int start_sockets(struct daemon *n, struct fault *f)
{
	char path[SOCKET_PATH_LEN];
	struct server_config config = {
		.loop = n->loop,
		.path = path,
		.directory_mode = 0755,
		.inherited_fd = n->options->uapi_fd,
		.protocol = &uapi_protocol,
		.ctx = &n->uapi,
		.deleted = on_socket_deleted,
	};
	int err = ctlserver_new(&n->control, n->loop, n->tun.name, &report_ops, n, f);

	n->uapi = (struct uapi){ .device = &n->device, .ops = &uapi_ops, .ctx = n };
	snprintf(path, sizeof(path), UAPI_DIRECTORY "/%s.sock", n->tun.name);
	return err ? err : server_new(&n->uapi_server, &config, f);
}

/* From the first moment on: one that comes while we start is read when we have. A daemon has no
 * terminal that could hang up. */
static sigset_t signals_of(const struct daemon *n)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	if (n->options->foreground)
		sigaddset(&signals, SIGHUP);
	return signals;
}

static void hold_signals(const struct daemon *n)
{
	sigset_t signals = signals_of(n);

	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (!n->options->foreground)
		signal(SIGHUP, SIG_IGN);
}

static int start_events(struct daemon *n, struct fault *f)
{
	sigset_t signals = signals_of(n);
	int err, watched;

	n->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	err = loop_add(n->loop, n->signal_fd, EPOLLIN, on_signal, n);
	if (!err)
		err = loop_add(n->loop, netlink_watch_fd(n->watch), EPOLLIN, on_netlink, n);
	if (!err)
		err = handshake_rx_watch(n);
	if (!err)
		err = tunnel_watch(n);
	if (!err)
		err = events_watch(n);
	nexthops_watch(n);
	loop_on_wake(n->loop, wipe_if_stale, n);
	watched = err ? err : vmgenid_watch(n);
	if (!err && watched)
		log_info("a restored or copied virtual machine will not be noticed: %s",
			 strerror(-watched));
	if (!err && n->lease_fd >= 0)
		err = loop_add(n->loop, n->lease_fd, EPOLLIN, on_lease, n);
	return err ? fault(f, err, "cannot watch for events: %s", strerror(-err)) : 0;
}

static int start(struct daemon *n, const struct conf *conf, struct fault *f)
{
	int err = name_lock_take(n->options->interface, &n->lock_fd, f);

	if (!err)
		err = start_core(n, f);
	if (!err)
		err = start_data_path(n, conf, f);
	if (!err)
		err = start_sockets(n, f);
	if (!err)
		err = start_events(n, f);
	return err;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* So that whoever comes after us can let go of the neighbours if we are killed. */
static void keep_record(struct daemon *n)
{
	if (n->managed.count == n->recorded)
		return;
	n->recorded = n->managed.count;
	if (crash_record_write(n->lock_fd, &n->managed))
		log_info("the record of what to undo cannot be written: %s", strerror(errno));
}

static void run(struct daemon *n)
{
	while (!n->stopping) {
		uint64_t until_ns = earliest(device_next(&n->device), nexthops_next(n));
		uint64_t now_ns = loop_now_ns();
		int err;

		until_ns = earliest(earliest(until_ns, n->paths_at_ns), mapsync_next(n));
		until_ns = earliest(until_ns, diag_next(n));
		if (qsbr_collect(n->qsbr))
			until_ns = earliest(until_ns, now_ns + COLLECT_NS);
		until_ns = earliest(until_ns, tunnel_next(n));
		if (n->messages_left)
			until_ns = 0;
		err = loop_once(n->loop, until_ns);
		if (err) {
			log_error("event loop: %s", strerror(-err));
			daemon_stop(n, 1);
			return;
		}
		now_ns = loop_now_ns();
		handshake_rx_go_on(n);
		device_tick(&n->device, now_ns);
		nexthops_tick(n, now_ns);
		mapsync_tick(n, now_ns);
		paths_tick(n, now_ns);
		tunnel_tick(n, now_ns);
		diag_tick(n, now_ns);
		keep_record(n);
	}
}

/* Undoes start(), wherever it stopped. */
static void end(struct daemon *n)
{
	daemon_down(n);
	vmgenid_unwatch(n);
	server_free(n->uapi_server);
	if (n->device.ops)
		device_done(&n->device);
	tunnel_unwatch(n);
	workers_free(n);
	qsbr_free(n->qsbr);
	paths_close(n);
	if (n->tun.fd >= 0)
		tun_close(&n->tun);
	handoff_free(n->inbox);
	if (n->watch)
		netlink_watch_close(n->watch);
	if (n->netlink) {
		nexthops_done(n);
		netlink_close(n->netlink);
	}
	free(n->slots);
	if (n->control)
		ctlserver_detached(n->control);
	ctlserver_free(n->control);
	if (n->signal_fd >= 0)
		close(n->signal_fd);
	loop_free(n->loop);
	name_lock_release(n->options->interface, n->lock_fd);
	close_lease(n);
}

/* [contract] 2; a person who watches in the foreground wants to see more. */
static enum log_level level_wanted(const struct options *options, const struct conf *conf)
{
	const char *level = getenv("LOG_LEVEL");

	if (level && (!strcmp(level, "verbose") || !strcmp(level, "debug")))
		return LOG_LEVEL_DEBUG;
	if (level && !strcmp(level, "silent"))
		return LOG_LEVEL_SILENT;
	return !level && conf && options->foreground ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR;
}

int daemon_run(const struct options *options, struct conf *conf, int lease_fd)
{
	static char prefix[sizeof("wgxdp: ") + IFNAME_MAX];
	static struct daemon n;
	struct fault f = { "" };
	int err;

	n = (struct daemon){
		.options = options,
		.lease_fd = lease_fd,
		.lock_fd = -1,
		.signal_fd = -1,
		.tun.fd = -1,
		.tun_mtu = 1420,
		.nexthops_at_ns = UINT64_MAX,
		.narrowed_at_ns = UINT64_MAX,
		.listen_at_ns = UINT64_MAX,
	};
	snprintf(prefix, sizeof(prefix), "wgxdp: %s", options->interface);
	log_open(prefix, level_wanted(options, conf));
	n.quiet_level = diag_is_on() ? LOG_LEVEL_INFO : log_get_level();
	suspend_init(&n.suspend);
	hold_signals(&n);
	err = start(&n, conf, &f);
	if (conf)
		conf_done(
			conf); /* its keys are the device's now, which can be told to forget them */
	if (err) {
		if (lease_fd < 0 || options->foreground)
			log_error("%s", f.text);
		lease_tell_error(lease_fd, &f);
		n.exit_code = 1;
	} else {
		lease_tell(lease_fd, "ready", n.tun.ifindex);
		if (diag_is_on())
			diag_set(&n, true);
		tunnel_look(&n); /* one that we were given may be up */
		run(&n);
	}
	end(&n);
	return n.exit_code;
}
