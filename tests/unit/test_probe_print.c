/* SPDX-License-Identifier: MIT */
/* test_probe_print.c - the text of `wgxdp probe` for given facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/probe.h"

/* clang-format off */
static const struct {
	struct nic_facts facts;
	struct nic_judgement judgement;
	const char *text;
} cases[] = {
	{ { .link = { .name = "eth0", .mtu = 1500 }, .driver = "ice", .native = NIC_YES,
	    .zero_copy = NIC_YES, .has_channels = true, .channels = { .combined = 2 },
	    .channels_max = { .combined = 8 }, .has_rings = true,
	    .rings = { 512, 256, 4096, 4096 }, .privileged = true, .ipsec = NIC_YES,
	    .netfilter = NIC_YES, .hooks = { .nat = "nat POSTROUTING", .route = "t out" },
	    .offloads = { [ETHTOOL_GRO] = { true, true, false },
			  [ETHTOOL_LRO] = { true, false, true } },
	    .owners = { true, 2, { { 0, 0, 12, "xdpsock" }, { 2, 3 } } },
	    .bypassed = { .egress = "the qdisc tbf" } },
	  { .rx_xdp = true, .reason_count = 2,
	    .reasons = { { NIC_BYPASSED, { "eth0: so" } }, { NIC_BYPASSED, { "eth0: and so" } } },
	    .count = 2,
	    .advice = { { .why = "few queues", .command = "ethtool -L eth0 combined 4",
			  .tunable = true },
			{ .why = "a shaper", .command = "wgxdp attach" } } },
	  "nic: eth0\n  driver: ice\n  mtu: 1500\n  xdp: native; zero-copy offered\n"
	  "  AF_XDP sockets: queue 0 (process 12, xdpsock); queues 2 to 3\n"
	  "  queues: combined 2 of 8\n  rings: rx 512 of 4096, tx 256 of 4096\n"
	  "  offloads: rx-gro on, rx-lro off (fixed)\n"
	  "  AF_XDP would bypass: the qdisc tbf; IPsec policies; routing by the nf_tables chain t "
	  "out; translation by the nf_tables chain nat POSTROUTING\n"
	  "  auto: rx xdp, tx udp\n  why: eth0: so; eth0: and so\n"
	  "  advice: few queues (attach --tune does this)\n    ethtool -L eth0 combined 4\n"
	  "  advice: a shaper\n    wgxdp attach\n" },
	{ { .link = { .name = "br0", .mtu = 9000, .kind = "bridge" }, .native = NIC_NO,
	    .zero_copy = NIC_NO, .program = "program 7 (x), generic", .ipsec = NIC_NO,
	    .has_channels = true, .channels = { 2, 1, 0 }, .channels_max = { 4, 1, 0 } },
	  { .rx_xdp = false },
	  "nic: br0\n  driver: unknown\n  mtu: 9000\n  xdp: generic only\n"
	  "  attached: program 7 (x), generic\n"
	  "  queues: rx 2 of 4, tx 1 of 1\n  rings: not reported by the driver\n"
	  "  not looked at: nf_tables; tcx programs (this needs root, or CAP_NET_ADMIN)\n"
	  "  auto: rx udp, tx udp\n" },
	{ { .link = { .name = "old", .mtu = 1500 }, .driver = "veth", .privileged = true,
	    .ipsec = NIC_NO, .netfilter = NIC_NO },
	  { .rx_xdp = true, .tx_xdp = true },
	  "nic: old\n  driver: veth\n  mtu: 1500\n  xdp: unknown before Linux 6.3\n"
	  "  queues: not reported by the driver\n  rings: not reported by the driver\n"
	  "  auto: rx xdp, tx xdp\n" },
	/* The kernel accepts almost any bytes in the name of a NIC. */
	{ { .link = { .name = "e\xff\xc3\xa9", .mtu = 1500 }, .driver = "ice", .privileged = true,
	    .ipsec = NIC_NO, .netfilter = NIC_NO },
	  { .reason_count = 1, .reasons = { { NIC_BYPASSED, { "e\xff: so" } } }, .count = 1,
	    .advice = { { .why = "e\xff", .command = "ethtool -L e\xff" } } },
	  "nic: e???\n  driver: ice\n  mtu: 1500\n  xdp: unknown before Linux 6.3\n"
	  "  queues: not reported by the driver\n  rings: not reported by the driver\n"
	  "  auto: rx udp, tx udp\n  why: e?: so\n  advice: e?\n    ethtool -L e?\n" },
};
/* clang-format on */

static void test_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *json = probe_json(&cases[i].facts, &cases[i].judgement);
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(json);
		assert_non_null(out);
		probe_print(out, json);
		fclose(out);
		assert_string_equal(text, cases[i].text);
		free(text);
		json_decref(json);
	}
}

/* In the JSON, an unknown or absent fact is null, so that no program takes it for false. */
static void test_unknown(void **state)
{
	json_t *json = probe_json(&cases[2].facts, &cases[2].judgement);
	static const char *const keys[] = { "native_xdp",  "zero_copy", "channels", "rings",
					    "xdp_program", "sockets",	"why",	    "kind" };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_true(json_is_null(json_object_get(json, keys[i])));
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
