/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the clock of the BPF programs. In a time namespace, this clock differs from
 * CLOCK_BOOTTIME by a constant, because bpf_ktime_get_boot_ns() always returns the host's time.
 */
#ifndef WGXDP_CLOCK_H
#define WGXDP_CLOCK_H

#include <stdint.h>

/* Sets *@ahead_ns to the clock of BPF programs minus CLOCK_BOOTTIME of this process. The difference
 * may be negative. Returns 0 or -errno. */
int clock_ahead(int64_t *ahead_ns);

#endif
