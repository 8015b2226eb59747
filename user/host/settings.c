/* SPDX-License-Identifier: MIT */
/*
 * settings.c - makes, changes and undoes single settings of the host, and records those that
 * the kernel does not remove together with the interface.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_private.h"
#include "host/interface.h"
#include "host/mtu.h"
#include "host/record.h"
#include "host/valid_mark.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "util/log.h"

void state_done(struct state *s)
{
	free(s->path);
	plan_done(&s->plan);
	*s = (struct state){ .path = NULL };
}

bool state_has_default(const struct state *s)
{
	return s->plan.default4 || s->plan.default6;
}

static struct interface interface_of(const struct host *h, const struct state *s)
{
	return (struct interface){ h->netlink, h->ifindex, s->path ?: "", &h->stop };
}

/* The record ----------------------------------------------------------------------------------- */

/* Returns a record of everything that may have been set for the state @a or the state @b (which may
 * be NULL). */
static struct record record_of(const struct host *h, const struct state *a, const struct state *b)
{
	struct record r = {
		.netns = netns_of_process("self"),
		.nft4 = a->plan.default4 || (b && b->plan.default4),
		.nft6 = a->plan.default6 || (b && b->plan.default6),
		.src_valid_mark = h->set_valid_mark,
		.dns = a->dns,
	};

	if (b && !r.dns.tool)
		r.dns = b->dns;
	else if (b && b->dns.tool && !dns_same(&a->dns, &b->dns))
		r.other_dns = b->dns;
	rules_add_ours(&r.rules, &a->rules);
	if (b)
		rules_add_ours(&r.rules, &b->rules);
	return r;
}

int settings_write_record(const struct host *h, const struct state *a, const struct state *b,
			  struct fault *f)
{
	const struct record r = record_of(h, a, b);

	return record_write(h->config.interface, &r, f);
}

/* From one plan to the next -------------------------------------------------------------------- */

int settings_make(struct host *h, const struct state *from, const struct state *to, struct fault *f)
{
	const struct conf *conf = h->request.conf;
	const struct plan *last = &from->plan;
	struct state *s = &h->next;
	uint32_t mark = conf->fwmark;
	int err = 0;

	(void)to;
	*s = (struct state){ .path = strdup(conf->path), .fwmark = conf->fwmark };
	if (plan_wants_mark(conf) && !mark)
		mark = last->mark; /* keep the mark, even if a killed daemon chose it */
	if (plan_wants_mark(conf) && !mark)
		err = rules_choose_mark(h->netlink, &mark);
	if (err)
		return fault(f, err,
			     "%s: cannot find an unused routing table for the default route: %s; "
			     "set FwMark to choose one",
			     conf->path, strerror(-err));
	err = s->path ? plan_make(&s->plan, conf, mark) : -ENOMEM;
	if (err)
		return fault(f, err, "out of memory");
	if (s->plan.mark)
		s->fwmark = s->plan.mark;
	if (!s->plan.mtu)
		s->plan.mtu = mtu_choose(h->netlink, conf, s->fwmark, h->ifindex);
	err = rules_make(&s->rules, h->netlink, &s->plan, &from->rules);
	if (err)
		return fault(f, err, "%s: cannot read the routing rules of the host: %s", s->path,
			     netlink_error(h->netlink, err));
	/* If the DNS settings do not change, keep the tool that has set the servers, because only
	 * this tool can remove them. */
	if (from->path && from->dns.tool && plan_same_dns(last, &s->plan))
		s->dns = from->dns;
	else if (s->plan.servers.count)
		err = dns_choose(&s->dns, h->config.interface, f);
	if (err) {
		struct fault why = *f;

		fault(f, err, "%s: DNS = %s: %.400s", s->path, s->plan.servers.items[0], why.text);
	}
	return err;
}

int settings_set_mark(struct host *h, const struct state *from, const struct state *to,
		      struct fault *f)
{
	/* If from->path is NULL, @from is what a killed daemon left. Our sockets do not have the
	 * mark of that daemon, so treat the last mark as 0. */
	uint32_t last = from->path ? from->plan.mark : 0;
	int err = 0;

