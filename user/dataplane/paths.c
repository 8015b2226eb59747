/* SPDX-License-Identifier: MIT */
/*
 * Which way packets take outside, chosen for each NIC and direction:
 *
 *   --rx, --tx    auto: XDP if the NIC takes it, else the UDP sockets, and n->why says why
 *                 xdp:  XDP, or the attach fails
 *                 udp:  the UDP sockets
 *   --chain       XDP beside programs of others, or the attach fails, with auto, too
 *
 * Later a NIC may go and come back, another's program may leave it, ours may be torn off: each is
 * looked at every LOOK_EVERY_NS, since the kernel tells nobody when a bpf_link comes or goes.
 *
 *   open ──▶ has XDP ── our program or the NIC is gone ──▶ by UDP, with TC
 *     └────▶ by UDP, with TC ── whose XDP was in the way has gone; NIC made anew ──▶ opened again
 *
 * The UDP sockets themselves are opened when the interface comes up (daemon.c); they are always there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/daemon.h"
#include "util/log.h"

#define LOOK_EVERY_NS NS_PER_S

static bool has_nic(const struct daemon *n, const char *name)
{
	for (unsigned i = 0; i < n->nic_count; i++)
		if (!strcmp(n->nics[i].name, name))
			return true;
	return false;
}

static void add_nic(struct daemon *n, const struct netlink_link *link)
{
	struct nic *nic = &n->nics[n->nic_count];

	if (n->nic_count == OPTIONS_NICS_MAX || has_nic(n, link->name))
		return;
	memset(nic, 0, sizeof(*nic));
	memcpy(nic->name, link->name, sizeof(nic->name));
	nic->ifindex = link->ifindex;
	n->nic_count++;
}

static int named_nics(struct daemon *n, struct fault *f)
{
	for (unsigned i = 0; i < n->options->nic_count; i++) {
		const char *name = n->options->nics[i];
		struct netlink_link link;
		int err = netlink_link(n->netlink, name, 0, &link);

		if (err)
			return fault(f, err, "%s: %s; `ip link` lists the interfaces", name,
				     err == -ENODEV ? "there is no such interface"
						    : strerror(-err));
		if (!strcmp(name, n->options->interface))
			return fault(f, -EINVAL, "%s: the tunnel cannot be its own NIC", name);
		add_nic(n, &link);
	}
	return 0;
}

static void add_nic_towards(struct daemon *n, const struct endpoint *e)
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
static void routed_nics(struct daemon *n, const struct conf *conf)
{
	struct endpoint nobody4 = { .remote.v4 = { .sin_family = AF_INET,
						   .sin_addr.s_addr = htonl(0xc0000201) } };
	struct endpoint nobody6 = { .remote.v6 = { .sin6_family = AF_INET6,
						   .sin6_addr.s6_addr = { 0x20, 0x01, 0x0d,
									  0xb8, [15] = 1 } } };

	for (uint32_t i = 0; conf && i < conf->peer_count; i++)
		if (conf->peers[i].endpoint.remote.sa.sa_family != AF_UNSPEC)
			add_nic_towards(n, &conf->peers[i].endpoint);
	if (n->nic_count)
		return;
	add_nic_towards(n, &nobody4);
	add_nic_towards(n, &nobody6);
}

/* NICs ----------------------------------------------------------------------------------------- */

/* What stands in struct daemon for all of them. */
static void settle(struct daemon *n)
{
	size_t len = 0;

	n->rx_xdp = n->tx_xdp = false;
	n->zero_copy = true;
	n->why[0] = '\0';
	for (unsigned i = 0; i < n->nic_count; i++) {
		const struct nic *nic = &n->nics[i];

		n->rx_xdp |= nic->attached;
		n->tx_xdp |= nic->queue_count && n->options->tx != OPTIONS_PATH_UDP;
		for (unsigned q = 0; q < nic->queue_count; q++)
			n->zero_copy &= afxdp_zero_copy(nic->queues[q]);
		if (*nic->why && len < sizeof(n->why))
			len += (size_t)snprintf(n->why + len, sizeof(n->why) - len, "%s%s",
						len ? "; " : "", nic->why);
	}
	n->zero_copy &= n->rx_xdp || n->tx_xdp;
}

static int give_queue(struct daemon *n, const struct nic *nic, unsigned queue, unsigned worker)
{
	bool sends = n->tx_xdp && queue < nic->sender_count;
	int err = worker_add_port(n->workers[worker].worker, nic->queues[queue], sends);

	if (err || !nic->attached)
		return err;
	return loader_set_queue_worker(n->loader, nic->ifindex, queue, worker);
}

/* Each worker its queues; they are stopped. */
static int give_ports(struct daemon *n)
{
	int err = 0;

	for (unsigned w = 0; w < n->worker_count; w++) {
		worker_drop_ports(n->workers[w].worker);
		for (unsigned i = 0; i < n->nic_count; i++)
			for (unsigned q = w; q < n->nics[i].queue_count; q += n->worker_count)
				err = err ?: give_queue(n, &n->nics[i], q, w);
	}
	return err;
}

