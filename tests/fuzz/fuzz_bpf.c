/* SPDX-License-Identifier: MIT */
/*
 * fuzz_bpf.c - runs the XDP program by BPF_PROG_TEST_RUN on frames that differ little from valid
 * ones. The program must return a verdict and leave the frame unchanged. In each frame that goes to
 * an AF_XDP socket, the worker's parser must find a data message for the session. A frame that is
 * not addressed to us is never dropped. Needs root; without root nothing is tested.
 *
 * Input: a byte of flags that choose the frame, a byte with the length to which the frame is cut,
 * then pairs of an offset in the frame and a value to XOR there.
 */
#include "../bpf/ingress_bench.h"
#include "fuzz_main.h"
#include "io/decap.h"

/* Bits of the first byte of the input. */
enum { TYPE = 7, FAMILY = 8, CHECKSUM = 16, LONGER = 32, FORWARDS = 64 };

static void require(bool what)
{
	if (!what)
		abort();
}

/* Returns true if the frame is long enough and has our MAC and IP addresses. The port is not
 * checked. */
static bool to_us(const uint8_t *data, uint32_t len)
{
	if (len < ETH_HLEN + (data[12] == 0x08 ? 20 : 40) || memcmp(data, frame_nic_mac, 6) != 0)
		return false;
	return data[12] == 0x08 ? !memcmp(data + ETH_HLEN + 16, frame_to4, 4)
				: !memcmp(data + ETH_HLEN + 24, frame_to6, 16);
}

static void check_verdict(uint8_t *data, uint32_t len, uint32_t verdict)
{
	struct rx_frame f;
	bool parsed = decap_parse(data, len, &f);
	struct wire_data msg;

	switch (verdict) {
	case XDP_REDIRECT:
		require(parsed && f.len >= wire_data_len(0) && to_us(data, len));
		memcpy(&msg, f.payload, sizeof(msg));
		require(msg.header.type == WIRE_DATA && le32toh(msg.receiver_index) == SESSION);
		break;
	case XDP_DROP:
		require(to_us(data, len) && !(skel->bss->forwarding4 && data[12] == 0x08));
		break;
	default:
		require(verdict == XDP_PASS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_spec s = { .receiver = SESSION };
	struct frame f;

	if ((!skel && setup(NULL)) || denied || size < 2)
		return 0;
	s.type = data[0] & TYPE;
	s.family = data[0] & FAMILY ? 6 : 4;
	s.options = s.family == 4 && (data[0] & LONGER) ? 8 : 0;
	s.extension_count = s.family == 6 && (data[0] & LONGER) ? 2 : 0;
	s.extensions[0].type = s.extensions[1].type = IPPROTO_DSTOPTS;
	frame_build(&f, &s);
	for (size_t i = 2; i + 1 < size; i += 2)
		f.data[data[i] % f.len] ^= data[i + 1];
	if (s.family == 4 && (data[0] & CHECKSUM))
		frame_checksum4(f.data + f.at[L3]);
	if (data[1] >= ETH_HLEN && data[1] < f.len)
		f.len = data[1];
	set_forwarding(data[0] & FORWARDS, false);
	check_verdict(f.data, f.len, run_on(f.data, f.len, LO, 0));
	return 0;
}
