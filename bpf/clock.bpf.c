/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * clock.bpf.c - reads the clock of the BPF programs. The daemon runs this program once, to learn
 * how far that clock is ahead of the daemon's CLOCK_BOOTTIME. The two clocks differ if the daemon
 * is in a time namespace, which BPF programs ignore. The program is never attached. Its type is TC,
 * because before Linux 5.14 BPF_PROG_TEST_RUN cannot run a program of the type `syscall`.
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
