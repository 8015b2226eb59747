/* SPDX-License-Identifier: MIT */
#include "dataplane/nics.h"

#include <errno.h>
#include <string.h>

#include "daemon/daemon.h"
#include "util/log.h"

#define OCCUPANT_UNKNOWN UINT32_MAX /* no program's id */

static bool wants_rx(const struct daemon *n)
{
	return n->options->rx != OPTIONS_PATH_UDP;
}

static bool wants_xdp(const struct daemon *n)
{
	return wants_rx(n) || n->options->tx != OPTIONS_PATH_UDP;
}

static int attach(struct daemon *n, struct nic *nic, struct fault *f)
{
	enum loader_mode mode = n->options->xdp_mode;
	int err = n->options->chain ? loader_attach_chained(n->loader, nic->ifindex, nic->name,
							    mode, &nic->native, f)
				    : loader_attach(n->loader, nic->ifindex, nic->name, mode,
						    &nic->native, f);

	nic->attached = !err;
	return err;
}

static int open_queue(struct daemon *n, struct nic *nic, const struct afxdp_config *config,
		      struct fault *f)
{
	struct transport **queue = &nic->queues[config->queue];
	int err = afxdp_new(queue, config, f);

	if (err == -EBUSY) {
		nic->obstacle = NICS_QUEUE;
		nic->busy_queue = config->queue;
	}
	if (err == -EMSGSIZE)
		nic->obstacle = NICS_MTU;
	if (err)
		return err;
	nic->queue_count++;
	if (!nic->attached)
		return 0;
	err = loader_set_socket(n->loader, nic->ifindex, config->queue, (*queue)->fd);
	return err ? fault(f, err, "%s: queue %u cannot be entered in the map xsks: %s", nic->name,
			   config->queue, strerror(-err))
		   : 0;
}

static unsigned queues_of(const struct nic *nic)
{
	uint32_t queues = netlink_queues(nic->name);

	return queues < NIC_QUEUES_MAX ? queues : NIC_QUEUES_MAX;
}

/* A program in native mode on a bond, or on netvsc, is given to the drivers below: it sees frames that
 * say to come from there, which no AF_XDP socket of ours is bound to. (A bridge has generic mode only.) */
static int check_members(struct daemon *n, const struct nic *nic, const struct netlink_link *link,
			 struct fault *f)
{
	char member[sizeof(link->name)];

	if (n->options->xdp_mode == LOADER_MODE_GENERIC || !strcmp(link->kind, "bridge") ||
	    netlink_member(n->netlink, nic->ifindex, member))
		return 0;
	return fault(f, -EOPNOTSUPP,
		     "%s: its frames come by %s below it, where XDP has to be; name those that are "
		     "below, or use --xdp-mode generic or --rx udp",
		     nic->name, member);
}

/*
 * The program and all queues, or nothing. virtio-net switches further queues on with a program, one for
 * each CPU: meant for what XDP sends, but frames arrive on them as well. What AF_XDP is given to send
 * there in copy mode lies for ever; it sends on the queues that were there before.
 */
static int open_xdp(struct daemon *n, struct nic *nic, struct fault *f)
{
	struct afxdp_config config = {
		.nic = nic->name,
		.ifindex = nic->ifindex,
		.zero_copy = n->options->zero_copy,
	};
	struct netlink_link link;
	int err = netlink_link(n->netlink, NULL, nic->ifindex, &link);

	if (err)
		return fault(f, err, "%s: %s", nic->name, strerror(-err));
	config.mtu = nic->mtu = link.mtu;
	nic->sender_count = queues_of(nic);
	nic->occupant = link.xdp_prog_id;
	if (wants_rx(n))
		err = check_members(n, nic, &link, f);
	if (wants_rx(n) && !err)
		err = attach(n, nic, f);
	if (err == -EBUSY)
		nic->obstacle = NICS_PROGRAM;
	config.generic = nic->attached && !nic->native;
	for (unsigned queues = queues_of(nic); config.queue < queues && !err; config.queue++)
		err = open_queue(n, nic, &config, f);
	if (err)
		nics_close(n, nic);
	return err;
}

