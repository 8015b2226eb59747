/* SPDX-License-Identifier: MIT */
/*
 * conf.h - config files of wg(8) and wg-quick(8), read into typed values.
 *
 *   text ─▶ conf_parse ─▶ struct conf: the configuration that `wg setconf` of this text would set
 *   file ─▶ conf_read ──▶ the same, and a warning if others may read the private key
 *
 * The struct describes the state after the last line: blocks of the same peer are merged, and each
 * prefix belongs to only one peer. So the caller need not apply the lines one by one. Errors are
 * "file:line:column: value: what is wrong; what to do". Errors never contain private or preshared
 * keys.
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
#define CONF_ADDRESSES_MAX 4096U
#define CONF_DNS_MAX 64U	 /* name servers; the same limit holds for search domains */
#define CONF_HOOKS_MAX 1024U	 /* hooks of each kind */
#define CONF_HOOK_LEN_MAX 65536U /* bytes, %i not expanded; Linux allows 128 KiB per argument */
#define CONF_TABLE_TEXT_LEN 64U

enum conf_table {
	CONF_TABLE_AUTO,   /* a route for every allowed IP; a /0 gets a separate table and rules */
	CONF_TABLE_OFF,	   /* no routes */
	CONF_TABLE_NUMBER, /* a route for every allowed IP, in table conf.table_id */
};

/* When a hook runs: before or after the tunnel is set up, or before or after it is taken down. */
enum conf_hook { CONF_PRE_UP, CONF_POST_UP, CONF_PRE_DOWN, CONF_POST_DOWN, CONF_HOOK_COUNT };

/* Strings in the order of their lines. */
struct conf_list {
	char **items;
	uint32_t count;
};

struct conf_peer {
	uint8_t public_key[WIRE_KEY_LEN];
	uint8_t preshared_key[WIRE_KEY_LEN]; /* secret; all zero = none */
	bool own;			     /* the peer has our public key, and is skipped */
	bool incomplete;	  /* not all changes to the peer could be made; see conf_diff() */
	uint16_t keepalive_s;	  /* 0 = off */
	char name[PEER_NAME_LEN]; /* text of the "# Name =" line; "" = no name */
	char *host, *port;	  /* parts of Endpoint; port is decimal; NULL = none */
	bool named; /* host is a name, or an address such as fe80::1%eth0 before eth0 exists */
	unsigned endpoint_line; /* number of the Endpoint line */
	/* The remote side of Endpoint, filled in when the file is read. If named is true, the
	 * family is AF_UNSPEC until the host is looked up. Without Endpoint the family stays
	 * AF_UNSPEC. */
	struct endpoint endpoint;
	struct prefix *allowed; /* without host bits, in the order of `wg show` */
	uint32_t allowed_count;
	unsigned line; /* number of the peer's [Peer] line */
};

struct conf {
	char *path;			   /* path of the file, for messages */
	uint8_t private_key[WIRE_KEY_LEN]; /* secret */
	bool has_private_key;		   /* false: the tunnel waits for `wg set` */
	uint16_t listen_port;		   /* 0 = the kernel chooses */
	uint32_t fwmark;		   /* 0 = off */
	uint32_t mtu;			   /* 0 = chosen from the routes */
	enum conf_table table;
	uint32_t table_id;		      /* number of the table if table = CONF_TABLE_NUMBER */
	char table_text[CONF_TABLE_TEXT_LEN]; /* value of Table, maybe a name; "" = none */
	struct prefix *addresses;	      /* addresses of the interface, with their host bits */
	uint32_t address_count;
	struct conf_list dns_servers;		 /* numeric addresses, IPv4 and IPv6 */
	struct conf_list dns_search;		 /* search domains */
	struct conf_list hooks[CONF_HOOK_COUNT]; /* commands as written, "%i" included */
	bool save_config;	 /* detach writes the running configuration to the file */
	struct conf_peer *peers; /* in the order of their first blocks; each public key once */
	uint32_t peer_count;
};

