/* SPDX-License-Identifier: MIT */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bpf/loader.h"
#include "conf/conf.h"
#include "util/counter.h"
#include "util/log.h"

/* Open ----------------------------------------------------------------------------------------- */

/* Sets *@count to the number of workers, which depends on the options, the NICs and whether BPF can
 * be used. Returns 0, or -errno with @f filled in. */
static int count_workers(const struct dataplane *d, unsigned *count, struct fault *f)
{
	const struct options *options = d->config.options;
	unsigned queues = paths_fewest_queues(&d->paths);

	*count = workers_wanted(options, d->config.tun, queues);
	if (options->workers && queues && *count > queues)
		return fault(
			f, -EINVAL,
			"--workers %u: a NIC has only %u queue%s; `ethtool -L` may give it more",
			*count, queues, queues == 1 ? "" : "s");
	if (*count > 1 && (!d->loader || loader_reuseport_prog(d->loader) < 0)) {
		if (options->workers)
			return fault(
				f, -ENOTSUP,
				"--workers %u: with several workers, a BPF program must distribute "
				"datagrams among their UDP sockets, but it is not loaded; use "
				"--workers 1",
				*count);
		*count = 1;
	}
	return 0;
}

static int make_workers(struct dataplane *d, uint32_t mtu, struct fault *f)
{
	const struct workers_config config = {
		.options = d->config.options,
		.device = d->config.device,
		.qsbr = d->config.qsbr,
		.suspend = d->config.suspend,
		.tun = d->config.tun,
		.loader = d->loader,
	};
	unsigned count;
	int err = count_workers(d, &count, f);

	if (!err)
		err = workers_make(&d->workers, &config, count, f);
	if (err)
		return err;
	workers_set_mtu(&d->workers, mtu);
	return paths_give_ports(&d->paths, &d->workers, f);
}

/* Loads BPF and opens the NICs. BPF is loaded even if XDP is not used, because the TC programs use
 * the same maps. */
static int open_paths(struct dataplane *d, const struct conf *conf, struct fault *f)
{
	struct nics_env env = {
		.options = d->config.options,
		.netlink = d->config.netlink,
		.tuner = &d->tuner,
		.closed = &d->closed,
		.netfilter = &d->netfilter,
	};
	int err = paths_choose(&d->paths, &env, conf, d->fwmark, f);

	if (err)
		return err;
	err = loader_new(&d->loader, d->config.options->interface, f);
	if (err) {
		d->loader = NULL;
		return paths_without_xdp(&d->paths, err, f);
	}
	return paths_open(&d->paths, d->loader, f);
}

/* Distributes the queues among the stopped workers. Starts the workers again if the interface is
 * up. Returns 0, or -errno with @f filled in. */
static int restart(struct dataplane *d, struct fault *f)
{
	int err = paths_give_ports(&d->paths, &d->workers, f);

	if (err || !d->up)
		return err;
	err = workers_start(&d->workers);
	return err ? fault(f, err, "%s", strerror(-err)) : 0;
}

static void update_usage(struct dataplane *d)
{
	struct path_stats s;

	dataplane_stats(d, &s);
	if (path_usage_update(&d->rx_usage, s.xsk_rx_packets, s.udp_rx_packets) && d->paths.rx_xdp)
		log_info("data arrives through %s",
			 d->rx_usage.by_udp ? "the UDP sockets, though XDP is attached" : "XDP");
}

static const char *why_asked(const struct options *o)
{
	bool rx = o->rx == OPTIONS_PATH_UDP, tx = o->tx == OPTIONS_PATH_UDP;

	if (o->udp_why)
		return o->udp_why;
	if (rx && tx)
		return "data goes through the UDP sockets because of --rx udp and --tx udp";
	if (rx)
		return "received data goes through the UDP sockets because of --rx udp";
	return tx ? "sent data goes through the UDP sockets because of --tx udp" : "";
}

