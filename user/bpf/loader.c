/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/clock.h"
#include "bpf/ingress_copy.h"
#include "bpf/loader_private.h"
#include "bpf/xdplink.h"
#include "util/log.h"
#include "util/open_files.h"
#include "util/secure.h"

/* --- load ------------------------------------------------------------------------------------ */

static __attribute__((format(printf, 2, 0))) int
log_libbpf_message(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];
	size_t len;

	if (level == LIBBPF_DEBUG || log_get_level() < LOG_LEVEL_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	len = strlen(line);
	if (len && line[len - 1] == '\n')
		line[len - 1] = '\0';
	log_debug("%s", line);
	return 0;
}

int loader_load_fault(int err, struct fault *f)
{
	switch (err) {
	case -EPERM:
		return fault(f, err,
			     "cannot load the BPF program: not permitted; run as root or with "
			     "CAP_BPF and CAP_NET_ADMIN");
	case -EACCES: /* The verifier refused the program; perhaps CAP_PERFMON is missing. */
		if (secure_capable(CAP_PERFMON) || secure_capable(CAP_SYS_ADMIN))
			return fault(
				f, -ENOTSUP,
				"cannot load the BPF program: this kernel's verifier refuses it; "
				"LOG_LEVEL=debug shows why");
		return fault(f, -EPERM,
			     "cannot load the BPF program: not permitted; run with CAP_PERFMON "
			     "in addition to CAP_BPF");
	case -ENOMEM:
		return fault(f, err, "cannot load the BPF program: out of memory");
	case -EMFILE:
	case -ENFILE:
		return fault(f, err, "cannot load the BPF program: %s", strerror(-err));
	default:
		return fault(
			f, -ENOTSUP,
			"cannot load the BPF program: this kernel refuses it (%s); it needs Linux "
			"5.10 or newer with BPF and BTF",
			strerror(-err));
	}
}

static void pin_maps(struct loader *l)
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, l->skel->obj)
		if (!bpf_map__is_internal(map))
			pins_add(&l->pins, bpf_map__name(map), bpf_map__fd(map));
}

/* Reads how far the clock of BPF programs is ahead of CLOCK_BOOTTIME. If this fails, assumes 0,
 * which is right unless the daemon runs in a time namespace. */
static void read_clock(struct loader *l)
{
	int err = clock_ahead(&l->clock_ahead_ns);

	if (err)
		log_error("cannot read the clock of BPF programs: %s; if the daemon runs in a time "
			  "namespace, XDP cannot tell whether the workers are alive",
			  strerror(-err));
}

static int load_ingress(struct loader *l, struct fault *f)
{
	int err = open_files_room(LOAD_FILES);

	if (!err) {
		errno = 0;
		l->skel = ingress_bpf__open_and_load();
		if (!l->skel)
			err = errno ? -errno : -ENOTSUP;
	}
	return err ? loader_load_fault(err, f) : 0;
}

int loader_new(struct loader **l, const char *interface, struct fault *f)
{
	struct loader *new = calloc(1, sizeof(*new));
	int cpus = libbpf_num_possible_cpus(), err;

	libbpf_set_print(log_libbpf_message);
	if (!new || cpus < 0) {
		err = fault(f, new ? cpus : -ENOMEM, "cannot load the BPF program: %s",
			    new ? "the number of CPUs is unknown" : "out of memory");
		goto free_loader;
	}
	new->cpus = cpus;
	new->handle = tclink_handle(interface);
	new->per_cpu = calloc(cpus, PER_CPU_VALUE);
	if (!new->per_cpu) {
		err = fault(f, -ENOMEM, "cannot load the BPF program: out of memory");
		goto free_loader;
	}
	err = load_ingress(new, f);
	if (err)
		goto free_loader;
	err = loader_maps_init(new, f);
	if (err)
		goto free_loader;
	read_clock(new);
	pins_init(&new->pins, interface);
	tclink_clean(interface);
	pin_maps(new);
	*l = new;
	return 0;

free_loader:
	loader_free(new);
	return err;
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < NICS_MAX; i++)
		if (l->nics[i].ifindex)
			loader_detach(l, l->nics[i].ifindex);
	loader_parts_done(l);
	pins_done(&l->pins);
	loader_maps_done(l);
	ingress_bpf__destroy(l->generic);
	ingress_bpf__destroy(l->skel);
	free(l->per_cpu);
	free(l);
}

