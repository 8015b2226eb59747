/* SPDX-License-Identifier: MIT */
/*
 * host_private.h - the data that host.c and settings.c share. Private to these two files.
 *
 * While h->job runs, its thread owns netlink, next and sequence, and either request (during an
 * apply) or check. The thread may read config, ifindex and state, which then do not change.
 */
#ifndef WGXDP_HOST_PRIVATE_H
#define WGXDP_HOST_PRIVATE_H

#include <stdatomic.h>

#include "host/dns.h"
#include "host/guard.h"
#include "host/host.h"
#include "host/interface.h"
#include "host/keep.h"
#include "host/plan.h"
#include "host/rules.h"
#include "util/buffer.h"
#include "util/job.h"

/* The settings of the host that belong to one config. */
struct state {
	char *path; /* path of the config file */
	struct plan plan;
	struct rules rules;
	struct dns dns;	 /* the DNS tool that sets plan.servers */
	uint32_t fwmark; /* mark of the tunnel's sockets, from the plan or else from the config */
};

struct step;

/* A sequence of steps (host.c), which lead from one state to another. */
struct sequence {
	const struct step *next;       /* the next step */
	const struct state *from, *to; /* arguments of the steps */
	void (*ended)(struct host *h); /* called after the last step or, if not @thorough, after
					* the first error */
	bool thorough;		       /* continues after an error */
	int err;		       /* first error of a step; 0 = none has failed */
	struct fault fault;
};

/* A call of host_apply() that has not ended yet. */
struct request {
	const struct conf *conf; /* NULL = no request */
	host_applied_fn applied;
	void *ctx;
	int err; /* the -errno of applying @conf; 0 = no error so far */
	struct fault fault;
	struct buffer warnings; /* sentences for host_ops.warn, each with its NUL */
};

/* A check of the settings (keep.h): whether the nftables tables may be damaged, and the numbers of
 * missing addresses, routes and rules. */
struct check {
	bool damaged;
	unsigned addresses, routes, rules;
};

/* Calls of host_moved() during a sequence, which take effect after the sequence. */
struct move {
	bool pending;
	bool away;	  /* the interface was in another namespace during the sequence */
	uint32_t ifindex; /* argument of the last call */
};

struct host {
	struct host_config config;
	struct netlink *netlink;
	uint32_t ifindex;
	bool away; /* the interface is in another namespace */
	struct move move;
	bool set_valid_mark; /* this or another tunnel of wgxdp changed src_valid_mark from 0 */
	int lock_fd;	     /* rules_lock(), held until the rules of a new mark are set; or -1 */
	struct state state;  /* before the first apply: what a killed daemon left, with path NULL */
	struct state next;   /* the state that is being applied; path NULL = none */
	struct guard guard;
	struct keep keep;
	struct job job;	  /* runs the steps that take long */
	atomic_bool stop; /* the daemon ends, so the job should end soon */
	bool busy;	  /* a sequence runs */
	struct sequence sequence;
	struct request request;
	struct check check;
};

/* A step of a sequence: changes a setting from the state @from to the state @to. Returns 0, or
 * -errno with @f filled in. */
typedef int step_fn(struct host *h, const struct state *from, const struct state *to,
		    struct fault *f);

/* The functions below are defined in settings.c. */

void state_done(struct state *s);
bool state_has_default(const struct state *s);

step_fn settings_make;	/* sets h->next to the state for h->request.conf */
step_fn settings_claim; /* records @to, sets its rules, and then releases h->lock_fd */
step_fn settings_set_addresses, settings_set_link, settings_set_mark, settings_set_valid_mark;
step_fn settings_follow;      /* watches for the events that concern @to */
step_fn settings_guard_first; /* sets nftables while rules of @from and of @to may be set */
step_fn settings_set_dns;
step_fn settings_add_routes, settings_drop_routes;
step_fn settings_set_rules;
step_fn settings_guard; /* sets nftables when only the rules of @to are set */
step_fn settings_unset_valid_mark;
step_fn settings_verify;  /* reads the addresses, the link and the routes back */
step_fn settings_record;  /* records @to */
step_fn settings_restore; /* restores missing addresses, routes, rules; counts them in h->check */

/* Sets the nftables tables of @to. @rules are all rules of wgxdp that may be set at this moment.
 * Any other rule belongs to another program. Returns 1 if the tables have changed, 0 or -errno. */
int settings_set_guard(struct host *h, const struct state *to, const struct rules *rules,
		       bool damaged, struct fault *f);

/* Writes a record of everything that @a or @b (may be NULL) may have set. */
int settings_write_record(const struct host *h, const struct state *a, const struct state *b,
			  struct fault *f);

/* Deletes our @rules except those in @except. Logs a failure, because nothing else deletes a rule
 * that is left over. */
void settings_unset_rules(struct host *h, const struct rules *rules, const struct rules *except);

/* Undoes the parts of @a and @b (may be NULL) that the kernel does not remove together with the
 * interface. */
void settings_undo(struct host *h, const struct state *a, const struct state *b);

#endif
