/* SPDX-License-Identifier: MIT */
#include "dataplane/udp_group.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "bpf/loader.h"
#include "dataplane/path_stats.h"
#include "io/udp.h"
#include "util/log.h"

/* Enters the two sockets (IPv4, IPv6) of one member in the map `socks`. */
static int enter_member(struct loader *loader, unsigned place, const struct transport *member)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int err = 0;

	for (unsigned i = 0; i < 2 && !err; i++) {
		int fd = udp_socket(member, families[i]);

		if (fd >= 0)
			err = loader_set_reuseport_socket(loader, place, families[i], fd);
	}
	return err;
}

static int enter_group(struct loader *loader, const struct udp_group *g)
{
	int err = enter_member(loader, SOCKS_DAEMON, g->leader);

	for (unsigned i = 0; i < g->member_count && !err; i++)
		err = enter_member(loader, SOCKS_WORKER(i), g->members[i]);
	return err;
}

/* Opens the sockets of the group: one guard before all other sockets and one after them, so that
 * the bind() of another program always finds a guard first, and fails (udp_group.h). */
static int open_sockets(struct udp_group *g, unsigned workers, uint32_t fwmark, struct fault *f)
{
	int err = udp_new(&g->guards[0], &g->port, fwmark, f);

	if (!err)
		err = udp_join(&g->leader, g->guards[0], f);
	for (unsigned i = 0; i < workers && !err; i++) {
		err = udp_join(&g->members[i], g->guards[0], f);
		g->member_count += !err;
	}
	return err ? err : udp_join(&g->guards[1], g->guards[0], f);
}

/* Keeps other programs from binding the port. Without CAP_CHOWN this fails, and other programs of
 * this user can join the group. */
static void close_to_others(const struct udp_group *g)
{
	int err = 0;

	for (unsigned i = 0; i < 2; i++)
		err = err ?: udp_disown(g->guards[i]);
	if (err)
		log_info("UDP port %u: cannot keep other programs from binding it with "
			 "SO_REUSEPORT: %s%s",
			 g->port, strerror(-err), err == -EPERM ? "; give wgxdp CAP_CHOWN" : "");
}

static int open_group(struct udp_group *g, struct loader *loader, unsigned workers, uint32_t fwmark,
		      const struct udp_group *in_use, struct fault *f)
{
	int err = open_sockets(g, workers, fwmark, f);

	if (err)
		return err;
	err = udp_steer(g->leader, loader_reuseport_prog(loader));
	if (!err)
		err = enter_group(loader, g);
	if (!err) {
		close_to_others(g);
		return 0;
	}
	if (in_use->leader)
		enter_group(loader, in_use);
	return fault(f, err,
		     "the BPF program cannot distribute datagrams among the UDP sockets of %u "
		     "workers: %s; use --workers 1",
		     workers, strerror(-err));
}

static void deinit_all(struct udp_group *g)
{
	for (unsigned i = 0; i < 2; i++)
		if (g->guards[i])
			g->guards[i]->ops->deinit(g->guards[i]);
	for (unsigned i = 0; i < g->member_count; i++)
		g->members[i]->ops->deinit(g->members[i]);
	if (g->leader)
		g->leader->ops->deinit(g->leader);
	*g = (struct udp_group){ 0 };
}

int udp_group_open(struct udp_group *g, struct loader *loader, unsigned workers, uint16_t port,
		   uint32_t fwmark, const struct udp_group *in_use, struct fault *f)
{
	int err;

	*g = (struct udp_group){ .port = port };
	err = workers > 1 ? open_group(g, loader, workers, fwmark, in_use, f)
			  : udp_new(&g->leader, &g->port, fwmark, f);
	if (err)
		deinit_all(g);
	return err;
}

void udp_group_close(struct udp_group *g, struct path_stats *closed)
{
	if (g->leader)
		path_stats_close_udp(closed, g->leader);
	for (unsigned i = 0; i < g->member_count; i++)
		path_stats_close_udp(closed, g->members[i]);
	deinit_all(g);
}

void udp_group_stats(const struct udp_group *g, struct path_stats *sum)
{
	if (g->leader)
		path_stats_add_udp(sum, g->leader);
	for (unsigned i = 0; i < g->member_count; i++)
		path_stats_add_udp(sum, g->members[i]);
}

int udp_group_set_fwmark(const struct udp_group *g, uint32_t fwmark)
{
	int err = g->leader ? udp_set_fwmark(g->leader, fwmark) : 0;

	for (unsigned i = 0; i < g->member_count && !err; i++)
		err = udp_set_fwmark(g->members[i], fwmark);
	return err;
}

struct transport *udp_group_of_worker(const struct udp_group *g, unsigned id)
{
	return id < g->member_count ? g->members[id] : g->leader;
}
