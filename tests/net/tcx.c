/* SPDX-License-Identifier: MIT */
/*
 * tcx NIC ingress|egress - attaches a BPF program to the NIC by tcx, as another program of the host
 * would. The BPF program passes all packets. It stays attached until this process is killed.
 */
#include <bpf/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/kernel_constants.h"

#define TCX_NEXT (-1) /* lets the next program, or the network stack, decide */

int main(int argc, char **argv)
{
	const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TCX_NEXT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	unsigned nic = argc == 3 ? if_nametoindex(argv[1]) : 0;
	int program;

	if (!nic) {
		fprintf(stderr, "usage: tcx NIC ingress|egress\n");
		return 2;
	}
	program = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", pass, 2, NULL);
	if (program < 0) {
		perror("tcx: the BPF program cannot be loaded");
		return 1;
	}
	if (bpf_link_create(program, (int)nic,
			    strcmp(argv[2], "egress") ? BPF_TCX_INGRESS : BPF_TCX_EGRESS,
			    NULL) < 0) {
		perror("tcx: the BPF program cannot be attached");
		return 1;
	}
	pause();
	return 0;
}