const char *loader_pinned(const struct loader *l)
{
	return l->pins.path[0] ? l->pins.path : NULL;
}

const char *loader_unpinned_why(const struct loader *l)
{
	return l->pins.path[0] ? NULL : l->pins.why.text;
}

/* --- attach ---------------------------------------------------------------------------------- */

/* Returns the index in l->nics of the NIC with @ifindex or, if @ifindex is 0, of the first free
 * entry. Returns -ENOENT if there is no such entry. */
static int find_nic(const struct loader *l, uint32_t ifindex)
{
	for (int i = 0; i < NICS_MAX; i++)
		if (l->nics[i].ifindex == ifindex)
			return i;
	return -ENOENT;
}

/* Like find_nic(), but returns -ENOENT if @ifindex is 0. */
static int find_attached(const struct loader *l, uint32_t ifindex)
{
	return ifindex ? find_nic(l, ifindex) : -ENOENT;
}

static int write_nic(struct loader *l, uint32_t ifindex, const struct nic_value *v)
{
	return bpf_map__update_elem(l->skel->maps.nics, &ifindex, sizeof(ifindex), v, sizeof(*v),
				    BPF_ANY);
}

static void erase_nic(struct loader *l, uint32_t ifindex)
{
	bpf_map__delete_elem(l->skel->maps.nics, &ifindex, sizeof(ifindex), 0);
}

/* Reserves an entry of l->nics for the NIC and writes the NIC to the BPF map "nics". Call this
 * before the program is attached, because the program reads the map from its first packet on.
 * Returns the index of the entry, or -errno with @f filled in. */
static int reserve_number(struct loader *l, uint32_t ifindex, const char *nic, struct fault *f)
{
	struct nic_value v = { 0 };
	int number, err;

	if (find_attached(l, ifindex) >= 0)
		return fault(f, -EALREADY,
			     "%s: the XDP program of this tunnel is already attached to this NIC",
			     nic);
	number = find_nic(l, 0);
	if (number < 0)
		return fault(f, -ENOSPC,
			     "%s: an interface can use at most %d NICs; name fewer NICs", nic,
			     NICS_MAX);
	err = xdplink_mac(nic, v.mac, f);
	if (err)
		return err;
	v.number = number;
	err = write_nic(l, ifindex, &v);
	if (err)
		return fault(f, err, "%s: cannot write to the BPF map \"nics\": %s", nic,
			     strerror(-err));
	l->nics[number] = (struct nic){ .link_fd = -1, .value = v };
	return number;
}

/* Loads the copy of the program for generic mode, unless the copy is already loaded. */
static int load_generic(struct loader *l, const char *nic, struct fault *f)
{
	struct fault copy;
	int err;

	if (l->generic)
		return 0;
	err = ingress_copy_open(&l->generic, l->skel, true, &copy);
	if (err)
		return fault(f, err, "%s: cannot attach XDP in generic mode: %s; use --rx udp", nic,
			     copy.text);
	err = open_files_room(LOAD_FILES) ?: ingress_bpf__load(l->generic);
	if (!err)
		return 0;
	ingress_bpf__destroy(l->generic);
	l->generic = NULL;
	if (fault_is_limit(err))
		return fault(f, err, "%s: cannot attach XDP in generic mode: %s", nic,
			     strerror(-err));
	return fault(
		f, -ENOTSUP,
		"%s: cannot attach XDP in generic mode: the kernel refuses the program that "
		"recognises GRO and GSO packets (%s), for example in lockdown mode; use --rx udp",
		nic, strerror(-err));
}

static int open_generic_link(struct loader *l, uint32_t ifindex, const char *nic, struct fault *f)
{
	int err = load_generic(l, nic, f);

	return l->generic ? xdplink_open(bpf_program__fd(l->generic->progs.wgxdp_ingress), ifindex,
					 nic, false, f)
			  : err;
}

int loader_attach(struct loader *l, uint32_t ifindex, const char *nic, enum loader_mode mode,
		  bool *native, struct fault *f)
{
	int number = reserve_number(l, ifindex, nic, f), fd = -EOPNOTSUPP;
	bool is_native = mode != LOADER_MODE_GENERIC;

	if (number < 0)
		return number;
	if (is_native)
		fd = xdplink_open(bpf_program__fd(l->skel->progs.wgxdp_ingress), ifindex, nic, true,
				  f);
	if (mode != LOADER_MODE_NATIVE && fd == -EOPNOTSUPP) {
		is_native = false;
		fd = open_generic_link(l, ifindex, nic, f);
	}
	if (fd < 0) {
		erase_nic(l, ifindex);
		return fd;
	}
	l->nics[number].link_fd = fd;
	l->nics[number].ifindex = ifindex;
	*native = is_native;
	return 0;
}

