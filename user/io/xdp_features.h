/* SPDX-License-Identifier: MIT */
/* xdp_features.h - asks the kernel which XDP features the driver of a NIC has (generic netlink
 * family "netdev", Linux 6.3). The answer depends on the current settings of the NIC. The control
 * thread calls these functions. */
#ifndef WGXDP_XDP_FEATURES_H
#define WGXDP_XDP_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

struct xdp_features {
	bool native;	/* the driver runs XDP programs, and lets them redirect frames */
	bool zero_copy; /* an AF_XDP socket may share its memory with the NIC */
};

/* Reads the features of the link @ifindex. Returns 0 with @out filled in, -EOPNOTSUPP (the kernel
 * is older than Linux 6.3), -ENODEV, or another -errno. */
int xdp_features_read(uint32_t ifindex, struct xdp_features *out);

/* Counts the tx queues that the host uses on the link @ifindex. Unlike `ethtool -l`, does not count
 * the queues that the driver has added for XDP. Returns 0 with @count filled in,
 * -EOPNOTSUPP (the kernel is older than Linux 6.8), -ENETDOWN (the kernel lists no queues while the
 * link is down), -ENODEV, or another -errno. */
int xdp_features_senders(uint32_t ifindex, uint32_t *count);

/* Calls @fn for each rx queue of the link @ifindex that has an AF_XDP socket, perhaps several times
 * for one queue. Finds no queue if the kernel is older than Linux 6.15 or the link is down. Returns
 * 0 or -errno. */
typedef void (*xdp_features_fn)(void *ctx, uint32_t queue);
int xdp_features_xsk_queues(uint32_t ifindex, xdp_features_fn fn, void *ctx);

#endif
