/* SPDX-License-Identifier: MIT */
#include "io/nft_watch.h"

#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>

#include "io/netlink_private.h"

#define READS_MAX 256 /* per call, so that a busy table does not delay the control thread */

struct nft_watch {
	struct mnl_socket *socket;
	_Alignas(8) uint8_t buf[NETLINK_BUFFER];
};

struct nft_watch *nft_watch_open(void)
{
	struct nft_watch *w = calloc(1, sizeof(*w));
	int group = NFNLGRP_NFTABLES;

	if (!w)
		return NULL;
	w->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->socket)
		goto free_watch;
	if (mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) ||
	    mnl_socket_setsockopt(w->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		goto close_socket;
	return w;

close_socket:
	mnl_socket_close(w->socket);
free_watch:
	free(w);
	return NULL;
}

void nft_watch_close(struct nft_watch *w)
{
	if (!w)
		return;
	mnl_socket_close(w->socket);
	free(w);
}

int nft_watch_fd(const struct nft_watch *w)
{
	return mnl_socket_get_fd(w->socket);
}

/* In all these messages, attribute 1 is the name of the table. */
static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1,
	      "the attribute that names the table differs");

static bool deletes(const struct nlmsghdr *nlh, const char *name)
{
	const struct nlattr *table;

	switch (nlh->nlmsg_type) {
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELCHAIN:
	case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE:
		break;
	default:
		return false;
	}
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return false;
	table = netlink_attr(nlh, sizeof(struct nfgenmsg), NFTA_TABLE_NAME, 1);
	return table && mnl_attr_get_payload_len(table) == strlen(name) + 1 &&
	       !memcmp(mnl_attr_get_payload(table), name, strlen(name) + 1);
}

bool nft_watch_read(struct nft_watch *w, const char *name)
{
	const struct nlmsghdr *m;
	bool deleted = false;
	int n;

	for (int i = 0; i < READS_MAX; i++) {
		n = netlink_receive(nft_watch_fd(w), w->buf, NULL);
		if (n == -ENOBUFS) {
			deleted = true;
			continue;
		}
		if (n < 0)
			break;
		for (m = (const struct nlmsghdr *)w->buf; mnl_nlmsg_ok(m, n);
		     m = mnl_nlmsg_next(m, &n))
			deleted |= deletes(m, name);
	}
	return deleted;
}
