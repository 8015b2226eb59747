/* SPDX-License-Identifier: MIT */
/*
 * conf.h - config files of wg(8) and wg-quick(8), read into typed values.
 *
 *   text ─▶ conf_parse ─▶ struct conf: what a `wg setconf` of the same file would leave behind
 *   file ─▶ conf_read ──▶ the same, after a look at who may read the file
 *
 * A duplicate peer is merged into its first block, prefixes that were given and taken again are
 * settled: the caller applies values, it never replays lines. What is not supported yet is refused
 * by name. Errors are "file:line: value: what is wrong; what to do"; private and preshared keys
 * appear in none of them.
 */
#ifndef WGXDP_CONF_H
#define WGXDP_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"
#include "wg/endpoint.h"
#include "wg/peer.h"
#include "wg/prefix.h"
#include "wgxdp/limits.h"
#include "wgxdp/wire.h"

#define CONF_FILE_MAX (64U << 20) /* bytes */

enum conf_table {
	CONF_TABLE_AUTO, /* a route for every allowed IP */
	CONF_TABLE_OFF,	 /* none */
};

struct conf_peer {
	uint8_t public_key[WIRE_KEY_LEN];
	uint8_t preshared_key[WIRE_KEY_LEN]; /* secret; all zero = none */
	bool own;			     /* it has our own public key: to be skipped */
	uint16_t keepalive_s;		     /* 0 = off */
	char name[PEER_NAME_LEN];	     /* from "# Name = "; "" = none */
	char *host, *port;		     /* of Endpoint, as written; NULL = none */
	struct endpoint endpoint; /* remote side; AF_UNSPEC until host is resolved, or no Endpoint.
				   * Numeric ones are filled in when the file is read. */
	struct prefix *allowed;	  /* masked; in the order in which `wg show` lists them */
	uint32_t allowed_count;
	unsigned line; /* of its [Peer] */
};

struct conf {
	char *path;			   /* as given to conf_read/conf_parse; for messages */
	uint8_t private_key[WIRE_KEY_LEN]; /* secret */
	bool has_private_key;		   /* else the tunnel waits for `wg set` */
	uint16_t listen_port;		   /* 0 = the kernel chooses */
	uint32_t fwmark;		   /* 0 = off */
	uint32_t mtu;			   /* 0 = to be derived */
	enum conf_table table;
	struct prefix *addresses; /* of the interface, host bits kept */
	uint32_t address_count;
	struct conf_peer *peers; /* in the order of their first blocks; no key twice */
	uint32_t peer_count;
};

/* Is told what is accepted but looks wrong: one sentence, without newline. */
typedef void (*conf_warn_fn)(void *ctx, const char *sentence);

/* Parses @len bytes at @text; @path is only for messages. @warn may be NULL. Returns 0 with *@c to
 * be given to conf_done(); or -EINVAL, -ENOTSUP (understood, not supported yet), -E2BIG (more peers
 * or prefixes than a device holds), -ENOMEM, with @f and nothing to free. */
int conf_parse(struct conf *c, const char *text, size_t len, const char *path, conf_warn_fn warn,
	       void *ctx, struct fault *f);

/* Reads and parses a file; warns when others may read a private key in it. As above, or -errno of
 * the file, -EFBIG. */
int conf_read(struct conf *c, const char *path, conf_warn_fn warn, void *ctx, struct fault *f);

/* Wipes and frees what it holds. */
void conf_done(struct conf *c);

/* Looks up peer->host by getaddrinfo(3), which blocks, and fills peer->endpoint with the first
 * answer. Nothing to do for a peer without host. Returns 0, -EAGAIN (DNS did not answer; try again
 * later), -ENOENT (there is no such host) with @f. */
int conf_resolve(struct conf_peer *peer, struct fault *f);

/* Is it a name for an interface: ^[a-zA-Z0-9_=+.-]{1,15}$, but neither "." nor ".."? 0/-EINVAL. */
int conf_check_interface(const char *name, struct fault *f);

/* Does @arg name a file rather than an interface? It does if it ends in ".conf" or has a '/'. */
bool conf_is_path(const char *arg);

/* Finds the file that @arg of the command line means, and the interface it is for: a path, or a name
 * that is looked up in /etc/wireguard and /etc/wgxdp. Returns 0; -EINVAL (no name for an interface),
 * -ENOENT (there is no such file). */
int conf_find(const char *arg, char path[static PATH_MAX], char interface[static IFNAME_MAX + 1],
	      struct fault *f);

/* The interface that @arg names, be it CONF or IFACE, without looking for a file; for detach and
 * show. 0/-EINVAL. */
int conf_interface(const char *arg, char interface[static IFNAME_MAX + 1], struct fault *f);

#endif
