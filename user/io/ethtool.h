/* SPDX-License-Identifier: MIT */
/*
 * ethtool.h - reads and changes, by SIOCETHTOOL, the settings of a NIC that ethtool(8) shows.
 * Reading needs no privilege; changing needs CAP_NET_ADMIN. All functions act in the network
 * namespace of the calling thread. They return -EOPNOTSUPP if the driver has no such setting, and
 * -ENODEV if there is no such link. Any thread may call them.
 */
#ifndef WGXDP_ETHTOOL_H
#define WGXDP_ETHTOOL_H

#include <stdbool.h>
#include <stdint.h>

#define ETHTOOL_DRIVER_LEN 32

/* How many channels (queues) of a NIC receive only, send only, or do both. */
struct ethtool_counts {
	uint32_t rx, tx, combined;
};

struct ethtool_rings {
	uint32_t rx, tx;	 /* entries of each ring now */
	uint32_t rx_max, tx_max; /* the largest sizes that the driver accepts */
};

/* The offloads that matter for wgxdp, in the order in which `wgxdp probe` prints them and in which
 * they can be switched on: the kernel refuses rx-gro-hw without rx-checksum. */
#define FOREACH_OFFLOAD(X)                                                                         \
	X(RX_CHECKSUM, "rx-checksum")                                                              \
	X(GRO, "rx-gro")                                                                           \
	X(LRO, "rx-lro")                                                                           \
	X(GRO_HW, "rx-gro-hw")                                                                     \
	X(GRO_LIST, "rx-gro-list")                                                                 \
	X(UDP_GRO_FORWARDING, "rx-udp-gro-forwarding")                                             \
	X(TX_CHECKSUM, "tx-checksum-ip-generic")                                                   \
	X(TX_CHECKSUM_V4, "tx-checksum-ipv4")                                                      \
	X(UDP_SEGMENTATION, "tx-udp-segmentation")

enum ethtool_offload {
#define X(id, name) ETHTOOL_##id,
	FOREACH_OFFLOAD(X)
#undef X
		ETHTOOL_OFFLOADS
};

struct ethtool_offload_state {
	bool known; /* the kernel has this offload; if not, the other members are false, too */
	bool on;
	bool fixed; /* the driver allows no change */
};

/* Returns the kernel's name of the offload, which `ethtool -K` accepts. */
const char *ethtool_offload_name(enum ethtool_offload offload);

/* Fills in the name of the driver, such as "veth". Returns 0 or -errno. */
int ethtool_driver(const char *nic, char driver[static ETHTOOL_DRIVER_LEN]);

/* Fills in the channels in use (ethtool -l) and the largest number of each kind. Returns 0 or
 * -errno. */
int ethtool_channels(const char *nic, struct ethtool_counts *now, struct ethtool_counts *max);

/* Changes the channels (ethtool -L). Many drivers take the link down for a moment. Returns 0 or
 * -errno: -EINVAL (more than the maximum, or fewer than an AF_XDP socket needs), -EPERM. */
int ethtool_set_channels(const char *nic, const struct ethtool_counts *wanted);

/* Fills in the sizes of the rings (ethtool -g). Returns 0 or -errno. */
int ethtool_rings(const char *nic, struct ethtool_rings *rings);

/* Fills in the state of all offloads (ethtool -k). Returns 0 or -errno. */
int ethtool_offloads(const char *nic, struct ethtool_offload_state states[static ETHTOOL_OFFLOADS]);

/* Switches one offload (ethtool -K). Returns 0, -EOPNOTSUPP if the driver did not make the change,
 * or another -errno. */
int ethtool_set_offload(const char *nic, enum ethtool_offload offload, bool on);

#endif
