/* SPDX-License-Identifier: MIT */
/*
 * nic_advice.h - judges the facts about a NIC: which path `auto` takes in each direction and why,
 * and which commands would improve the path. docs/performance.md lists the rules and the evidence
 * for each. Makes no system call.
 */
#ifndef WGXDP_NIC_ADVICE_H
#define WGXDP_NIC_ADVICE_H

#include "dataplane/nic_facts.h"
#include "host/tuning.h"

#define NIC_ADVICE_MAX 12
#define NIC_REASONS_MAX 6 /* one about XDP, two about qdiscs and filters, three about the host */

struct nic_advice {
	char why[192];			  /* tells the user what the command is for */
	char command[TUNING_COMMAND_LEN]; /* shell command that the user can run */
	/* True if --tune makes this change. --tune neither switches offloads on nor changes the MTU
	 * or other programs, but leaves such changes to the user. */
	bool tunable;
	struct tuning_change change; /* only if tunable */
};

enum nic_reason_kind {
	NIC_UDP_IS_FASTER, /* `auto` prefers the UDP sockets on this kind of link */
	NIC_WITHOUT_XDP,   /* XDP cannot be used */
	NIC_MAY_REFUSE,	   /* only `wgxdp attach` can show whether the driver accepts XDP */
	NIC_BYPASSED,	   /* a setting of the host that AF_XDP bypasses, or would bypass */
};

/* Why a direction does not use XDP, or what XDP bypasses. */
struct nic_reason {
	enum nic_reason_kind kind;
	struct fault sentence;
};

struct nic_judgement {
	bool rx_xdp, tx_xdp;
	unsigned reason_count;
	struct nic_reason reasons[NIC_REASONS_MAX];
	unsigned count;
	struct nic_advice advice[NIC_ADVICE_MAX];
};

/* Fills in @j from @f and @options. @workers is the number of workers that the tunnel has if the
 * NIC has enough queues. */
void nic_judge(struct nic_judgement *j, const struct nic_facts *f, const struct options *options,
	       unsigned workers);

#endif