	if (to->plan.mark != last)
		err = h->config.ops->set_fwmark(h->config.ctx, to->fwmark);
	return err ? fault(f, err, "cannot set the fwmark %u: %s", to->fwmark, strerror(-err)) : 0;
}

/* If @to has an IPv4 default route, sets the sysctl src_valid_mark to 1 and records the change.
 * Also records the change if another tunnel of wgxdp has already made it, because the last of these
 * tunnels to end sets the sysctl back to 0. If the sysctl cannot be set, only warns, because only a
 * strict reverse-path filter needs it. */
int settings_set_valid_mark(struct host *h, const struct state *from, const struct state *to,
			    struct fault *f)
{
	int err;

	if (!to->plan.default4 ||
	    (valid_mark_is_set() &&
	     (h->set_valid_mark || !record_others_valid_mark(h->config.interface))))
		return 0;
	h->set_valid_mark = true;
	err = settings_write_record(h, to, from, f);
	if (err)
		return err;
	if (valid_mark_set()) {
		h->set_valid_mark = false;
		h->config.ops->warn(h->config.ctx,
				    "net.ipv4.conf.all.src_valid_mark cannot be set to 1; with a "
				    "strict reverse-path filter (rp_filter = 1) answers of peers "
				    "would be dropped");
	}
	return 0;
}

int settings_set_guard(struct host *h, const struct state *to, const struct rules *rules,
		       bool damaged, struct fault *f)
{
	const struct guard_target target = { h->config.interface, h->ifindex, &to->plan, rules };
	struct fault why;
	int result = guard_set(&h->guard, h->netlink, &target, damaged, &why);

	if (result > 0)
		keep_forget_nft(&h->keep, guard_families(&h->guard));
	if (result >= 0)
		return result;
	return fault(f, result,
		     "%s: the packet filter rules for the default route cannot be set: %.300s; "
		     "load nf_tables, or use `Table = off` and routes of your own",
		     to->path, why.text);
}

int settings_set_dns(struct host *h, const struct state *from, const struct state *to,
		     struct fault *f)
{
	struct fault why = { "" };
	bool dead = !from->path && from->dns.tool; /* a killed daemon has set servers */
	int err, unset_err = 0;

	if (plan_same_dns(&from->plan, &to->plan) && !dead)
		return 0;
	if (!to->plan.servers.count)
		err = dns_unset(&from->dns, &why);
	else
		err = dns_set(&to->dns, &to->plan, &why);
	/* Remove the servers of @from only after those of @to are set. If @to is the last state,
	 * which is restored after an error (thorough), remove the servers of @from in any case. */
	if ((!err || h->sequence.thorough) && to->plan.servers.count && from->dns.tool &&
	    !dns_same(&from->dns, &to->dns))
		unset_err = dns_unset(&from->dns, err ? NULL : &why);
	err = err ? err : unset_err;
	return err ? fault(f, err, "%s: DNS: %.400s", to->path ?: from->path, why.text) : 0;
}

static int add_rules(struct host *h, const struct state *s, struct fault *f)
{
	int err = rules_set(&s->rules, h->netlink, NULL);

	return err ? fault(f, err, "%s: cannot add the rules for the default route: %s", s->path,
			   netlink_error(h->netlink, err))
		   : 0;
}

void settings_unset_rules(struct host *h, const struct rules *rules, const struct rules *except)
{
	int err = rules_unset(rules, h->netlink, except);

	if (err)
		log_error("cannot delete an ip rule of an earlier default route: %s; see `ip rule`",
			  strerror(-err));
}

int settings_set_rules(struct host *h, const struct state *from, const struct state *to,
		       struct fault *f)
{
	int err = add_rules(h, to, f);

	settings_unset_rules(h, &from->rules, &to->rules);
	return err;
}

int settings_follow(struct host *h, const struct state *from, const struct state *to,
		    struct fault *f)
{
	char table[GUARD_TABLE_LEN];
	int err;

