/* SPDX-License-Identifier: MIT */
#include "dataplane/nic_checks.h"

#include <errno.h>
#include <string.h>

#include "bpf/tclink.h"
#include "io/afxdp.h"
#include "io/xtables.h"

bool nic_checks_wants_rx(const struct options *options)
{
	return options->rx != OPTIONS_PATH_UDP;
}

bool nic_checks_wants_xdp(const struct options *options)
{
	return nic_checks_wants_rx(options) || options->tx != OPTIONS_PATH_UDP;
}

/* On a veth pair, an XDP program makes the kernel split every UDP_SEGMENT packet into frames and
 * copy each frame. Therefore, in each direction, the UDP sockets have twice the throughput of XDP
 * (docs/performance.md). */
bool nic_checks_prefers_udp(const struct options *o, const struct netlink_link *link)
{
	bool asked = o->rx == OPTIONS_PATH_XDP || o->tx == OPTIONS_PATH_XDP || o->chain ||
		     o->xsk.zero_copy == AFXDP_ZC_ON || o->xdp_mode != LOADER_MODE_AUTO;

	return !asked && !o->tests.veth_as_nic && !strcmp(link->kind, "veth");
}

/* Refuses native XDP on a bond or netvsc device, which passes the program on to the drivers of its
 * members. The program would then see the queues of the members, to which our AF_XDP sockets are
 * not bound. A bridge needs no check, because it supports only generic mode. */
static int check_members(struct netlink *nl, const struct options *options,
			 const struct netlink_link *link, struct fault *f)
{
	char member[sizeof(link->name)];

	if (options->xdp_mode == LOADER_MODE_GENERIC || !strcmp(link->kind, "bridge") ||
	    netlink_member(nl, link->ifindex, member))
		return 0;
	return fault(
		f, -EOPNOTSUPP,
		"%s: its frames arrive through lower interfaces such as %s; name those instead, "
		"or use --xdp-mode generic or --rx udp",
		link->name, member);
}

int nic_checks_xdp(struct netlink *nl, const struct options *options,
		   const struct netlink_link *link, enum nics_obstacle *obstacle, struct fault *f)
{
	if (nic_checks_prefers_udp(options, link))
		return fault(f, -EOPNOTSUPP,
			     "%s: the UDP sockets are faster on a veth pair; "
			     "--rx xdp --tx xdp uses XDP nevertheless",
			     link->name);
	if (link->mtu > AFXDP_MTU_MAX) { /* the driver's own limit may be even lower */
		*obstacle = NICS_MTU;
		return fault(f, -EMSGSIZE,
			     "%s: MTU %u is larger than %u, the most that an AF_XDP frame holds; "
			     "lower the MTU or use --rx udp",
			     link->name, link->mtu, AFXDP_MTU_MAX);
	}
	return nic_checks_wants_rx(options) ? check_members(nl, options, link, f) : 0;
}

/* Records in b->unread that reading @what returned @err, unless @err is not an error or another
 * setting is already recorded. */
static void note_unread(struct nic_bypassed *b, const char *what, int err)
{
	if (err < 0 && !*b->unread)
		snprintf(b->unread, sizeof(b->unread), "%s (%s)", what, strerror(-err));
}

/* Reads the nftables chains. On failure, leaves @hooks unchanged. Before any read has succeeded, an
 * answer tells whether the kernel has nf_tables. Returns 0, also if the kernel has no nf_tables, or
 * -errno. */
static int read_chains(struct nic_netfilter *netfilter, const char *name, struct nft_hooks *hooks)
{
	bool first = !netfilter->socket;
	int err;

	if (netfilter->unsupported)
		return 0;
	if (first)
		netfilter->socket = netlink_open_netfilter();
	err = netfilter->socket ? nft_hooks_read(netfilter->socket, name, hooks) : -errno;
	if (first && err)
		nic_checks_close(netfilter); /* so that the next read is the first again */
	if (!nft_hooks_unsupported(err))
		return err;
	netfilter->unsupported |= first;
	return 0;
}

