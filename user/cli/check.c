/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/cli.h"
#include "conf/conf.h"

static void count_warning(void *ctx, const char *sentence)
{
	unsigned *warnings = ctx;

	cli_warn(NULL, sentence);
	++*warnings;
}

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
		printf("  listening port: chosen when it comes up\n");
	printf("  peers: %u, with %lu allowed IPs\n", c->peer_count - own, prefixes);
	if (own)
		printf("  skipped: %u peer that is this host itself\n", own);
}

int check_main(int argc, char **argv)
{
	char path[PATH_MAX], interface[IFNAME_MAX + 1];
	unsigned warnings = 0;
	struct fault f;
	struct conf c;

	if (argc != 2 || argv[1][0] == '-')
		return cli_fail(CLI_USAGE, "usage: wgxdp check CONF");
	if (conf_find(argv[1], path, interface, &f) ||
	    conf_read(&c, path, count_warning, &warnings, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	report(&c, interface, warnings);
	conf_done(&c);
	return CLI_OK;
}