	(void)from;
	guard_table(h->config.interface, table);
	/* With a default route, watch the routes of every interface (0), because the nftables chain
	 * "leak" depends on all routes of table main. */
	err = keep_follow(&h->keep, state_has_default(to) ? 0 : h->ifindex,
			  state_has_default(to) ? table : NULL);
	return err ? fault(f, err, "cannot watch for events: %s", strerror(-err)) : 0;
}

/* Adds the rules of @to, so that no other daemon chooses the same mark, and then releases the lock
 * under which the mark was chosen (rules_lock()). The rules have no effect yet, because their
 * routing table is still empty. */
int settings_claim(struct host *h, const struct state *from, const struct state *to,
		   struct fault *f)
{
	int err = settings_write_record(h, to, from, f);

	if (!err)
		err = add_rules(h, to, f);
	rules_unlock(&h->lock_fd);
	return err;
}

int settings_unset_valid_mark(struct host *h, const struct state *from, const struct state *to,
			      struct fault *f)
{
	(void)from, (void)f;
	/* If the sysctl cannot be reset now, it stays on record, and is reset at the end. */
	if (!to->plan.default4 && h->set_valid_mark)
		h->set_valid_mark = valid_mark_unset(h->netlink) != 0;
	return 0;
}

int settings_set_addresses(struct host *h, const struct state *from, const struct state *to,
			   struct fault *f)
{
	const struct interface i = interface_of(h, to);

	return interface_set_addresses(&i, &from->plan, &to->plan, f);
}

int settings_set_link(struct host *h, const struct state *from, const struct state *to,
		      struct fault *f)
{
	const struct interface i = interface_of(h, to);

	(void)from;
	return interface_set_link(&i, &to->plan, f);
}

int settings_guard_first(struct host *h, const struct state *from, const struct state *to,
			 struct fault *f)
{
	struct rules rules;

	rules_union(&rules, &to->rules, &from->rules);
	if (!state_has_default(to))
		return 0;
	return settings_set_guard(h, to, &rules, false, f) < 0 ? -EIO : 0;
}

int settings_add_routes(struct host *h, const struct state *from, const struct state *to,
			struct fault *f)
{
	const struct interface i = interface_of(h, to);

	(void)from;
	return interface_add_routes(&i, &to->plan, f);
}

int settings_drop_routes(struct host *h, const struct state *from, const struct state *to,
			 struct fault *f)
{
	const struct interface i = interface_of(h, to);

	(void)f;
	interface_drop_routes(&i, &from->plan, &to->plan);
	return 0;
}

int settings_guard(struct host *h, const struct state *from, const struct state *to,
		   struct fault *f)
{
	(void)from;
	return settings_set_guard(h, to, &to->rules, false, f) < 0 ? -EIO : 0;
}

int settings_verify(struct host *h, const struct state *from, const struct state *to,
		    struct fault *f)
{
	const struct interface i = interface_of(h, to);

	(void)from;
	return interface_verify(&i, &to->plan, f);
}

int settings_record(struct host *h, const struct state *from, const struct state *to,
		    struct fault *f)
{
	(void)from;
	return settings_write_record(h, to, NULL, f);
}

int settings_restore(struct host *h, const struct state *from, const struct state *to,
		     struct fault *f)
{
	const struct interface i = interface_of(h, to);
	struct check *c = &h->check;
	int err, interface_err;

	(void)from;
	/* Restore the rules first, so that a route that cannot be restored does not prevent the
	 * restoration of the rules. */
	err = rules_set(&to->rules, h->netlink, &c->rules);
	if (err)
		fault(f, err, "rules: %s", netlink_error(h->netlink, err));
	interface_err = interface_restore(&i, &to->plan, &c->addresses, &c->routes, f);
	return interface_err ? interface_err : err;
}

void settings_undo(struct host *h, const struct state *a, const struct state *b)
{
	struct record r = record_of(h, a, b);
	struct fault f = { "" };

	if (record_is_empty(&r))
		return;
	if (record_undo(h->config.interface, &r, &f))
		log_error("some settings of the host could not be undone: %s", f.text);
	guard_done(&h->guard);
	h->set_valid_mark = r.src_valid_mark;
	/* Record what could not be undone. The next attach or detach tries again. */
	(void)record_write(h->config.interface, &r, NULL);
}
