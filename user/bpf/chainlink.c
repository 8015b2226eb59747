/* SPDX-License-Identifier: MIT */
#include "bpf/chainlink.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "bpf/ingress.skel.h"
#include "bpf/ingress_copy.h"
#include "bpf/xdplink.h"
#include "util/log.h"
#include "util/open_files.h"

#define PROGRAM "wgxdp_ingress"
#define CHAIN_FILES 48 /* more than libxdp opens to load the dispatcher and our program */

struct chainlink {
	struct ingress_bpf *skel; /* our copy of the BPF object; only its XDP program is loaded */
	struct xdp_program *prog;
	uint32_t ifindex;
};

static __attribute__((format(printf, 2, 0))) int
log_libxdp_message(enum libxdp_print_level level, const char *format, va_list args)
{
	char line[512];

	if (level == LIBXDP_DEBUG || log_get_level() < LOG_LEVEL_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("%s", line);
	return 0;
}

/* Returns the NIC's dispatcher, which the caller closes. Returns NULL if the NIC has no XDP
 * program, or one that is not a dispatcher. */
static struct xdp_multiprog *get_dispatcher(uint32_t ifindex)
{
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex((int)ifindex);

	if (libxdp_get_error(mp))
		return NULL;
	if (!xdp_multiprog__is_legacy(mp))
		return mp;
	xdp_multiprog__close(mp);
	return NULL;
}

/* --- open ------------------------------------------------------------------------------------ */

static int check_kernel(const char *nic, struct fault *f)
{
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) > 0)
		return 0;
	return fault(
		f, -ENOTSUP,
		"%s: this kernel refuses BPF programs of type EXT, which --chain needs to share "
		"a NIC; leave out --chain",
		nic);
}

/* Opens a copy of the XDP program that uses the maps of @owner. Leaves the loading to libxdp,
 * because only libxdp knows which dispatcher the copy extends. */
static int prepare(struct chainlink *c, const struct ingress_bpf *owner, bool generic,
		   struct fault *f)
{
	LIBBPF_OPTS(xdp_program_opts, opts, .prog_name = PROGRAM);
	int err = ingress_copy_open(&c->skel, owner, generic, f);

	if (err)
		return err;
	c->skel->rodata->chained = true;
	opts.obj = c->skel->obj;
	c->prog = xdp_program__create(&opts);
	err = (int)libxdp_get_error(c->prog);
	if (err)
		c->prog = NULL;
	return err;
}

static void discard(struct chainlink *c)
{
	xdp_program__close(c->prog);
	ingress_bpf__destroy(c->skel);
	c->prog = NULL;
	c->skel = NULL;
}

/* Attaches a copy of the program in @mode. Returns 0 or -errno; -ENOSYS if libxdp attached the
 * program without a dispatcher (the copy is then detached again). Fills in @f only if the copy
 * could not be opened. */
static int attach_copy(struct chainlink *c, const struct ingress_bpf *owner,
		       enum xdp_attach_mode mode, struct fault *f)
{
	int err = prepare(c, owner, mode == XDP_MODE_SKB, f);

	if (!err)
		err = xdp_program__attach(c->prog, (int)c->ifindex, mode, 0);
	if (!err && !chainlink_alive(c)) {
		/* libxdp attached the program without a dispatcher, so no other program could use
		 * the NIC. */
		xdp_program__detach(c->prog, (int)c->ifindex, mode, 0);
		err = -ENOSYS;
	}
	if (err)
		discard(c);
	return err;
}

/* LOADER_MODE_AUTO uses the mode of the dispatcher on the NIC. Without a dispatcher,
 * LOADER_MODE_AUTO tries native mode, then generic mode, as loader_attach() does. */
static int attach_in_mode(struct chainlink *c, const struct ingress_bpf *owner,
			  enum loader_mode mode, bool *native, struct fault *f)
{
	struct xdp_multiprog *dispatcher = get_dispatcher(c->ifindex);
	int err = -EOPNOTSUPP;

