/* SPDX-License-Identifier: MIT */
#include "control/ctlserver.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "version.h"
#include "wgxdp/control.h"

#define LAST_ANSWERS_MS 1000

struct ctlserver {
	struct server *server;
	const struct ctlserver_ops *ops;
	void *ctx;
	struct waiting *waiting;
};

/* The event that a client waits for: the end of the daemon (FOR_END), the decision whether the
 * tunnel stays (FOR_DECISION), or the end of a reload (the number of the reload). */
#define FOR_END 0
#define FOR_DECISION UINT_MAX

/* The state of one connection: its entry in the list of clients that wait for a deferred answer,
 * and its unfinished reply to `show`. */
struct waiting {
	struct waiting *next;
	struct server_client *client;
	unsigned what;
	struct ctlserver_show show;
};

static void answer(struct buffer *reply, json_t *object)
{
	char *text;

	json_object_set_new(object, CONTROL_VERSION, json_string(WGXDP_VERSION));
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	if (text)
		buffer_printf(reply, "%s\n", text);
	else
		buffer_printf(reply, "{\"" CONTROL_ERROR "\":\"out of memory\"}\n");
	free(text);
	json_decref(object);
}

static json_t *set(struct ctlserver *c, const json_t *request)
{
	const json_t *debug = json_object_get(request, CONTROL_DEBUG);

	if (!json_is_boolean(debug))
		return json_pack("{s:s}", CONTROL_ERROR,
				 "this daemon can set only \"debug\": true or false");
	return c->ops->set_debug(c->ctx, json_is_true(debug));
}

static void end_show(struct waiting *w)
{
	free(w->show.tail);
	w->show = (struct ctlserver_show){ 0 };
}

/* Makes the client wait for the event @what. Returns SERVER_LATER, which on_line() must return in
 * turn. */
static int wait_for(struct ctlserver *c, struct waiting *w, struct server_client *client,
		    unsigned what)
{
	w->client = client;
	w->what = what;
	w->next = c->waiting;
	c->waiting = w;
	return SERVER_LATER;
}

static int reload(struct ctlserver *c, struct waiting *w, struct server_client *client,
		  const json_t *request, struct buffer *reply)
{
	bool exact = json_is_true(json_object_get(request, CONTROL_EXACT));
	bool adopt = json_is_true(json_object_get(request, CONTROL_ADOPT));
	struct fault f;
	unsigned run = c->ops->reload(c->ctx, exact, adopt, &f);

	if (run)
		return wait_for(c, w, client, run);
	answer(reply, json_pack("{s:s}", CONTROL_ERROR, f.text));
	return 0;
}

/* @error: why the reload failed; NULL = it succeeded. */
static json_t *reload_result(const char *error)
{
	return error ? json_pack("{s:s, s:b}", CONTROL_ERROR, error, CONTROL_FAILED, true)
		     : json_pack("{s:b}", CONTROL_OK, true);
}

static int settle(struct ctlserver *c, struct waiting *w, struct server_client *client,
		  struct buffer *reply)
{
	const char *error = NULL;
	unsigned run = c->ops->settle(c->ctx, &error);

	if (run)
		return wait_for(c, w, client, run);
	answer(reply, reload_result(error));
	return 0;
}

static int detach(struct ctlserver *c, struct waiting *w, struct server_client *client,
		  struct buffer *reply)
{
	const char *refusal = c->ops->detach(c->ctx);

	if (!refusal)
		return wait_for(c, w, client, FOR_END);
	answer(reply, json_pack("{s:s}", CONTROL_ERROR, refusal));
	return 0;
}

static int confirm(struct ctlserver *c, struct waiting *w, struct server_client *client,
		   const json_t *request, struct buffer *reply)
{
	bool waits = json_is_true(json_object_get(request, CONTROL_WAIT));
	const char *refusal = c->ops->confirm(c->ctx, waits);

	if (!refusal && waits)
		return wait_for(c, w, client, FOR_DECISION);
	answer(reply, refusal ? json_pack("{s:s}", CONTROL_ERROR, refusal)
			      : json_pack("{s:b}", CONTROL_OK, true));
	return 0;
}

static void unlink_waiting(struct ctlserver *c, const struct waiting *w)
{
	for (struct waiting **at = &c->waiting; *at; at = &(*at)->next)
		if (*at == w) {
			*at = (*at)->next;
			break;
		}
}