/* Receives a warning, a sentence without newline, about a setting that is accepted but looks
 * wrong. */
typedef void (*conf_warn_fn)(void *ctx, const char *sentence);

/* Parses the @len bytes at @text. @path is used in messages; @warn may be NULL. Returns 0 with *@c
 * filled in; the caller releases it with conf_done(). Or returns -EINVAL, -E2BIG (more peers or
 * prefixes than a device holds, or more than a limit above allows) or -ENOMEM, with @f filled in
 * and *@c unchanged. */
int conf_parse(struct conf *c, const char *text, size_t len, const char *path, conf_warn_fn warn,
	       void *ctx, struct fault *f);

enum conf_severity { CONF_FAULT, CONF_WARNING };

/* Receives a sentence without newline: an error, or a warning about a setting that looks wrong. */
typedef void (*conf_report_fn)(void *ctx, enum conf_severity severity, const char *sentence);

/* Parses like conf_parse(), but continues after an error. Calls @report for every error, for every
 * warning of conf_parse(), and also for: overlaps between peers, a missing PrivateKey, peers that
 * cannot be reached, this host among the peers, keys copied from documentation, and an empty file.
 * Reports at most 100 errors and 100 warnings. Returns 0 with *@c filled in, or the -errno of one
 * of the reported errors with *@c unchanged. */
int conf_check(struct conf *c, const char *text, size_t len, const char *path,
	       conf_report_fn report, void *ctx);

/* Reads the file @path and checks it like conf_check(). Also warns if other users may read a
 * private key in the file. Returns what conf_check() returned. If the file cannot be read, returns
 * -errno instead; if it is too large, -EFBIG. */
int conf_check_file(struct conf *c, const char *path, conf_report_fn report, void *ctx);

/* Reads and parses a file, and warns if other users may read a private key in it. Returns what
 * conf_parse() returned. If the file cannot be read, returns -errno instead; if it is too large,
 * -EFBIG. */
int conf_read(struct conf *c, const char *path, conf_warn_fn warn, void *ctx, struct fault *f);

/* Returns an IPv6 prefix that the interface gets as an address or a route, or NULL if it needs no
 * IPv6. */
const struct prefix *conf_ipv6(const struct conf *c);

/* Wipes and frees the contents of @c. */
void conf_done(struct conf *c);

/* Looks up peer->host by getaddrinfo(3), which blocks, and fills in peer->endpoint from the first
 * answer. Returns 0 (also for a peer without host), -EAGAIN (DNS did not answer; try again later)
 * or -ENOENT (there is no such host). */
int conf_resolve(struct conf_peer *peer);

/* Returns 0 if @name matches ^[a-zA-Z0-9_=+.-]{1,15}$ and is neither "." nor "..". Otherwise
 * returns -EINVAL with @f filled in. */
int conf_check_interface(const char *name, struct fault *f);

/* Returns true if @arg is a path and not the name of an interface: if it ends in ".conf" or
 * contains a '/'. */
bool conf_is_path(const char *arg);

/* Finds the config file and the name of the interface for @arg. @arg is the path of a file, or the
 * name of an interface, whose file is looked up in /etc/wireguard and /etc/wgxdp. Returns 0, or
 * -errno with @f filled in: -EINVAL (not a valid name for an interface), -ENOENT (there is no such
 * file), -ENAMETOOLONG, or another errno of access(2). */
int conf_find(const char *arg, char path[static PATH_MAX], char interface[static IFNAME_MAX + 1],
	      struct fault *f);

/* Fills in the name of the interface for @arg, which is the path of a config file or the name of an
 * interface. Does not read the file, because detach and show also work without a file. Returns 0,
 * or -EINVAL or -ENAMETOOLONG with @f filled in. */
int conf_interface(const char *arg, char interface[static IFNAME_MAX + 1], struct fault *f);

#endif
