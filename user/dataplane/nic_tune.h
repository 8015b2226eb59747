/* SPDX-License-Identifier: MIT */
/* nic_tune.h - makes the changes on a NIC that `wgxdp probe` advises, if --tune asks for them. */
#ifndef WGXDP_NIC_TUNE_H
#define WGXDP_NIC_TUNE_H

#include "dataplane/options.h"
#include "host/tuning.h"

struct netlink;

/* The state of --tune. @say is NULL if the user has not given --tune. */
struct nic_tuner {
	struct tuning tuning;
	/* Tells the user what is about to be done, in a sentence. */
	void (*say)(void *ctx, const char *sentence);
	void *ctx;
	uint32_t tuned[OPTIONS_NICS_MAX]; /* ifindexes of the NICs that were tuned */
	unsigned tuned_count;
};

/* Tunes the NIC @name with @ifindex before XDP is attached. Tunes each NIC only once, so that later
 * changes by the user stay. Reports a failure to the user and continues. */
void nic_tune(struct nic_tuner *t, struct netlink *nl, const struct options *options,
	      const char *name, uint32_t ifindex);

/* Undoes all changes. The queues of the NICs must be closed. */
void nic_tune_undo(struct nic_tuner *t);

#endif
