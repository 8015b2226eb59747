/* SPDX-License-Identifier: MIT */
/*
 * wgxdp check: reports every error of a config file, and every setting that is allowed but looks
 * wrong. Changes nothing.
 */
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "io/netlink.h"

/* Bytes that the tunnel adds to a packet: the outer IP and UDP headers, and the header and tag of a
 * data message. */
#define OVERHEAD_V4 (20 + 8 + 16 + 16)
#define OVERHEAD_V6 (40 + 8 + 16 + 16)

#define BUILT_AFTER 1767225600 /* Unix time of 2026-01-01; every build is newer */

struct findings {
	unsigned faults, warnings;
};

static void print_finding(void *ctx, enum conf_severity severity, const char *sentence)
{
	struct findings *n = ctx;

	if (severity == CONF_FAULT) {
		cli_fail(CLI_CONFIG, "%s", sentence);
		n->faults++;
	} else {
		cli_warn(NULL, sentence);
		n->warnings++;
	}
}

/* The host ------------------------------------------------------------------------------------ */

/* Warns if the clock of this host is far behind, because a peer accepts only handshakes with a
 * later timestamp than the last one. */
static void check_clock(time_t now, struct findings *n)
{
	if (now < BUILT_AFTER)
		print_finding(n, CONF_WARNING,
			      "the clock of this host is years behind, so peers refuse its "
			      "handshakes as replays; set the clock first");
}

static void check_mtu(const struct conf *c, const struct endpoint *e, uint32_t path_mtu,
		      struct findings *n)
{
	uint32_t overhead = e->remote.sa.sa_family == AF_INET ? OVERHEAD_V4 : OVERHEAD_V6;
	char text[ENDPOINT_TEXT_LEN];
	struct fault sentence;

	if (c->mtu + overhead <= path_mtu)
		return;
	fault(&sentence, 0,
	      "%s: MTU = %u: the path to %s has an MTU of %u, so packets of more than %u bytes "
	      "would be fragmented; remove the line, so that wgxdp chooses the MTU",
	      c->path, c->mtu, endpoint_text(e, text), path_mtu, path_mtu - overhead);
	print_finding(n, CONF_WARNING, sentence.text);
}

static void check_nic(struct netlink *nl, const struct conf *c, uint32_t ifindex,
		      struct findings *n)
{
	char kind[NETLINK_QDISC_LEN];
	struct netlink_link link;
	struct fault sentence;

	if (netlink_root_qdisc(nl, ifindex, kind) <= 0 || netlink_link(nl, NULL, ifindex, &link))
		return;
	fault(&sentence, 0,
	      "%s: %s has the queueing discipline %s, which AF_XDP would bypass, so attach sends "
	      "through the UDP sockets; --tx xdp uses AF_XDP nevertheless",
	      c->path, link.name, kind);
	print_finding(n, CONF_WARNING, sentence.text);
}

/* Checks the routes to the peers whose Endpoint is an address. Does not look up names. */
static void check_paths(const struct conf *c, struct findings *n)
{
	const struct netlink_flow flow = { c->fwmark, htons(c->listen_port) };
	struct netlink *nl = netlink_open();
	uint32_t checked = 0; /* index of the NIC that was checked last */

	for (uint32_t i = 0; nl && i < c->peer_count; i++) {
		const struct endpoint *e = &c->peers[i].endpoint;
		struct netlink_route route;

		if (c->peers[i].own || e->remote.sa.sa_family == AF_UNSPEC ||
		    netlink_route(nl, e, &flow, &route) || route.local)
			continue;
		check_mtu(c, e, route.mtu, n);
		if (route.ifindex != checked)
			check_nic(nl, c, route.ifindex, n);
		checked = route.ifindex;
	}
	netlink_close(nl);
}

/* ---------------------------------------------------------------------------------------------- */

static void report(const struct conf *c, const char *interface, unsigned warnings)
{
	unsigned long prefixes = 0;
	unsigned own = 0;

	for (uint32_t i = 0; i < c->peer_count; i++) {
		prefixes += c->peers[i].allowed_count;
		own += c->peers[i].own;
	}
	printf("%s: fine%s\n", c->path, warnings ? ", with warnings" : "");
	printf("  interface: %s\n", interface);
	printf("  private key: %s\n",
	       c->has_private_key ? "(hidden)" : "none; the tunnel waits for wg set");
	if (c->listen_port)
		printf("  listening port: %u\n", c->listen_port);
	else
		printf("  listening port: chosen when the interface comes up\n");
	printf("  peers: %u, with %lu allowed IPs\n", c->peer_count - own, prefixes);
	if (own)
		printf("  skipped: %u peer that is this host itself\n", own);
}

int check_main(int argc, char **argv)
{
	char path[PATH_MAX], interface[IFNAME_MAX + 1];
	struct findings n = { 0 };
	struct fault f;
	struct conf c;

	if (argc != 2 || argv[1][0] == '-')
		return cli_fail(CLI_USAGE, "usage: wgxdp check CONF");
	if (conf_find(argv[1], path, interface, &f))
		return cli_fail(CLI_CONFIG, "%s", f.text);
	if (conf_check_file(&c, path, print_finding, &n)) {
		if (n.faults > 1)
			cli_fail(CLI_CONFIG, "%s: %u faults", path, n.faults);
		return CLI_CONFIG;
	}
	check_clock(time(NULL), &n);
	check_paths(&c, &n);
	report(&c, interface, n.warnings);
	conf_done(&c);
	return CLI_OK;
}
