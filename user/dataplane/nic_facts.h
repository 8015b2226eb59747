/* SPDX-License-Identifier: MIT */
/*
 * nic_facts.h - reads the facts about a NIC that determine its path. Changes nothing and attaches
 * nothing. The control thread or a command calls this.
 */
#ifndef WGXDP_NIC_FACTS_H
#define WGXDP_NIC_FACTS_H

#include "dataplane/nic_checks.h"
#include "io/ethtool.h"
#include "io/nft_hooks.h"
#include "io/xsk_owners.h"

enum nic_answer { NIC_UNKNOWN, NIC_NO, NIC_YES };

struct nic_facts {
	struct netlink_link link;
	char driver[ETHTOOL_DRIVER_LEN];   /* "" = unknown */
	enum nic_answer native, zero_copy; /* what the driver offers; unknown before Linux 6.3 */
	bool has_channels, has_rings;	   /* false: the driver does not report them */
	struct ethtool_counts channels, channels_max;
	struct ethtool_rings rings;
	struct ethtool_offload_state offloads[ETHTOOL_OFFLOADS];
	char program[64]; /* the XDP program on the NIC: "program 12 (name), native"; "" = none */
	int refusal;	  /* 0 = XDP may be tried, or the -errno of the first obstacle */
	struct fault why; /* if there is an obstacle: a sentence about it */
	struct xsk_owners owners; /* processes with AF_XDP sockets on the NIC's receive queues */
	struct nic_bypassed bypassed;
	enum nic_answer ipsec;	   /* whether IPsec policies encrypt or refuse outgoing packets */
	enum nic_answer netfilter; /* whether `hooks` has a chain; NIC_UNKNOWN = cannot be read */
	struct nft_hooks hooks;
	bool privileged; /* we have CAP_NET_ADMIN, without which TC programs are not seen */
};

/* Fills in @facts for the link @name; facts that cannot be read stay unknown. @options determine
 * which obstacles count. Returns 0, or -errno if there is no such link. */
int nic_facts_read(struct nic_facts *facts, struct netlink *nl, const struct options *options,
		   const char *name);

#endif