void dataplane_usage(const struct dataplane *d, const struct path_stats *s,
		     struct dataplane_usage *usage)
{
	struct path_usage rx = d->rx_usage;
	const struct paths *p = &d->paths;
	size_t len;

	path_usage_update(&rx, s->xsk_rx_packets, s->udp_rx_packets);
	usage->rx_xdp = p->rx_xdp && !rx.by_udp;
	usage->tx_xdp = p->tx_xdp;
	snprintf(usage->why, sizeof(usage->why), "%s%s%s", p->why,
		 *p->why && *why_asked(d->config.options) ? "; " : "",
		 why_asked(d->config.options));
	if (usage->rx_xdp || !p->rx_xdp)
		return;
	len = strlen(usage->why);
	snprintf(usage->why + len, sizeof(usage->why) - len,
		 "%sXDP is attached, but data arrives through the UDP sockets (VLAN tags, another "
		 "interface, a worker that hangs, or GRO and GSO packets in generic mode): %" PRIu64
		 " of the last %" PRIu64 " data messages",
		 len ? "; " : "", rx.last_udp, rx.last_udp + rx.last_xsk);
}

/* Makes path_usage.h count from zero again, because data that arrived over the old paths proves
 * nothing about the new paths. */
static void restart_usage(struct dataplane *d)
{
	struct path_stats s;

	dataplane_stats(d, &s);
	d->rx_usage = (struct path_usage){ .xsk = s.xsk_rx_packets, .udp = s.udp_rx_packets };
}

static void follow(void *ctx, uint64_t now_ns)
{
	struct dataplane *d = ctx;
	bool changed = false;
	struct fault f;

	loop_timer_arm(&d->follow_timer, now_ns + PATHS_FOLLOW_NS);
	update_usage(d);
	if (d->network_changed) {
		d->network_changed = false;
		changed = paths_choose_again(&d->paths, &d->workers, d->config.device, d->fwmark,
					     d->config.tun->name);
	}
	changed |= paths_follow(&d->paths, &d->workers);
	if (!changed)
		return;
	workers_stop(&d->workers);
	restart_usage(d);
	if (restart(d, &f)) {
		log_error("cannot restart the workers: %s", f.text);
		d->config.ops->failed(d->config.ctx);
	}
	d->config.ops->changed(d->config.ctx);
}

int dataplane_open(struct dataplane *d, const struct dataplane_config *config,
		   const struct conf *conf, uint32_t mtu, struct fault *f)
{
	int err;

	*d = (struct dataplane){ .config = *config, .fwmark = conf ? conf->fwmark : 0 };
	loop_timer_init(&d->follow_timer, config->loop, follow, d);
	d->tuner.tuning.interface = config->options->interface;
	if (config->options->nics.tune) {
		d->tuner.say = config->ops->say;
		d->tuner.ctx = config->ctx;
	}
	err = open_paths(d, conf, f);
	if (!err && conf)
		paths_warn(&d->paths, config->ops->say, config->ctx);
	if (!err)
		err = make_workers(d, mtu, f);
	if (!err)
		loop_timer_arm(&d->follow_timer, 0);
	return err;
}

void dataplane_close(struct dataplane *d)
{
	loop_timer_done(&d->follow_timer);
	workers_free(&d->workers);
	paths_close(&d->paths);
	loader_free(d->loader);
	nic_checks_close(&d->netfilter);
	d->loader = NULL;
	nic_tune_undo(&d->tuner);
}

void dataplane_network_changed(struct dataplane *d)
{
	d->network_changed = true;
}

/* Up and down ---------------------------------------------------------------------------------- */

/* Gives the stopped workers the sockets @udp instead of their old sockets. */
static int use_sockets(struct dataplane *d, const struct udp_group *udp)
{
	d->config.ops->sockets_closing(d->config.ctx);
	udp_group_close(&d->udp, &d->closed);
	d->udp = *udp;
	workers_use_udp(&d->workers, udp);
	return udp->leader ? d->config.ops->sockets_opened(d->config.ctx) : 0;
}

