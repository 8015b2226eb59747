/* SPDX-License-Identifier: MIT */
/*
 * nic_tune.h - if the user gave --tune, makes the tunable changes that `wgxdp probe` advises for a
 * NIC, and undoes them when the daemon ends. Even without --tune, remembers and undoes what a
 * driver changes when XDP is attached.
 */
#ifndef WGXDP_NIC_TUNE_H
#define WGXDP_NIC_TUNE_H

#include "dataplane/options.h"
#include "host/tuning.h"

struct netlink;

/* The changed settings. @say is NULL if the user has not given --tune. */
struct nic_tuner {
	struct tuning tuning;
	/* Tells the user, in a sentence, what is about to be done or what has failed. */
	void (*say)(void *ctx, const char *sentence);
	void *ctx;
	uint32_t tuned[OPTIONS_NICS_MAX]; /* ifindexes of the NICs that were tuned */
	unsigned tuned_count;
};

/* Tunes the NIC @name with @ifindex before XDP is attached. Tunes each NIC only once, so that later
 * changes by the user stay. Reports a failure to the user and continues. */
void nic_tune(struct nic_tuner *t, struct netlink *nl, const struct options *options,
	      const char *name, uint32_t ifindex);

/* Call nic_tune_begin() before an XDP program is attached to the NIC @name, and nic_tune_end()
 * afterwards. nic_tune_undo() then restores the offloads that the driver switched off for the
 * program, even without --tune. */
void nic_tune_begin(struct nic_tuner *t, const char *name, uint32_t ifindex);
void nic_tune_end(struct nic_tuner *t, const char *name, uint32_t ifindex);

/* Undoes all changes. Close the AF_XDP sockets of the NICs first. */
void nic_tune_undo(struct nic_tuner *t);

#endif
