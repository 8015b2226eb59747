/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - requests to rtnetlink (with libmnl), in the network namespace in which the handle was
 * opened. The program never reads facts about links from /sys, which may show another namespace.
 */
#ifndef WGXDP_NETLINK_H
#define WGXDP_NETLINK_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"
#include "wg/prefix.h"

struct netlink; /* a request socket, for one thread */

struct netlink *netlink_open(void);	      /* returns NULL and sets errno on failure */
struct netlink *netlink_open_xfrm(void);      /* opens NETLINK_XFRM, for ipsec.h */
struct netlink *netlink_open_generic(void);   /* opens NETLINK_GENERIC, for xdp_features.h */
struct netlink *netlink_open_sock_diag(void); /* opens NETLINK_SOCK_DIAG, for xsk_owners.h */
/* Opens NETLINK_NETFILTER, for conntrack.h and nft_hooks.h. */
struct netlink *netlink_open_netfilter(void);
void netlink_close(struct netlink *nl); /* does nothing if nl is NULL */

/* Returns why the last request on @nl failed with @err: the kernel's own message if it sent one
 * ("IPv6 is disabled on this device"), else strerror(). Valid until the next request. */
const char *netlink_error(const struct netlink *nl, int err);

struct netlink_link {
	uint32_t ifindex;
	char name[16];
	uint8_t mac[6];
	bool has_mac; /* the link is an Ethernet device */
	uint32_t mtu;
	bool up, running, loopback;
	uint32_t carrier_downs; /* how often the link has lost its carrier */
	bool no_arp;	    /* IFF_NOARP or point-to-point: its neighbours have no MAC addresses */
	uint32_t rx_queues; /* created queues; netlink_queues() returns how many are in use */
	uint32_t xdp_prog_id; /* id of the XDP program in any mode; 0 = none */
	uint8_t xdp_mode;     /* XDP_ATTACHED_...: none, native, generic, hardware or several */
	uint32_t master;    /* the bridge, bond or other master (not VRF) of this link; 0 = none */
	char kind[16];	    /* type of a virtual device, such as "veth"; "" for a physical NIC */
	uint8_t hop_limit6; /* hop limit of IPv6 packets whose route sets none */
};

/* Looks up a link by @name, or by @ifindex if @name is NULL. Returns 0, -ENODEV or another
 * -errno. */
int netlink_link(struct netlink *nl, const char *name, uint32_t ifindex, struct netlink_link *out);

/* Returns the interface at which packets of the link with @ifindex reach IP: the link itself, or
 * the bridge or bond above it. */
uint32_t netlink_layer3(struct netlink *nl, uint32_t ifindex);

/* Fills in the name of a link that is enslaved to the link with @ifindex: a port of a bridge, a
 * member of a bond, or the virtual function beneath a netvsc device. Returns 0, -ENOENT or another
 * -errno. */
int netlink_member(struct netlink *nl, uint32_t ifindex, char name[static 16]);

/* Returns how many queues the NIC uses now for receiving and for sending: the combined channels
 * plus the rx or tx channels (ethtool -l), or 1 if the driver does not report channels. */
void netlink_queues(const char *name, uint32_t *rx, uint32_t *tx);

#define NETLINK_QDISC_LEN 16

/* The kinds of the qdiscs that were configured on a link; "" = none. Such a qdisc has a handle; the
 * kernel's default qdisc has none. */
struct netlink_qdiscs {
	char root[NETLINK_QDISC_LEN];	/* "tbf", "cake" */
	char clsact[NETLINK_QDISC_LEN]; /* "clsact" or "ingress", the qdisc of tc filters */
};

/* Reads the qdiscs of a link. Returns 0, or -errno with @out unchanged. */
int netlink_qdiscs(struct netlink *nl, uint32_t ifindex, struct netlink_qdiscs *out);

struct netlink_drops {
	uint64_t rx_dropped, tx_dropped;
};

/* Reads how many packets the link has dropped since it was created (IFLA_STATS64). Returns 0,
 * -ENODEV or another -errno. */
int netlink_link_drops(struct netlink *nl, uint32_t ifindex, struct netlink_drops *out);

/* Set a link up or down, or set its MTU. Both functions return 0 or -errno. */
int netlink_set_up(struct netlink *nl, uint32_t ifindex, bool up);
int netlink_set_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu);
/* Adds an alternative name of at most 127 bytes to the link. Returns 0, -EEXIST if any link has the
 * name already, or another -errno. */
