/* SPDX-License-Identifier: MIT */
/*
 * Which way packets take outside, chosen at attach for each direction:
 *
 *   --rx, --tx    auto: XDP where every NIC takes it, else the UDP sockets, and n->why says why
 *                 xdp:  XDP, or the attach fails
 *                 udp:  the UDP sockets
 *
 * The UDP sockets themselves are opened when the interface comes up (node.c); they are always there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/node.h"
#include "util/log.h"

static bool has_nic(const struct node *n, const char *name)
{
	for (unsigned i = 0; i < n->nic_count; i++)
		if (!strcmp(n->nics[i].name, name))
			return true;
	return false;
}

static void add_nic(struct node *n, const struct netlink_link *link)
{
	struct node_nic *nic = &n->nics[n->nic_count];

	if (n->nic_count == OPTIONS_NICS_MAX || has_nic(n, link->name))
		return;
	memset(nic, 0, sizeof(*nic));
	memcpy(nic->name, link->name, sizeof(nic->name));
	nic->ifindex = link->ifindex;
	n->nic_count++;
}

static int named_nics(struct node *n, struct fault *f)
{
	for (unsigned i = 0; i < n->options->nic_count; i++) {
		const char *name = n->options->nics[i];
		struct netlink_link link;
		int err = netlink_link(n->netlink, name, 0, &link);

		if (err)
			return fault(f, err, "%s: %s; `ip link` lists the interfaces", name,
				     err == -ENODEV ? "there is no such interface" :
						      strerror(-err));
		if (!strcmp(name, n->options->interface))
			return fault(f, -EINVAL, "%s: the tunnel cannot be its own NIC", name);
		add_nic(n, &link);
	}
	return 0;
}

static void add_nic_towards(struct node *n, const struct endpoint *e)
{
	struct netlink_route route;
	struct netlink_link link;

	if (netlink_route(n->netlink, e, n->fwmark, &route) || route.local)
		return;
	if (!netlink_link(n->netlink, NULL, route.ifindex, &link) && !link.loopback)
		add_nic(n, &link);
}

/* The NICs of the endpoints' routes; without endpoints those of the default routes, towards
 * addresses that are nobody's (RFC 5737, RFC 3849). */
static void routed_nics(struct node *n, const struct conf *conf)
{
	struct endpoint nobody4 = { .remote.v4 = { .sin_family = AF_INET,
						   .sin_addr.s_addr = htonl(0xc0000201) } };
	struct endpoint nobody6 = { .remote.v6 = { .sin6_family = AF_INET6,
						   .sin6_addr.s6_addr = { 0x20, 0x01, 0x0d, 0xb8,
									  [15] = 1 } } };

	for (uint32_t i = 0; conf && i < conf->peer_count; i++)
		if (conf->peers[i].endpoint.remote.sa.sa_family != AF_UNSPEC)
			add_nic_towards(n, &conf->peers[i].endpoint);
	if (n->nic_count)
		return;
	add_nic_towards(n, &nobody4);
	add_nic_towards(n, &nobody6);
}

static void close_nic(struct node *n, struct node_nic *nic)
{
	if (nic->attached)
		loader_detach(n->loader, nic->ifindex);
	nic->attached = false;
	for (unsigned q = 0; q < nic->queue_count; q++) {
		ledger_close_xsk(n, nic->queues[q]);
		nic->queues[q]->ops->deinit(nic->queues[q]);
	}
	nic->queue_count = 0;
}

/* All queues of a NIC, or none. */
static int open_nic(struct node *n, struct node_nic *nic, struct fault *f)
{
	struct afxdp_config config = {
		.nic = nic->name,
		.ifindex = nic->ifindex,
		.zero_copy = n->options->zero_copy,
	};
	uint32_t queues = netlink_queues(nic->name);
	struct netlink_link link;
	int err = netlink_link(n->netlink, NULL, nic->ifindex, &link);

	if (err)
		return fault(f, err, "%s: %s", nic->name, strerror(-err));
	config.mtu = link.mtu;
	if (n->rx_xdp) {
		err = loader_attach(n->loader, nic->ifindex, nic->name, n->options->xdp_mode,
				    &nic->native, f);
		if (err)
			return err;
		nic->attached = true;
		config.generic = !nic->native;
	}
	if (queues > NODE_QUEUES_MAX)
		queues = NODE_QUEUES_MAX;
	for (config.queue = 0; config.queue < queues; config.queue++) {
		err = afxdp_new(&nic->queues[config.queue], &config, f);
		if (err)
			goto undo;
		nic->queue_count++;
		if (!nic->attached)
			continue;
		err = loader_set_socket(n->loader, nic->ifindex, config.queue,
					nic->queues[config.queue]->fd);
		if (err) {
			fault(f, err, "%s: queue %u cannot be entered in the map xsks: %s",
			      nic->name, config.queue, strerror(-err));
			goto undo;
		}
	}
	return 0;
undo:
	close_nic(n, nic);
	return err;
}

