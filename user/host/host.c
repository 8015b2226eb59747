/* SPDX-License-Identifier: MIT */
#include "host/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "host/dns.h"
#include "host/endpoint_check.h"
#include "host/guard.h"
#include "host/interface.h"
#include "host/keep.h"
#include "host/mtu.h"
#include "host/plan.h"
#include "host/record.h"
#include "host/rules.h"
#include "host/valid_mark.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "util/log.h"

/* The settings of the host that belong to one config. */
struct state {
	char *path; /* path of the config file */
	struct plan plan;
	struct rules rules;
	struct dns dns;	 /* the DNS tool that sets plan.servers */
	uint32_t fwmark; /* mark of the tunnel's sockets, from the plan or else from the config */
};

struct host {
	struct host_config config;
	struct netlink *netlink;
	uint32_t ifindex;
	bool away;	     /* the interface is in another namespace */
	bool set_valid_mark; /* this or another tunnel of wgxdp changed src_valid_mark from 0 */
	int lock_fd;	     /* rules_lock(), held until the rules of a new mark are set; or -1 */
	struct state state;  /* before the first apply: what a killed daemon left, with path NULL */
	struct guard guard;
	struct keep keep;
};

static void state_done(struct state *s)
{
	free(s->path);
	plan_done(&s->plan);
	*s = (struct state){ .path = NULL };
}

static bool has_default(const struct state *s)
{
	return s->plan.default4 || s->plan.default6;
}

static struct interface interface_of(const struct host *h, const struct state *s)
{
	return (struct interface){ h->netlink, h->ifindex, s->path ?: "" };
}

/* The record ----------------------------------------------------------------------------------- */

/* Returns a record of everything that @a or @b may have set, but of only one DNS tool: that of @a
 * if it has one. @b may be NULL. */
static struct record record_of(const struct host *h, const struct state *a, const struct state *b)
{
	struct record r = {
		.netns = netns_of_process("self"),
		.nft4 = a->plan.default4 || (b && b->plan.default4),
		.nft6 = a->plan.default6 || (b && b->plan.default6),
		.src_valid_mark = h->set_valid_mark,
		.dns = a->dns.tool ? a->dns
		       : b	   ? b->dns
				   : a->dns,
	};

	rules_add_ours(&r.rules, &a->rules);
	if (b)
		rules_add_ours(&r.rules, &b->rules);
	return r;
}

static int write_record(const struct host *h, const struct state *a, const struct state *b,
			struct fault *f)
{
	const struct record r = record_of(h, a, b);

	return record_write(h->config.interface, &r, f);
}

/* From one plan to the next -------------------------------------------------------------------- */

static int make_state(struct host *h, const struct conf *conf, struct state *s, struct fault *f)
{
	const struct plan *last = &h->state.plan;
	uint32_t mark = conf->fwmark;
	int err = 0;

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
	err = rules_make(&s->rules, h->netlink, &s->plan, &h->state.rules);
	if (err)
		return fault(f, err, "%s: cannot read the routing rules of the host: %s", s->path,
			     netlink_error(h->netlink, err));
	/* The program that has set the servers must also remove them. */
	if (h->state.path && h->state.dns.tool && plan_same_dns(&h->state.plan, &s->plan))
		s->dns = h->state.dns;
	else if (s->plan.servers.count)
		err = dns_choose(&s->dns, h->config.interface, f);
	if (err) {
		struct fault why = *f;

		fault(f, err, "%s: DNS = %s: %.400s", s->path, s->plan.servers.items[0], why.text);
	}
	return err;
}

static int set_mark(struct host *h, const struct state *from, const struct state *to,
		    struct fault *f)
{
	/* If a killed daemon chose the mark, our sockets do not have the mark yet, so set it. */
	uint32_t last = from->path ? from->plan.mark : 0;
	int err = 0;

	if (to->plan.mark != last)
		err = h->config.ops->set_fwmark(h->config.ctx, to->fwmark);
	return err ? fault(f, err, "cannot set the fwmark %u: %s", to->fwmark, strerror(-err)) : 0;
}

/* If @to has an IPv4 default route, sets the sysctl src_valid_mark to 1 and records this. Also
 * records it if another tunnel of wgxdp has already set the sysctl, because the last of these
 * tunnels to end sets it back to 0. If the sysctl cannot be set, only warns, because it matters
 * only with a strict reverse-path filter. */
static int set_valid_mark(struct host *h, const struct state *from, const struct state *to,
			  struct fault *f)
{
	int err;

