/* SPDX-License-Identifier: MIT */
#include "io/xdp_features.h"

#include <errno.h>
#include <linux/genetlink.h>

#include "io/netlink_request.h"

/* Constants of linux/netdev.h, which the headers of Debian 12 (Linux 6.1) do not have. */
#define FAMILY_NAME "netdev"
#define FAMILY_VERSION 1
#define CMD_DEV_GET 1	    /* NETDEV_CMD_DEV_GET */
#define ATTR_IFINDEX 1	    /* NETDEV_A_DEV_IFINDEX */
#define ATTR_XDP_FEATURES 3 /* NETDEV_A_DEV_XDP_FEATURES, 8 bytes */
#define ACT_BASIC (1U << 0)
#define ACT_REDIRECT (1U << 1)
#define ACT_XSK_ZEROCOPY (1U << 3)

static struct nlmsghdr *begin(struct netlink *nl, uint16_t family, uint8_t command, uint8_t version)
{
	struct nlmsghdr *nlh = netlink_begin(nl, family, 0);
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
	struct nlmsghdr *nlh = begin(nl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	int err;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, FAMILY_NAME);
	err = netlink_talk(nl, nlh, take_family, family);
	return err == -ENOENT ? -EOPNOTSUPP : err;
}

static int take_features(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct genlmsghdr), ATTR_XDP_FEATURES, 8);
	struct xdp_features *out = ctx;
	uint64_t bits;

	if (!a)
		return -EBADMSG;
	bits = mnl_attr_get_u64(a);
	*out = (struct xdp_features){
		.native = (bits & ACT_BASIC) && (bits & ACT_REDIRECT),
		.zero_copy = bits & ACT_XSK_ZEROCOPY,
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
	nlh = begin(nl, family, CMD_DEV_GET, FAMILY_VERSION);
	mnl_attr_put_u32(nlh, ATTR_IFINDEX, ifindex);
	err = netlink_talk(nl, nlh, take_features, &found);
	if (!err)
		*out = found;
out:
	netlink_close(nl);
	return err;
}
