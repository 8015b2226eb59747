/* SPDX-License-Identifier: MIT */
/*
 * conf.h - config files of wg(8) and wg-quick(8), read into typed values.
 *
 *   text ─▶ conf_parse ─▶ struct conf: what a `wg setconf` of the same file would leave behind
 *   file ─▶ conf_read ──▶ the same, and a warning if others may read the private key
 *
 * Two blocks of one peer are merged, and each prefix is given to the peer that has it after the
 * last line. So the caller applies values and never replays lines. Errors are "file:line:column:
 * value: what is wrong; what to do". They never contain private or preshared keys.
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
#define CONF_DNS_MAX 64U	 /* name servers, and as many search domains */
#define CONF_HOOKS_MAX 1024U	 /* of each kind */
#define CONF_HOOK_LEN_MAX 65536U /* bytes; Linux passes a program 128 KiB in one argument */
#define CONF_TABLE_TEXT_LEN 64U

enum conf_table {
	CONF_TABLE_AUTO,   /* a route for every allowed IP; a /0 gets a separate table and rules */
	CONF_TABLE_OFF,	   /* no routes */
	CONF_TABLE_NUMBER, /* a route for every allowed IP, in table conf.table_id */
};

/* When a hook runs: before or after the tunnel is set up or taken down. */
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
	uint16_t keepalive_s;		     /* 0 = off */
	char name[PEER_NAME_LEN];	     /* from "# Name = "; "" = none */
	char *host, *port;		     /* from Endpoint; the port is decimal; NULL = none */
	bool named;			     /* host is a name and not an address */
	unsigned endpoint_line;		     /* number of the Endpoint line */
	/* The remote side of Endpoint. An address is filled in when the file is read. The family is
	 * AF_UNSPEC for a name until conf_resolve(), and for a peer without Endpoint. */
	struct endpoint endpoint;
	struct prefix *allowed; /* masked, in the order in which `wg show` lists them */
	uint32_t allowed_count;
	unsigned line; /* number of the peer's [Peer] line */
};

struct conf {
	char *path;			   /* for messages */
	uint8_t private_key[WIRE_KEY_LEN]; /* secret */
	bool has_private_key;		   /* without one, the tunnel waits for `wg set` */
	uint16_t listen_port;		   /* 0 = the kernel chooses */
	uint32_t fwmark;		   /* 0 = off */
	uint32_t mtu;			   /* 0 = to be chosen from the routes */
	enum conf_table table;
	uint32_t table_id;		      /* with CONF_TABLE_NUMBER */
	char table_text[CONF_TABLE_TEXT_LEN]; /* Table as written, maybe a name; "" = none */
	struct prefix *addresses;	      /* of the interface, with their host bits */
	uint32_t address_count;
	struct conf_list dns_servers;		 /* numeric addresses, IPv4 and IPv6 */
	struct conf_list dns_search;		 /* domains */
	struct conf_list hooks[CONF_HOOK_COUNT]; /* commands as written, "%i" included */
	bool save_config;	 /* detach writes the running configuration to the file */
	struct conf_peer *peers; /* in the order of their first blocks; each key once */
	uint32_t peer_count;
};

/* Called with a sentence, without newline, about something that is accepted but looks wrong. */
typedef void (*conf_warn_fn)(void *ctx, const char *sentence);

/* Parses the @len bytes at @text. @path is used in messages; @warn may be NULL. Returns 0 and fills
 * in *@c, which the caller gives to conf_done(). Or returns -EINVAL, -E2BIG (more peers or prefixes
 * than a device holds, or more than a limit above allows) or -ENOMEM, with @f filled in and *@c
 * untouched. */
int conf_parse(struct conf *c, const char *text, size_t len, const char *path, conf_warn_fn warn,
	       void *ctx, struct fault *f);

enum conf_severity { CONF_FAULT, CONF_WARNING };

/* Called with a sentence, without newline, about an error or about something that looks wrong. */
typedef void (*conf_report_fn)(void *ctx, enum conf_severity severity, const char *sentence);

/* Parses like conf_parse(), but continues after an error. Calls @report for every error (at most
 * 100), for every warning of conf_parse(), and also for: overlaps between peers, a missing
 * PrivateKey, peers that nobody can reach, this host among the peers, published keys, and an empty
 * file. If there is no error, returns 0 and fills in *@c; else returns one of the errors and leaves
 * *@c untouched. */
int conf_check(struct conf *c, const char *text, size_t len, const char *path,
	       conf_report_fn report, void *ctx);

/* The same for a file. Also warns if other users may read a private key in the file. Also returns
 * the -errno of reading the file, or -EFBIG. */
int conf_check_file(struct conf *c, const char *path, conf_report_fn report, void *ctx);

/* Reads and parses a file, and warns if other users may read a private key in it. Returns the
 * values of conf_parse(), the -errno of reading the file, or -EFBIG. */
int conf_read(struct conf *c, const char *path, conf_warn_fn warn, void *ctx, struct fault *f);

/* Wipes and frees the contents of @c. */
void conf_done(struct conf *c);

/* Looks up peer->host by getaddrinfo(3), which blocks, and fills in peer->endpoint from the first
 * answer. Returns 0 (also for a peer without host), -EAGAIN (DNS did not answer; try again later)
 * or -ENOENT (there is no such host). */
int conf_resolve(struct conf_peer *peer);

/* Returns 0 if @name matches ^[a-zA-Z0-9_=+.-]{1,15}$ and is neither "." nor "..", else -EINVAL
 * with @f. */
int conf_check_interface(const char *name, struct fault *f);

/* Returns true if @arg is a path and not the name of an interface: if it ends in ".conf" or
 * contains a '/'. */
bool conf_is_path(const char *arg);

/* Finds the config file and the interface for the argument @arg, which is a path, or a name that is
 * looked up in /etc/wireguard and /etc/wgxdp. Returns 0, -EINVAL (not a valid name for an
 * interface) or -ENOENT (there is no such file). */
int conf_find(const char *arg, char path[static PATH_MAX], char interface[static IFNAME_MAX + 1],
	      struct fault *f);

/* Fills in the interface for the argument @arg, which may be CONF or IFACE. The file need not
 * exist, because detach and show use this. Returns 0 or -EINVAL. */
int conf_interface(const char *arg, char interface[static IFNAME_MAX + 1], struct fault *f);

#endif
