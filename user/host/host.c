/* SPDX-License-Identifier: MIT */
/*
 * host.c - applies a config, checks the settings, and undoes them. Applying and checking are
 * sequences of steps. Steps that take long with many addresses, routes or peers run in a thread, so
 * that the control thread serves other events meanwhile:
 *
 *   host_apply() ─▶ prepare ─▶ change ─▶ confirm ─▶ the new state is the current one
 *                               │ error   │ error
 *                               └─────────┴─▶ change, back to the last state
 *   keep.h ─▶ check
 *
 * One sequence runs at a time. A host_apply() during a check begins after the check. Checks and
 * host_moved() wait until the apply has ended.
 */
#include "host/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "host/endpoint_check.h"
#include "host/host_private.h"
#include "host/record.h"
#include "io/netlink.h"
#include "util/log.h"

/* Sequences ------------------------------------------------------------------------------------ */

struct step {
	step_fn *run; /* NULL = the end of the sequence */
	bool in_thread;
};

static void run_step(struct host *h)
{
	struct sequence *s = &h->sequence;
	struct fault f = { "" };
	int err = s->next->run(h, s->from, s->to, &f);

	if (err && !s->err) {
		s->err = err;
		s->fault = f;
	}
	s->next++;
}

static bool has_step(const struct sequence *s)
{
	return s->next->run && (!s->err || s->thorough);
}

static void run_in_thread(void *ctx)
{
	struct host *h = ctx;

	while (has_step(&h->sequence) && h->sequence.next->in_thread)
		run_step(h);
}

/* Runs steps in the control thread. At a step that must run in the separate thread, starts the job.
 * After the last step, ends the sequence. */
static void proceed(void *ctx)
{
	struct host *h = ctx;
	struct sequence *s = &h->sequence;

	while (has_step(s) && !s->next->in_thread)
		run_step(h);
	if (has_step(s))
		job_start(&h->job, run_in_thread, h);
	else
		s->ended(h);
}

static void begin_sequence(struct host *h, const struct sequence *s)
{
	h->busy = true;
	h->sequence = *s;
	proceed(h);
}

/* Runs @steps, which end with an empty step, and then calls @ended. */
static void begin(struct host *h, const struct step *steps, const struct state *from,
		  const struct state *to, void (*ended)(struct host *h))
{
	const struct sequence s = { .next = steps, .from = from, .to = to, .ended = ended };

	begin_sequence(h, &s);
}

/* Steps ---------------------------------------------------------------------------------------- */

static int start(struct host *h, const struct state *from, const struct state *to, struct fault *f)
{
	(void)from, (void)to;
	return h->config.ops->start(h->config.ctx, f);
}

static void note_warning(void *ctx, const char *sentence)
{
	buffer_append(ctx, sentence, strlen(sentence) + 1);
}

static int check_endpoints(struct host *h, const struct state *from, const struct state *to,
			   struct fault *f)
{
	(void)from, (void)f;
	endpoint_check(h->netlink, h->ifindex, to->fwmark, h->request.conf, &h->stop, note_warning,
		       &h->request.warnings);
	return 0;
}

static const struct step prepare_steps[] = { { settings_make, true }, { NULL, false } };

/* The order of the steps matters: the nftables tables are set before packets can use the new
 * routes, and old rules and routes are removed after the new ones are set. */
static const struct step change_steps[] = {
	{ settings_claim, false },
	{ settings_set_addresses, true },
	{ settings_set_link, true },
	{ start, false },
	{ settings_set_mark, false },
	{ settings_follow, false },
	{ settings_set_valid_mark, false },
	{ settings_guard_first, false },
	{ settings_set_dns, false },
	{ settings_add_routes, true },
	{ settings_set_rules, false },
	{ settings_drop_routes, true },
	{ settings_guard, false },
	{ settings_unset_valid_mark, false },
	{ NULL, false },
};

static const struct step confirm_steps[] = { { settings_verify, true },
					     { settings_record, false },
					     { check_endpoints, true },
					     { NULL, false } };

/* Apply ---------------------------------------------------------------------------------------- */

static void begin_request(struct host *h);
static void moved(struct host *h, uint32_t ifindex);

/* Ends a sequence. If the interface was moved during the sequence, handles the move. If a request
 * came during the sequence, begins the request. */
static void rest(struct host *h)
{
	struct move move = h->move;

	h->busy = false;
	h->move = (struct move){ .pending = false };
	if (move.away && move.ifindex)
		moved(h, 0);
	if (move.pending)
		moved(h, move.ifindex);
	if (h->request.conf)
		begin_request(h);
}

