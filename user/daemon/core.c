/* SPDX-License-Identifier: MIT */
#include "daemon/core.h"

#include <errno.h>
#include <string.h>

#include "crypto/aead.h"
#include "daemon/device_ops.h"
#include "daemon/vmgenid.h"
#include "util/log.h"
#include "util/secure.h"

/* How soon the daemon tries again to free retired objects (path/qsbr.h). */
#define COLLECT_NS (10 * NS_PER_MS)

static void on_protocol_timer(void *ctx, uint64_t now_ns)
{
	struct core *c = ctx;

	device_tick(&c->device, now_ns);
}

static void on_collect_timer(void *ctx, uint64_t now_ns)
{
	(void)ctx; /* The timer only wakes the loop; core_before_wait() does the work. */
	(void)now_ns;
}

void core_before_wait(struct core *c)
{
	loop_timer_arm(&c->protocol_timer, device_next(&c->device));
	if (qsbr_collect(c->qsbr))
		loop_timer_arm(&c->collect_timer, loop_now_ns() + COLLECT_NS);
	else
		loop_timer_cancel(&c->collect_timer);
}

/* Wipes all keys after a suspend, or after this virtual machine was restored or cloned, because no
 * key that was in memory may be used again. The workers seal nothing until the keys are wiped
 * (path/suspend.h). */
static void wipe_if_stale(void *ctx)
{
	struct core *c = ctx;
	struct suspend_mark mark;

	if (!suspend_stale(&c->suspend))
		return;
	mark = suspend_begin(&c->suspend);
	device_zero_all(&c->device, loop_now_ns());
	suspend_end(&c->suspend, mark);
	log_info("the host was suspended, restored or cloned, so all session keys are wiped");
}

static int select_aead(const struct options *options, struct fault *f)
{
	const char *failed = NULL;
	int err = aead_select(options->aead, &failed);

	if (failed)
		log_error("AEAD backend %s fails its self-test and is not used", failed);
	if (!err)
		return 0;
	return fault(f, err, "--aead %s: %s", options->aead ?: "auto",
		     err == -ENOENT ? "there is no such backend; try auto"
				    : "it does not work on this CPU; try auto");
}

int core_init(struct core *c, struct loop *loop, const struct options *options,
	      struct device_ops_env *env, void *mapsync, struct fault *f)
{
	int err = secure_memory();

	if (err)
		log_info("cannot lock memory (%s), so keys may be swapped out; set "
			 "LimitMEMLOCK=infinity, or run with CAP_IPC_LOCK in the initial user "
			 "namespace",
			 strerror(-err));
	err = select_aead(options, f);
	if (err)
		return err;
	c->loop = loop;
	suspend_init(&c->suspend);
	loop_timer_init(&c->protocol_timer, loop, on_protocol_timer, c);
	loop_timer_init(&c->collect_timer, loop, on_collect_timer, c);
	c->qsbr = qsbr_new();
	err = c->qsbr ? device_init(&c->device, &device_ops_all, env, &mapsync_mirror, mapsync)
		      : -ENOMEM;
	if (!err)
		err = device_set_handshake_rate(&c->device, options->handshake_rate);
	return err ? fault(f, err, "out of memory") : 0;
}

void core_watch(struct core *c)
{
	int err;

	loop_on_wake(c->loop, wipe_if_stale, c);
	err = vmgenid_watch(&c->vmgenid, c->loop, &c->suspend);
	if (err)
		log_info("a restore or clone of this virtual machine will not be noticed: %s",
			 strerror(-err));
}

void core_stop(struct core *c)
{
	vmgenid_unwatch(c->vmgenid);
	c->vmgenid = NULL;
	if (c->device.ops)
		device_done(&c->device);
}

void core_done(struct core *c)
{
	loop_timer_done(&c->protocol_timer);
	loop_timer_done(&c->collect_timer);
	qsbr_free(c->qsbr);
	c->qsbr = NULL;
}