/* Where XDP does not look at what comes in, TC does. */
static void open_tc(struct daemon *n, struct nic *nic)
{
	struct fault f;
	bool tcx;

	if (loader_attach_nic_tc(n->loader, nic->ifindex, nic->name, n->options->force_clsact, &tcx,
				 &f))
		log_info("what comes in is checked by the daemon alone: %s", f.text);
	else
		nic->tc = true;
}

static void open_tc_again(struct daemon *n, struct nic *nic)
{
	log_error("%s: our TC program was detached by somebody; attaching it again", nic->name);
	loader_detach(n->loader, nic->ifindex);
	nic->tc = false;
	open_tc(n, nic);
}

int nics_open(struct daemon *n, struct nic *nic, struct fault *f)
{
	int err = 0;

	nics_close(n, nic); /* TC may be there */
	nic->obstacle = NICS_NOTHING;
	if (wants_xdp(n))
		err = open_xdp(n, nic, f);
	snprintf(nic->why, sizeof(nic->why), "%.*s", NICS_WHY_LEN - 1, err ? f->text : "");
	if (!nic->attached)
		open_tc(n, nic);
	return err;
}

void nics_close(struct daemon *n, struct nic *nic)
{
	if (nic->attached || nic->tc)
		loader_detach(n->loader, nic->ifindex);
	nic->attached = nic->tc = false;
	for (unsigned q = 0; q < nic->queue_count; q++) {
		path_stats_close_xsk(n, nic->queues[q]);
		nic->queues[q]->ops->deinit(nic->queues[q]);
	}
	nic->queue_count = 0;
}

/* Has it more queues than we opened, or larger frames? What comes by those takes the UDP socket. */
static bool outgrown(const struct nic *nic, const struct netlink_link *link)
{
	return link->mtu > nic->mtu || queues_of(nic) > nic->queue_count;
}

void nics_leave(struct daemon *n, struct nic *nic)
{
	struct netlink_link link;
	bool gone = netlink_link(n->netlink, NULL, nic->ifindex, &link) != 0;
	bool more = !gone && outgrown(nic, &link);

	nics_close(n, nic);
	if (gone) {
		nic->ifindex = 0;
		snprintf(nic->why, sizeof(nic->why), "%s: it was deleted, or moved away",
			 nic->name);
		return;
	}
	nic->obstacle = NICS_PROGRAM;
	nic->occupant = OCCUPANT_UNKNOWN;
	snprintf(nic->why, sizeof(nic->why), "%s: %s", nic->name,
		 more ? "it has more queues or a larger MTU; they are opened anew"
		      : "our XDP program was detached by force");
	open_tc(n, nic);
}

/* Was something in our way, and is gone? */
static bool is_free(const struct nic *nic, const struct netlink_link *link)
{
	const struct afxdp_config config = {
		.nic = nic->name,
		.ifindex = nic->ifindex,
		.queue = nic->busy_queue,
	};

	switch (nic->obstacle) {
	case NICS_PROGRAM:
		return link->xdp_prog_id != nic->occupant;
	case NICS_QUEUE:
		return afxdp_vacant(&config);
	case NICS_MTU:
		return link->mtu <= AFXDP_MTU_MAX;
	default:
		return false;
	}
}

enum nics_change nics_look(struct daemon *n, struct nic *nic)
{
	const char *name = nic->ifindex ? NULL : nic->name;
	struct netlink_link link;
	int err = netlink_link(n->netlink, name, nic->ifindex, &link);

	if (err)
		return err == -ENODEV && nic->ifindex ? NICS_LOST : NICS_SAME;
	if (!nic->ifindex) {
		nic->ifindex = link.ifindex;
		return NICS_READY;
	}
	memcpy(nic->name, link.name, sizeof(nic->name));
	if (nic->attached && !loader_attached(n->loader, nic->ifindex))
		return NICS_LOST;
	if (nic->queue_count && outgrown(nic, &link))
		return NICS_LOST;
	if (nic->tc && !loader_attached(n->loader, nic->ifindex))
		open_tc_again(n, nic);
	return is_free(nic, &link) ? NICS_READY : NICS_SAME;
}