	if (!to->plan.default4 ||
	    (valid_mark_is_set() &&
	     (h->set_valid_mark || !record_others_valid_mark(h->config.interface))))
		return 0;
	h->set_valid_mark = true;
	err = write_record(h, to, from, f);
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

/* Sets the nftables tables of @to. @rules are all rules of wgxdp that may be set at this moment.
 * Any other rule belongs to another program. */
static int set_guard(struct host *h, const struct state *to, const struct rules *rules,
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

static int set_dns(const struct state *from, const struct state *to, struct fault *f)
{
	struct fault why = { "" };
	int err;

	bool dead = !from->path && from->dns.tool; /* a killed daemon has set servers */

	if (plan_same_dns(&from->plan, &to->plan) && !dead)
		return 0;
	if (!to->plan.servers.count)
		err = dns_unset(&from->dns, &why);
	else
		err = dns_set(&to->dns, &to->plan, &why);
	if (!err && to->plan.servers.count && from->dns.tool &&
	    (from->dns.tool != to->dns.tool || strcmp(from->dns.name, to->dns.name) != 0))
		err = dns_unset(&from->dns, &why);
	return err ? fault(f, err, "%s: DNS: %.400s", to->path ?: from->path, why.text) : 0;
}

static int add_rules(struct host *h, const struct state *s, struct fault *f)
{
	int err = rules_set(&s->rules, h->netlink, NULL);

	return err ? fault(f, err, "%s: cannot add the rules for the default route: %s", s->path,
			   netlink_error(h->netlink, err))
		   : 0;
}

/* Deletes our @rules except those in @except. Logs a failure, because nothing else deletes a rule
 * that is left over. */
static void unset_rules(struct host *h, const struct rules *rules, const struct rules *except)
{
	int err = rules_unset(rules, h->netlink, except);

	if (err)
		log_error("cannot delete an ip rule of an earlier default route: %s; see `ip rule`",
			  strerror(-err));
}

static int set_rules(struct host *h, const struct state *from, const struct state *to,
		     struct fault *f)
{
	int err = add_rules(h, to, f);

	unset_rules(h, &from->rules, &to->rules);
	return err;
}

static int follow(struct host *h, const struct state *to, struct fault *f)
{
	char table[GUARD_TABLE_LEN];
	int err;

	guard_table(h->config.interface, table);
	/* The chain "leak" depends on all routes of table main, so watch the routes of every
	 * interface. */
	err = keep_follow(&h->keep, has_default(to) ? 0 : h->ifindex,
			  has_default(to) ? table : NULL);
	return err ? fault(f, err, "cannot watch for events: %s", strerror(-err)) : 0;
}

/* Records @to and sets its rules, so that no other daemon chooses the same mark. Then releases the
 * lock. The rules have no effect as long as their table is empty. */
static int claim(struct host *h, const struct state *from, const struct state *to, struct fault *f)
{
	int err = write_record(h, to, from, f);

	if (!err)
		err = add_rules(h, to, f);
	rules_unlock(&h->lock_fd);
	return err;
}

/* Changes the host from @from to @to. Sets the nftables tables before packets can use the new
 * routes, and removes old rules and routes after the new ones are set. */
static int apply_state(struct host *h, const struct state *from, const struct state *to,
		       struct fault *f)
{
	const struct interface i = interface_of(h, to);
	struct rules rules;
	int err = claim(h, from, to, f);

	if (!err)
		err = interface_set_addresses(&i, &from->plan, &to->plan, f);
	if (!err && to->plan.mtu)
		err = interface_set_link(&i, &to->plan, f);
	if (!err && to->plan.mtu)
		err = h->config.ops->start(h->config.ctx, f);
	if (!err)
		err = set_mark(h, from, to, f);
	if (!err)
		err = follow(h, to, f);
	if (!err)
		err = set_valid_mark(h, from, to, f);
	rules_union(&rules, &to->rules, &from->rules);
	if (!err && has_default(to))
		err = set_guard(h, to, &rules, false, f) < 0 ? -EIO : 0;
	if (!err)
		err = set_dns(from, to, f);
	if (!err)
		err = interface_add_routes(&i, &to->plan, f);
	if (!err)
		err = set_rules(h, from, to, f);
	if (!err)
		interface_drop_routes(&i, &from->plan, &to->plan);
	if (!err)
		err = set_guard(h, to, &to->rules, false, f) < 0 ? -EIO : 0;
	if (!err && !to->plan.default4 && h->set_valid_mark) {
		valid_mark_unset(h->netlink);
		h->set_valid_mark = false;
	}
	return err;
}

/* Undoes the parts of @s that the kernel does not remove together with the interface. */
static void undo(struct host *h, const struct state *s)
{
	struct record r = record_of(h, s, NULL);
	struct fault f = { "" };

	if (record_is_empty(&r))
		return;
	if (record_undo(h->config.interface, &r, &f))
		log_error("some settings of the host could not be undone: %s", f.text);
	guard_done(&h->guard);
	h->set_valid_mark = false;
	/* Record what could not be undone. The next attach or detach tries again. */
	(void)record_write(h->config.interface, &r, NULL);
}

/* Undoes @failed after the first apply has failed; the daemon then ends. If a killed daemon had a
 * default route, leaves the nftables tables in the kernel, so that the host stays closed (host.h).
 * They are the tables of the killed daemon, or the tables of @failed that have replaced them. */
static void give_up(struct host *h, const struct state *failed)
{
	struct fault f = { "" };

	if (has_default(&h->state)) {
		unset_rules(h, &failed->rules, &h->state.rules);
		if (failed->dns.tool && dns_unset(&failed->dns, &f)) {
			log_error("the DNS servers of the tunnel are still set: %s", f.text);
			h->state.dns = failed->dns;
		}
		h->state.plan.default4 |= failed->plan.default4;
		h->state.plan.default6 |= failed->plan.default6;
		(void)write_record(h, &h->state, NULL, NULL);
		return;
	}
	undo(h, failed);
	undo(h, &h->state);
}

/* Restores the last state after @failed could not be applied completely. */
static void restore_last(struct host *h, const struct state *failed)
{
	struct fault f = { "" };

	if (!h->state.path) {
		give_up(h, failed);
		return;
	}
	if (apply_state(h, failed, &h->state, &f))
		log_error("cannot restore the settings of the host: %s", f.text);
	(void)write_record(h, &h->state, NULL, NULL);
	keep_check_soon(&h->keep);
}

int host_apply(struct host *h, const struct conf *conf, struct fault *f)
{
	struct interface i;
	struct state next;
	int err;

	if (h->away) {
		h->config.ops->warn(h->config.ctx,
				    "the interface is in another network namespace; its addresses, "
				    "routes and DNS are changed when it is moved back");
		return 1;
	}
	h->lock_fd = plan_wants_mark(conf) ? rules_lock() : -1;
	err = make_state(h, conf, &next, f);
	if (err) {
		rules_unlock(&h->lock_fd);
		state_done(&next);
		return err;
	}
	err = apply_state(h, &h->state, &next, f);
	i = interface_of(h, &next);
	if (!err)
		err = interface_verify(&i, &next.plan, f);
	if (!err)
		err = write_record(h, &next, NULL, f);
	if (err) {
		restore_last(h, &next);
		state_done(&next);
		return err;
	}
	state_done(&h->state);
	h->state = next;
	endpoint_check(h->netlink, h->ifindex, h->state.fwmark, conf, h->config.ops->warn,
		       h->config.ctx);
	return 0;
}

/* Keeping -------------------------------------------------------------------------------------- */

static void say_restored(unsigned addresses, unsigned routes, unsigned rules, bool tables)
{
	log_error("restored what another program removed: %u address%s, %u route%s, %u rule%s%s",
		  addresses, addresses == 1 ? "" : "es", routes, routes == 1 ? "" : "s", rules,
		  rules == 1 ? "" : "s", tables ? " and the nftables tables" : "");
}

static int check_all(void *ctx, bool damaged)
{
	unsigned addresses = 0, routes = 0, rules = 0;
	struct host *h = ctx;
	struct interface i;
	struct fault f = { "" };
	int err, interface_err;

	if (h->away || !h->state.path)
		return 0;
	i = interface_of(h, &h->state);
	/* Restore the rules first, so that a route that cannot be restored does not prevent the
	 * restoration of the rules. */
	err = rules_set(&h->state.rules, h->netlink, &rules);
	if (err)
		fault(&f, err, "rules: %s", netlink_error(h->netlink, err));
	interface_err = interface_restore(&i, &h->state.plan, &addresses, &routes, &f);
	err = interface_err ? interface_err : err;
	if (err == -ENODEV) /* the interface was deleted, so the daemon is about to end */
		return 0;
	if (has_default(&h->state) && set_guard(h, &h->state, &h->state.rules, damaged, &f) < 0)
		err = -EIO;
	if (addresses || routes || rules || damaged)
		say_restored(addresses, routes, rules, damaged);
	if (err)
		log_error("cannot restore what another program removed: %s", f.text);
	return err ? err : (int)(addresses + routes + rules) + damaged;
}

static void on_moved_away(struct host *h)
{
	if (h->away || !h->state.path)
		return;
	h->away = true;
	undo(h, &h->state);
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
	if (write_record(h, &h->state, NULL, &f) || follow(h, &h->state, &f) ||
	    set_valid_mark(h, &nothing, &h->state, &f) || set_dns(&nothing, &h->state, &f))
		log_error("%s", f.text);
	keep_check_soon(&h->keep);
}

void host_moved(struct host *h, uint32_t ifindex)
{
	if (!h)
		return;
	if (ifindex)
		h->ifindex = ifindex;
	if (ifindex)
		on_moved_back(h);
	else
		on_moved_away(h);
}

/* Start and end -------------------------------------------------------------------------------- */

/* Takes over the settings that a killed daemon left: they become the current state, which the first
 * apply replaces. */
static void take_over(struct host *h)
{
	struct record r;

	if (!record_take_over(h->config.interface, &r))
		return;
	h->state.plan.mark = record_mark(&r);
	h->state.plan.default4 = h->guard.v4 = r.nft4;
	h->state.plan.default6 = h->guard.v6 = r.nft6;
	h->state.rules = r.rules;
	h->state.dns = r.dns;
	h->set_valid_mark = r.src_valid_mark;
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
	err = h->netlink ? keep_open(&h->keep, config->loop, check_all, h) : -errno;
	if (err) {
		host_free(h);
		return fault(f, err, "cannot open a netlink socket: %s", strerror(-err));
	}
	take_over(h);
	*host = h;
	return 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	keep_close(&h->keep);
	if (!h->away && h->state.path)
		undo(h, &h->state);
	guard_done(&h->guard);
	state_done(&h->state);
	netlink_close(h->netlink);
	free(h);
}