int netlink_add_altname(struct netlink *nl, uint32_t ifindex, const char *name);
/* Add an address or a route. Both functions return -EEXIST if the address or route exists already.
 * @address may have host bits, @destination must not. */
int netlink_add_address(struct netlink *nl, uint32_t ifindex, const struct prefix *address);
int netlink_add_route(struct netlink *nl, uint32_t ifindex, const struct prefix *destination,
		      uint32_t table);
/* Delete an address or a route. Return -EADDRNOTAVAIL if the address does not exist, or -ESRCH if
 * the route does not exist. */
int netlink_delete_address(struct netlink *nl, uint32_t ifindex, const struct prefix *address);
int netlink_delete_route(struct netlink *nl, uint32_t ifindex, const struct prefix *destination,
			 uint32_t table);

/* Calls @fn for every unicast address of the host, including loopback, except those whose duplicate
 * detection has failed or is in progress. If @fn returns a value other than 0, the walk ends and
 * that value is returned. */
int netlink_addresses(struct netlink *nl,
		      int (*fn)(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr),
		      void *ctx);

/* Lists the addresses of a link with their prefix lengths, except those whose duplicate detection
 * has failed. Returns 0, with *@list from malloc() for the caller to free and its length in
 * *@count; or returns -errno. */
int netlink_link_addresses(struct netlink *nl, uint32_t ifindex, struct prefix **list,
			   uint32_t *count);

/* Finds the first of the @count addresses in @list that the link does not have with the same prefix
 * length. Sets *@missing to this address, or to NULL if the link has all of them. An address whose
 * duplicate detection is in progress is not missing. Each new IPv6 address is in this state for a
 * short time, even on a link without duplicate detection. Returns 0 or -errno. */
int netlink_missing_address(struct netlink *nl, uint32_t ifindex, const struct prefix *list,
			    size_t count, const struct prefix **missing);

struct netlink_route {
	uint32_t ifindex;
	bool has_gateway, local; /* local: the destination is an address of this host */
	uint8_t gateway_family;	 /* may be AF_INET6 even if the route is an IPv4 route */
	uint8_t gateway[16];
	bool has_source;
	uint8_t source[16]; /* the caller's source address if set, else the kernel's choice */
	bool encapsulated;  /* the route adds headers (ip route ... encap) */
	uint8_t hoplimit;   /* the route's TTL; 0 = the route sets none */
	uint32_t mtu; /* the smaller of the route's MTU (or its cached path MTU) and the link's
			 MTU; 0 = unknown */
};

/* The properties of an outer datagram, other than its addresses, that policy rules and multipath
 * routing may use. */
struct netlink_flow {
	uint32_t fwmark;
	__be16 source_port; /* 0 = unknown */
};

/* Queries the route to e->remote, from e->local if that is set, for a datagram with the properties
 * @flow. e->ifindex is used only for link-local addresses. Returns 0, -ENETUNREACH (no route,
 * blackhole), -EHOSTUNREACH (unreachable), -EACCES (prohibited, broadcast), -EINVAL (e->local is no
 * longer an address of this host), or another -errno. */
int netlink_route(struct netlink *nl, const struct endpoint *e, const struct netlink_flow *flow,
		  struct netlink_route *out);

/* Like netlink_route(), for an address of @family (AF_INET or AF_INET6) that no host has and that
 * only a default route matches. The query has no source address. */
int netlink_default_route(struct netlink *nl, uint8_t family, const struct netlink_flow *flow,
			  struct netlink_route *out);

/* Asks whether the kernel would accept a datagram from @from->remote to UDP port @port (network
 * order) of @from->local that arrived at the link @from->ifindex. The kernel refuses martian
 * sources, and sources that the reverse-path filter of the interface refuses. Returns 0 (accepted),
 * -EXDEV (refused), or another -errno (not known). */
int netlink_check_source(struct netlink *nl, const struct endpoint *from, __be16 port);

/* A unicast route whose packets leave through a given link. */
struct netlink_device_route {
	struct prefix to;
	uint32_t table;
	uint32_t mtu; /* MTU of the route itself (RTAX_MTU); 0 = none */
};

/* Lists the routes of all tables whose packets leave through the link @ifindex, in any order.
 * Returns 0 with *@count routes in *@list, which the caller frees, or -errno. */
int netlink_device_routes(struct netlink *nl, uint32_t ifindex, struct netlink_device_route **list,
			  size_t *count);

/* A route through one next hop. A route with several next hops is listed once for each of them. */
struct netlink_table_route {
	struct prefix to;
	uint32_t ifindex; /* 0 = no link (unreachable, blackhole) */
	bool has_gateway; /* false also for a gateway of another family than the route's */
	uint8_t gateway[16];
};

