/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - what we ask of and tell rtnetlink (by libmnl), in one network namespace: the one in
 * which the handle was opened. Link facts come from here, never from /sys.
 */
#ifndef WGXDP_NETLINK_H
#define WGXDP_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/endpoint.h"
#include "wg/prefix.h"

struct netlink; /* a request socket; one thread */

struct netlink *netlink_open(void);	      /* NULL: errno */
struct netlink *netlink_open_netfilter(void); /* likewise; for conntrack.h alone */
void netlink_close(struct netlink *nl);

struct netlink_link {
	uint32_t ifindex;
	char name[16];
	uint8_t mac[6];
	bool has_mac; /* an Ethernet device */
	uint32_t mtu;
	bool up, running, loopback;
	bool no_arp;	    /* IFF_NOARP or point-to-point: its neighbours have no MAC to ask for */
	uint32_t rx_queues; /* IFLA_NUM_RX_QUEUES as created; real ones: netlink_queues() */
	uint32_t xdp_prog_id; /* of the program attached, any mode; 0 = none */
	uint8_t xdp_mode;     /* IFLA_XDP_ATTACHED */
	char kind[16];	      /* "veth", "tun", "" */
	uint8_t hop_limit6;   /* of IPv6 packets by it whose route says nothing */
};

/* By name or, when @name is NULL, by index. 0, -ENODEV, -errno. */
int netlink_link(struct netlink *nl, const char *name, uint32_t ifindex, struct netlink_link *out);

/* Names a link that is enslaved to the one with @ifindex: a port of a bridge, a member of a bond, what
 * netvsc has from the hypervisor. 0, -ENOENT, -errno. */
int netlink_member(struct netlink *nl, uint32_t ifindex, char name[static 16]);

/* Combined (or rx) channels in use, by ethtool; 1 where the driver cannot tell. */
uint32_t netlink_queues(const char *name);

struct netlink_drops {
	uint64_t rx_dropped, tx_dropped;
};

/* What the link itself dropped since it was made (IFLA_STATS64). 0, -ENODEV, -errno. */
int netlink_link_drops(struct netlink *nl, uint32_t ifindex, struct netlink_drops *out);

int netlink_set_up(struct netlink *nl, uint32_t ifindex, bool up);
int netlink_set_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu);
/* -EEXIST when there is one already. An address keeps its host bits, a destination has none. */
int netlink_add_address(struct netlink *nl, uint32_t ifindex, const struct prefix *address);
int netlink_add_route(struct netlink *nl, uint32_t ifindex, const struct prefix *destination);

/* Calls @fn for every unicast address of the host, loopback included, but those whose duplicate
 * detection failed or is under way. What @fn returns other than 0 ends it and is returned. */
int netlink_addresses(struct netlink *nl,
		      int (*fn)(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr),
		      void *ctx);

struct netlink_route {
	uint32_t ifindex;
	bool has_gateway, local; /* local: it is one of our own addresses */
	uint8_t gateway_family;	 /* AF_INET6 for IPv4 via IPv6 */
	uint8_t gateway[16];
	bool has_source;
	uint8_t source[16]; /* e->local, or what the kernel would choose */
	bool encapsulated;  /* the route adds headers of its own (ip route ... encap) */
	uint8_t hoplimit;   /* the route's own TTL; 0 = it says nothing */
	uint32_t mtu; /* the lesser of the route's, cached path MTU included, and the link's; 0 = unknown */
};

/* The route to @e->remote, from e->local where it is set, under @fwmark; e->ifindex counts only for
 * link-local addresses. 0, -ENETUNREACH (no route, blackhole), -EHOSTUNREACH (unreachable), -EACCES
 * (prohibited, broadcast), -EINVAL (e->local is not ours any more), -errno. */
int netlink_route(struct netlink *nl, const struct endpoint *e, uint32_t fwmark,
		  struct netlink_route *out);

/* A unicast route whose packets leave by one link. */
struct netlink_device_route {
	struct prefix to;
	uint32_t table;
	uint32_t mtu; /* its own (RTAX_MTU); 0 = it has none */
};

/* All routes, of all tables, by which packets leave by the link @ifindex. Returns 0 and *@list of
 * *@count, to be freed by the caller, in no order; or -errno. */
int netlink_device_routes(struct netlink *nl, uint32_t ifindex, struct netlink_device_route **list,
			  size_t *count);

/* The neighbour's MAC if the kernel holds it valid now: 0; -ENOENT when it does not. */
int netlink_neighbour(struct netlink *nl, uint32_t ifindex, uint8_t family, const uint8_t *addr,
		      uint8_t mac[static 6]);

/* Asks the kernel to resolve the neighbour and to keep it fresh (NTF_EXT_MANAGED; before Linux 5.16 to
 * resolve it now, NTF_USE). What is managed already, or permanent, is left alone: 0. Returns 1 when
 * this call began it, -errno. */
int netlink_neighbour_manage(struct netlink *nl, uint32_t ifindex, uint8_t family,
			     const uint8_t *addr);

/* Ends what returned 1: the kernel keeps the entry as it keeps any other. */
int netlink_neighbour_release(struct netlink *nl, uint32_t ifindex, uint8_t family,
			      const uint8_t *addr);

/* A socket that becomes readable when something changed. */
struct netlink_watch;
enum netlink_changed {
	NETLINK_CHANGED_LINK = 1 << 0,
	NETLINK_CHANGED_ADDRESS = 1 << 1,
	NETLINK_CHANGED_ROUTE = 1 << 2, /* routes, rules, next hops */
	NETLINK_CHANGED_NEIGHBOUR = 1 << 3,
	NETLINK_CHANGED_FORWARDING = 1 << 4, /* or another switch of that kind */
	NETLINK_CHANGED_LOST =
		1 << 5, /* an overrun: links must be looked at by whoever follows them */
};
/* A neighbour as it is now. */
struct netlink_neighbour_event {
	uint32_t ifindex;
	uint8_t family, addr[16];
	bool valid;
	uint8_t mac[6]; /* if it is valid */
};

struct netlink_watch *netlink_watch_open(void);
void netlink_watch_close(struct netlink_watch *w);
int netlink_watch_fd(const struct netlink_watch *w);

/* From now on changed neighbours are given to @fn instead of setting NETLINK_CHANGED_NEIGHBOUR; after
 * an overrun that is set all the same. */
void netlink_watch_neighbours(struct netlink_watch *w,
			      void (*fn)(void *ctx, const struct netlink_neighbour_event *e),
			      void *ctx);

/* From now on routes set NETLINK_CHANGED_ROUTE only if packets leave by the link @ifindex by them;
 * rules and next hops do as before. */
void netlink_watch_routes_by(struct netlink_watch *w, uint32_t ifindex);

/* Reads what has come. Returns the set of enum netlink_changed (all of them after an overrun).
 * @link (may be NULL) is called for each link that changed or went (@gone), with its name; after an
 * overrun it may have missed some. */
unsigned netlink_watch_read(struct netlink_watch *w,
			    void (*link)(void *ctx, const struct netlink_link *l, bool gone),
			    void *ctx);

#endif
