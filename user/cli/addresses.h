/* SPDX-License-Identifier: MIT */
/* addresses.h - the addresses and the MTU that an interface has now, for `wgxdp save`. */
#ifndef WGXDP_ADDRESSES_H
#define WGXDP_ADDRESSES_H

#include "conf/conf.h"

/* Copies the addresses of the interface to @conf, as wg-quick(8) does. If @conf has an MTU, also
 * replaces it with the MTU of the interface. Changes nothing if the interface is in another network
 * namespace. Also changes nothing if the interface is down, because the kernel has then removed its
 * IPv6 addresses. Returns 0, or -errno with @conf unchanged. */
int addresses_take(struct conf *conf, const char *interface);

#endif
