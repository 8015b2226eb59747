/* SPDX-License-Identifier: MIT */
#include "daemon/tclink.h"

#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>

#include "util/log.h"

/* Linux 6.6; the headers of Debian 12 are older. */
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_EGRESS ((enum bpf_attach_type)47)

/* "WG": a priority that nobody else is likely to take for a filter of another kind. */
#define PRIORITY 0x5747

/* --- clsact ---------------------------------------------------------------------------------- */

static struct bpf_tc_hook hook_of(uint32_t ifindex, enum tclink_side side)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = side == TCLINK_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS,
	};
}

static int note_filter(const struct nlmsghdr *message, void *found)
{
	(void)message;
	*(bool *)found = true;
	return MNL_CB_OK;
}

/* Has the side any filter? True, too, if it cannot be told. */
static bool has_filters(uint32_t ifindex, uint32_t side)
{
	char buffer[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	bool found = false;
	ssize_t len = -1;

	if (!netlink)
		return true;
	request->nlmsg_type = RTM_GETTFILTER;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
	if (!mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(netlink, request, request->nlmsg_len) >= 0)
		do
			len = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));
		while (len > 0 && mnl_cb_run(buffer, len, 0, 0, note_filter, &found) > 0);
	mnl_socket_close(netlink);
	return len < 0 || found;
}

/* Somebody may have put filters into the qdisc that we made: then it stays, as it would if we were
 * not the ones who came first. */
static void remove_clsact(uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, TCLINK_INGRESS);

	if (has_filters(ifindex, TC_H_MIN_INGRESS) || has_filters(ifindex, TC_H_MIN_EGRESS))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

static int open_clsact(struct tclink *t, int prog_fd, enum tclink_side side,
		       const struct tclink_target *target)
{
	struct bpf_tc_hook hook = hook_of(target->ifindex, side);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE,
		    .handle = target->handle, .priority = PRIORITY);
	int err = bpf_tc_hook_create(&hook);
	bool made = !err;

	if (err && err != -EEXIST)
		return err;
	err = bpf_tc_attach(&hook, &opts);
	if (err) {
		if (made)
			remove_clsact(target->ifindex);
		return err;
	}
	*t = (struct tclink){
		.ifindex = target->ifindex,
		.side = side,
		.fd = -1,
		.handle = target->handle,
		.prog_id = opts.prog_id,
		.made_clsact = made,
	};
	return 0;
}

static bool clsact_alive(const struct tclink *t)
{
	struct bpf_tc_hook hook = hook_of(t->ifindex, t->side);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = t->handle, .priority = PRIORITY);

	return !bpf_tc_query(&hook, &opts) && opts.prog_id == t->prog_id;
}

static void close_clsact(const struct tclink *t)
{
	struct bpf_tc_hook hook = hook_of(t->ifindex, t->side);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = t->handle, .priority = PRIORITY);

	/* After a move the number may be another interface's. */
	if (!clsact_alive(t))
		return;
	bpf_tc_detach(&hook, &opts);
	if (t->made_clsact)
		remove_clsact(t->ifindex);
}

/* --- tcx ------------------------------------------------------------------------------------- */

/* -EINVAL: the kernel does not know the attach type. */
static int open_tcx(struct tclink *t, int prog_fd, enum tclink_side side, uint32_t ifindex)
{
	enum bpf_attach_type type = side == TCLINK_INGRESS ? TCX_INGRESS : TCX_EGRESS;
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

	/* The ifindex of a tcx link lies where that of an XDP link does. */
	return bpf_obj_get_info_by_fd(t->fd, &info, &len) ? 0 : info.xdp.ifindex;
}

/* --- either ---------------------------------------------------------------------------------- */

static int attach_fault(int err, const char *name, struct fault *f)
{
	switch (err) {
	case -EPERM:
		return fault(f, err,
			     "%s: attaching a TC program: not permitted; it takes root, or CAP_BPF "
			     "and CAP_NET_ADMIN",
			     name);
	case -ENODEV:
		return fault(f, err, "%s: no such interface; see `ip link`", name);
	default:
		return fault(f, -ENOTSUP,
			     "%s: takes no TC program: %s; it takes tcx (Linux 6.6) or clsact "
			     "(CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)",
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
			log_debug("%s: no tcx: %s", target->name, strerror(-err));
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
