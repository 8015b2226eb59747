/* SPDX-License-Identifier: MIT */
/* test_nic_advice.c - for given facts about a NIC: which path (AF_XDP or the UDP sockets) `auto`
 * chooses, the reasons that are reported, and the commands that are advised. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/nic_advice.h"

#define WORKERS 4
#define CAN                                                                                        \
	{                                                                                          \
		.known = true                                                                      \
	}
#define ON                                                                                         \
	{                                                                                          \
		.known = true, .on = true                                                          \
	}
#define FIXED_ON                                                                                   \
	{                                                                                          \
		.known = true, .on = true, .fixed = true                                           \
	}

/* A NIC that uses 4 of its 8 queues and has all features that XDP and the UDP sockets use. The
 * arguments override members. */
#pragma GCC diagnostic ignored "-Woverride-init"
/* clang-format off */
#define NIC(...) { .link = { .name = "eth0", .mtu = 1500 }, .driver = "ice", .native = NIC_YES, \
	.zero_copy = NIC_YES, .has_channels = true, .channels = { .combined = 4 }, \
	.channels_max = { .combined = 8 }, .offloads = { [ETHTOOL_GRO] = ON, \
	[ETHTOOL_TX_CHECKSUM] = ON, [ETHTOOL_UDP_SEGMENTATION] = ON }, .privileged = true, \
	.ipsec = NIC_NO, .netfilter = NIC_NO, __VA_ARGS__ }