static int on_line(void *ctx, void *session, struct server_client *client, char *line, size_t len,
		   struct buffer *reply)
{
	struct ctlserver *c = ctx;
	struct waiting *w = session;
	json_t *request = json_loadb(line, len, 0, NULL);
	const char *op = json_string_value(json_object_get(request, CONTROL_OP));
	int result = 0;

	if (!op) {
		answer(reply,
		       json_pack("{s:s}", CONTROL_ERROR,
				 "the request is not a JSON object with a string \"op\"; send for "
				 "example {\"op\":\"show\"}"));
	} else if (strcmp(op, CONTROL_OP_SHOW) == 0) {
		result = c->ops->show_begin(c->ctx, &w->show, reply);
	} else if (strcmp(op, CONTROL_OP_SET) == 0) {
		answer(reply, set(c, request));
	} else if (strcmp(op, CONTROL_OP_LOGS) == 0) {
		answer(reply, c->ops->logs(c->ctx));
	} else if (strcmp(op, CONTROL_OP_RELOAD) == 0) {
		result = reload(c, w, client, request, reply);
	} else if (strcmp(op, CONTROL_OP_SETTLE) == 0) {
		result = settle(c, w, client, reply);
	} else if (strcmp(op, CONTROL_OP_CONFIRM) == 0) {
		result = confirm(c, w, client, request, reply);
	} else if (strcmp(op, CONTROL_OP_DETACH) == 0) {
		result = detach(c, w, client, reply);
	} else {
		answer(reply, json_pack("{s:s}", CONTROL_ERROR,
					"this version of the daemon does not know that request"));
	}
	json_decref(request);
	return result;
}

static int on_more(void *ctx, void *session, struct buffer *reply)
{
	struct ctlserver *c = ctx;
	struct waiting *w = session;
	int result = c->ops->show_more(c->ctx, &w->show, reply);

	if (result <= 0)
		end_show(w);
	return result;
}

static void on_close(void *ctx, void *session, struct server_client *client)
{
	struct ctlserver *c = ctx;

	(void)client;
	end_show(session);
	unlink_waiting(c, session);
}

static const struct server_protocol protocol = {
	.line_max = CONTROL_REQUEST_MAX,
	.session_size = sizeof(struct waiting),
	.line = on_line,
	.more = on_more,
	.close = on_close,
};

int ctlserver_new(struct ctlserver **c, struct loop *loop, const char *interface,
		  const struct ctlserver_ops *ops, void *ctx, struct fault *f)
{
	struct ctlserver *n = calloc(1, sizeof(*n));
	char path[sizeof(CONTROL_DIRECTORY) + 64];
	struct server_config config = {
		.loop = loop,
		.path = path,
		.directory_mode = 0700,
		.inherited_fd = -1,
		.protocol = &protocol,
		.ctx = n,
	};
	int err;

	if (!n)
		return fault(f, -ENOMEM, "%s: out of memory", interface);
	n->ops = ops;
	n->ctx = ctx;
	snprintf(path, sizeof(path), CONTROL_DIRECTORY "/%.32s" CONTROL_SUFFIX, interface);
	err = server_new(&n->server, &config, f);
	if (err) {
		free(n);
		return err;
	}
	*c = n;
	return 0;
}

/* Sends @object to the clients that wait for @what, and releases @object. */
static void answer_waiting(struct ctlserver *c, unsigned what, json_t *object)
{
	struct buffer out = { 0 };

	answer(&out, object);
	for (struct waiting **at = &c->waiting; *at;) {
		struct waiting *w = *at;

		if (w->what != what) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		server_send(w->client, &out);
	}
	buffer_done(&out);
}

void ctlserver_stop(struct ctlserver *c)
{
	server_stop(c->server);
}

void ctlserver_detached(struct ctlserver *c)
{
	answer_waiting(c, FOR_END, json_pack("{s:b}", CONTROL_OK, true));
	server_flush(c->server, LAST_ANSWERS_MS);
}

void ctlserver_reloaded(struct ctlserver *c, unsigned run, const char *error)
{
	answer_waiting(c, run, reload_result(error));
}

void ctlserver_decided(struct ctlserver *c, bool stays)
{
	answer_waiting(c, FOR_DECISION, json_pack("{s:b}", CONTROL_OK, stays));
}

void ctlserver_free(struct ctlserver *c)
{
	if (!c)
		return;
	server_free(c->server);
	free(c);
}