/* Reports the result of the request: 0, 1 or -errno (host.h). */
static void end_request(struct host *h, int result)
{
	struct request r = h->request;

	h->request = (struct request){ .conf = NULL };
	for (size_t at = r.warnings.at; at < r.warnings.end; at += strlen(r.warnings.data + at) + 1)
		h->config.ops->warn(h->config.ctx, r.warnings.data + at);
	buffer_done(&r.warnings);
	keep_release(&h->keep);
	r.applied(r.ctx, result, &r.fault);
	rest(h);
}

static void give_up_request(struct host *h)
{
	state_done(&h->next);
	end_request(h, h->request.err);
}

/* Undoes @failed after the first apply has failed; the daemon then ends. If a killed daemon had a
 * default route, leaves the nftables tables in the kernel, so that packets still cannot leave by
 * another default route (host.h). These tables are those of the killed daemon or of @failed. */
static void give_up(struct host *h, const struct state *failed)
{
	struct state servers = { .path = NULL }; /* the servers of @failed that are still set */
	struct fault f = { "" };

	if (state_has_default(&h->state)) {
		settings_unset_rules(h, &failed->rules, &h->state.rules);
		if (dns_unset(&failed->dns, &f)) {
			log_error("the DNS servers of the tunnel are still set: %s", f.text);
			servers.dns = failed->dns;
		}
		h->state.plan.default4 |= failed->plan.default4;
		h->state.plan.default6 |= failed->plan.default6;
		(void)settings_write_record(h, &h->state, &servers, NULL);
		return;
	}
	settings_undo(h, failed, &h->state);
}

static void restored_last(struct host *h)
{
	if (h->sequence.err)
		log_error("cannot restore the settings of the host: %s", h->sequence.fault.text);
	(void)settings_write_record(h, &h->state, NULL, NULL);
	keep_check_soon(&h->keep);
	give_up_request(h);
}

/* Restores the last state, because h->next could not be applied completely. If a step fails, for
 * instance because the interface has just been moved, runs the other steps nevertheless (thorough),
 * so that no rules or nftables tables of h->next are left. */
static void restore_last(struct host *h)
{
	const struct sequence back = { .next = change_steps,
				       .from = &h->next,
				       .to = &h->state,
				       .ended = restored_last,
				       .thorough = true };

	h->request.err = h->sequence.err;
	h->request.fault = h->sequence.fault;
	if (h->state.path) {
		begin_sequence(h, &back);
		return;
	}
	give_up(h, &h->next);
	give_up_request(h);
}

static void confirmed(struct host *h)
{
	if (h->sequence.err) {
		restore_last(h);
		return;
	}
	state_done(&h->state);
	h->state = h->next;
	h->next = (struct state){ .path = NULL };
	end_request(h, 0);
}

static void changed(struct host *h)
{
	if (h->sequence.err)
		restore_last(h);
	else
		begin(h, confirm_steps, &h->state, &h->next, confirmed);
}

static void prepared(struct host *h)
{
	if (!h->sequence.err) {
		begin(h, change_steps, &h->state, &h->next, changed);
		return;
	}
	rules_unlock(&h->lock_fd);
	h->request.err = h->sequence.err;
	h->request.fault = h->sequence.fault;
	give_up_request(h);
}

static void begin_request(struct host *h)
{
	keep_hold(&h->keep);
	if (h->away) {
		h->config.ops->warn(h->config.ctx,
				    "the interface is in another network namespace; its addresses, "
				    "routes and DNS are changed when it is moved back");
		end_request(h, 1);
		return;
	}
	h->lock_fd = plan_wants_mark(h->request.conf) ? rules_lock() : -1;
	begin(h, prepare_steps, &h->state, &h->next, prepared);
}

void host_apply(struct host *h, const struct conf *conf, host_applied_fn applied, void *ctx)
{
	h->request = (struct request){ .conf = conf, .applied = applied, .ctx = ctx };
	if (!h->busy)
		begin_request(h);
}

void host_wait(struct host *h)
{
	while (h->busy)
		job_wait(&h->job);
}

/* Keeping -------------------------------------------------------------------------------------- */

static void say_restored(const struct check *c)
{
	log_error("restored what another program removed: %u address%s, %u route%s, %u rule%s%s",
		  c->addresses, c->addresses == 1 ? "" : "es", c->routes, c->routes == 1 ? "" : "s",
		  c->rules, c->rules == 1 ? "" : "s", c->damaged ? " and the nftables tables" : "");
}

static const struct step check_steps[] = { { settings_restore, true }, { NULL, false } };

static void end_check(struct host *h, int missing)
{
	keep_checked(&h->keep, missing);
	rest(h);
}