static int open_sockets(struct dataplane *d, uint16_t port, struct udp_group *udp, struct fault *f)
{
	return udp_group_open(udp, d->loader, d->workers.count, port, d->fwmark, &d->udp, f);
}

/* Returns the port to open. A port that the kernel chose before is opened again, because peers know
 * it. */
static uint16_t port_to_open(const struct dataplane *d)
{
	return d->wanted_port ? d->wanted_port : d->chosen_port;
}

int dataplane_up(struct dataplane *d, struct fault *f)
{
	static const struct udp_group none;
	struct udp_group udp;
	int err;

	if (d->up)
		return 0;
	err = open_sockets(d, port_to_open(d), &udp, f);
	if (err == -EADDRINUSE && !d->wanted_port) /* another program has taken the port */
		err = open_sockets(d, 0, &udp, f);
	if (err)
		return err;
	d->chosen_port = udp.port;
	err = use_sockets(d, &udp);
	if (!err)
		err = workers_start(&d->workers);
	if (err) {
		use_sockets(d, &none);
		return fault(f, err, "cannot start the workers: %s", strerror(-err));
	}
	d->up = true;
	return 0;
}

void dataplane_stop(struct dataplane *d)
{
	workers_stop(&d->workers);
	d->up = false;
}

void dataplane_down(struct dataplane *d)
{
	static const struct udp_group none;

	use_sockets(d, &none);
}

int dataplane_set_port(struct dataplane *d, uint16_t port)
{
	struct udp_group udp;
	int err;

	if (!d->up || (port && port == d->udp.port)) {
		d->wanted_port = port;
		if (!d->up)
			d->chosen_port = 0;
		return 0;
	}
	err = open_sockets(d, port, &udp, NULL);
	if (err)
		return err;
	workers_stop(&d->workers);
	d->wanted_port = port;
	d->chosen_port = udp.port;
	err = use_sockets(d, &udp);
	if (!err)
		err = workers_start(&d->workers);
	if (err) {
		log_error("cannot use the new port %u: %s", d->chosen_port, strerror(-err));
		d->config.ops->failed(d->config.ctx);
	}
	return err;
}

int dataplane_set_fwmark(struct dataplane *d, uint32_t fwmark)
{
	int err = udp_group_set_fwmark(&d->udp, fwmark);

	if (err)
		return err;
	d->fwmark = fwmark;
	d->config.ops->changed(d->config.ctx);
	return 0;
}

uint16_t dataplane_port(const struct dataplane *d)
{
	return d->up ? d->udp.port : port_to_open(d);
}

/* Counts --------------------------------------------------------------------------------------- */

void dataplane_stats(const struct dataplane *d, struct path_stats *sum)
{
	*sum = d->closed;
	paths_stats(&d->paths, sum);
	udp_group_stats(&d->udp, sum);
}

static void add_packets(const struct transport *transport, uint64_t *rx, uint64_t *tx)
{
	*rx += counter_read(&transport->stats.rx_packets);
	*tx += counter_read(&transport->stats.tx_packets);
}

void dataplane_worker_packets(const struct dataplane *d, unsigned id, uint64_t *rx, uint64_t *tx)
{
	const struct transport *udp = udp_group_of_worker(&d->udp, id);
	const struct paths *p = &d->paths;

	*rx = *tx = 0;
	if (udp)
		add_packets(udp, rx, tx);
	for (unsigned i = 0; i < p->nic_count; i++)
		for (unsigned q = id; q < p->nics[i].queue_count; q += d->workers.count)
			add_packets(p->nics[i].queues[q], rx, tx);
}

void dataplane_drops(const struct dataplane *d, uint64_t sums[static REASON_COUNT])
{
	struct drops_value kernel[REASON_COUNT] = { 0 };

	workers_drops(&d->workers, sums);
	if (d->loader && loader_drops(d->loader, kernel))
		memset(kernel, 0, sizeof(kernel));
	for (unsigned i = 0; i < REASON_COUNT; i++)
		sums[i] += kernel[i].packets + d->config.device->counts[i];
}