static const struct {
	struct nic_facts facts;
	const char *paths; /* for receiving and for sending */
	const char *why;   /* a part of a reason; "" = there must be no reason */
	const char *commands; /* one on each line; a '!' marks a command that --tune runs */
} cases[] = {
	{ NIC(), "xdp xdp", "", "" },
	/* The driver and its settings. */
	{ NIC(.native = NIC_NO), "udp udp", "eth0: ice offers no native XDP", "" },
	{ NIC(.native = NIC_NO, .driver = ""), "udp udp", "eth0: its driver offers no native", "" },
	{ NIC(.native = NIC_UNKNOWN), "xdp xdp", "if ice refuses the XDP program", "" },
	{ NIC(.offloads = { [ETHTOOL_LRO] = ON }), "xdp xdp", "",
	  "ethtool -K eth0 rx-lro off!" },
	{ NIC(.offloads = { [ETHTOOL_LRO] = FIXED_ON }), "xdp xdp", "", "" },
	{ NIC(.offloads = { [ETHTOOL_GRO_HW] = ON }), "xdp xdp", "", "" },
	{ NIC(.driver = "mlx5_core", .offloads = { [ETHTOOL_GRO_HW] = ON }), "xdp xdp", "",
	  "ethtool -K eth0 rx-gro-hw off!" },
	{ NIC(.driver = "mlx5_core", .link.mtu = 9000), "udp udp",
	  "mlx5_core accepts an XDP program only with an MTU of at most 3498, not 9000",
	  "ip link set eth0 mtu 3498" },
	{ NIC(.driver = "vmxnet3", .link.mtu = 3493), "udp udp",
	  "vmxnet3 accepts an XDP program only with an MTU of at most 3492, not 3493",
	  "ip link set eth0 mtu 3492" },
	{ NIC(.driver = "vmxnet3", .link.mtu = 3492), "xdp xdp", "", "" },
	{ NIC(.driver = "virtio_net", .offloads = { [ETHTOOL_GRO_HW] = FIXED_ON,
	  [ETHTOOL_GRO] = ON, [ETHTOOL_TX_CHECKSUM] = ON }), "udp udp",
	  "the hypervisor merges packets", "" },
	{ NIC(.driver = "virtio_net", .offloads = { [ETHTOOL_GRO_HW] = ON }), "xdp xdp", "", "" },
	/* Channels. */
	{ NIC(.channels.combined = 1), "xdp xdp", "", "ethtool -L eth0 combined 4!" },
	{ NIC(.channels.combined = 1, .channels_max.combined = 3), "xdp xdp", "",
	  "ethtool -L eth0 combined 3!" },
	{ NIC(.channels.combined = 1, .channels_max.combined = 1), "xdp xdp", "", "" },
	{ NIC(.channels.combined = 2, .channels.rx = 2, .channels_max.rx = 8), "xdp xdp", "", "" },
	{ NIC(.channels = { 1, 1, 0 }, .channels_max = { 4, 2, 0 }), "xdp xdp", "",
	  "ethtool -L eth0 rx 4 tx 2!" },
	{ NIC(.channels = { 0, 0, 0 }, .channels_max = { 0, 0, 0 }), "xdp xdp", "", "" },
	{ NIC(.channels.combined = 1, .has_channels = false), "xdp xdp", "", "" },
	{ NIC(.driver = "ena", .channels.combined = 8), "udp udp",
	  "ena accepts an XDP program only if half of its channels are unused",
	  "ethtool -L eth0 combined 4!" },
	{ NIC(.driver = "ena", .channels.combined = 1, .channels_max.combined = 4), "xdp xdp", "",
	  "ethtool -L eth0 combined 2!" },
	{ NIC(.driver = "gve", .channels.combined = 1, .channels_max.combined = 1), "udp udp",
	  "half of its channels", "" },
	{ NIC(.native = NIC_NO, .channels.combined = 1), "udp udp", "no native XDP", "" },
	/* Obstacles to attaching XDP. */
	{ NIC(.refusal = -EOPNOTSUPP, .why.text = "eth0: a veth pair", .link.kind = "veth",
	  .link.mtu = 9000, .channels.combined = 1), "udp udp", "eth0: a veth pair", "" },
	{ NIC(.refusal = -EBUSY, .why.text = "eth0: XDP program 7", .program = "program 7 (x)"),
	  "udp udp", "eth0: XDP program 7", "wgxdp attach --chain eth0 CONF" },
	{ NIC(.refusal = -EBUSY, .why.text = "eth0: XDP program 7", .program = "program 7 (x)",
	  .owners = { true, 1, { { 0, 3, 12, "wgxdp" } } }), "udp udp", "eth0: XDP program 7", "" },
	{ NIC(.owners = { true, 1, { { 0, 3, 12, "xdpsock" } } }, .channels.combined = 2),
	  "udp udp", "eth0: other programs have AF_XDP sockets on queues 0 to 3 (process 12, "
	  "xdpsock); stop", "ethtool -L eth0 combined 4!" },
	{ NIC(.native = NIC_NO, .owners = { true, 1, { { 0, 0 } } }), "udp udp",
	  "offers no native XDP", "" },
	{ NIC(.refusal = -EMSGSIZE, .why.text = "eth0: MTU", .link.mtu = 9000), "udp udp",
	  "eth0: MTU", "ip link set eth0 mtu 3822" },
	/* What AF_XDP would bypass. */
	{ NIC(.bypassed.egress = "the qdisc tbf"), "xdp udp",
	  "eth0: data is sent by the UDP socket, because AF_XDP would bypass the qdisc tbf that is",
	  "wgxdp attach --tx xdp eth0 CONF" },
	{ NIC(.bypassed.ingress = "the tc ingress filters"), "xdp xdp",
	  "bypasses the tc ingress filters that are", "wgxdp attach --rx udp eth0 CONF" },
	{ NIC(.bypassed.ingress = "the nftables ingress chain \"t in\""), "xdp xdp",
	  "bypasses the nftables ingress chain \"t in\" that is configured there; --rx udp uses",
	  "wgxdp attach --rx udp eth0 CONF" },
	{ NIC(.bypassed.egress = "the nftables egress chain \"t out\""), "xdp udp",
	  "AF_XDP would bypass the nftables egress chain \"t out\" that is configured there",
	  "wgxdp attach --tx xdp eth0 CONF" },
	/* The name of the NIC must not be taken for an option. */
	{ NIC(.link.name = "-x", .refusal = -EBUSY, .why.text = "-x: XDP program 7",
	  .program = "program 7 (x)"), "udp udp", "-x: XDP", "wgxdp attach --chain -- -x CONF" },
	{ NIC(.link.name = "-x", .bypassed.egress = "the qdisc tbf"), "xdp udp", "-x: data is",
	  "wgxdp attach --tx xdp -- -x CONF" },
	{ NIC(.link.name = "-x", .bypassed.ingress = "the tc ingress filters"), "xdp xdp",
	  "-x: data received", "wgxdp attach --rx udp -- -x CONF" },
	{ NIC(.link.name = "-x", .hooks.route = "t out"), "xdp xdp", "-x: AF_XDP does not see",
	  "wgxdp attach --tx udp -- -x CONF" },
	{ NIC(.ipsec = NIC_YES), "xdp xdp", "an IPsec policy encrypts or refuses", "" },
	{ NIC(.hooks.nat = "nat POSTROUTING"), "xdp xdp",
	  "if the nftables chain \"nat POSTROUTING\" applies NAT", "" },
	{ NIC(.hooks.route = "t out"), "xdp xdp", "the marks that the nftables chain \"t out\"",
	  "wgxdp attach --tx udp eth0 CONF" },
	{ NIC(.native = NIC_NO, .hooks.route = "t out", .ipsec = NIC_YES), "udp udp",
	  "with the present settings", "" },
	/* What the UDP sockets lack. */
	{ NIC(.native = NIC_NO, .offloads = { [ETHTOOL_GRO] = CAN, [ETHTOOL_TX_CHECKSUM] = CAN,
	  [ETHTOOL_UDP_SEGMENTATION] = CAN }), "udp udp", "no native XDP",
	  "ethtool -K eth0 rx-gro on\nethtool -K eth0 tx-checksum-ip-generic on\n"
	  "ethtool -K eth0 tx-udp-segmentation on" },
	{ NIC(.native = NIC_NO, .link.kind = "veth", .offloads = { [ETHTOOL_GRO] = CAN }),
	  "udp udp", "no native XDP", "" },
};
/* clang-format on */

