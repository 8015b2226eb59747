/* SPDX-License-Identifier: MIT */
#include "bpf/skb_layout.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <bpf/btf.h>

#define DEPTH_MAX 4 /* how deep anonymous members may be nested */

/* The value of SMP_CACHE_BYTES in the kernel; 0 = unknown. The kernel rounds the size of struct
 * skb_shared_info up to a multiple of this constant, but BTF does not contain the constant. */
#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv)
#define CACHE_LINE 64U
#else
#define CACHE_LINE 0U
#endif

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);
}

/* Returns true if @t is a struct or union that has @member, directly or in an anonymous member. If
 * so, adds the member's offset to *@offset. */
static bool has_member(const struct btf *btf, const struct btf_type *t, const char *member,
		       unsigned depth, uint32_t *offset)
{
	if (!t || !btf_is_composite(t))
		return false;
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = &btf_members(t)[i];
		const char *name = btf__name_by_offset(btf, m->name_off);
		uint32_t bytes = btf_member_bit_offset(t, i) / 8;

		if (!strcmp(name, member) ||
		    (!*name && depth &&
		     has_member(btf, btf__type_by_id(btf, m->type), member, depth - 1, &bytes))) {
			*offset += bytes;
			return true;
		}
	}
	return false;
}

static bool find_layout(const struct btf *btf, struct skb_layout *layout)
{
	const struct btf_type *buff = find_struct(btf, "xdp_buff");
	const struct btf_type *shared = find_struct(btf, "skb_shared_info");

	if (!has_member(btf, buff, "data_hard_start", DEPTH_MAX, &layout->frame_start) ||
	    !has_member(btf, buff, "frame_sz", DEPTH_MAX, &layout->frame_size) ||
	    !has_member(btf, shared, "gso_size", DEPTH_MAX, &layout->gso_size) ||
	    !has_member(btf, shared, "gso_segs", DEPTH_MAX, &layout->gso_segs))
		return false;
	layout->shared_info_bytes = (shared->size + CACHE_LINE - 1) & ~(CACHE_LINE - 1);
	return true;
}

int skb_layout_read(struct skb_layout *layout, struct fault *f)
{
	struct skb_layout found = { 0 };
	const char *why = NULL;
	struct btf *btf;

	btf = btf__load_vmlinux_btf();
	if (!btf)
		why = "the kernel has no BTF (/sys/kernel/btf/vmlinux)";
	else if (!CACHE_LINE || !find_layout(btf, &found))
		why = "the layout of this kernel's socket buffers is unknown";
	btf__free(btf);
	if (why)
		return fault(f, -ENOTSUP,
			     "the XDP program cannot recognise GRO and GSO packets (several "
			     "datagrams in one socket buffer), because %s",
			     why);
	*layout = found;
	return 0;
}
