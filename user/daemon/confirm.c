/* SPDX-License-Identifier: MIT */
#include "daemon/confirm.h"

#include "util/log.h"

#define NS 1000000000ULL

static void on_deadline(void *ctx, uint64_t now_ns)
{
	struct confirm *c = ctx;

	if (c->state == CONFIRM_EXPIRED) {
		log_error("no process has detached the unconfirmed tunnel; exiting");
		c->ops->end(c->ctx);
		return;
	}
	log_error("the tunnel was not confirmed in time; undoing everything");
	c->state = CONFIRM_EXPIRED;
	c->deadline_ns = now_ns + CONFIRM_GRACE_NS;
	loop_timer_arm(&c->timer, c->deadline_ns);
	c->ops->decided(c->ctx, false);
}

void confirm_begin(struct confirm *c, struct loop *loop, uint32_t seconds,
		   const struct confirm_ops *ops, void *ctx)
{
	*c = (struct confirm){ .ops = ops,
			       .ctx = ctx,
			       .state = CONFIRM_PENDING,
			       .deadline_ns = loop_now_ns() + seconds * NS };
	loop_timer_init(&c->timer, loop, on_deadline, c);
	loop_timer_arm(&c->timer, c->deadline_ns);
}

void confirm_done(struct confirm *c)
{
	loop_timer_done(&c->timer);
}

bool confirm_given(struct confirm *c)
{
	if (c->state != CONFIRM_PENDING)
		return false;
	c->state = CONFIRM_OFF;
	loop_timer_cancel(&c->timer);
	log_info("confirmed");
	c->ops->decided(c->ctx, true);
	return true;
}

uint32_t confirm_left_s(const struct confirm *c)
{
	uint64_t now_ns = loop_now_ns();

	if (c->state != CONFIRM_PENDING)
		return 0;
	return c->deadline_ns > now_ns ? (uint32_t)((c->deadline_ns - now_ns) / NS) + 1 : 1;
}
