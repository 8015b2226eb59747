/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - one WireGuard interface and the process that is it. Private to user/daemon but for
 * daemon_run(). The control thread owns everything here; see user/README.md for the threads.
 *
 *   daemon.c     life: start, the loop, up and down, stop
 *   name_lock.c the name: one daemon an interface, by a lock in /run/wgxdp
 *   crash_record.c   what is to be undone if we are killed
 *   lease.c    the command that started us waits for us, and may change its mind
 *   apply.c    the config file -> device
 *   handshake_rx.c   what comes from workers and the UDP group: notes, handshake messages
 *   device_ops.c  what the protocol core asks for (struct device_ops)
 *   workers.c  the threads, what each owns, the UDP sockets
 *   tunnel.c   the tunnel interface: up, down, deleted, moved
 *   paths.c    which NICs, and whether they go by XDP or the UDP sockets, now and later
 *   nics.c     one NIC: XDP, AF_XDP, TC, and why
 *   nexthops.c    endpoint -> outer headers, kept true as routes and neighbours change
 *   mapsync.c  BPF maps = state of the peers
 *   events.c   samples of what died in BPF
 *   vmgenid.c  hears whether we are a copy of a virtual machine
 *   diag.c     what is said while debugging is on
 *   report.c   what `wgxdp show` shows; path_stats.c adds up what died at the paths
 */
#ifndef WGXDP_DAEMON_H
#define WGXDP_DAEMON_H

#include "bpf/loader.h"
#include "conf/conf.h"
#include "conf/options.h"
#include "control/ctlserver.h"
#include "control/server.h"
#include "control/uapi.h"
#include "dataplane/nics.h"
#include "dataplane/path_stats.h"
#include "dataplane/workers.h"
#include "io/nexthop.h"
#include "io/pmtu.h"
#include "io/tun.h"
#include "sync/diag.h"
#include "util/log.h"
#include "util/loop.h"
#include "wg/device.h"

#define NARROWED_MAX 16

struct daemon {
	const struct options *options;
	struct loop *loop;
	struct device device;
	struct tun tun;
	uint32_t tun_mtu;
	struct netlink *tun_netlink;	 /* in its namespace; NULL: it was moved to another ... */
	struct netlink_watch *tun_watch; /* likewise */
	uint64_t tunnel_at_ns;		 /* it is looked at there again then */
	uint64_t routes_at_ns;		 /* the MTUs of the routes into it are read again then */
	uint64_t routes_read_ns;	 /* when they were last read */
	bool tc_refused;  /* the tunnel's TC programs could not be attached when last tried */
	bool tun_changed; /* its link did, which is yet to be looked at */
	bool tun_gone;	  /* its link has gone from there, which is yet to be looked at */
	bool up;	  /* the interface is up, sockets are open, the worker runs */
	bool stopping;
	int exit_code;

	struct netlink *netlink;
	struct netlink_watch *watch;
	struct suspend suspend;
	struct vmgenid *vmgenid; /* NULL: nobody would tell us */

	/* data path */
	struct qsbr *qsbr;
	struct dataplane_worker workers[WORKERS_MAX];
	unsigned worker_count;
	struct route_mtu *route_mtus; /* what the workers have; NULL = none */
	struct udp_group udp;
	struct path_stats closed; /* what paths counted that were closed since */
	struct handoff *inbox;	  /* messages that came to the leader of the UDP group */
	uint16_t wanted_port;	  /* 0 = the kernel chooses; what it is stands in udp.port */
	uint32_t fwmark;
	uint64_t under_load_until_ns;
	bool messages_left;	/* not all queues of messages were emptied in one go */
	uint32_t catch_up_slot; /* the next peer to be looked at since notes were lost; else slot_cap */

	/* paths.c */
	struct loader *loader; /* NULL without BPF */
	struct nic nics[OPTIONS_NICS_MAX];
	unsigned nic_count;
	bool rx_xdp, tx_xdp, zero_copy;
	char why[512];	      /* why it is not xdp; "" = it is, or was not asked for */
	uint64_t paths_at_ns; /* the NICs are looked at again then */

	/* device_ops.c: slot -> peer, for notes of workers */
	struct peer **slots;
	uint32_t slot_cap;

	/* nexthops.c */
	struct nexthop_managed managed;
	struct netlink *netfilter; /* for conntrack.h; NULL: not asked yet, or the kernel has none */
	struct pmtu_watch *pmtu;   /* NULL: nobody tells us */
	struct endpoint narrowed[NARROWED_MAX]; /* to be resolved at narrowed_at_ns */
	unsigned narrowed_count;
	uint64_t narrowed_at_ns;
	unsigned recorded;	 /* how many of them stand in the record */
	uint64_t nexthops_at_ns; /* all peers are resolved anew then; UINT64_MAX = no need */
	uint64_t reached_ns;	 /* when that was last done */
	uint32_t nexthops_slot;	 /* the next one of a round that is not finished; else slot_cap */