bool loader_is_accepted(const struct loader *l, uint32_t ifindex, const char *nic)
{
	int prog = bpf_program__fd(l->skel->progs.wgxdp_ingress);
	struct fault f;
	int fd = xdplink_open(prog, ifindex, nic, true, &f);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int loader_attach_chained(struct loader *l, uint32_t ifindex, const char *nic,
			  enum loader_mode mode, bool *native, struct fault *f)
{
	int number, err;

	if (!loader_pinned(l))
		return fault(f, -ENOTSUP,
			     "%s: --chain needs pinned maps, but %s; fix that or leave out --chain",
			     nic, l->pins.why.text);
	number = reserve_number(l, ifindex, nic, f);
	if (number < 0)
		return number;
	err = chainlink_open(&l->nics[number].chain, l->skel, ifindex, nic, mode, native, f);
	if (err) {
		erase_nic(l, ifindex);
		return err;
	}
	l->nics[number].ifindex = ifindex;
	return 0;
}

int loader_attach_nic_tc(struct loader *l, uint32_t ifindex, const char *nic, bool force_clsact,
			 bool *tcx, struct fault *f)
{
	const struct tclink_target target = { ifindex, nic, force_clsact, l->handle };
	int number = reserve_number(l, ifindex, nic, f), err;

	if (number < 0)
		return number;
	err = tclink_open(&l->nics[number].tc, bpf_program__fd(l->skel->progs.wgxdp_nic),
			  TCLINK_INGRESS, &target, f);
	if (err) {
		erase_nic(l, ifindex);
		return err;
	}
	l->nics[number].ifindex = ifindex;
	*tcx = l->nics[number].tc.fd >= 0;
	return 0;
}

void loader_detach(struct loader *l, uint32_t ifindex)
{
	int number = find_attached(l, ifindex);

	if (number < 0)
		return;
	if (l->nics[number].link_fd >= 0)
		close(l->nics[number].link_fd); /* the last reference: this detaches the program */
	chainlink_close(l->nics[number].chain);
	tclink_close(&l->nics[number].tc);
	for (uint32_t queue = 0; queue < NIC_QUEUES_MAX; queue++)
		loader_set_socket(l, ifindex, queue, -1);
	erase_nic(l, ifindex);
	l->nics[number].ifindex = 0;
}

bool loader_attached(const struct loader *l, uint32_t ifindex)
{
	int number = find_attached(l, ifindex);
	const struct nic *nic;

	if (number < 0)
		return false;
	nic = &l->nics[number];
	if (nic->chain)
		return chainlink_alive(nic->chain);
	return nic->link_fd >= 0 ? xdplink_alive(nic->link_fd) : tclink_where(&nic->tc) == ifindex;
}

int loader_set_mac(struct loader *l, uint32_t ifindex, const uint8_t mac[static 6])
{
	int number = find_attached(l, ifindex);

	if (number < 0)
		return number;
	memcpy(l->nics[number].value.mac, mac, 6);
	return write_nic(l, ifindex, &l->nics[number].value);
}

int loader_set_queue_worker(struct loader *l, uint32_t ifindex, uint32_t queue, unsigned worker)
{
	int number = find_attached(l, ifindex);

	if (number < 0)
		return number;
	if (queue >= NIC_QUEUES_MAX || worker >= WORKERS_MAX)
		return -ERANGE;
	l->nics[number].value.workers[queue] = worker;
	return write_nic(l, ifindex, &l->nics[number].value);
}

int loader_set_socket(struct loader *l, uint32_t ifindex, uint32_t queue, int fd)
{
	int number = find_attached(l, ifindex), err;
	uint32_t key;

	if (number < 0)
		return number;
	if (queue >= NIC_QUEUES_MAX)
		return -ERANGE;
	key = xsks_key(number, queue);
	if (fd >= 0)
		return bpf_map__update_elem(l->skel->maps.xsks, &key, sizeof(key), &fd, sizeof(fd),
					    BPF_ANY);
	err = bpf_map__delete_elem(l->skel->maps.xsks, &key, sizeof(key), 0);
	return err == -ENOENT || err == -EINVAL ? 0 : err;
}
