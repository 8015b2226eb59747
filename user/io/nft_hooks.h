/* SPDX-License-Identifier: MIT */
/* nft_hooks.h - finds the nf_tables chains that AF_XDP bypasses: those of a NIC, and those that may
 * change the route or the source of datagrams that the host itself sends. xtables.h finds the
 * chains of legacy iptables that may change the route. */
#ifndef WGXDP_NFT_HOOKS_H
#define WGXDP_NFT_HOOKS_H

#include <stdbool.h>

struct netlink;

#define NFT_HOOK_NAME_LEN 64

/* Each text is the table and the name of one chain that has rules, such as "mangle OUTPUT"; "" =
 * no such chain has rules. */
struct nft_hooks {
	char route[NFT_HOOK_NAME_LEN];	 /* a chain of type route, hook output: it may set a mark */
	char nat[NFT_HOOK_NAME_LEN];	 /* a chain of type nat, hook output or postrouting */
	char ingress[NFT_HOOK_NAME_LEN]; /* a chain of the NIC, hook ingress */
	char egress[NFT_HOOK_NAME_LEN];	 /* a chain of the NIC, hook egress (Linux 5.16) */
};

/* Reads the chains, among them those of the NIC named @nic. @nl is from netlink_open_netfilter().
 * Returns 0 with @out filled in, or -errno, with @out unchanged: -EPERM without CAP_NET_ADMIN,
 * -EINVAL or -EOPNOTSUPP if the kernel has no nf_tables. */
int nft_hooks_read(struct netlink *nl, const char *nic, struct nft_hooks *out);

/* Returns true if @err, of nft_hooks_read() or netlink_open_netfilter(), means that the kernel has
 * no nf_tables, and so no chains. */
bool nft_hooks_unsupported(int err);

#endif
