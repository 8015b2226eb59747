/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "bpf/loader_private.h"
#include "bpf/reuseport.skel.h"
#include "bpf/tunnel.skel.h"
#include "util/log.h"

/* Loads @object with the loader's maps in the place of its own. */
static int load_with_maps(const struct loader *l, struct bpf_object *object, struct fault *f)
{
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map (map, object) {
		if (bpf_map__is_internal(map))
			continue;
		err = bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(l->skel->obj,
									     bpf_map__name(map)));
		if (err)
			return loader_load_fault(err, f);
	}
	err = bpf_object__load(object);
	return err ? loader_load_fault(err, f) : 0;
}

/* --- the tunnel interface -------------------------------------------------------------------- */

static int load_tunnel(struct loader *l, struct fault *f)
{
	int err;

	if (l->tunnel_skel)
		return 0;
	l->tunnel_skel = tunnel_bpf__open();
	if (!l->tunnel_skel)
		return loader_load_fault(-errno, f);
	err = load_with_maps(l, l->tunnel_skel->obj, f);
	if (err) {
		tunnel_bpf__destroy(l->tunnel_skel);
		l->tunnel_skel = NULL;
	}
	return err;
}

/* Puts @t on the interface if it is not there. */
static int attach_side(struct tclink *t, const struct bpf_program *prog, enum tclink_side side,
		       const struct tclink_target *target, struct fault *f)
{
	if (tclink_where(t) == target->ifindex)
		return 0;
	tclink_close(t);
	return tclink_open(t, bpf_program__fd(prog), side, target, f);
}

int loader_attach_tunnel(struct loader *l, uint32_t ifindex, bool force_clsact, bool *tcx,
			 struct fault *f)
{
	char name[IF_NAMESIZE] = "";
	const struct tclink_target target = { ifindex, name, force_clsact, l->handle };
	int err = load_tunnel(l, f);

	if (err)
		return err;
	if (!if_indextoname(ifindex, name))
		return fault(f, -ENODEV, "interface %u: no such interface; see `ip link`", ifindex);
	err = attach_side(&l->ingress, l->tunnel_skel->progs.wgxdp_inject, TCLINK_INGRESS, &target,
			  f);
	if (!err)
		err = attach_side(&l->egress, l->tunnel_skel->progs.wgxdp_egress, TCLINK_EGRESS,
				  &target, f);
	if (err)
		loader_detach_tunnel(l);
	else
		*tcx = l->ingress.fd >= 0 && l->egress.fd >= 0;
	return err;
}

/* Egress first: ingress may have made the qdisc of both. */
void loader_detach_tunnel(struct loader *l)
{
	tclink_close(&l->egress);
	tclink_close(&l->ingress);
}

bool loader_tunnel_attached(const struct loader *l)
{
	return tclink_where(&l->ingress) && tclink_where(&l->egress);
}

/* --- the UDP sockets ------------------------------------------------------------------------- */

static int load_reuseport(struct loader *l, struct fault *f)
{
	int err;

	if (l->reuseport_skel)
		return 0;
	l->reuseport_skel = reuseport_bpf__open();
	if (!l->reuseport_skel)
		return loader_load_fault(-errno, f);
	err = load_with_maps(l, l->reuseport_skel->obj, f);
	if (err) {
		reuseport_bpf__destroy(l->reuseport_skel);
		l->reuseport_skel = NULL;
	}
	return err;
}

int loader_reuseport_prog(struct loader *l)
{
	struct fault f;
	int err = load_reuseport(l, &f);

	if (err) {
		log_debug("%s", f.text);
		return err;
	}
	return bpf_program__fd(l->reuseport_skel->progs.wgxdp_reuseport);
}

int loader_set_reuseport_socket(struct loader *l, unsigned member, int family, int fd)
{
	uint32_t key = socks_key(member, family == AF_INET6);
	uint64_t value = fd;
	int err;

	if (member >= SOCKS_MAX / 2)
		return -ERANGE;
	if (fd >= 0)
		return bpf_map__update_elem(l->skel->maps.socks, &key, sizeof(key), &value,
					    sizeof(value), BPF_ANY);
	err = bpf_map__delete_elem(l->skel->maps.socks, &key, sizeof(key), 0);
	return err == -ENOENT ? 0 : err;
}

/* --------------------------------------------------------------------------------------------- */

void loader_parts_done(struct loader *l)
{
	loader_detach_tunnel(l);
	reuseport_bpf__destroy(l->reuseport_skel);
	tunnel_bpf__destroy(l->tunnel_skel);
}
