/* SPDX-License-Identifier: MIT */
#include "dataplane/nics.h"

#include <errno.h>
#include <string.h>

#include "bpf/loader.h"
#include "dataplane/nic_tune.h"
#include "io/afxdp.h"
#include "io/ethtool.h"
#include "io/netlink.h"
#include "io/xdp_features.h"
#include "util/log.h"

/* If a veth refused XDP, every tenth call of nics_look() tries XDP again. The calls are one second
 * apart. */
#define LOOKS_PER_TRIAL 10

/* While nic->bypassed could not be read, the reads are at most this many calls of nics_look()
 * apart. */
#define READ_INTERVAL_MAX 60

/* The value of nic->occupant if we do not know which XDP program occupies the NIC. No program has
 * this id, so is_free() returns true, and the daemon tries to attach again. */
#define OCCUPANT_UNKNOWN UINT32_MAX

static uint32_t carrier_downs(const struct nics_env *env, const struct nic *nic)
{
	struct netlink_link link = { .ifindex = 0 };

	(void)netlink_link(env->netlink, NULL, nic->ifindex, &link);
	return link.carrier_downs;
}

/* Returns true if the driver no longer runs our program, although the kernel reports the program as
 * attached. vmxnet3 forgets the program whenever it frees its receive rings: when the link is set
 * down, and when MTU, rings or offloads change (vmxnet3_rq_cleanup_all(), until Linux 6.12 at
 * least). The carrier is then off for a moment. A pulled cable looks the same; our program is then
 * attached again without need. */
static bool is_program_forgotten(const struct nic *nic, const struct netlink_link *link)
{
	char driver[ETHTOOL_DRIVER_LEN];

	return nic->attached && nic->native && link->carrier_downs != nic->carrier_downs &&
	       !ethtool_driver(nic->name, driver) && !strcmp(driver, "vmxnet3");
}

static int attach(const struct nics_env *env, struct nic *nic, struct fault *f)
{
	enum loader_mode mode = env->options->xdp_mode;
	int err;

	/* AUTO does not use generic mode, because generic mode is slow, and because datagrams that
	 * a lower interface has merged (GRO) go to the UDP sockets anyway. */
	if (mode == LOADER_MODE_AUTO)
		mode = LOADER_MODE_NATIVE;
	nic_tune_begin(env->tuner, nic->name, nic->ifindex);
	err = env->options->chain
		      ? loader_attach_chained(env->loader, nic->ifindex, nic->name, mode,
					      &nic->native, f)
		      : loader_attach(env->loader, nic->ifindex, nic->name, mode, &nic->native, f);
	nic_tune_end(env->tuner, nic->name, nic->ifindex);
	nic->attached = !err;
	nic->carrier_downs = carrier_downs(env, nic);
	if (nic->attached && !nic->native)
		log_info("%s: XDP is in generic mode; GRO and GSO packets go to the UDP sockets",
			 nic->name);
	return err;
}

static int open_queue(const struct nics_env *env, struct nic *nic,
		      const struct afxdp_config *config, struct fault *f)
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
	err = loader_set_socket(env->loader, nic->ifindex, config->queue, (*queue)->fd);
	return err ? fault(f, err, "%s: queue %u cannot be entered in the BPF map \"xsks\": %s",
			   nic->name, config->queue, strerror(-err))
		   : 0;
}

static unsigned bounded(uint32_t queues)
{
	return queues < NIC_QUEUES_MAX ? queues : NIC_QUEUES_MAX;
}

/* Returns how many queues the NIC receives on. */
static unsigned queues_of(const struct nic *nic)
{
	uint32_t rx, tx;

	netlink_queues(nic->name, &rx, &tx);
	return bounded(rx);
}

/* Returns the number of queues on which the NIC both receives and sends. Our sockets are opened on
 * all queues that receive, but a frame on a queue that only receives would never be sent. */
static unsigned senders_of(const struct nic *nic)
{
	uint32_t rx, tx, listed;

	netlink_queues(nic->name, &rx, &tx);
	if (!xdp_features_senders(nic->ifindex, &listed) && listed < tx)
		tx = listed;
	return bounded(rx < tx ? rx : tx);
}

/* Returns the number of queues on which a socket may use zero-copy: the queues that the NIC keeps
 * when no program is attached. If another XDP program is attached and the link is down, this
 * number cannot be determined, and the function returns 0. */
