/* SPDX-License-Identifier: MIT */
#include "daemon/sockets.h"

#include <stdio.h>

#include "util/log.h"
#include "wgxdp/control.h"

#define SOCKET_PATH_LEN 64

static int set_listen_port(void *ctx, uint16_t port)
{
	const struct sockets *s = ctx;

	return dataplane_set_port(s->dataplane, port);
}

static int set_fwmark(void *ctx, uint32_t fwmark)
{
	const struct sockets *s = ctx;

	return dataplane_set_fwmark(s->dataplane, fwmark);
}

static uint16_t listen_port(void *ctx)
{
	const struct sockets *s = ctx;

	return dataplane_port(s->dataplane);
}

static uint32_t fwmark(void *ctx)
{
	const struct sockets *s = ctx;

	return s->dataplane->fwmark;
}

static uint64_t now_ns(void *ctx)
{
	(void)ctx;
	return loop_now_ns();
}

static void endpoint_set(void *ctx, struct peer *peer)
{
	const struct sockets *s = ctx;

	endpoint_names_forget(s->report.names, peer);
}

static const struct uapi_ops uapi_ops = {
	.set_listen_port = set_listen_port,
	.set_fwmark = set_fwmark,
	.listen_port = listen_port,
	.fwmark = fwmark,
	.now_ns = now_ns,
	.endpoint_set = endpoint_set,
};

static void on_socket_deleted(void *ctx)
{
	const struct uapi *uapi = ctx;
	const struct sockets *s = uapi->ctx;

	log_info("the socket file in /var/run/wireguard was deleted, exiting");
	ending_stop(s->ending, 0);
}

static const char *detach(void *ctx)
{
	const struct sockets *s = ctx;

	/* wg-quick has set up addresses, routes and rules, so only wg-quick can undo them. */
	if (s->dataplane->config.options->conf.wg_quick)
		return "wg-quick made this interface; take it down with `wg-quick down` and its "
		       "config file, or with `ip link delete` if the file is gone";
	s->ending->detached = true;
	ending_stop(s->ending, 0);
	return NULL;
}

static unsigned reload(void *ctx, bool exact, bool adopt, struct fault *f)
{
	const struct sockets *s = ctx;

	if (s->reload)
		return reload_begin(s->reload, adopt   ? RELOAD_ADOPT
					       : exact ? RELOAD_ASKED | RELOAD_EXACT
						       : RELOAD_ASKED);
	fault(f, 0, "the interface was not made from a config file; use `wg syncconf`");
	return 0;
}

static unsigned settle(void *ctx, const char **error)
{
	const struct sockets *s = ctx;
	unsigned run = s->reload ? reload_awaited(s->reload) : 0;

	if (!run && s->reload && *s->reload->failed.text)
		*error = s->reload->failed.text;
	return run;
}

static const char *confirm(void *ctx, bool wait)
{
	const struct sockets *s = ctx;
	bool pending = s->confirm && confirm_left_s(s->confirm);

	if (pending && !wait)
		confirm_given(s->confirm);
	return pending ? NULL : "there is nothing to confirm";
}

static bool describe_file(void *ctx, struct report_config *c)
{
	const struct sockets *s = ctx;
	const struct reload *r = s->reload;

	if (!r)
		return false;
	*c = (struct report_config){
		.path = r->config.path,
		.applied_unix_s = r->applied_unix_s,
		.error = r->failed.text[0] ? r->failed.text : NULL,
		.error_unix_s = r->failed_unix_s,
		.confirm_left_s = confirm_left_s(s->confirm),
	};
	return true;
}

int sockets_open(struct sockets *s, struct dataplane *dataplane, struct ending *ending,
		 const struct report *report, int uapi_fd, struct fault *f)
{
	char path[SOCKET_PATH_LEN];
	struct server_config config = {
		.loop = dataplane->config.loop,
		.path = path,
		.directory_mode = 0755,
		.inherited_fd = uapi_fd,
		.protocol = &uapi_protocol,
		.ctx = &s->uapi,
		.deleted = on_socket_deleted,
	};
	const char *interface = dataplane->config.tun->name;
	int err;

	*s = (struct sockets){ .dataplane = dataplane, .ending = ending, .report = *report };
	s->report.detach = detach;
	s->report.reload = reload;
	s->report.settle = settle;
	s->report.confirm = confirm;
	s->report.config = describe_file;
	s->report.ctx = s;
	s->uapi = (struct uapi){ .device = dataplane->config.device, .ops = &uapi_ops, .ctx = s };
	snprintf(path, sizeof(path), UAPI_DIRECTORY "/%s.sock", interface);
	err = ctlserver_new(&s->control, config.loop, interface, &report_ops, &s->report, f);
	return err ? err : server_new(&s->uapi_server, &config, f);
}

void sockets_reloaded(struct sockets *s, unsigned run, const char *error)
{
	if (s->control)
		ctlserver_reloaded(s->control, run, error);
}

void sockets_decided(struct sockets *s, bool stays)
{
	if (s->control)
		ctlserver_decided(s->control, stays);
}

void sockets_stop(struct sockets *s)
{
	if (s->uapi_server)
		server_stop(s->uapi_server);
	if (s->control)
		ctlserver_stop(s->control);
}

void sockets_close_uapi(struct sockets *s)
{
	server_free(s->uapi_server);
	s->uapi_server = NULL;
}

void sockets_close_control(struct sockets *s)
{
	if (s->control)
		ctlserver_detached(s->control);
	ctlserver_free(s->control);
	s->control = NULL;
}