	if (dispatcher && mode == LOADER_MODE_AUTO)
		mode = xdp_multiprog__attach_mode(dispatcher) == XDP_MODE_SKB ? LOADER_MODE_GENERIC
									      : LOADER_MODE_NATIVE;
	xdp_multiprog__close(dispatcher);
	*native = mode != LOADER_MODE_GENERIC;
	if (*native)
		err = attach_copy(c, owner, XDP_MODE_NATIVE, f);
	if (mode == LOADER_MODE_GENERIC || (mode == LOADER_MODE_AUTO && err == -EOPNOTSUPP)) {
		*native = false;
		err = attach_copy(c, owner, XDP_MODE_SKB, f);
	}
	return err;
}

int chainlink_open(struct chainlink **c, const struct ingress_bpf *owner, uint32_t ifindex,
		   const char *nic, enum loader_mode mode, bool *native, struct fault *f)
{
	struct xdp_multiprog *dispatcher;
	struct fault copy = { "" };
	struct chainlink *new;
	bool is_native;
	int err = open_files_room(CHAIN_FILES);

	if (err)
		return fault(f, err, "%s: cannot share the NIC: %s", nic, strerror(-err));
	err = check_kernel(nic, f);
	if (err)
		return err;
	libxdp_set_print(log_libxdp_message);
	dispatcher = get_dispatcher(ifindex);
	if (!dispatcher)
		err = xdplink_vacant(ifindex, nic, f);
	xdp_multiprog__close(dispatcher);
	if (err)
		return err;
	new = calloc(1, sizeof(*new));
	if (!new)
		return fault(f, -ENOMEM, "%s: out of memory", nic);
	new->ifindex = ifindex;
	err = attach_in_mode(new, owner, mode, &is_native, &copy);
	if (err == -ENOSYS)
		err = fault(f, -ENOTSUP,
			    "%s: libxdp has no dispatcher for this kernel, so the NIC cannot be "
			    "shared; leave out --chain",
			    nic);
	else if (err && copy.text[0])
		fault(f, err, "%s: %s; leave out --chain", nic, copy.text);
	else if (err)
		fault(f, err, "%s: libxdp's dispatcher refused the program: %s; leave out --chain",
		      nic, strerror(-err));
	if (err) {
		free(new);
		return err;
	}
	*native = is_native;
	*c = new;
	return 0;
}

/* --- check, close, clean ---------------------------------------------------------------------- */

bool chainlink_alive(const struct chainlink *c)
{
	struct xdp_multiprog *dispatcher = get_dispatcher(c->ifindex);
	struct xdp_program *p = NULL;
	bool found = false;

	while (dispatcher && !found && (p = xdp_multiprog__next_prog(p, dispatcher)))
		found = xdp_program__id(p) == xdp_program__id(c->prog);
	xdp_multiprog__close(dispatcher);
	return found;
}

static void leave_dispatcher(struct xdp_program *prog, uint32_t ifindex, enum xdp_attach_mode mode)
{
	int err = xdp_program__detach(prog, (int)ifindex, mode, 0);

	if (err)
		log_error("NIC with index %u: cannot remove the program from libxdp's dispatcher: "
			  "%s; the program passes all packets now; see `xdp-loader status`",
			  ifindex, strerror(-err));
}

void chainlink_close(struct chainlink *c)
{
	struct xdp_multiprog *dispatcher;

	if (!c)
		return;
	if (chainlink_alive(c)) {
		dispatcher = get_dispatcher(c->ifindex);
		leave_dispatcher(c->prog, c->ifindex,
				 dispatcher ? xdp_multiprog__attach_mode(dispatcher)
					    : XDP_MODE_UNSPEC);
		xdp_multiprog__close(dispatcher);
	}
	discard(c);
	free(c);
}

static bool is_program_of(struct xdp_program *prog, const char *interface)
{
	char owner[IFNAME_MAX + 1] = "";

	xdplink_owner(xdp_program__fd(prog), owner);
	return !strcmp(owner, interface);
}

void chainlink_clean(const char *interface)
{
	struct if_nameindex *all = if_nameindex();

	libxdp_set_print(log_libxdp_message);
	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		struct xdp_multiprog *dispatcher = get_dispatcher(i->if_index);
		struct xdp_program *p = NULL;

		while (dispatcher && (p = xdp_multiprog__next_prog(p, dispatcher)))
			if (is_program_of(p, interface))
				break;
		if (p)
			leave_dispatcher(p, i->if_index, xdp_multiprog__attach_mode(dispatcher));
		xdp_multiprog__close(dispatcher);
	}
	if_freenameindex(all);
}
