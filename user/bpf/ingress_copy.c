/* SPDX-License-Identifier: MIT */
#include "bpf/ingress_copy.h"

#include <errno.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "bpf/ingress.skel.h"
#include "bpf/skb_layout.h"

/* Makes @copy use the maps of @owner, except .rodata, because the constants of @copy differ. */
static int share_maps(struct ingress_bpf *copy, const struct ingress_bpf *owner)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map (map, copy->obj) {
		if (err || map == copy->maps.rodata)
			continue;
		err = bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(owner->obj,
									     bpf_map__name(map)));
	}
	return err;
}

/* Sets the offsets that @copy needs to recognise GRO and GSO packets. */
static int set_layout(struct ingress_bpf *copy, struct fault *f)
{
	struct skb_layout layout;
	int err = skb_layout_read(&layout, f);

	if (err)
		return err;
	copy->rodata->frame_start_at = layout.frame_start;
	copy->rodata->frame_size_at = layout.frame_size;
	copy->rodata->shared_info_bytes = layout.shared_info_bytes;
	copy->rodata->gso_size_at = layout.gso_size;
	copy->rodata->gso_segs_at = layout.gso_segs;
	return 0;
}

int ingress_copy_open(struct ingress_bpf **copy, const struct ingress_bpf *owner, bool generic,
		      struct fault *f)
{
	struct ingress_bpf *new = ingress_bpf__open();
	int err;

	if (!new)
		return fault(f, -errno, "cannot open a copy of the XDP program: %s",
			     strerror(errno));
	err = generic ? set_layout(new, f) : 0;
	if (err)
		goto destroy;
	bpf_program__set_autoload(new->progs.wgxdp_nic, false);
	err = share_maps(new, owner);
	if (err) {
		fault(f, err, "a copy of the XDP program cannot share the maps: %s",
		      strerror(-err));
		goto destroy;
	}
	*copy = new;
	return 0;

destroy:
	ingress_bpf__destroy(new);
	return err;
}
