/* SPDX-License-Identifier: MIT */
/* test_show.c - what `wgxdp show` prints for a JSON object from the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "version.h"

#define NOW 1700000000LL
#define HEAD                                                                                       \
	"{\"interface\":\"wg0\",\"version\":\"" WGXDP_VERSION                                      \
	"\",\"public_key\":\"PUB=\",\"listen_port\":51820,\"fwmark\":0,"                           \
	"\"mtu\":1420,"
#define PATH_XDP                                                                                   \
	"\"path\":{\"nic\":\"eth0\",\"queues\":1,\"workers\":1,\"rx\":\"xdp\",\"tx\":\"udp\","     \
	"\"xdp_mode\":\"native\",\"zero_copy\":false,\"aead\":\"libsodium\",\"why\":null,"         \
	"\"pinned\":\"/sys/fs/bpf/wgxdp/wg0\",\"rx_packets\":{\"xsk\":7,\"udp\":0},"               \
	"\"tx_packets\":{\"xsk\":0,\"udp\":9}},"
#define TEXT_HEAD                                                                                  \
	"interface: wg0\n  public key: PUB=\n  listening port: 51820\n  mtu: 1420\n"               \
	"  path: rx xdp, tx udp, native, zero-copy off; eth0, 1 queue; 1 worker; libsodium\n"      \
	"  maps: /sys/fs/bpf/wgxdp/wg0\n"                                                          \
	"  data messages: received 7 xsk, 0 udp; sent 0 xsk, 9 udp\n"

/* clang-format off */
static const struct {
	const char *json, *text;
} cases[] = {
	{ HEAD PATH_XDP "\"drops\":{},\"peers\":[]}", TEXT_HEAD },
	{ HEAD "\"path\":{\"kernel_lacks\":[\"this (Linux 6.6)\",\"that (Linux 6.2)\"]},"
	  "\"peers\":[]}",
	  "interface: wg0\n  public key: PUB=\n  listening port: 51820\n  mtu: 1420\n"
	  "  path: rx , tx ; 0 workers; \n"
	  "  this kernel lacks: this (Linux 6.6); that (Linux 6.2)\n"
	  "  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n" },
	{ HEAD PATH_XDP "\"drops\":{\"bad_tag\":3,\"novel\":1},\"lost\":{\"xsk_rx\":2},"
	  "\"dropped\":6,\"passes\":{\"unknown_index\":5,\"stalled\":7},\"peers\":[]}",
	  TEXT_HEAD "  dropped: 6\n    bad_tag: 3 (the message did not authenticate)\n"
		    "    novel: 1 (a reason this version does not know)\n"
		    "    xsk_rx: 2 (an AF_XDP socket had no room, or the frame was too large for "
		    "it)\n"
		    "  passed to the network stack:\n"
		    "    unknown_index: 5 (no session or handshake of this host has the receiver "
		    "index)\n"
		    "    stalled: 7 (the worker had not run for 2.5 s, so a UDP socket received "
		    "the message)\n" },
	{ HEAD PATH_XDP "\"drops\":{},\"lost\":{\"udp_rx\":1},\"dropped\":1,\"passes\":{},"
	"\"peers\":[]}",
	  TEXT_HEAD "  dropped: 1\n    udp_rx: 1 (a UDP socket had no room, or the checksum was "
	  "wrong)\n" },
	{ HEAD "\"config\":{\"path\":\"/etc/wg0.conf\",\"applied\":1699999995,\"error\":null,"
	  "\"error_time\":null},\"peers\":[]}",
	  "interface: wg0\n  public key: PUB=\n  listening port: 51820\n  mtu: 1420\n"
	  "  config: /etc/wg0.conf, applied 5 seconds ago\n"
	  "  path: rx , tx ; 0 workers; \n"
	  "  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n" },
	{ HEAD "\"config\":{\"path\":\"/etc/wg0.conf\",\"applied\":1700000000,\"error\":\"no\","
	  "\"error_time\":1699999940},\"peers\":[]}",
	  "interface: wg0\n  public key: PUB=\n  listening port: 51820\n  mtu: 1420\n"
	  "  config: /etc/wg0.conf, applied now\n  reload failed 1 minute ago: no\n"
	  "  path: rx , tx ; 0 workers; \n"
	  "  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n" },
	{ HEAD PATH_XDP
	  "\"drops\":{},\"peers\":[{\"public_key\":\"A=\",\"name\":\"alice\","
	  "\"endpoint\":\"192.0.2.1:5\","
	  "\"allowed_ips\":[\"10.0.0.1/32\",\"::/0\"],\"latest_handshake\":1699996339,"
	  "\"rx_bytes\":1023,\"tx_bytes\":1572864,\"persistent_keepalive\":25},"
	  "{\"public_key\":\"B=\",\"name\":\"\",\"endpoint\":\"\",\"allowed_ips\":[],"
	  "\"latest_handshake\":0,\"rx_bytes\":0,\"tx_bytes\":0,\"persistent_keepalive\":0}]}",
	  TEXT_HEAD "\npeer: A=\n  name: alice\n  endpoint: 192.0.2.1:5\n"
		    "  allowed ips: 10.0.0.1/32, ::/0\n"
		    "  latest handshake: 1 hour, 1 minute, 1 second ago\n"
		    "  transfer: 1023 B received, 1.50 MiB sent\n"
		    "  persistent keepalive: every 25 seconds\n"
		    "\npeer: B=\n  allowed ips: (none)\n" },
	{ "{\"interface\":\"wg1\",\"public_key\":null,\"listen_port\":0,\"fwmark\":51820,"
	"\"mtu\":1280,"
	  "\"path\":{\"nic\":null,\"queues\":0,\"workers\":2,\"rx\":\"udp\",\"tx\":\"udp\","
	  "\"xdp_mode\":null,\"zero_copy\":false,\"aead\":\"avx2\",\"why\":\"lo takes no XDP\","
	  "\"pinned\":null,\"rx_packets\":{\"xsk\":0,\"udp\":0},\"tx_packets\":{\"xsk\":0,"
	  "\"udp\":0},\"in_flight\":3},"
	  "\"drops\":{},\"peers\":[{\"public_key\":\"A=\",\"allowed_ips\":[],"
	  "\"latest_handshake\":1700000000},{\"public_key\":\"B=\","
	  "\"latest_handshake\":1700000001}]}",
	  "interface: wg1\n  public key: (none; no private key is set)\n  fwmark: 0xca6c\n  mtu: "
	  "1280\n  version: the daemon is wgxdp 0.2.0 or older, this command is "
	  WGXDP_VERSION "; restart wg1 to use " WGXDP_VERSION "\n"
	  "  path: rx udp, tx udp; 2 workers; avx2\n  why: lo takes no XDP\n"
	  "  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n"
	  "  in flight: 3 messages that the NIC has not sent yet\n"
	  "\npeer: A=\n  allowed ips: (none)\n  latest handshake: now\n"
	  "\npeer: B=\n  allowed ips: (none)\n"
	  "  latest handshake: in the future; the clock was set back\n" },
	{ HEAD PATH_XDP
	  "\"drops\":{},\"peers\":[{\"public_key\":\"A=\",\"endpoint\":\"192.0.2.1:5\","
	  "\"endpoint_name\":\"a.test:5\",\"endpoint_name_why\":null},"
	  "{\"public_key\":\"B=\",\"endpoint\":\"192.0.2.2:5\",\"endpoint_name\":\"b.test:5\","
	  "\"endpoint_name_why\":\"DNS did not answer, next try in 8 s\"},"
	  "{\"public_key\":\"C=\",\"endpoint\":\"\",\"endpoint_name\":\"c.test:5\","
	  "\"endpoint_name_why\":\"DNS has not answered yet\"}]}",
	  TEXT_HEAD "\npeer: A=\n  endpoint: 192.0.2.1:5 (from a.test:5)\n  allowed ips: (none)\n"
		    "\npeer: B=\n  endpoint: 192.0.2.2:5 (from b.test:5; DNS did not answer, next "
		    "try in 8 s)\n  allowed ips: (none)\n"
		    "\npeer: C=\n  endpoint: c.test:5 (unresolved: DNS has not answered yet)\n"
		    "  allowed ips: (none)\n" },
	{ "{\"version\":\"" WGXDP_VERSION "\",\"path\":{\"rx\":\"xdp\",\"tx\":\"xdp\","
	  "\"xdp_mode\":\"native\",\"zero_copy\":true,\"busy_poll_us\":50,\"aead\":\"avx2\"}}",
	  "interface: \n  public key: (none; no private key is set)\n  mtu: 0\n"
	  "  path: rx xdp, tx xdp, native, zero-copy on, busy polling 50 us; 0 workers; avx2\n"
	  "  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n" },
	{ "{\"version\":\"" WGXDP_VERSION "\",\"path\":{\"rx\":\"xdp\",\"tx\":\"xdp\","
	  "\"xdp_mode\":\"native\",\"zero_copy\":false,\"zero_copy_queues\":2,\"queues\":4,"
	  "\"aead\":\"avx2\"}}",
	  "interface: \n  public key: (none; no private key is set)\n  mtu: 0\n"
	  "  path: rx xdp, tx xdp, native, zero-copy on (2 of 4 queues); 0 workers; avx2\n"
	  "  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n" },
	{ "{\"version\":\"" WGXDP_VERSION "\"}",
	  "interface: \n  public key: (none; no private key is set)\n  mtu: 0\n"
		"  path: rx , tx ; 0 workers; \n"
		"  data messages: received 0 xsk, 0 udp; sent 0 xsk, 0 udp\n" },
};
/* clang-format on */

static void prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *object = json_loads(cases[i].json, 0, NULL);
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		assert_non_null(object);
		show_print(out, object, NOW);
		fclose(out);
		if (strcmp(text, cases[i].text) != 0)
			fail_msg("%zu: %s", i, text);
		free(text);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(prints) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
