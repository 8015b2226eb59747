/* SPDX-License-Identifier: MIT */
/*
 * tuning.h - changes settings of NICs (--tune) and undoes the changes later. Also restores the
 * offloads that a driver switches off for XDP. Each change is recorded in /run/wgxdp/IFACE.nics
 * before it is made, so that the next daemon of IFACE can undo the change after a `kill -9`:
 *
 *   {"netns": 4026531840, "changes": [
 *     {"ifindex": 2, "channels": [[0, 0, 1], [0, 0, 4]]},     rx, tx, combined: before, after
 *     {"ifindex": 2, "offload": "rx-lro"}]}                   was on, is off
 *
 * If a setting no longer has the value that wgxdp gave it, another program has changed it, and the
 * undo leaves it alone. The control thread calls these functions.
 */
#ifndef WGXDP_TUNING_H
#define WGXDP_TUNING_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/ethtool.h"
#include "util/fault.h"

#define TUNING_MAX 48

struct tuning_change {
	uint32_t ifindex;
	bool is_offload; /* an offload was switched off; false: channels were changed */
	enum ethtool_offload offload;
	struct ethtool_counts before, after; /* numbers of channels; unused for an offload */
};

struct tuning {
	const char *interface; /* name of the tunnel interface; borrowed */
	uint64_t netns;	       /* network namespace of the NICs; 0 = the caller's */
	unsigned count;
	struct tuning_change changes[TUNING_MAX];
};

#define TUNING_COMMAND_LEN 96

/* Writes the command of ethtool(8) that makes the change on @nic, or, if @back, undoes it. */
void tuning_command(char text[static TUNING_COMMAND_LEN], const char *nic,
		    const struct tuning_change *change, bool back);

/* Records and makes the change on the link @nic. Returns 0; or -errno with @f filled in and nothing
 * changed. */
int tuning_make(struct tuning *t, const char *nic, const struct tuning_change *change,
		struct fault *f);

/* Some drivers switch an offload off when an XDP program is attached, and do not switch it on when
 * the program is detached (vmxnet3: rx-lro). The caller calls tuning_watch() before it attaches the
 * program to the link @nic, and tuning_unwatch() after it has attached the program. tuning_watch()
 * records all offloads that are on and not fixed. tuning_unwatch() removes from the record the
 * offloads that are still on, so that tuning_undo() restores only the offloads that the driver has
 * switched off. Failures are logged. */
void tuning_watch(struct tuning *t, const char *nic, uint32_t ifindex);
void tuning_unwatch(struct tuning *t, const char *nic, uint32_t ifindex);

/* Undoes all changes, the last one first, and removes the record. A change that could not be undone
 * is logged and stays recorded. Does not switch LRO on if the link is below a bridge, or if the
 * link or a bond above it forwards packets. Close the AF_XDP sockets of the NICs first, because the
 * kernel removes no channel that such a socket uses. */
void tuning_undo(struct tuning *t);

/* Undoes what a killed daemon of @interface has changed, in the network namespace that its record
 * names. The caller holds the lock on the interface's name (name_lock.h). Does nothing if there is
 * no record. A change that could not be undone is logged and stays recorded. Returns 0; or -errno
 * with @f filled in, and the record unchanged, if the record cannot be read or if no change could
 * be tried. The caller must then not start a daemon, whose own record would replace this one. */
int tuning_record_undo(const char *interface, struct fault *f);

/* Reads a record. Returns 0 with t->netns and the changes filled in, or -EINVAL with @t
 * unchanged. */
int tuning_parse(struct tuning *t, json_t *json);

#endif
