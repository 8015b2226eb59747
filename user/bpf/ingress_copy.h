/* SPDX-License-Identifier: MIT */
/*
 * ingress_copy.h - opens a further copy of the NIC's XDP program, which has other constants but the
 * maps of the first one: for libxdp's dispatcher, and for generic mode.
 */
#ifndef WGXDP_INGRESS_COPY_H
#define WGXDP_INGRESS_COPY_H

#include <stdbool.h>

#include "util/fault.h"

struct ingress_bpf;

/* Opens, without loading it, a copy of the XDP program that uses the maps of @owner. With @generic
 * the copy passes joined datagrams to the stack (bpf/joined.bpf.h). The caller destroys *@copy.
 * Returns 0, or -errno with @f filled in: -ENOMEM, -ENOTSUP (the kernel does not say where it keeps
 * what @generic needs). */
int ingress_copy_open(struct ingress_bpf **copy, const struct ingress_bpf *owner, bool generic,
		      struct fault *f);

#endif