static unsigned lasting_of(const struct nic *nic, const struct netlink_link *link)
{
	uint32_t listed;

	return link->xdp_prog_id && xdp_features_senders(nic->ifindex, &listed) == -ENETDOWN
		       ? 0
		       : nic->sender_count;
}

/*
 * Opens all queues that the NIC receives on. When a program is attached, virtio-net enables one
 * more queue for each CPU. These queues are for XDP_TX, but frames also arrive on them. A frame
 * that an AF_XDP socket sends on such a queue never completes, so we send only on the queues that
 * were enabled before. The sockets of the other queues use copy mode: when the program is detached,
 * virtio-net removes these queues, and then cannot release the memory of a zero-copy socket. Linux
 * 7.2 used the memory after it was freed, and panicked (virtnet_xsk_pool_disable()).
 */
static int open_queues(const struct nics_env *env, struct nic *nic, struct afxdp_config *config,
		       unsigned lasting, struct fault *f)
{
	int err = 0;

	for (; config->queue < nic->rx_queues && !err; config->queue++) {
		if (config->queue >= lasting)
			config->zero_copy = AFXDP_ZC_OFF;
		err = open_queue(env, nic, config, f);
	}
	return err;
}

/* Records why the program could not be attached. The offloads are read after the attempt, so that
 * changes that the driver makes during the attempt do not cause another attempt. */
static void note_refusal(struct nic *nic, int err)
{
	nic->obstacle = err == -EBUSY ? NICS_PROGRAM : NICS_REFUSED;
	nic->looks = 0;
	memset(nic->offloads, 0, sizeof(nic->offloads));
	(void)ethtool_offloads(nic->name, nic->offloads);
}

/* Attaches the program and opens all queues; on failure, undoes both. */
static int open_xdp(const struct nics_env *env, struct nic *nic, struct fault *f)
{
	struct afxdp_config config = {
		.nic = nic->name,
		.ifindex = nic->ifindex,
		.zero_copy = env->options->xsk.zero_copy,
		.busy_poll_us = env->options->xsk.busy_poll_us,
	};
	struct netlink_link link;
	unsigned lasting;
	int err = netlink_link(env->netlink, NULL, nic->ifindex, &link);

	if (err)
		return fault(f, err, "%s: %s", nic->name, strerror(-err));
	err = nic_checks_xdp(env->netlink, env->options, &link, &nic->obstacle, f);
	if (err)
		return err;
	config.mtu = nic->mtu = link.mtu;
	config.layer3 = nic->layer3 = netlink_layer3(env->netlink, nic->ifindex);
	nic->sender_count = senders_of(nic);
	lasting = lasting_of(nic, &link);
	nic->occupant = link.xdp_prog_id;
	if (nic_checks_wants_rx(env->options))
		err = attach(env, nic, f);
	if (err)
		note_refusal(nic, err);
	nic->rx_queues = queues_of(nic);
	config.generic = nic->attached && !nic->native;
	if (!err)
		err = open_queues(env, nic, &config, lasting, f);
	if (err)
		nics_close(env, nic);
	else if (config.busy_poll_us && nic->queue_count && !nic->queues[0]->busy_poll_ns)
		log_error("%s: --busy-poll has no effect, because the kernel refuses it; it needs "
			  "Linux 5.11 and CAP_NET_ADMIN",
			  nic->name);
	return err;
}

bool nics_sends(const struct nics_env *env, const struct nic *nic)
{
	return nic->queue_count && nic_checks_sends(env->options, &nic->bypassed);
}

static struct nic_bypassed bypassed_now(const struct nics_env *env, const struct nic *nic)
{
	return nic_checks_bypassed(env->netlink, env->netfilter, nic->ifindex, nic->name);
}

/* Returns what AF_XDP bypasses, for nics_look(). After a failed read, most calls return
 * nic->bypassed without reading again, because a read that fails is repeated several times, which
 * takes long. A late result does no harm: meanwhile `auto` sends by the UDP socket. */
static struct nic_bypassed bypassed_later(const struct nics_env *env, struct nic *nic)
{
	if (*nic->bypassed.unread) {
		if (++nic->looks_since_read < nic->read_interval)
			return nic->bypassed;
		nic->looks_since_read = 0;
		nic->read_interval = nic->read_interval < READ_INTERVAL_MAX / 2
					     ? nic->read_interval * 2
					     : READ_INTERVAL_MAX;
	}
	return bypassed_now(env, nic);
}

