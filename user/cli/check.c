/* SPDX-License-Identifier: MIT */
/*
 * wgxdp check: reports every error of a config file, every setting that is allowed but looks wrong,
 * and what would keep `wgxdp attach` from using XDP on this host. Changes nothing.
 */
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "conf/conf.h"
#include "daemon/name_lock.h"
#include "dataplane/nic_advice.h"
#include "dataplane/nic_choice.h"
#include "dataplane/workers.h"
#include "host/dns.h"
#include "io/netlink.h"
#include "util/file.h"

#define USAGE "usage: wgxdp check [NIC[,NIC...]] CONF"

/* Bytes that the tunnel adds to a packet: the outer IP and UDP headers, and the header and tag of a
 * data message. */
#define OVERHEAD_V4 (20 + 8 + 16 + 16)
#define OVERHEAD_V6 (40 + 8 + 16 + 16)

/* If the kernel has no IPv6, there is no such sysctl. */
#define IPV6_DISABLED "/proc/sys/net/ipv6/conf/default/disable_ipv6"

#define BUILT_AFTER 1767225600 /* Unix time of 2026-01-01; a clock before this date is wrong */

struct findings {
	unsigned faults, warnings;
	bool unseen; /* not root, so the settings that AF_XDP would bypass could not be read */
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

/* Warns if the clock of this host is far behind, because a peer accepts a handshake only if its
 * timestamp is later than that of our previous handshake. */
static void check_clock(time_t now, struct findings *n)
{
	if (now < BUILT_AFTER)
		print_finding(n, CONF_WARNING,
			      "the clock of this host is years behind, so peers refuse its "
			      "handshakes as replays; set the clock first");
}

/* Warns if the file has DNS servers but no program that could set them is installed. */
static void check_dns(const struct conf *c, const char *interface, struct findings *n)
{
	struct fault why, sentence;
	struct dns dns;

	if (!c->dns_servers.count || !dns_choose(&dns, interface, &why))
		return;
	fault(&sentence, 0, "%s: DNS = %s: attach would fail: %.400s", c->path,
	      c->dns_servers.items[0], why.text);
	print_finding(n, CONF_WARNING, sentence.text);
}

/* Warns if the file needs IPv6 and IPv6 is switched off for new interfaces. Does not warn if there
 * is a PreUp command, which may switch IPv6 on. */
static void check_ipv6(const struct conf *c, struct findings *n)
{
	const struct prefix *prefix = conf_ipv6(c);
	const char *remedy = "IPv6 is disabled on this host; run sysctl "
			     "net.ipv6.conf.default.disable_ipv6=0, or remove IPv6 from the file";
	char text[PREFIX_TEXT_LEN];
	struct fault sentence;

	if (!prefix || c->hooks[CONF_PRE_UP].count || !file_switched_on(IPV6_DISABLED, true))
		return;
	if (access(IPV6_DISABLED, F_OK))
		remedy = "the kernel of this host has no IPv6; remove IPv6 from the file";
	fault(&sentence, 0, "%s: %s: attach would fail: %s", c->path, prefix_text(prefix, text),
	      remedy);
	print_finding(n, CONF_WARNING, sentence.text);
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

/* Checks the MTU of the file against the routes to the peers whose Endpoint is an address. Does not
 * look up names. @tunnel is the ifindex of the tunnel interface, or 0 if there is none. Routes
 * through the tunnel (0.0.0.0/0) are ignored, because they are not the path to the peer. */
static void check_paths(struct netlink *nl, const struct conf *c, uint32_t tunnel,
			struct findings *n)
{
	const struct netlink_flow flow = { c->fwmark, htons(c->listen_port) };

	for (uint32_t i = 0; i < c->peer_count; i++) {
		const struct endpoint *e = &c->peers[i].endpoint;
		struct netlink_route route;

		if (!c->peers[i].own && e->remote.sa.sa_family != AF_UNSPEC &&
		    !netlink_route(nl, e, &flow, &route) && !route.local && route.ifindex != tunnel)
			check_mtu(c, e, route.mtu, n);
	}
}

/* Prints one warning for each reason why the NIC cannot use XDP, and one for each setting of the
 * host that AF_XDP would bypass. */
static void check_nic(struct netlink *nl, const struct options *options, const char *name,
		      struct findings *n)
{
	struct nic_judgement judgement;
	struct nic_facts facts;
	struct fault sentence;

	if (nic_facts_read(&facts, nl, options, name))
		return;
	nic_judge(&judgement, &facts, options, workers_most(options));
	for (unsigned i = 0; i < judgement.reason_count; i++) {
		const struct nic_reason *reason = &judgement.reasons[i];

		fault(&sentence, 0, "%s%s",
		      reason->kind == NIC_WITHOUT_XDP ? "data would go through the UDP sockets: "
						      : "",
		      reason->sentence.text);
		if (reason->kind == NIC_WITHOUT_XDP || reason->kind == NIC_BYPASSED)
			print_finding(n, CONF_WARNING, sentence.text);
	}
	n->unseen |= !facts.privileged && (judgement.rx_xdp || judgement.tx_xdp);
}

/* Checks the NICs that attach would choose. If the tunnel is up, checks only whether each NIC that
 * the user named exists. (`wgxdp show` then says which path data takes and why.) Returns 0, or
 * -errno with @f filled in if a named NIC does not exist. */
static int check_nics(struct netlink *nl, const struct options *options, const struct conf *c,
		      bool up, struct findings *n, struct fault *f)
{
	struct nic nics[OPTIONS_NICS_MAX];
	struct nic_choice choice = { .nics = nics };
	int err = nic_choice_named(&choice, nl, options, f);

	if (!err && !options->nics.count)
		nic_choice_routed(&choice, nl, c, c->fwmark);
	for (unsigned i = 0; i < choice.count && !err && !up; i++)
		check_nic(nl, options, nics[i].name, n);
	return err;
}

/* Returns true if a daemon serves this name, even if its interface is in another namespace. */
static bool is_served(const char *interface)
{
	int pid;

	return name_lock_exists(interface) && !name_lock_is_stale(interface, &pid);
}

/* Warns of everything on this host that would keep the config from working as intended. Returns 0,
 * or -errno with @f filled in if a named NIC does not exist. */
static int check_host(const struct options *options, const struct conf *c, struct findings *n,
		      struct fault *f)
{
	uint32_t tunnel = if_nametoindex(options->interface);
	struct netlink *nl = netlink_open();
	bool up = tunnel || is_served(options->interface);
	int err = 0;

	check_clock(time(NULL), n);
	check_dns(c, options->interface, n);
	check_ipv6(c, n);
	if (nl)
		check_paths(nl, c, tunnel, n);
	if (nl)
		err = check_nics(nl, options, c, up, n, f);
	netlink_close(nl);
	return err;
}

/* ---------------------------------------------------------------------------------------------- */

static void report(const struct conf *c, const char *interface, const struct findings *n)
{
	unsigned long prefixes = 0;
	unsigned own = 0;

	for (uint32_t i = 0; i < c->peer_count; i++) {
		prefixes += c->peers[i].allowed_count;
		own += c->peers[i].own;
	}
	printf("%s: fine%s\n", c->path, n->warnings ? ", with warnings" : "");
	printf("  interface: %s\n", interface);
	printf("  private key: %s\n",
	       c->has_private_key ? "(hidden)" : "none; the tunnel waits for `wg set`");
	if (c->listen_port)
		printf("  listening port: %u\n", c->listen_port);
	else
		printf("  listening port: chosen when the interface comes up\n");
	printf("  peers: %u, with %lu allowed IPs\n", c->peer_count - own, prefixes);
	if (own)
		printf("  skipped: %u peer that is this host itself\n", own);
	if (n->unseen)
		printf("  not checked: what AF_XDP would bypass on this host (this needs root, or "
		       "CAP_NET_ADMIN)\n");
}

/* Parses the arguments. The variable WGXDP_NIC names the NICs if no argument does. */
static int parse(struct options *options, int argc, char **argv, struct fault *f)
{
	options_default(options);
	if (argc < 2 || argc > 3 || cli_is_option(&argv[1]) || cli_is_option(&argv[argc - 1]))
		return fault(f, CLI_USAGE, "%s%s", USAGE, cli_dash_hint(argv[1]));
	return argc == 3 ? options_set_nics(options, argv[1], f) : options_read_nics(options, f);
}

int check_main(int argc, char **argv)
{
	struct findings n = { 0 };
	struct options options;
	char path[PATH_MAX];
	struct fault f;
	struct conf c;
	int err;

	if (parse(&options, argc, argv, &f))
		return cli_fail(CLI_USAGE, "%s", f.text);
	if (conf_find(argv[argc - 1], path, options.interface, &f))
		return cli_fail(CLI_CONFIG, "%s", f.text);
	if (conf_check_file(&c, path, print_finding, &n)) {
		if (n.faults > 1)
			cli_fail(CLI_CONFIG, "%s: %u faults", path, n.faults);
		return CLI_CONFIG;
	}
	err = check_host(&options, &c, &n, &f);
	if (!err)
		report(&c, options.interface, &n);
	conf_done(&c);
	return err ? cli_fail(CLI_FAILED, "%s", f.text) : CLI_OK;
}