static void list_commands(const struct nic_judgement *j, char *out, size_t room)
{
	size_t len = 0;

	*out = '\0';
	for (unsigned i = 0; i < j->count; i++)
		len += (size_t)snprintf(out + len, room - len, "%s%s%s", i ? "\n" : "",
					j->advice[i].command, j->advice[i].tunable ? "!" : "");
}

/* Returns true if a reason contains @part, or if @part is "" and there is no reason. */
static bool has_reason(const struct nic_judgement *j, const char *part)
{
	bool found = !*part && !j->reason_count;

	for (unsigned i = 0; i < j->reason_count; i++)
		found |= *part && strstr(j->reasons[i].sentence.text, part);
	return found;
}

static void test_cases(void **state)
{
	const struct options options = { .rx = OPTIONS_PATH_AUTO };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nic_judgement j;
		char commands[1024], paths[16];

		nic_judge(&j, &cases[i].facts, &options, WORKERS);
		list_commands(&j, commands, sizeof(commands));
		snprintf(paths, sizeof(paths), "%s %s", j.rx_xdp ? "xdp" : "udp",
			 j.tx_xdp ? "xdp" : "udp");
		if (strcmp(paths, cases[i].paths) != 0 || !has_reason(&j, cases[i].why) ||
		    strcmp(commands, cases[i].commands) != 0)
			fail_msg("case %zu: %s; %u reasons, the first: %s; commands: %s", i, paths,
				 j.reason_count, j.reasons[0].sentence.text, commands);
	}
}

