/* SPDX-License-Identifier: MIT */
/* addresses.h - the addresses and the MTU that an interface has now, for `save`. */
#ifndef WGXDP_ADDRESSES_H
#define WGXDP_ADDRESSES_H

#include "conf/conf.h"

/* Sets the addresses of @conf to those of the interface. If @conf has an MTU, also sets the MTU.
 * wg-quick(8) does the same. Changes nothing if the interface is in another network namespace.
 * Changes nothing if the interface is down either, because the kernel removes the IPv6 addresses of
 * an interface that goes down. Returns 0, or -errno with @conf unchanged. */
int addresses_take(struct conf *conf, const char *interface);

#endif
