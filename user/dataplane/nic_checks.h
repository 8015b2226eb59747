/* SPDX-License-Identifier: MIT */
/*
 * nic_checks.h - finds the reasons why `auto` does not use XDP on a NIC, except those that only an
 * attempt to attach shows. Used by nics.h before it attaches, and by `wgxdp probe`, which attaches
 * nothing.
 */
#ifndef WGXDP_NIC_CHECKS_H
#define WGXDP_NIC_CHECKS_H

#include "dataplane/options.h"
#include "io/netlink.h"
#include "io/nft_hooks.h"
#include "util/fault.h"

/* The reason why XDP could not be used, if the reason may go away later. */
enum nics_obstacle {
	NICS_NOTHING, /* no obstacle, or a permanent one */
	NICS_PROGRAM, /* another XDP program */
	NICS_QUEUE,   /* another AF_XDP socket */
	NICS_MTU,     /* the MTU is larger than AF_XDP allows */
	NICS_REFUSED, /* the driver refused XDP; another MTU, other queues or offloads may help */
};

/* What AF_XDP bypasses on a NIC: tc filters, qdiscs, nftables chains of the NIC, and netfilter
 * rules that may mark outgoing packets; "" = none. */
struct nic_bypassed {
	char egress[32 + NFT_HOOK_NAME_LEN]; /* if not "", --tx auto uses the UDP sockets */
	char ingress[32 + NFT_HOOK_NAME_LEN];
	/* The first settings of sent packets that could not be read, and why; "" = none. */
	char unread[80];
	bool ingress_unread; /* the tc ingress filters could not be read */
};

/* The socket for reading nftables chains. A read opens it, if it is not open. All zero = not yet
 * opened. */
struct nic_netfilter {
	struct netlink *socket; /* NULL = not open */
	/* The kernel has no nf_tables. No requests are made then, because each of them would make
	 * the kernel try to load the module. */
	bool unsupported;
};

/* Returns true if an XDP program is to be attached for received data. */
bool nic_checks_wants_rx(const struct options *options);

/* Returns true if AF_XDP sockets are to be opened, to receive or to send. */
bool nic_checks_wants_xdp(const struct options *options);

/* Returns true if `auto` uses the UDP sockets on this link, because they are faster there than
 * XDP. */
bool nic_checks_prefers_udp(const struct options *options, const struct netlink_link *link);

/* Returns 0 if XDP may be tried on the link. Else returns, with @f filled in, -EOPNOTSUPP (`auto`
 * prefers the UDP sockets on this link, or the link has members, such as a bond) or -EMSGSIZE (the
 * MTU is too large). If this reason may go away later, also sets *@obstacle. */
int nic_checks_xdp(struct netlink *nl, const struct options *options,
		   const struct netlink_link *link, enum nics_obstacle *obstacle, struct fault *f);

/* Finds the tc filters, qdiscs and nftables chains on the link @ifindex, which is named @name,
 * and the netfilter rules that may mark packets of this host. Leaves filters of wgxdp out.
 * If the socket @netfilter cannot be opened, the result tells this in `unread`, and the next call
 * tries again. */
struct nic_bypassed nic_checks_bypassed(struct netlink *nl, struct nic_netfilter *netfilter,
					uint32_t ifindex, const char *name);

/* Closes the socket, if it is open. */
void nic_checks_close(struct nic_netfilter *netfilter);

/* Returns true if data may be sent by AF_XDP on a NIC where AF_XDP bypasses what @b names. With
 * --tx auto, this requires that b->egress and b->unread are empty. */
bool nic_checks_sends(const struct options *options, const struct nic_bypassed *b);

/* Appends what AF_XDP bypasses on the NIC @name to @why, which has @room bytes. @sends and
 * @receives tell in which directions AF_XDP is available. */
void nic_checks_explain(char *why, size_t room, const char *name, const struct options *options,
			const struct nic_bypassed *b, bool sends, bool receives);

#endif
