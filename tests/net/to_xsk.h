/* SPDX-License-Identifier: MIT */
/*
 * to_xsk.h - an XDP program of a few instructions, so that a test of an AF_XDP socket needs no
 * program of bpf/. It redirects UDP, and IPv6 packets that begin with destination options, to the
 * queue's AF_XDP socket, and passes the rest.
 */
#ifndef WGXDP_TEST_TO_XSK_H
#define WGXDP_TEST_TO_XSK_H

#include <stddef.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>

#include "netpair.h"

static int to_xsk_sockets = -1, to_xsk_link = -1;

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define LOAD(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define JUMP_IMM(op, d, i, to) INSN(BPF_JMP | BPF_K | (op), d, 0, to, i)

/* Attaches the program to @nic. The map to_xsk_sockets has one entry for each of four queues. The
 * entries are empty until the test stores its AF_XDP sockets in them. */
static inline void to_xsk_attach(const char *nic)
{
	char log[4096] = "";
	int prog;

	to_xsk_sockets = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "xsks", 4, 4, 4, NULL);
	assert_true(to_xsk_sockets >= 0);
	{
		const struct bpf_insn insns[] = {
			LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data)),
			LOAD(BPF_W, 3, 1, offsetof(struct xdp_md, data_end)),
			MOV_REG(4, 2),
			INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, 34),
			INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 14, 0), /* pass */
			LOAD(BPF_H, 5, 2, 12),
			JUMP_IMM(BPF_JEQ, 5, htons(ETH_P_IP), 4), /* v4 */
			JUMP_IMM(BPF_JNE, 5, htons(ETH_P_IPV6), 11),
			LOAD(BPF_B, 5, 2, 20),
			JUMP_IMM(BPF_JEQ, 5, IPPROTO_DSTOPTS, 3), /* redirect */
			JUMP_IMM(BPF_JA, 0, 0, 1),
			/* v4: */ LOAD(BPF_B, 5, 2, 23),
			JUMP_IMM(BPF_JNE, 5, IPPROTO_UDP, 6),
			/* redirect: */ LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, rx_queue_index)),
			INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, to_xsk_sockets),
			INSN(0, 0, 0, 0, 0),
			MOV_IMM(3, XDP_PASS),
			INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map),
			INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
			/* pass: */ MOV_IMM(0, XDP_PASS),
			INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
		};
		LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = sizeof(log));

		prog = bpf_prog_load(BPF_PROG_TYPE_XDP, "to_xsk", "GPL", insns,
				     sizeof(insns) / sizeof(insns[0]), &opts);
	}
	if (prog < 0)
		print_error("%s\n", log);
	assert_true(prog >= 0);
	to_xsk_link = bpf_link_create(prog, (int)if_nametoindex(nic), BPF_XDP, NULL);
	assert_true(to_xsk_link >= 0);
	close(prog);
}

static inline void to_xsk_detach(void)
{
	close(to_xsk_link);
	close(to_xsk_sockets);
}

#endif
