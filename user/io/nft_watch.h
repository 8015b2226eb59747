/* SPDX-License-Identifier: MIT */
/* nft_watch.h - notices when another program deletes an nftables table, or a part of it. */
#ifndef WGXDP_NFT_WATCH_H
#define WGXDP_NFT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct nft_watch;

/* Watches the network namespace of the calling thread. Returns NULL and sets errno on failure. */
struct nft_watch *nft_watch_open(void);
void nft_watch_close(struct nft_watch *w); /* does nothing if w is NULL */
int nft_watch_fd(const struct nft_watch *w);

/* Reads the events that have arrived. Returns true if the table @name, or a chain or rule in it,
 * was deleted in any family, or if events were lost. */
bool nft_watch_read(struct nft_watch *w, const char *name);

/* Like nft_watch_read(), for a caller that has just deleted the table @name and added it again in
 * @families (bits 1 << NFPROTO_…). Returns true if the table or a part of it was deleted in one of
 * these families after the table was added, or if events were lost. So the caller's own deletions
 * do not count, but later deletions by other programs do. */
bool nft_watch_read_added(struct nft_watch *w, const char *name, uint32_t families);

#endif