/* Records in nic->bypassed that AF_XDP bypasses @b on the NIC, and appends this to nic->why. */
static void note_bypassed(const struct nics_env *env, struct nic *nic, const struct nic_bypassed *b)
{
	nic->bypassed = *b;
	nic->read_interval = 1;
	nic->looks_since_read = 0;
	nic_checks_explain(nic->why, sizeof(nic->why), nic->name, env->options, b, nic->queue_count,
			   nic->attached);
	if (*b->egress && nic->queue_count && env->options->tx == OPTIONS_PATH_XDP)
		log_error("%s: --tx xdp bypasses %s on this NIC", nic->name, b->egress);
}

/* Attaches the TC program, which checks received packets if XDP does not. */
static void open_tc(const struct nics_env *env, struct nic *nic)
{
	struct fault f;
	bool tcx;

	if (loader_attach_nic_tc(env->loader, nic->ifindex, nic->name,
				 env->options->tests.force_clsact, &tcx, &f))
		log_info("no BPF program checks received packets, only the daemon does: %s",
			 f.text);
	else
		nic->tc = true;
}

static void open_tc_again(const struct nics_env *env, struct nic *nic)
{
	log_error("%s: another program detached our TC program; attaching it again", nic->name);
	loader_detach(env->loader, nic->ifindex);
	nic->tc = false;
	open_tc(env, nic);
}

int nics_open(const struct nics_env *env, struct nic *nic, struct fault *f)
{
	struct nic_bypassed b;
	int err = 0;

	nics_close(env, nic); /* the TC program may still be attached */
	nic->obstacle = NICS_NOTHING;
	if (!nic->ifindex) {
		err = fault(f, -ENODEV, "%s: there is no such interface yet", nic->name);
	} else if (nic_checks_wants_xdp(env->options)) {
		nic_tune(env->tuner, env->netlink, env->options, nic->name, nic->ifindex);
		err = open_xdp(env, nic, f);
	}
	snprintf(nic->why, sizeof(nic->why), "%.*s", (int)NICS_WHY_LEN - 1, err ? f->text : "");
	if (!nic->ifindex)
		return err; /* nics_look() will find the NIC when it appears */
	b = bypassed_now(env, nic);
	/* If the nics_look() that led to this opening could read all settings, its result is the
	 * last one. Without it, a busy nftables would make the NIC change its path for ever. */
	if (nic->has_found && *b.unread && !*b.egress)
		b = nic->found;
	nic->has_found = false;
	note_bypassed(env, nic, &b);
	if (!nic->attached)
		open_tc(env, nic);
	return err;
}

void nics_close(const struct nics_env *env, struct nic *nic)
{
	if (nic->attached || nic->tc)
		loader_detach(env->loader, nic->ifindex);
	nic->attached = nic->tc = false;
	for (unsigned q = 0; q < nic->queue_count; q++) {
		path_stats_close_xsk(env->closed, nic->queues[q]);
		nic->queues[q]->ops->deinit(nic->queues[q]);
	}
	nic->queue_count = 0;
}

/* If @found, what AF_XDP bypasses now, differs from nic->bypassed, records it and returns true. The
 * path of data stays the same. Ignores what is incomplete, for example because other programs keep
 * changing the nftables chains while they are read. */
static bool note_bypassed_again(const struct nics_env *env, struct nic *nic,
				const struct nic_bypassed *found)
{
	const struct nic_bypassed *old = &nic->bypassed;
	struct nic_bypassed b = *found;

	if (b.ingress_unread && !*b.ingress)
		memcpy(b.ingress, old->ingress, sizeof(b.ingress));
	if (*b.unread ||
	    (!strcmp(b.egress, old->egress) && !strcmp(b.ingress, old->ingress) && !*old->unread))
		return false;
	nic->why[0] = '\0';
	note_bypassed(env, nic, &b);
	return true;
}

/* Returns true if the NIC must be opened again: it has queues that we did not open, a larger MTU or
 * another bridge or bond above it; its driver has forgotten our program; or what AF_XDP bypasses,
 * @b, requires another path for sent data than before. */
