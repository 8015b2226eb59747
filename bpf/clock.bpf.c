/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * clock.bpf.c - reads the clock of the BPF programs, once, so that the daemon knows how far it is
 * ahead of its own CLOCK_BOOTTIME. They differ in a time namespace, which BPF programs know nothing
 * of. The program is never attached. It is of type TC because BPF_PROG_TEST_RUN takes the type
 * `syscall` only since Linux 5.14.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 now_ns;

SEC("tc")
int wgxdp_clock(struct __sk_buff *skb)
{
	(void)skb;
	now_ns = bpf_ktime_get_boot_ns();
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
