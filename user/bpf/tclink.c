/* SPDX-License-Identifier: MIT */
#include "bpf/tclink.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "io/kernel_constants.h"
#include "io/netlink_request.h"
#include "util/log.h"

/* The priority of our filters records whether wgxdp created the qdisc. 0x5747 is "WG", a value that
 * other programs are unlikely to use. */
enum {
	PRIORITY_QDISC_CREATED = 0x5747,
	PRIORITY_QDISC_EXISTED = 0x5748,
};

/* --- clsact ---------------------------------------------------------------------------------- */

uint32_t tclink_handle(const char *interface)
{
	uint32_t hash = 2166136261; /* start value of FNV-1a */

	for (; *interface; interface++)
		hash = (hash ^ (uint8_t)*interface) * 16777619;
	return (hash & 0x7fffffff) ?: 1; /* 0 is not a valid handle */
}

static struct bpf_tc_hook hook_of(uint32_t ifindex, enum tclink_side side)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = side == TCLINK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS,
	};
}

/* Returns the program id of our filter with @handle and @priority, or 0 if there is no such
 * filter. */
static uint32_t filter_prog(uint32_t ifindex, enum tclink_side side, uint32_t handle,
			    uint32_t priority)
{
	struct bpf_tc_hook hook = hook_of(ifindex, side);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = priority);

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}

static void remove_filter(uint32_t ifindex, enum tclink_side side, uint32_t handle,
			  uint32_t priority)
{
	struct bpf_tc_hook hook = hook_of(ifindex, side);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = priority);

	bpf_tc_detach(&hook, &opts);
}

struct filters {
	bool any;
	bool created; /* a filter has PRIORITY_QDISC_CREATED: wgxdp created the qdisc */
	bool others;  /* a filter belongs to another program */
};

static int note_filter(const struct nlmsghdr *message, void *filters)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(message);
	struct filters *f = filters;
	uint32_t priority;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*tc))
		return -EBADMSG;
	priority = TC_H_MAJ(tc->tcm_info) >> 16;
	f->any = true;
	f->created |= priority == PRIORITY_QDISC_CREATED;
	f->others |= priority != PRIORITY_QDISC_CREATED && priority != PRIORITY_QDISC_EXISTED;
	return 0;
}

/* Sets the fields of @f that apply to the filters on one side of the interface. @side is
 * TC_H_MIN_INGRESS or TC_H_MIN_EGRESS. Returns 0 or -errno. */
static int list_filters(struct netlink *nl, uint32_t ifindex, uint32_t side, struct filters *f)
{
	struct nlmsghdr *request = netlink_begin(nl, RTM_GETTFILTER, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
	return netlink_dump(nl, request, note_filter, f, NULL);
}

/* Returns the filters of both sides. If the kernel cannot list them, assumes that there are
 * filters, so that the qdisc is not removed. */
static struct filters all_filters(uint32_t ifindex)
{
	struct netlink *nl = netlink_open();
	struct filters f = { 0 };

	if (!nl || list_filters(nl, ifindex, TC_H_MIN_INGRESS, &f) ||
	    list_filters(nl, ifindex, TC_H_MIN_EGRESS, &f))
		f = (struct filters){ .any = true };
	netlink_close(nl);
	return f;
}

/* Removes the qdisc that we created, unless it still has filters. */
static void remove_clsact(uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, TCLINK_INGRESS);

	if (all_filters(ifindex).any)
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

/* Creates the qdisc if it is missing. Returns the priority for our filter, or -errno. */
static int ensure_clsact(uint32_t ifindex, enum tclink_side side, uint32_t handle)
{
	struct bpf_tc_hook hook = hook_of(ifindex, side);
	int err;

	/* If a dead daemon left a filter with this priority, our filter with the same priority
	 * replaces that filter. */
	if (filter_prog(ifindex, side, handle, PRIORITY_QDISC_EXISTED))
		return PRIORITY_QDISC_EXISTED;
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	return !err || all_filters(ifindex).created ? PRIORITY_QDISC_CREATED
						    : PRIORITY_QDISC_EXISTED;
}

static int open_clsact(struct tclink *t, int prog_fd, enum tclink_side side,
		       const struct tclink_target *target)
{
	struct bpf_tc_hook hook = hook_of(target->ifindex, side);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE,
		    .handle = target->handle);
	int priority = ensure_clsact(target->ifindex, side, target->handle), err;

	if (priority < 0)
		return priority;
	opts.priority = priority;
	err = bpf_tc_attach(&hook, &opts);
	if (err) {
		if (priority == PRIORITY_QDISC_CREATED)
			remove_clsact(target->ifindex);
		return err;
	}
	*t = (struct tclink){
		.ifindex = target->ifindex,
		.side = side,
		.fd = -1,
		.handle = target->handle,
		.priority = priority,
		.prog_id = opts.prog_id,
	};
	return 0;
}

static bool clsact_alive(const struct tclink *t)
{
	return filter_prog(t->ifindex, t->side, t->handle, t->priority) == t->prog_id;
}

static void close_clsact(const struct tclink *t)
{
	/* If the interface has moved to another namespace, the kernel has removed our filter, and
	 * another interface may now have the same ifindex. */
	if (!clsact_alive(t))
		return;
	remove_filter(t->ifindex, t->side, t->handle, t->priority);
	if (t->priority == PRIORITY_QDISC_CREATED)
		remove_clsact(t->ifindex);
}