/* Each reason has a kind, by which `wgxdp check` decides whether it warns. */
static void test_kinds(void **state)
{
	const struct options options = { .rx = OPTIONS_PATH_AUTO };
	const struct {
		struct nic_facts facts;
		enum nic_reason_kind kind;
	} kinds[] = {
		{ NIC(.native = NIC_NO), NIC_WITHOUT_XDP },
		{ NIC(.refusal = -EMSGSIZE, .why.text = "eth0: MTU"), NIC_WITHOUT_XDP },
		{ NIC(.refusal = -EOPNOTSUPP, .link.kind = "veth"), NIC_UDP_IS_FASTER },
		{ NIC(.native = NIC_UNKNOWN), NIC_MAY_REFUSE },
		{ NIC(.bypassed.egress = "the qdisc tbf"), NIC_BYPASSED },
		{ NIC(.bypassed.ingress = "the tc ingress filters"), NIC_BYPASSED },
		{ NIC(.ipsec = NIC_YES), NIC_BYPASSED },
		{ NIC(.hooks.nat = "nat POSTROUTING"), NIC_BYPASSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct nic_judgement j;

		nic_judge(&j, &kinds[i].facts, &options, WORKERS);
		if (j.reason_count != 1 || j.reasons[0].kind != kinds[i].kind)
			fail_msg("case %zu: %u reasons, kind %d", i, j.reason_count,
				 (int)j.reasons[0].kind);
	}
}

/* struct nic_judgement has room for the reasons and the advice even with every obstacle and every
 * missing offload at once. */
static void test_all_at_once(void **state)
{
	struct options options = { .rx = OPTIONS_PATH_AUTO };
	struct nic_facts f = NIC(.native = NIC_UNKNOWN, .channels.combined = 1, .ipsec = NIC_YES);
	struct nic_judgement j;

	(void)state;
	for (int i = 0; i < ETHTOOL_OFFLOADS; i++)
		f.offloads[i] = (struct ethtool_offload_state)CAN;
	f.offloads[ETHTOOL_LRO].on = f.offloads[ETHTOOL_GRO_HW].on = true;
	strcpy(f.driver, "mlx5_core");
	memset(f.bypassed.egress, 'e', sizeof(f.bypassed.egress) - 1);
	memset(f.bypassed.ingress, 'i', sizeof(f.bypassed.ingress) - 1);
	memset(f.hooks.route, 'r', sizeof(f.hooks.route) - 1);
	memset(f.hooks.nat, 'n', sizeof(f.hooks.nat) - 1);
	for (int refusal = 0; refusal < 3; refusal++) {
		f.refusal = (const int[]){ 0, -EBUSY, -EMSGSIZE }[refusal];
		f.link.mtu = f.refusal == -EMSGSIZE ? 9000 : 1500;
		memset(f.why.text, 'w', sizeof(f.why.text) - 1);
		strcpy(f.program, "program 7");
		nic_judge(&j, &f, &options, WORKERS);
		assert_in_range(j.count, f.refusal ? 4 : 8, NIC_ADVICE_MAX);
		assert_int_equal(j.reason_count, f.refusal ? 1 : 3);
	}
	f.refusal = 0;
	f.link.mtu = 1500;
	options.tx = OPTIONS_PATH_XDP; /* although AF_XDP bypasses something */
	nic_judge(&j, &f, &options, WORKERS);
	assert_int_equal(j.reason_count, NIC_REASONS_MAX);
}

/* An option that requests a path is obeyed, even if `auto` would choose the other path. The reasons
 * then name what AF_XDP bypasses. */
static void test_asked(void **state)
{
	const struct nic_facts f = NIC(.bypassed.egress = "the qdisc tbf");
	const struct options asked = { .rx = OPTIONS_PATH_UDP, .tx = OPTIONS_PATH_XDP };
	struct nic_judgement j;

	(void)state;
	nic_judge(&j, &f, &asked, WORKERS);
	assert_true(!j.rx_xdp && j.tx_xdp);
	assert_true(has_reason(&j, "data sent by AF_XDP bypasses the qdisc tbf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
