/* SPDX-License-Identifier: MIT */
/*
 * skb_run.h - runs a TC program once by BPF_PROG_TEST_RUN.
 */
#ifndef TESTS_BPF_SKB_RUN_H
#define TESTS_BPF_SKB_RUN_H

#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>

/* Runs the program once on @data, which begins with an Ethernet header. @gso holds the skb's
 * gso_size and gso_segs, or is NULL. Returns the verdict. Asserts that the program left the packet
 * unchanged. */
static inline uint32_t run_skb(int prog_fd, const uint8_t *data, uint32_t len,
			       const struct __sk_buff *gso)
{
	static uint8_t out[65536];
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = data, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = gso,
		    .ctx_size_in = gso ? sizeof(*gso) : 0);

	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &o), 0);
	assert_int_equal(o.data_size_out, len);
	assert_memory_equal(out, data, len);
	return o.retval;
}

#endif