static int add_ports(struct node *n)
{
	int err = 0;

	n->zero_copy = n->rx_xdp || n->tx_xdp;
	for (unsigned i = 0; i < n->nic_count; i++) {
		struct node_nic *nic = &n->nics[i];

		for (unsigned q = 0; q < nic->queue_count && !err; q++) {
			err = worker_add_port(n->workers[q % n->worker_count].worker,
					      nic->queues[q], n->tx_xdp);
			n->zero_copy &= afxdp_zero_copy(nic->queues[q]);
			if (!err && nic->attached)
				err = loader_set_queue_worker(n->loader, nic->ifindex, q,
							      q % n->worker_count);
		}
	}
	return err;
}

static int open_nics(struct node *n, struct fault *f)
{
	int err = 0;

	if (!n->nic_count)
		return fault(f, -ENODEV, "no NIC leads to the endpoints or to a default route; "
					 "name one: wgxdp attach NIC CONF");
	for (unsigned i = 0; i < n->nic_count && !err; i++)
		err = open_nic(n, &n->nics[i], f);
	for (unsigned i = 0; i < n->nic_count && err; i++)
		close_nic(n, &n->nics[i]);
	return err;
}

/* XDP for the directions that ask for it, or n->why. */
static int open_xdp(struct node *n, const struct conf *conf, struct fault *f)
{
	bool forced = n->options->rx == OPTIONS_PATH_XDP || n->options->tx == OPTIONS_PATH_XDP;
	int err;

	n->rx_xdp = n->options->rx != OPTIONS_PATH_UDP;
	n->tx_xdp = n->options->tx != OPTIONS_PATH_UDP;
	if (!n->options->nic_count)
		routed_nics(n, conf);
	/* The maps show the peers even where XDP carries nothing. */
	err = loader_new(&n->loader, n->options->interface, f);
	if (err)
		n->loader = NULL;
	if (!n->rx_xdp && !n->tx_xdp)
		return 0;
	if (!err)
		err = open_nics(n, f);
	if (!err)
		return 0;
	n->rx_xdp = n->tx_xdp = false;
	if (forced)
		return err;
	snprintf(n->why, sizeof(n->why), "%s", f->text);
	log_info("data takes the UDP socket: %s", n->why);
	return 0;
}

/* The fewest queues of a NIC, so that each worker has one on every NIC; 0 = no NIC matters. */
static unsigned fewest_queues(const struct node *n)
{
	unsigned fewest = 0;

	for (unsigned i = 0; i < n->nic_count; i++)
		if (n->nics[i].queue_count && (!fewest || n->nics[i].queue_count < fewest))
			fewest = n->nics[i].queue_count;
	return fewest;
}

static int make_workers(struct node *n, struct fault *f)
{
	unsigned queues = fewest_queues(n), count = workers_wanted(n, queues);
	int err;

	if (n->options->workers && queues && count > queues)
		return fault(f, -EINVAL, "--workers %u: a NIC has only %u queues; `ethtool -L` may give it more",
			     count, queues);
	if (count > 1 && (!n->loader || loader_reuseport_prog(n->loader) < 0)) {
		if (n->options->workers)
			return fault(f, -ENOTSUP, "--workers %u: more than one needs BPF to steer the UDP sockets",
				     count);
		count = 1;
	}
	err = workers_make(n, count, f);
	if (err)
		return err;
	err = add_ports(n);
	return err ? fault(f, err, "more than %d queues for one worker", WORKER_PORTS_MAX) : 0;
}

/* Where XDP does not look at what comes in, TC on the NIC does, and TC on the tunnel always: where
 * the kernel or our rights lack it, the workers' own checks stand alone, and that is said. */
static void open_tc(struct node *n)
{
	struct fault f;
	bool tcx;

	if (!n->loader)
		return;
	if (loader_attach_tunnel(n->loader, n->tun.ifindex, false, &tcx, &f))
		log_error("allowed IPs are enforced by the workers alone: %s", f.text);
	for (unsigned i = 0; i < n->nic_count && !n->rx_xdp; i++)
		if (loader_attach_nic_tc(n->loader, n->nics[i].ifindex, n->nics[i].name, false,
					 &tcx, &f))
			log_info("what comes in is checked by the daemon alone: %s", f.text);
}

int paths_open(struct node *n, const struct conf *conf, struct fault *f)
{
	int err = named_nics(n, f);

	if (!err)
		err = open_xdp(n, conf, f);
	if (!err)
		err = make_workers(n, f);
	if (!err)
		open_tc(n);
	return err;
}

void paths_close(struct node *n)
{
	for (unsigned i = 0; i < n->nic_count; i++)
		close_nic(n, &n->nics[i]);
	loader_free(n->loader);
	n->loader = NULL;
}
