/* SPDX-License-Identifier: MIT */
/*
 * nic_advice.h - judges the facts about a NIC: the path that `auto` takes in each direction, why,
 * and which commands would improve it. docs/performance.md has the table with its evidence. Makes
 * no system call.
 */
#ifndef WGXDP_NIC_ADVICE_H
#define WGXDP_NIC_ADVICE_H

#include "dataplane/nic_facts.h"
#include "host/tuning.h"

#define NIC_ADVICE_MAX 12

struct nic_advice {
	char why[192];			  /* what is limited, or when the command is useful */
	char command[TUNING_COMMAND_LEN]; /* the command that would improve it */
	/* --tune may make the change. It does not switch offloads on, and does not change the MTU
	 * or what belongs to other programs; the user must do this. */
	bool tunable;
	struct tuning_change change; /* only if tunable */
};

struct nic_judgement {
	bool rx_xdp, tx_xdp;
	char why[768]; /* why a direction is not XDP, or what XDP bypasses; "" = nothing to say */
	unsigned count;
	struct nic_advice advice[NIC_ADVICE_MAX];
};

/* @workers: how many workers the tunnel has if the NIC has enough queues. */
void nic_judge(struct nic_judgement *j, const struct nic_facts *f, const struct options *options,
	       unsigned workers);

#endif
