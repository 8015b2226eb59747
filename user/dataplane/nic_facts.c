/* SPDX-License-Identifier: MIT */
#include "dataplane/nic_facts.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/xdplink.h"
#include "io/ipsec.h"
#include "io/xdp_features.h"

static bool may_see_all(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	return !syscall(SYS_capget, &header, data) &&
	       data[0].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

static enum nic_answer answer(bool yes)
{
	return yes ? NIC_YES : NIC_NO;
}

static void read_driver(struct nic_facts *f)
{
	const char *name = f->link.name;
	struct xdp_features features;

	(void)ethtool_driver(name, f->driver);
	f->has_channels = !ethtool_channels(name, &f->channels, &f->channels_max);
	f->has_rings = !ethtool_rings(name, &f->rings);
	(void)ethtool_offloads(name, f->offloads);
	if (xdp_features_read(f->link.ifindex, &features))
		return;
	f->native = answer(features.native);
	f->zero_copy = answer(features.zero_copy);
}

/* Describes the XDP program on the NIC. */
static void read_program(struct nic_facts *f)
{
	static const char *const modes[] = { [XDP_ATTACHED_DRV] = "native",
					     [XDP_ATTACHED_SKB] = "generic",
					     [XDP_ATTACHED_HW] = "offloaded",
					     [XDP_ATTACHED_MULTI] = "in several modes" };
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id = f->link.xdp_prog_id;
	uint8_t mode = f->link.xdp_mode;

	if (!id)
		return;
	xdplink_name(id, name);
	snprintf(f->program, sizeof(f->program), "program %u (%s), %s", id, name,
		 mode && mode < sizeof(modes) / sizeof(modes[0]) ? modes[mode] : "unknown mode");
}

/* Finds the first obstacle, in the order in which `wgxdp attach` would meet them. */
static int find_obstacle(struct netlink *nl, const struct options *options,
			 const struct netlink_link *link, struct fault *why)
{
	enum nics_obstacle obstacle;
	uint8_t mac[6];
	int err = nic_checks_xdp(nl, options, link, &obstacle, why);

	if (!err)
		err = xdplink_mac(link->name, mac, why);
	if (!err && !options->chain)
		err = xdplink_vacant(link->ifindex, link->name, why);
	return err;
}

/* Reads whether the host has IPsec policies or netfilter rules that AF_XDP would bypass. The socket
 * @netfilter is open, unless it cannot be opened. */
static void read_host(struct nic_facts *f, const struct nic_netfilter *netfilter)
{
	int err = netfilter->socket ? nft_hooks_read(netfilter->socket, f->link.name, &f->hooks)
				    : -EBADF;
	struct ipsec_watch *ipsec = ipsec_open();

	if (ipsec)
		f->ipsec = answer(ipsec_any(ipsec));
	else if (errno == EPROTONOSUPPORT)
		f->ipsec = NIC_NO;
	ipsec_close(ipsec);
	if (!err)
		f->netfilter = answer(*f->hooks.route || *f->hooks.nat || *f->hooks.ingress ||
				      *f->hooks.egress);
	else if (netfilter->unsupported)
		f->netfilter = NIC_NO;
}

static void read_sockets(struct nic_facts *f)
{
	uint32_t rx, tx;

	netlink_queues(f->link.name, &rx, &tx);
	xsk_owners_read(f->link.ifindex, 0, rx, &f->owners);
}

int nic_facts_read(struct nic_facts *facts, struct netlink *nl, const struct options *options,
		   const char *name)
{
	struct nic_facts f = { .privileged = may_see_all() };
	struct nic_netfilter netfilter = { .socket = NULL };
	int err = netlink_link(nl, name, 0, &f.link);

	if (err)
		return err;
	read_driver(&f);
	read_program(&f);
	read_sockets(&f);
	f.refusal = find_obstacle(nl, options, &f.link, &f.why);
	f.bypassed = nic_checks_bypassed(nl, &netfilter, f.link.ifindex, f.link.name);
	if (!f.privileged) /* report no unread settings: the privileged daemon can read them */
		f.bypassed.unread[0] = '\0';
	read_host(&f, &netfilter);
	nic_checks_close(&netfilter);
	*facts = f;
	return 0;
}
