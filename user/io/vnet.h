/* SPDX-License-Identifier: MIT */
/*
 * vnet.h - the header before each packet of a TUN device. The header says which checksum and
 * segmentation work the sender has left to the receiver.
 *
 *   flags         NEEDS_CSUM: the checksum field holds a partial sum; complete it over the bytes
 *                 from csum_start on
 *   gso_type      TCPV4, TCPV6, UDP_L4: a packet to be split into segments of gso_size bytes
 *   csum_start    offset of the transport header
 *   csum_offset   offset of the checksum field within the transport header
 */
#ifndef WGXDP_VNET_H
#define WGXDP_VNET_H

#include "io/kernel_constants.h"

#endif
