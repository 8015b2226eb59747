/* SPDX-License-Identifier: MIT */
#include "io/xdp_features.h"

#include <errno.h>
#include <linux/genetlink.h>

#include "io/kernel_constants.h"
#include "io/netlink_request.h"

static struct nlmsghdr *begin(struct netlink *nl, uint16_t family, uint16_t flags, uint8_t command,
			      uint8_t version)
{
	struct nlmsghdr *nlh = netlink_begin(nl, family, flags);
	struct genlmsghdr *g = mnl_nlmsg_put_extra_header(nlh, sizeof(*g));

	g->cmd = command;
	g->version = version;
	return nlh;
}

static int take_family(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a =
		netlink_attr(nlh, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_ID, 2);
	uint16_t *family = ctx;

	if (!a)
		return -EBADMSG;
	*family = mnl_attr_get_u16(a);
	return 0;
}

/* Sets *@family to the id of the generic netlink family "netdev". Returns -EOPNOTSUPP if the kernel
 * lacks the family. */
static int find_family(struct netlink *nl, uint16_t *family)
{
	struct nlmsghdr *nlh = begin(nl, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, 1);
	int err;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY_NAME);
	err = netlink_talk(nl, nlh, take_family, family);
	return err == -ENOENT ? -EOPNOTSUPP : err;
}

static int take_features(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a =
		netlink_attr(nlh, sizeof(struct genlmsghdr), NETDEV_A_DEV_XDP_FEATURES, 8);
	struct xdp_features *out = ctx;
	uint64_t bits;

	if (!a)
		return -EBADMSG;
	bits = mnl_attr_get_u64(a);
	*out = (struct xdp_features){
		.native = (bits & NETDEV_XDP_ACT_BASIC) && (bits & NETDEV_XDP_ACT_REDIRECT),
		.zero_copy = bits & NETDEV_XDP_ACT_XSK_ZEROCOPY,
	};
	return 0;
}

int xdp_features_read(uint32_t ifindex, struct xdp_features *out)
{
	struct netlink *nl = netlink_open_generic();
	struct xdp_features found = { false, false };
	struct nlmsghdr *nlh;
	uint16_t family = 0;
	int err = nl ? find_family(nl, &family) : -errno;

	if (err)
		goto out;
	nlh = begin(nl, family, 0, NETDEV_CMD_DEV_GET, NETDEV_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, NETDEV_A_DEV_IFINDEX, ifindex);
	err = netlink_talk(nl, nlh, take_features, &found);
	if (!err)
		*out = found;
out:
	netlink_close(nl);
	return err;
}

struct queue_walk {
	uint32_t senders; /* the highest id of a tx queue, plus one */
	xdp_features_fn fn;
	void *ctx;
};

/* Counts the queue if it is a tx queue. If it is an rx queue with an AF_XDP socket, calls fn. */
static int take_queue(const struct nlmsghdr *nlh, void *ctx)
{
	const size_t header = sizeof(struct genlmsghdr);
	const struct nlattr *id = netlink_attr(nlh, header, NETDEV_A_QUEUE_ID, 4);
	const struct nlattr *type = netlink_attr(nlh, header, NETDEV_A_QUEUE_TYPE, 4);
	struct queue_walk *walk = ctx;
	uint32_t number;

	if (!id || !type)
		return -EBADMSG;
	number = mnl_attr_get_u32(id);
	if (mnl_attr_get_u32(type) == NETDEV_QUEUE_TYPE_TX && number >= walk->senders)
		walk->senders = number + 1;
	if (mnl_attr_get_u32(type) == NETDEV_QUEUE_TYPE_RX && walk->fn &&
	    netlink_attr(nlh, header, NETDEV_A_QUEUE_XSK, 0))
		walk->fn(walk->ctx, number);
	return 0;
}

static int walk_queues(uint32_t ifindex, struct queue_walk *walk)
{
	struct netlink *nl = netlink_open_generic();
	struct nlmsghdr *nlh;
	uint16_t family = 0;
	int err = nl ? find_family(nl, &family) : -errno;

	if (err)
		goto out;
	nlh = begin(nl, family, NLM_F_DUMP, NETDEV_CMD_QUEUE_GET, NETDEV_FAMILY_VERSION);
	mnl_attr_put_u32(nlh, NETDEV_A_QUEUE_IFINDEX, ifindex);
	err = netlink_dump(nl, nlh, take_queue, walk, NULL);
out:
	netlink_close(nl);
	return err;
}

int xdp_features_senders(uint32_t ifindex, uint32_t *count)
{
	struct queue_walk walk = { .senders = 0 };
	int err = walk_queues(ifindex, &walk);

	if (!err && !walk.senders)
		err = -ENETDOWN;
	if (!err)
		*count = walk.senders;
	return err;
}

int xdp_features_xsk_queues(uint32_t ifindex, xdp_features_fn fn, void *ctx)
{
	struct queue_walk walk = { .fn = fn, .ctx = ctx };

	return walk_queues(ifindex, &walk);
}