/* Lists the routes of one table, in any order. Returns 0 with *@count entries in *@list, which the
 * caller frees, or -errno. */
int netlink_table_routes(struct netlink *nl, uint8_t family, uint32_t table,
			 struct netlink_table_route **list, size_t *count);

/* Fills in the neighbour's MAC. Returns 0, -ENOENT if the kernel has no valid entry now, or another
 * -errno. */
int netlink_neighbour(struct netlink *nl, uint32_t ifindex, uint8_t family, const uint8_t *addr,
		      uint8_t mac[static 6]);

/* Asks the kernel to resolve the neighbour and to keep it fresh (NTF_EXT_MANAGED). Kernels before
 * 5.16 are asked only to resolve it now (NTF_USE). Returns 1 if this call made the entry managed.
 * Returns 0, and leaves the entry alone, if it is already managed, is permanent, or is maintained
 * by another program (extern_learn). Otherwise returns -errno. */
int netlink_neighbour_manage(struct netlink *nl, uint32_t ifindex, uint8_t family,
			     const uint8_t *addr);

/* Undoes a netlink_neighbour_manage() that returned 1. A valid entry stays in the table like any
 * other; an entry that is not valid is deleted. Does nothing if the entry is gone, or has become
 * permanent or extern_learn since. Returns 0 or -errno. */
int netlink_neighbour_release(struct netlink *nl, uint32_t ifindex, uint8_t family,
			      const uint8_t *addr);

/* A socket that becomes readable when the kernel reports a change. */
struct netlink_watch;
enum netlink_changed {
	NETLINK_CHANGED_LINK = 1 << 0,
	NETLINK_CHANGED_ADDRESS = 1 << 1,
	NETLINK_CHANGED_ROUTE = 1 << 2, /* routes, rules, next hops */
	NETLINK_CHANGED_NEIGHBOUR = 1 << 3,
	NETLINK_CHANGED_FORWARDING = 1 << 4, /* sysctls in net.ipv[46].conf, such as forwarding */
	/* The socket overran, so messages about links may be missing: query the links again. */
	NETLINK_CHANGED_LOST = 1 << 5,
	NETLINK_CHANGED_RULE = 1 << 6, /* a rule; NETLINK_CHANGED_ROUTE is set, too */
};
/* The new state of a neighbour. */
struct netlink_neighbour_event {
	uint32_t ifindex;
	uint8_t family, addr[16];
	bool valid;
	uint8_t mac[6]; /* all zero unless @valid */
};

struct netlink_watch *netlink_watch_open(void); /* returns NULL and sets errno on failure */

/* Watches the links, routes, rules and next hops of the other namespace @netns_fd from a socket in
 * this namespace, so that the watch does not keep a deleted namespace alive. NETLINK_CHANGED_LOST
 * also reports that the namespace is being deleted. Needs CAP_NET_ADMIN in this namespace and
 * CAP_NET_BROADCAST in both. Returns NULL and sets errno on failure. */
struct netlink_watch *netlink_watch_open_netns(int netns_fd);
void netlink_watch_close(struct netlink_watch *w);
int netlink_watch_fd(const struct netlink_watch *w);

/* Sets @fn to be called for each changed neighbour. NETLINK_CHANGED_NEIGHBOUR is then set only
 * after an overrun. */
void netlink_watch_neighbours(struct netlink_watch *w,
			      void (*fn)(void *ctx, const struct netlink_neighbour_event *e),
			      void *ctx);

/* Sets @fn to be called with the destination of each changed route. NETLINK_CHANGED_ROUTE is then
 * set only for rules, for next-hop objects and after an overrun. */
void netlink_watch_routes(struct netlink_watch *w,
			  void (*fn)(void *ctx, const struct prefix *destination), void *ctx);

/* Limits the reported routes to those whose packets leave through the link @ifindex. Changed rules
 * and next hops still set NETLINK_CHANGED_ROUTE. */
void netlink_watch_routes_by(struct netlink_watch *w, uint32_t ifindex);

/* Reads the messages that have arrived. Returns a set of enum netlink_changed, in which all flags
 * are set after an overrun. Calls @link (which may be NULL) for each link that changed or was
 * deleted (@gone). After an overrun, changed links may be left out. */
unsigned netlink_watch_read(struct netlink_watch *w,
			    void (*link)(void *ctx, const struct netlink_link *l, bool gone),
			    void *ctx);

#endif