static void clean_interface(uint32_t ifindex, uint32_t handle)
{
	static const uint32_t priorities[] = { PRIORITY_QDISC_EXISTED, PRIORITY_QDISC_CREATED };
	bool made = false;

	for (unsigned i = 0; i < 4; i++) {
		enum tclink_side side = i % 2 ? TCLINK_INGRESS : TCLINK_EGRESS;

		if (!filter_prog(ifindex, side, handle, priorities[i / 2]))
			continue;
		remove_filter(ifindex, side, handle, priorities[i / 2]);
		made |= priorities[i / 2] == PRIORITY_QDISC_CREATED;
	}
	if (made)
		remove_clsact(ifindex);
}

void tclink_clean(const char *interface)
{
	struct if_nameindex *all = if_nameindex();
	/* libbpf would print an error for each interface that has no filter of wgxdp. */
	libbpf_print_fn_t print = libbpf_set_print(NULL);

	if (!all)
		goto restore;
	for (struct if_nameindex *i = all; i->if_index; i++)
		clean_interface(i->if_index, tclink_handle(interface));
	if_freenameindex(all);
restore:
	libbpf_set_print(print);
}

/* --- tcx ------------------------------------------------------------------------------------- */

/* Attaches the program by tcx. Returns 0 or -errno; -EINVAL if the kernel has no tcx. */
static int open_tcx(struct tclink *t, int prog_fd, enum tclink_side side, uint32_t ifindex)
{
	enum bpf_attach_type type = side == TCLINK_INGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
	int fd = bpf_link_create(prog_fd, (int)ifindex, type, NULL);

	if (fd < 0)
		return -errno;
	*t = (struct tclink){ .ifindex = ifindex, .side = side, .fd = fd };
	return 0;
}

static uint32_t tcx_where(const struct tclink *t)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	/* In bpf_link_info, the ifindex of a tcx link has the same offset as that of an XDP
	 * link. */
	return bpf_obj_get_info_by_fd(t->fd, &info, &len) ? 0 : info.xdp.ifindex;
}

#define TCX_PROGRAMS_MAX 64 /* the kernel's own limit */

static bool is_of_wgxdp(uint32_t prog_id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool ours = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
		    !strncmp(info.name, "wgxdp_", 6);

	if (fd >= 0)
		close(fd);
	return ours;
}

static int tcx_has_others(uint32_t ifindex, enum tclink_side side)
{
	enum bpf_attach_type type = side == TCLINK_INGRESS ? BPF_TCX_INGRESS : BPF_TCX_EGRESS;
	uint32_t ids[TCX_PROGRAMS_MAX], count = TCX_PROGRAMS_MAX;

	if (bpf_prog_query((int)ifindex, type, 0, NULL, ids, &count))
		return errno == EINVAL ? 0 : -errno; /* EINVAL: the kernel has no tcx */
	for (uint32_t i = 0; i < count; i++)
		if (!is_of_wgxdp(ids[i]))
			return 1;
	return 0;
}

/* --- both ------------------------------------------------------------------------------------ */

static int attach_fault(int err, const char *name, struct fault *f)
{
	switch (err) {
	case -EPERM:
		return fault(f, err,
			     "%s: cannot attach a TC program: not permitted; run as root or with "
			     "CAP_BPF and CAP_NET_ADMIN",
			     name);
	case -ENODEV:
		return fault(f, err, "%s: no such interface; see `ip link`", name);
	case -EMFILE:
	case -ENFILE:
		return fault(f, err, "%s: cannot attach a TC program: %s", name, strerror(-err));
	default:
		return fault(f, -ENOTSUP,
			     "%s: cannot attach a TC program: %s; it needs a kernel with tcx "
			     "(Linux 6.6) or clsact (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)",
			     name, strerror(-err));
	}
}

int tclink_open(struct tclink *t, int prog_fd, enum tclink_side side,
		const struct tclink_target *target, struct fault *f)
{
	int err = -EINVAL;

	if (!target->force_clsact)
		err = open_tcx(t, prog_fd, side, target->ifindex);
	if (err == -EINVAL || err == -EOPNOTSUPP) {
		if (!target->force_clsact)
			log_debug("%s: cannot attach through tcx: %s; trying clsact", target->name,
				  strerror(-err));
		err = open_clsact(t, prog_fd, side, target);
	}
	return err ? attach_fault(err, target->name, f) : 0;
}

void tclink_close(struct tclink *t)
{
	if (!t->ifindex)
		return;
	if (t->fd >= 0)
		close(t->fd);
	else
		close_clsact(t);
	t->ifindex = 0;
}

uint32_t tclink_where(const struct tclink *t)
{
	if (!t->ifindex)
		return 0;
	if (t->fd >= 0)
		return tcx_where(t);
	return clsact_alive(t) ? t->ifindex : 0;
}

/* Lists the filters on one side of the interface, which @qdisc holds. Returns 0 or -errno. */
static int list_side(uint32_t ifindex, enum tclink_side side, const char *qdisc, struct filters *f)
{
	struct netlink *nl;
	int err;

	/* The kernel lists the filters of a qdisc "ingress" for both sides, though they only see
	 * received packets. */
	if (!*qdisc || (side == TCLINK_EGRESS && !strcmp(qdisc, "ingress")))
		return 0;
	nl = netlink_open();
	err = nl ? list_filters(nl, ifindex,
				side == TCLINK_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS, f)
		 : -errno;
	netlink_close(nl);
	return err;
}

int tclink_has_others(uint32_t ifindex, enum tclink_side side, const char *qdisc)
{
	struct filters f = { 0 };
	int err = list_side(ifindex, side, qdisc, &f);
	int tcx = tcx_has_others(ifindex, side);

	if (f.others || tcx > 0)
		return 1;
	/* A kernel without CONFIG_NET_SCHED or CONFIG_NET_CLS has no filters. */
	return err && err != -EOPNOTSUPP ? err : tcx;
}
