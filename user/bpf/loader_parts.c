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
#include "util/open_files.h"

/* Opens a BPF object and loads it with the maps of @owner instead of its own maps. */
static int load_with_maps(struct bpf_object **object, const char *name, const void *elf,
			  size_t elf_len, const struct bpf_object *owner)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct bpf_object *new = bpf_object__open_mem(elf, elf_len, &opts);
	struct bpf_map *map;
	int err = 0;

	if (!new)
		return -errno;
	bpf_object__for_each_map (map, new) {
		if (err || bpf_map__is_internal(map))
			continue;
		err = bpf_map__reuse_fd(map,
					bpf_object__find_map_fd_by_name(owner, bpf_map__name(map)));
	}
	if (!err)
		err = bpf_object__load(new);
	if (err)
		bpf_object__close(new);
	else
		*object = new;
	return err;
}

/* Loads a BPF object if it is not loaded yet. */
static int load_part(const struct loader *l, struct bpf_object **object, const char *name,
		     const void *(*elf_bytes)(size_t *), struct fault *f)
{
	const void *elf;
	size_t elf_len;
	int err;

	if (*object)
		return 0;
	err = open_files_room(LOAD_FILES);
	if (!err) {
		elf = elf_bytes(&elf_len);
		err = load_with_maps(object, name, elf, elf_len, l->skel->obj);
	}
	return err ? loader_load_fault(err, f) : 0;
}

static int program_fd(const struct bpf_object *object, const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(object, name));
}

/* --- the tunnel interface -------------------------------------------------------------------- */

/* Attaches program @name to the interface, unless it is already attached to this interface. */
static int attach_side(struct tclink *t, const struct bpf_object *object, const char *name,
		       enum tclink_side side, const struct tclink_target *target, struct fault *f)
{
	if (tclink_where(t) == target->ifindex)
		return 0;
	tclink_close(t);
	return tclink_open(t, program_fd(object, name), side, target, f);
}

int loader_attach_tunnel(struct loader *l, uint32_t ifindex, bool force_clsact, bool *tcx,
			 struct fault *f)
{
	char name[IF_NAMESIZE] = "";
	const struct tclink_target target = { ifindex, name, force_clsact, l->handle };
	int err = load_part(l, &l->tunnel, "tunnel_bpf", tunnel_bpf__elf_bytes, f);

	if (err)
		return err;
	err = open_files_room(1); /* if_indextoname() opens a socket */
	if (err)
		return fault(f, err, "interface %u: %s", ifindex, strerror(-err));
	if (!if_indextoname(ifindex, name))
		return fault(f, -ENODEV, "interface %u: no such interface; see `ip link`", ifindex);
	err = attach_side(&l->ingress, l->tunnel, "wgxdp_inject", TCLINK_INGRESS, &target, f);
	if (!err)
		err = attach_side(&l->egress, l->tunnel, "wgxdp_egress", TCLINK_EGRESS, &target, f);
	if (err)
		loader_detach_tunnel(l);
	else
		*tcx = l->ingress.fd >= 0 && l->egress.fd >= 0;
	return err;
}

/* Detaches egress first. If attaching ingress created the clsact qdisc, detaching ingress removes
 * the qdisc, but only if no filter is left. */
void loader_detach_tunnel(struct loader *l)
{
	tclink_close(&l->egress);
	tclink_close(&l->ingress);
}

bool loader_tunnel_attached(const struct loader *l)
{
	return tclink_where(&l->ingress) && tclink_where(&l->egress);
}

/* An upper bound for the value size of the map .bss. The skeleton's struct is smaller than the
 * value, because the struct lacks the static variables. */
#define BSS_MAX 1024

uint64_t loader_tunnel_steered(const struct loader *l)
{
	union {
		struct tunnel_bpf__bss globals;
		uint8_t all[BSS_MAX];
	} bss = { 0 };
	struct bpf_map *map = NULL;
	uint32_t zero = 0;

	if (l->tunnel)
		map = bpf_object__find_map_by_name(l->tunnel, ".bss");
	if (map && bpf_map__value_size(map) <= BSS_MAX)
		bpf_map__lookup_elem(map, &zero, sizeof(zero), &bss, bpf_map__value_size(map), 0);
	return bss.globals.rps_packets;
}

/* --- the UDP sockets ------------------------------------------------------------------------- */

int loader_reuseport_prog(struct loader *l)
{
	struct fault f;
	int err = load_part(l, &l->reuseport, "reuseport_bpf", reuseport_bpf__elf_bytes, &f);

	if (err) {
		log_debug("%s", f.text);
		return err;
	}
	return program_fd(l->reuseport, "wgxdp_reuseport");
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
	bpf_object__close(l->reuseport);
	bpf_object__close(l->tunnel);
}
