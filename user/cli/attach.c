/* SPDX-License-Identifier: MIT */
/*
 * wgxdp attach: reads the config, starts the daemon, and sets up addresses and routes. The daemon
 * stays on a lease of this command until all of that is done (daemon/lease.h). Until then any end
 * of this command, Ctrl-C included, undoes everything.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/setup.h"
#include "daemon/daemon.h"
#include "daemon/lease.h"
#include "util/log.h"

/* At boot DNS may come up later than wgxdp. wg(8) tries as often; the waits add up to a minute. */
#define RESOLVE_TRIES 15

/* Nothing has been set up yet, so any signal may end the wait. */
static int resolve_endpoints(struct conf *conf, struct fault *f)
{
	uint64_t wait_ns = NS_PER_S;
	unsigned tries = 1;
	struct timespec ts;
	int err = 0;

	for (uint32_t i = 0; i < conf->peer_count && !err; i++) {
		if (conf->peers[i].own)
			continue;
		while ((err = conf_resolve(&conf->peers[i])) == -EAGAIN && tries < RESOLVE_TRIES) {
			if (tries++ == 1) {
				fault(f, 0, "%s: the name cannot be looked up now; waiting for DNS",
				      conf->peers[i].host);
				cli_warn(NULL, f->text);
			}
			ts.tv_sec = (time_t)(wait_ns / NS_PER_S);
			ts.tv_nsec = (long)(wait_ns % NS_PER_S);
			nanosleep(&ts, NULL);
			wait_ns += wait_ns / 5;
		}
		if (err)
			fault(f, err, "%s:%u: %s: %s", conf->path, conf->peers[i].endpoint_line,
			      conf->peers[i].host,
			      err == -EAGAIN ? "the name cannot be looked up now"
					     : "there is no such host; look at the Endpoint");
	}
	return err;
}

/* Makes a tunnel that is up of a daemon that is ready. */
static int bring_up(int lease, const struct conf *conf, struct fault *f)
{
	uint32_t ifindex, port;
	int err = lease_wait(lease, "ready", &ifindex, f);

	if (!err)
		err = setup_link(ifindex, conf, f);
	if (!err)
		err = lease_wait(lease, "up", &port, f);
	if (!err)
		err = setup_routes(ifindex, conf, cli_warn, f);
	if (!err)
		err = setup_verify(ifindex, conf, f);
	if (err) {
		lease_cancel(lease);
		return err;
	}
	err = lease_commit(lease);
	return err ? fault(f, err, "the daemon exited; try --foreground") : 0;
}

/* The config file may ask for more than attach does yet. */
static int check_supported(const struct conf *c, struct fault *f)
{
	static const char *const hooks[CONF_HOOK_COUNT] = { "PreUp", "PostUp", "PreDown",
							    "PostDown" };
	const char *key = NULL;

	for (unsigned i = 0; i < CONF_HOOK_COUNT; i++)
		if (c->hooks[i].count)
			key = hooks[i];
	if (c->dns_servers.count || c->dns_search.count)
		key = "DNS";
	if (c->table == CONF_TABLE_NUMBER)
		key = "Table with a number";
	if (c->save_config)
		key = "SaveConfig = true";
	for (uint32_t i = 0; i < c->peer_count && c->table == CONF_TABLE_AUTO; i++)
		for (uint32_t j = 0; j < c->peers[i].allowed_count; j++)
			if (!c->peers[i].allowed[j].length)
				key = "a default route in AllowedIPs with Table = auto";
	if (!key)
		return 0;
	return fault(f, -ENOTSUP,
		     "%s: attach does not support %s yet; remove it, and do its work "
		     "before or after attach",
		     c->path, key);
}

int attach_main(int argc, char **argv)
{
	struct conf conf = { 0 };
	struct options options;
	struct fault f = { "" };
	char path[PATH_MAX];
	const char *arg;
	int lease;

	options_default(&options);
	if (options_parse(&options, argc, argv, &arg, &f))
		return cli_fail(CLI_USAGE, "%s", f.text);
	if (conf_find(arg, path, options.interface, &f) ||
	    conf_read(&conf, path, cli_warn, NULL, &f))
		return cli_fail(CLI_FAILED, "%s", f.text);
	if (check_supported(&conf, &f) || resolve_endpoints(&conf, &f) ||
	    setup_choose_mtu(&conf, &f))
		goto failed;
	lease = lease_start(&options, &conf, daemon_run, &f);
	if (lease < 0 || bring_up(lease, &conf, &f))
		goto failed;
	conf_done(&conf);
	return CLI_OK;
failed:
	conf_done(&conf);
	return cli_fail(CLI_FAILED, "%s", f.text);
}