static int no_xdp(struct daemon *n, int err, const struct fault *f)
{
	if (n->options->rx == OPTIONS_PATH_UDP && n->options->tx == OPTIONS_PATH_UDP)
		return 0;
	if (n->options->rx == OPTIONS_PATH_XDP || n->options->tx == OPTIONS_PATH_XDP ||
	    n->options->chain || n->options->zero_copy == AFXDP_ZC_ON)
		return err;
	snprintf(n->why, sizeof(n->why), "%s", f->text);
	log_info("data takes the UDP socket: %s", n->why);
	return 0;
}

/* XDP for the directions that ask for it, or n->why. */
static int open_nics(struct daemon *n, const struct conf *conf, struct fault *f)
{
	int err;

	if (!n->options->nic_count)
		routed_nics(n, conf);
	/* The maps show the peers even where XDP carries nothing. */
	err = loader_new(&n->loader, n->options->interface, f);
	if (err) {
		n->loader = NULL;
		return no_xdp(n, err, f);
	}
	if (!n->nic_count)
		return no_xdp(n,
			      fault(f, -ENODEV,
				    "no NIC leads to the endpoints or to a default "
				    "route; name one: wgxdp attach NIC CONF"),
			      f);
	for (unsigned i = 0; i < n->nic_count; i++) {
		err = nics_open(n, &n->nics[i], f);
		if (err)
			err = no_xdp(n, err, f);
		if (err)
			return err;
	}
	settle(n);
	return 0;
}

/* The fewest queues of a NIC that send, so that each worker has one on every NIC; 0 = no NIC matters. */
static unsigned fewest_queues(const struct daemon *n)
{
	unsigned fewest = 0;

	for (unsigned i = 0; i < n->nic_count; i++)
		if (n->nics[i].queue_count && (!fewest || n->nics[i].sender_count < fewest))
			fewest = n->nics[i].sender_count;
	return fewest;
}

static int make_workers(struct daemon *n, struct fault *f)
{
	unsigned queues = fewest_queues(n), count = workers_wanted(n, queues);
	int err;

	if (n->options->workers && queues && count > queues)
		return fault(
			f, -EINVAL,
			"--workers %u: a NIC has only %u queue%s; `ethtool -L` may give it more",
			count, queues, queues == 1 ? "" : "s");
	if (count > 1 && (!n->loader || loader_reuseport_prog(n->loader) < 0)) {
		if (n->options->workers)
			return fault(
				f, -ENOTSUP,
				"--workers %u: more than one needs BPF to steer the UDP sockets",
				count);
		count = 1;
	}
	err = workers_make(n, count, f);
	if (err)
		return err;
	err = give_ports(n);
	return err ? fault(f, err, "more than %d queues for one worker", WORKER_PORTS_MAX) : 0;
}

/* Where the kernel or our rights lack it the workers' own checks stand alone, and that is said. */
static void open_tunnel(struct daemon *n)
{
	struct fault f;
	bool tcx;

	if (n->loader)
		n->tc_refused = loader_attach_tunnel(n->loader, n->tun.ifindex,
						     n->options->force_clsact, &tcx, &f);
	if (n->tc_refused)
		log_error("allowed IPs are enforced by the workers alone: %s", f.text);
}

int paths_open(struct daemon *n, const struct conf *conf, struct fault *f)
{
	int err = named_nics(n, f);

	if (!err)
		err = open_nics(n, conf, f);
	if (!err)
		err = make_workers(n, f);
	if (!err)
		open_tunnel(n);
	return err;
}

void paths_close(struct daemon *n)
{
	for (unsigned i = 0; i < n->nic_count; i++)
		nics_close(n, &n->nics[i]);
	loader_free(n->loader);
	n->loader = NULL;
}

/* Later ---------------------------------------------------------------------------------------- */

/* While the workers stand, what comes waits in the UDP sockets: XDP sees that nobody beats. */
static bool follow(struct daemon *n, struct nic *nic)
{
	struct fault f;

	switch (nics_look(n, nic)) {
	case NICS_LOST:
		workers_stop(n);
		nics_leave(n, nic);
		log_info("data takes the UDP socket: %s", nic->why);
		return true;
	case NICS_READY:
		if (nics_open(n, nic, &f))
			log_info("data takes the UDP socket: %s", nic->why);
		else
			log_info("%s: is ours now", nic->name);
		return true;
	default:
		return false;
	}
}

void paths_tick(struct daemon *n, uint64_t now_ns)
{
	bool changed = false;
	int err;

	if (!n->loader || now_ns < n->paths_at_ns)
		return;
	n->paths_at_ns = now_ns + LOOK_EVERY_NS;
	for (unsigned i = 0; i < n->nic_count; i++)
		changed |= follow(n, &n->nics[i]);
	if (!changed)
		return;
	workers_stop(n);
	settle(n);
	err = give_ports(n);
	if (!err && n->up)
		err = workers_start(n);
	if (err) {
		log_error("the workers cannot go on: %s", strerror(-err));
		daemon_stop(n, 1);
	}
	nexthops_changed(n);
}
