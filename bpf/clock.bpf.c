/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * clock.bpf.c - reads the clock of the BPF programs, once, so that the daemon knows how far it is
 * ahead of its own CLOCK_BOOTTIME. They differ in a time namespace, which BPF programs know nothing
 * of.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("syscall")
int wgxdp_clock(__u64 *now_ns)
{
	*now_ns = bpf_ktime_get_boot_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