static bool must_reopen(const struct nics_env *env, const struct nic *nic,
			const struct netlink_link *link, const struct nic_bypassed *b)
{
	return is_program_forgotten(nic, link) || link->mtu > nic->mtu ||
	       queues_of(nic) > nic->queue_count ||
	       netlink_layer3(env->netlink, nic->ifindex) != nic->layer3 ||
	       (!*b->unread && nic_checks_sends(env->options, b) != nics_sends(env, nic));
}

void nics_leave(const struct nics_env *env, struct nic *nic)
{
	/* Another read could have another result than the one that led here. */
	const struct nic_bypassed *b = nic->has_found ? &nic->found : &nic->bypassed;
	struct netlink_link link;
	bool gone = netlink_link(env->netlink, NULL, nic->ifindex, &link) != 0;
	bool redo = !gone && must_reopen(env, nic, &link, b);

	nics_close(env, nic);
	if (gone) {
		nic->ifindex = 0;
		nic->has_found = false;
		snprintf(nic->why, sizeof(nic->why),
			 "%s: it was deleted, or moved to another namespace", nic->name);
		return;
	}
	nic->obstacle = NICS_PROGRAM;
	nic->occupant = OCCUPANT_UNKNOWN;
	snprintf(
		nic->why, sizeof(nic->why), "%s: %s", nic->name,
		redo ? "its link, queues, MTU, bridge, qdisc or filters changed; it is opened again"
		     : "our XDP program was detached by force");
	open_tc(env, nic);
}

/* Returns true if a setting of the NIC has changed since its driver refused XDP. */
static bool has_new_settings(const struct nic *nic, const struct netlink_link *link)
{
	struct ethtool_offload_state offloads[ETHTOOL_OFFLOADS];

	return link->mtu != nic->mtu || queues_of(nic) != nic->rx_queues ||
	       senders_of(nic) != nic->sender_count ||
	       (!ethtool_offloads(nic->name, offloads) &&
		memcmp(offloads, nic->offloads, sizeof(offloads)) != 0);
}

/* Returns true if the NIC is a veth that accepts XDP now. A veth refuses XDP if the other end has
 * too large an MTU or too many sending queues, and nothing tells us when these change, because the
 * other end may be in another namespace. A refused attempt has no effect on a veth. Other drivers
 * are not asked, because an attempt may take the link down. */
static bool is_accepted_by_veth(const struct nics_env *env, struct nic *nic,
				const struct netlink_link *link)
{
	if (strcmp(link->kind, "veth") != 0 || env->options->chain ||
	    env->options->xdp_mode == LOADER_MODE_GENERIC || ++nic->looks % LOOKS_PER_TRIAL)
		return false;
	return loader_is_accepted(env->loader, nic->ifindex, nic->name);
}

/* Returns true if the obstacle that was found before is gone now. */
static bool is_free(const struct nics_env *env, struct nic *nic, const struct netlink_link *link)
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
	case NICS_REFUSED:
		return has_new_settings(nic, link) || is_accepted_by_veth(env, nic, link);
	default:
		return false;
	}
}

enum nics_change nics_look(const struct nics_env *env, struct nic *nic)
{
	const char *name = nic->ifindex ? NULL : nic->name;
	struct nic_bypassed b = { .unread = "" };
	struct netlink_link link;
	int err = netlink_link(env->netlink, name, nic->ifindex, &link);

	if (err)
		return err == -ENODEV && nic->ifindex ? NICS_LOST : NICS_SAME;
	if (!nic->ifindex) {
		nic->ifindex = link.ifindex;
		return NICS_READY;
	}
	memcpy(nic->name, link.name, sizeof(nic->name));
	if (nic->attached && !loader_attached(env->loader, nic->ifindex))
		return NICS_LOST;
	if (nic->queue_count) {
		b = bypassed_later(env, nic);
		nic->has_found = !*b.unread;
		nic->found = b;
	}
	if (nic->queue_count && must_reopen(env, nic, &link, &b))
		return NICS_LOST;
	if (nic->tc && !loader_attached(env->loader, nic->ifindex))
		open_tc_again(env, nic);
	if (is_free(env, nic, &link))
		return NICS_READY;
	return nic->queue_count && note_bypassed_again(env, nic, &b) ? NICS_NOTED : NICS_SAME;
}