void nic_checks_close(struct nic_netfilter *netfilter)
{
	netlink_close(netfilter->socket);
	netfilter->socket = NULL;
}

struct nic_bypassed nic_checks_bypassed(struct netlink *nl, struct nic_netfilter *netfilter,
					uint32_t ifindex, const char *name)
{
	struct netlink_qdiscs qdiscs = { .root = "" };
	struct nic_bypassed b = { .unread = "" };
	struct nft_hooks hooks = { .route = "" };
	int chains = read_chains(netfilter, name, &hooks);
	int qdisc = netlink_qdiscs(nl, ifindex, &qdiscs);
	int egress = tclink_has_others(ifindex, TCLINK_EGRESS, qdiscs.clsact);
	int ingress = tclink_has_others(ifindex, TCLINK_INGRESS, qdiscs.clsact);

	note_unread(&b, "the nftables chains", chains);
	if (qdisc != -EOPNOTSUPP) /* a kernel without CONFIG_NET_SCHED has no qdiscs */
		note_unread(&b, "the qdiscs", qdisc);
	note_unread(&b, "the tc egress filters", egress);
	b.ingress_unread = ingress < 0;
	if (*qdiscs.root)
		snprintf(b.egress, sizeof(b.egress), "the qdisc %s", qdiscs.root);
	else if (egress > 0)
		snprintf(b.egress, sizeof(b.egress), "the tc egress filters");
	else if (*hooks.egress)
		snprintf(b.egress, sizeof(b.egress), "the nftables egress chain \"%s\"",
			 hooks.egress);
	else if (*hooks.route)
		snprintf(b.egress, sizeof(b.egress), "the nftables chain \"%s\"", hooks.route);
	else if (xtables_marks_output())
		snprintf(b.egress, sizeof(b.egress),
			 "the chain \"mangle OUTPUT\" of iptables-legacy");
	if (ingress > 0)
		snprintf(b.ingress, sizeof(b.ingress), "the tc ingress filters");
	else if (*hooks.ingress)
		snprintf(b.ingress, sizeof(b.ingress), "the nftables ingress chain \"%s\"",
			 hooks.ingress);
	return b;
}

bool nic_checks_sends(const struct options *options, const struct nic_bypassed *b)
{
	return options->tx == OPTIONS_PATH_XDP ||
	       (options->tx == OPTIONS_PATH_AUTO && !*b->egress && !*b->unread);
}

static void add_why(char *why, size_t room, const char *name, const char *what,
		    const char *bypassed, const char *remedy)
{
	size_t len = strlen(why);

	snprintf(why + len, room - len, "%s%s: %s %s that %s configured there; %s", len ? "; " : "",
		 name, what, bypassed, bypassed[strlen(bypassed) - 1] == 's' ? "are" : "is",
		 remedy);
}

void nic_checks_explain(char *why, size_t room, const char *name, const struct options *options,
			const struct nic_bypassed *b, bool sends, bool receives)
{
	size_t len = strlen(why);

	if (*b->egress && sends && options->tx == OPTIONS_PATH_AUTO)
		add_why(why, room, name,
			"data is sent by the UDP socket, because AF_XDP would bypass", b->egress,
			"--tx xdp uses AF_XDP nevertheless");
	else if (*b->unread && sends && options->tx == OPTIONS_PATH_AUTO)
		snprintf(why + len, room - len,
			 "%s%s: data is sent by the UDP socket until wgxdp can read %s, which "
			 "AF_XDP would bypass; --tx xdp uses AF_XDP nevertheless",
			 len ? "; " : "", name, b->unread);
	if (*b->egress && sends && options->tx == OPTIONS_PATH_XDP)
		add_why(why, room, name, "data sent by AF_XDP bypasses", b->egress,
			"--tx udp uses the UDP socket");
	if (*b->ingress && receives)
		add_why(why, room, name, "data received by AF_XDP bypasses", b->ingress,
			"--rx udp uses the UDP socket");
}
