/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line of a daemon as plain values. All pointers are borrowed.
 */
#ifndef WGXDP_OPTIONS_H
#define WGXDP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "bpf/loader.h"
#include "io/afxdp.h"
#include "wgxdp/limits.h"

#define OPTIONS_NICS_MAX 16
#define OPTIONS_CPUS_MAX 64

enum options_path { OPTIONS_PATH_AUTO, OPTIONS_PATH_XDP, OPTIONS_PATH_UDP };

/* The features that the user has turned off. A member is true if the feature is off. */
struct options_off {
	/* If off, the host sends no packets above the MTU, and UDP_SEGMENT is not used */
	bool gso;
	/* If off, received packets are given to the host one by one, and UDP_GRO is not used */
	bool gro;
	/* If off, only TCP packets are merged and split in the tunnel, and UDP packets are not */
	bool uso;
	/* If off, workers sleep at once instead of waiting for a reply, see reply_wait.h */
	bool reply_wait;
};

/* The NICs that the command line names. If it names none, the routes determine the NICs. */
struct options_nics {
	char names[OPTIONS_NICS_MAX][IFNAME_MAX + 1];
	unsigned count;
	bool late; /* the NICs need not exist yet */
	bool tune; /* change settings of the NICs as `wgxdp probe` advises */
};

/* The config file, for reload. */
struct options_conf {
	const char *path;      /* absolute path; NULL = there is no file */
	const struct stat *st; /* result of stat(2) before the file was read */
	bool no_watch;	       /* do not reload automatically when the file changes */
	bool wg_quick;	       /* wg-quick(8) started the daemon, and ends it */
	uint32_t confirm_s;    /* seconds to wait for `wgxdp confirm`; 0 = do not wait */
};

/* Settings of the AF_XDP sockets. */
struct options_xsk {
	enum afxdp_zc zero_copy;
	uint32_t busy_poll_us; /* 0 = no busy polling */
};

/* Settings that only tests make, through environment variables. */
struct options_tests {
	bool veth_as_nic;  /* `auto` uses XDP even on a veth pair */
	bool force_clsact; /* attach TC by clsact, as on kernels without tcx */
};

struct options {
	char interface[IFNAME_MAX + 1];
	struct options_conf conf;
	struct options_nics nics;
	enum options_path rx, tx;
	const char *udp_why; /* text for `show` if WGXDP_NIC requests the UDP sockets; else NULL */
	enum loader_mode xdp_mode;
	struct options_xsk xsk;
	const char *aead;	    /* NULL = "auto" */
	unsigned workers;	    /* 0 = min(queues, CPUs, 4) */
	int cpus[OPTIONS_CPUS_MAX]; /* worker i runs on cpus[i % cpu_count] */
	unsigned cpu_count;	    /* 0 = workers run on any CPU */
	uint32_t handshake_rate;    /* handshakes per second from one source, under load */
	bool strict;		    /* drop invalid packets even on a host that forwards */
	bool chain;		    /* share the NICs with other XDP programs, or fail */
	struct options_off off;
	bool foreground;
	struct options_tests tests;
	int tun_fd, uapi_fd; /* inherited descriptors, or -1 */
};

#endif
