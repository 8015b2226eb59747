/* SPDX-License-Identifier: MIT */
#include "daemon/names.h"

#include <errno.h>

static void on_answer(void *ctx, int err, const struct resolver_answer *answer, const char *why)
{
	endpoint_names_answered(ctx, err, answer, why, loop_now_ns());
}

/* Returns the resolver whose queries carry the fwmark, and updates the fwmark, which may have
 * changed. */
static struct resolver *marked_resolver(struct names *n)
{
	if (!n->marked)
		n->marked = resolver_new(n->loop, n->dataplane->fwmark);
	if (n->marked)
		resolver_set_fwmark(n->marked, n->dataplane->fwmark);
	return n->marked;
}

static int look_up(void *ctx, struct endpoint_name *name, const char *host, bool marked)
{
	struct names *n = ctx;
	struct resolver *r = marked ? marked_resolver(n) : n->plain;

	name->lookup = r ? resolver_look_up(r, host, on_answer, name) : NULL;
	return name->lookup ? 0 : -ENOMEM;
}

static void cancel(void *ctx, struct endpoint_name *name)
{
	(void)ctx;
	resolver_cancel(name->lookup);
}

static unsigned rank(void *ctx, const struct endpoint *e)
{
	const struct names *n = ctx;

	return nexthops_rank(n->nexthops, e);
}

static bool has_fwmark(void *ctx)
{
	const struct names *n = ctx;

	return n->dataplane->fwmark;
}

static const struct endpoint_names_ops ops = {
	.look_up = look_up,
	.cancel = cancel,
	.rank = rank,
	.has_fwmark = has_fwmark,
};

static void on_timer(void *ctx, uint64_t now_ns)
{
	struct names *n = ctx;

	endpoint_names_run(&n->endpoints, now_ns);
}

int names_init(struct names *n, struct loop *loop, struct device *device, struct nexthops *nexthops,
	       const struct dataplane *dataplane)
{
	*n = (struct names){ .loop = loop, .nexthops = nexthops, .dataplane = dataplane };
	endpoint_names_init(&n->endpoints, device, &ops, n);
	loop_timer_init(&n->timer, loop, on_timer, n);
	n->plain = resolver_new(loop, 0);
	return n->plain ? 0 : -ENOMEM;
}

void names_done(struct names *n)
{
	endpoint_names_done(&n->endpoints);
	resolver_free(n->marked);
	resolver_free(n->plain);
	n->marked = n->plain = NULL;
	loop_timer_done(&n->timer);
}

void names_before_wait(struct names *n)
{
	loop_timer_arm(&n->timer, endpoint_names_next(&n->endpoints));
}
