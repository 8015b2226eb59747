/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the clock of the BPF programs. In a time namespace it differs from CLOCK_BOOTTIME by a
 * constant, because bpf_ktime_get_boot_ns() always returns the host's.
 */
#ifndef WGXDP_CLOCK_H
#define WGXDP_CLOCK_H

#include <stdint.h>

/* Finds by how much the BPF programs' clock is ahead of CLOCK_BOOTTIME in this process, which may
 * be negative: a time of this process plus *@ahead_ns is a time of theirs. 0 or -errno. */
int clock_ahead(int64_t *ahead_ns);

#endif