static void restored(struct host *h)
{
	const struct check *c = &h->check;
	struct fault *f = &h->sequence.fault;
	int err = h->sequence.err;

	if (err == -ENODEV) { /* the interface was deleted, so the daemon is about to end */
		end_check(h, 0);
		return;
	}
	if (state_has_default(&h->state) &&
	    settings_set_guard(h, &h->state, &h->state.rules, c->damaged, f) < 0)
		err = -EIO;
	if (c->addresses || c->routes || c->rules || c->damaged)
		say_restored(c);
	if (err)
		log_error("cannot restore what another program removed: %s", f->text);
	end_check(h, err ? err : (int)(c->addresses + c->routes + c->rules) + c->damaged);
}

static void check_all(void *ctx, bool damaged)
{
	struct host *h = ctx;

	if (h->away || !h->state.path) {
		keep_checked(&h->keep, 0);
		return;
	}
	h->check = (struct check){ .damaged = damaged };
	begin(h, check_steps, &h->state, &h->state, restored);
}

/* Moves ---------------------------------------------------------------------------------------- */

static void on_moved_away(struct host *h)
{
	if (h->away || !h->state.path)
		return;
	h->away = true;
	settings_undo(h, &h->state, NULL);
	log_info("the interface was moved to another network namespace, so the settings for it "
		 "on this host are undone");
}

static void on_moved_back(struct host *h)
{
	static const struct state nothing;
	struct fault f;

	if (!h->away)
		return;
	h->away = false;
	if (settings_write_record(h, &h->state, NULL, &f) ||
	    settings_follow(h, &nothing, &h->state, &f) ||
	    settings_set_valid_mark(h, &nothing, &h->state, &f) ||
	    settings_set_dns(h, &nothing, &h->state, &f))
		log_error("%s", f.text);
	keep_check_soon(&h->keep);
	h->config.ops->back(h->config.ctx);
}

static void moved(struct host *h, uint32_t ifindex)
{
	if (ifindex)
		h->ifindex = ifindex;
	if (ifindex)
		on_moved_back(h);
	else
		on_moved_away(h);
}

void host_moved(struct host *h, uint32_t ifindex)
{
	if (h && h->busy)
		h->move = (struct move){ true, h->move.away || !ifindex, ifindex };
	else if (h)
		moved(h, ifindex);
}

/* Start and end -------------------------------------------------------------------------------- */

/* If the daemon was killed while it changed the DNS tool, its record @r has two tools. A
 * state has room for only one, so this removes the servers of the other one. Fails if the program
 * could not even be started, because the record of the new daemon would lose these servers. */
static int unset_other_dns(const struct host *h, struct record *r, struct fault *f)
{
	const char *name = h->config.interface;
	struct fault why = { "" };
	int err = record_undo_dns(&r->other_dns, &why);

	if (err && r->other_dns.tool != DNS_NOTHING)
		return fault(
			f, err,
			"some DNS servers of a daemon that was killed cannot be removed: %.300s; "
			"run `wgxdp detach %s%s` and attach again",
			why.text, fault_dashes(name), name);
	if (err)
		log_error("some DNS servers of a daemon that was killed are still set: %s",
			  why.text);
	return 0;
}

/* Takes over the settings that a killed daemon left: they become the current state, which the first
 * apply replaces. Returns 0, or -errno with @f filled in. */
static int take_over(struct host *h, struct fault *f)
{
	struct record r;
	int result = record_take_over(h->config.interface, &r, f);

	if (result > 0 && unset_other_dns(h, &r, f))
		return -EIO;
	if (result <= 0)
		return result;
	h->state.plan.mark = record_mark(&r);
	h->state.plan.default4 = h->guard.v4 = r.nft4;
	h->state.plan.default6 = h->guard.v6 = r.nft6;
	h->state.rules = r.rules;
	h->state.dns = r.dns;
	h->set_valid_mark = r.src_valid_mark;
	return 0;
}

int host_new(struct host **host, const struct host_config *config, struct fault *f)
{
	struct host *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return fault(f, -ENOMEM, "out of memory");
	h->config = *config;
	h->lock_fd = -1;
	h->netlink = netlink_open();
	err = h->netlink ? job_init(&h->job, config->loop, proceed, h) : -errno;
	if (!err)
		err = keep_open(&h->keep, config->loop, check_all, h);
	if (err)
		fault(f, err, "cannot open a netlink socket: %s", strerror(-err));
	else
		err = take_over(h, f);
	if (err) {
		host_free(h);
		return err;
	}
	*host = h;
	return 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	atomic_store_explicit(&h->stop, true, memory_order_relaxed);
	job_done(&h->job);
	keep_close(&h->keep);
	if (!h->away && h->state.path)
		settings_undo(h, &h->state, h->next.path ? &h->next : NULL);
	rules_unlock(&h->lock_fd);
	guard_done(&h->guard);
	state_done(&h->next);
	state_done(&h->state);
	buffer_done(&h->request.warnings);
	netlink_close(h->netlink);
	free(h);
}
