/* SPDX-License-Identifier: MIT */
/*
 * ingress_copy.h - opens a second copy of the NIC's XDP program, for libxdp's dispatcher or for
 * generic mode. The copy uses the maps of the first program but has its own constants.
 */
#ifndef WGXDP_INGRESS_COPY_H
#define WGXDP_INGRESS_COPY_H

#include <stdbool.h>

#include "util/fault.h"

struct ingress_bpf;

/* Opens, without loading it, a copy of the XDP program that uses the maps of @owner. With @generic
 * the copy passes GRO and GSO packets to the stack (bpf/joined.bpf.h). The caller destroys *@copy.
 * Returns 0, or -errno with @f filled in: -ENOMEM, -ENOTSUP (@generic, and the layout of the
 * kernel's socket buffers is unknown). */
int ingress_copy_open(struct ingress_bpf **copy, const struct ingress_bpf *owner, bool generic,
		      struct fault *f);

#endif
