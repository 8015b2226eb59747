/* SPDX-License-Identifier: MIT */
/* addresses.h - the addresses and the MTU that an interface has now, for `save`. */
#ifndef WGXDP_ADDRESSES_H
#define WGXDP_ADDRESSES_H

#include "conf/conf.h"

/* Copies the addresses of the interface to @conf, as wg-quick(8) does. If @conf has an MTU, also
 * replaces this MTU by that of the interface. Changes nothing if the interface is in another
 * network namespace, or if the interface is down, because the kernel removes the IPv6 addresses of
 * an interface that goes down. Returns 0, or -errno with @conf unchanged. */
int addresses_take(struct conf *conf, const char *interface);

#endif
