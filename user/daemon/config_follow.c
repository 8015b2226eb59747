/* SPDX-License-Identifier: MIT */
#include "daemon/config_follow.h"

#include <errno.h>
#include <string.h>

#include "daemon/hook_record.h"
#include "host/host.h"
#include "host/plan.h"
#include "util/fault.h"
#include "util/log.h"

static int record_hooks(struct config_follow *c, const struct conf *conf, struct fault *f)
{
	int err = hook_record_write(c->options->interface, conf, c->options->conf.path);

	c->has_hooks = conf->hooks[CONF_PRE_DOWN].count || conf->hooks[CONF_POST_DOWN].count;
	return err ? fault(f, err, "cannot record the hooks: %s", strerror(-err)) : 0;
}

/* If something other than detach ended the daemon after attach succeeded, the record of the hooks
 * stays, because the hooks have not run. The next detach or attach runs them. */
void config_follow_end_record(const struct config_follow *c, const struct ending *ending)
{
	if (c->has_hooks && ending->committed && !ending->detached)
		log_info("PreDown and PostDown have not run; `wgxdp detach %s%s` runs them",
			 fault_dashes(c->options->interface), c->options->interface);
	else if (c->options->conf.path)
		hook_record_remove(c->options->interface);
}

/* Sets the port. If @port is 0 and the kernel chose the current port, keeps the current port,
 * because peers know it. */
static int set_port(void *ctx, uint16_t port)
{
	struct config_follow *c = ctx;

	return !port && !c->dataplane->wanted_port ? 0 : dataplane_set_port(c->dataplane, port);
}

/* Sets the mark. Does nothing if the tunnel has a default route, because the host module sets the
 * mark of such a tunnel. */
static int set_fwmark(void *ctx, const struct conf *conf)
{
	struct config_follow *c = ctx;

	return plan_wants_mark(conf) ? 0 : dataplane_set_fwmark(c->dataplane, conf->fwmark);
}

static void host_applied(void *ctx, int result, const struct fault *f)
{
	struct config_follow *c = ctx;

	if (!result && c->hooks_err)
		reload_host_set(&c->reload, c->hooks_err, &c->hooks_fault);
	else
		reload_host_set(&c->reload, result, f);
}

/* Sets up the host. Before that, copies the endpoints of peers with an endpoint name from the
 * device to @conf, because the MTU may depend on these endpoints. */
static void set_host(void *ctx, struct conf *conf)
{
	struct config_follow *c = ctx;

	for (uint32_t i = 0; i < conf->peer_count; i++) {
		struct conf_peer *peer = &conf->peers[i];
		const struct peer *p = NULL;

		if (peer->named)
			p = device_find(c->reload.config.device, peer->public_key);
		if (p)
			peer->endpoint = p->endpoint;
	}
	c->hooks_err = record_hooks(c, conf, &c->hooks_fault);
	host_apply(c->host, conf, host_applied, c);
}

static void ended(void *ctx, unsigned run, const char *error)
{
	struct config_follow *c = ctx;

	sockets_reloaded(c->sockets, run, error);
}

static const struct reload_ops ops = {
	.set_port = set_port,
	.set_fwmark = set_fwmark,
	.set_host = set_host,
	.ended = ended,
};

int config_follow_start(struct config_follow *c, struct loop *loop, struct endpoint_names *names,
			struct conf *conf, struct fault *f)
{
	const struct reload_config config = {
		.loop = loop,
		.device = c->dataplane->config.device,
		.names = names,
		.ops = &ops,
		.ctx = c,
		.path = c->options->conf.path,
		.read = *c->options->conf.st,
		.watch = !c->options->conf.no_watch,
	};
	int err = record_hooks(c, conf, f);

	if (err)
		return err;
	err = reload_init(&c->reload, &config, conf);
	if (err)
		return fault(f, err, "cannot watch the config file for changes: %s",
			     strerror(-err));
	c->sockets->reload = &c->reload;
	c->sockets->confirm = &c->confirm;
	return 0;
}

void config_follow_stop(struct config_follow *c)
{
	confirm_done(&c->confirm);
	reload_done(&c->reload);
}

static void decided(void *ctx, bool stays)
{
	const struct config_follow *c = ctx;

	sockets_decided(c->sockets, stays);
}

static void end(void *ctx)
{
	const struct config_follow *c = ctx;

	ending_stop(c->ending, 1);
}

static const struct confirm_ops confirm_ops = { .decided = decided, .end = end };

static void hangup(void *ctx)
{
	struct config_follow *c = ctx;

	reload_begin(&c->reload, RELOAD_ASKED);
}

static void end_anyway(void *ctx)
{
	const struct config_follow *c = ctx;

	ending_stop(c->ending, 0);
}

/* If there are hooks or SaveConfig, starts `wgxdp detach` on the first signal and returns true. On
 * a second signal, when the command is already running (-EALREADY), returns false, so that the
 * daemon ends at once. */
static bool signalled(void *ctx)
{
	struct config_follow *c = ctx;
	int err;

	if (!c->has_hooks && !c->reload.applied.save_config)
		return false;
	err = detach_child_start(&c->detach_child, c->reload.config.loop, c->options->interface,
				 end_anyway, c);
	if (err && err != -EALREADY)
		log_error("cannot start `wgxdp detach`: %s", strerror(-err));
	return err == 0;
}

static void committed(void *ctx)
{
	struct config_follow *c = ctx;

	if (c->options->conf.confirm_s)
		confirm_begin(&c->confirm, c->reload.config.loop, c->options->conf.confirm_s,
			      &confirm_ops, c);
}

const struct ending_ops config_follow_ending_ops = {
	.hangup = hangup,
	.signalled = signalled,
	.committed = committed,
};