	/* mapsync.c */
	uint64_t counters_at_ns; /* peer_auth is brought up to date again then */
	uint64_t listen_at_ns;	 /* the map listen likewise; UINT64_MAX = it is */

	struct diag diag;
	enum log_level quiet_level; /* while debugging is off */

	/* sockets */
	struct uapi uapi;
	struct server *uapi_server;
	struct ctlserver *control;
	int lease_fd; /* -1: none, or committed */
	int lock_fd;
	int signal_fd;
};

/* Runs the interface until it is told to stop; everything it made is gone when it returns. @conf may
 * be NULL; it is wiped once it is applied. @lease_fd: see lease.h, or -1. Returns the exit code. */
int daemon_run(const struct options *options, struct conf *conf, int lease_fd);

/* Ends the loop. */
void daemon_stop(struct daemon *n, int exit_code);

/* Opens the sockets on n->wanted_port and starts the worker; fine if it is up. 0/-errno with @f. */
int daemon_up(struct daemon *n, struct fault *f);
void daemon_down(struct daemon *n);

/* apply.c: 0/-errno with @f. */
int apply_conf(struct daemon *n, const struct conf *conf, struct fault *f);

/* tunnel.c: follows the interface. 0/-errno. */
int tunnel_watch(struct daemon *n);
void tunnel_tick(struct daemon *n, uint64_t now_ns);
uint64_t tunnel_next(const struct daemon *n); /* when tunnel_tick() wants to be called */
void tunnel_look(struct daemon *n);	      /* acts on what it is now */
void tunnel_unwatch(struct daemon *n);	      /* fine if it is not watched */

/* handshake_rx.c */
int handshake_rx_watch(struct daemon *n);	 /* 0/-errno */
int handshake_rx_watch_leader(struct daemon *n); /* after each change of the UDP sockets; 0/-errno */
void handshake_rx_go_on(struct daemon *n);	 /* with what was left */

/* events.c: 0/-errno. */
int events_watch(struct daemon *n);

/* vmgenid.c: a thread that does nothing but hear of it, so that workers know at once. 0/-errno. */
int vmgenid_watch(struct daemon *n);
void vmgenid_unwatch(struct daemon *n);

/* device_ops.c */
extern const struct device_ops upcalls;
extern const struct device_mirror upcalls_mirror;
/* The peer of a note, or NULL if it has gone. */
struct peer *upcalls_peer(const struct daemon *n, const struct note *note);

/* paths.c: opens what options ask for and the host has. 0/-errno with @f only if XDP was forced. */
int paths_open(struct daemon *n, const struct conf *conf, struct fault *f);
void paths_close(struct daemon *n);
/* Follows what becomes of the NICs and of other people's programs on them. */
void paths_tick(struct daemon *n, uint64_t now_ns);

/* nexthops.c */
void nexthops_watch(struct daemon *n);		      /* for what routers say */
void nexthops_peer(struct daemon *n, struct peer *p); /* resolve and publish now */
void nexthops_met(struct daemon *n, struct peer *p);  /* the same, just after a handshake with it */
/* Can somebody other than this host be at @from? */
bool nexthops_answerable(struct daemon *n, const struct endpoint *from);
void nexthops_moved(struct daemon *n, struct peer *p);	/* what workers told is dealt with */
void nexthops_forget(struct daemon *n, struct peer *p); /* nothing leads to it any more */
void nexthops_neighbour(struct daemon *n, const struct netlink_neighbour_event *event);
void nexthops_changed(struct daemon *n); /* something changed: all peers, soon */
void nexthops_now(struct daemon *n);	 /* all peers, beginning at once */
void nexthops_tick(struct daemon *n, uint64_t now_ns);
uint64_t nexthops_next(const struct daemon *n); /* when nexthops_tick() wants to be called */
void nexthops_done(struct daemon *n);

/* mapsync.c: no-ops without a loader. */
void mapsync_listen(struct daemon *n); /* the host's addresses, or nothing while down */
void mapsync_addresses_changed(struct daemon *n);
void mapsync_forwarding(struct daemon *n); /* the host's switches, as they are now */
void mapsync_tick(struct daemon *n, uint64_t now_ns);
uint64_t mapsync_next(const struct daemon *n); /* when mapsync_tick() wants to be called */
int mapsync_peer(struct daemon *n, const struct peer *p);
void mapsync_peer_end(struct daemon *n, const struct peer *p);
void mapsync_identity(struct daemon *n); /* mac1's key */
int mapsync_allowed(struct daemon *n, const struct prefix *prefix, const struct peer *p);
void mapsync_allowed_end(struct daemon *n, const struct prefix *prefix);
int mapsync_index(struct daemon *n, uint32_t index, const struct peer *p, bool pending);
void mapsync_index_end(struct daemon *n, uint32_t index);

/* report.c: answers on the control socket. */
extern const struct ctlserver_ops report_ops;
/* What died by reason, but for what the paths count. */
void report_drops(const struct daemon *n, uint64_t sums[static REASON_COUNT]);

#endif
