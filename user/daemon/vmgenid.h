/* SPDX-License-Identifier: MIT */
/*
 * vmgenid.h - hears when this host is a restored or copied virtual machine, whose keys and counters
 * may be in use elsewhere. A thread of its own listens, so that the workers know at once even
 * while the control thread is busy.
 */
#ifndef WGXDP_VMGENID_H
#define WGXDP_VMGENID_H

#include "path/suspend.h"
#include "util/loop.h"

struct vmgenid;

/* Listens from now on: a copy is entered in @suspend, which is borrowed, and wakes the loop.
 * 0/-errno. */
int vmgenid_watch(struct vmgenid **v, struct loop *loop, struct suspend *suspend);
void vmgenid_unwatch(struct vmgenid *v); /* NULL is fine */

#endif
