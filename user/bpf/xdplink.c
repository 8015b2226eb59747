/* SPDX-License-Identifier: MIT */
#include "bpf/xdplink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/pins.h"
#include "io/xdp_features.h"
#include "util/log.h"

#define PROGRAM_MAPS_MAX 32

static int no_interface(const char *nic, struct fault *f)
{
	return fault(f, -ENODEV, "%s: no such interface; see `ip link`", nic);
}

int xdplink_mac(const char *nic, uint8_t mac[static 6], struct fault *f)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return fault(f, -errno, "%s: socket: %s", nic, strerror(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", nic);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		err = errno == ENODEV ? no_interface(nic, f)
				      : fault(f, -errno, "%s: cannot read its MAC address: %s", nic,
					      strerror(errno));
	else if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER &&
		 request.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
		err = fault(f, -EOPNOTSUPP,
			    "%s: not an Ethernet device, so XDP is not possible; use --rx udp",
			    nic);
	else
		memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	close(fd);
	return err;
}

void xdplink_owner(int fd, char interface[static IFNAME_MAX + 1])
{
	uint32_t maps[PROGRAM_MAPS_MAX], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {
		.map_ids = (uintptr_t)maps,
		.nr_map_ids = PROGRAM_MAPS_MAX,
	};

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	for (uint32_t i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
		if (pins_find("xsks", maps[i], interface))
			return;
}

/* Opens the program @id and reads its name like xdplink_name(). Returns the descriptor, or -1. */
static int open_program(uint32_t id, char name[static BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0)
		bpf_obj_get_info_by_fd(fd, &info, &len);
	snprintf(name, BPF_OBJ_NAME_LEN, "%.15s", info.name[0] ? info.name : "unnamed");
	return fd;
}

void xdplink_name(uint32_t id, char name[static BPF_OBJ_NAME_LEN])
{
	int fd = open_program(id, name);

	if (fd >= 0)
		close(fd);
}

/* Returns -EBUSY and describes in @f the program @id that is attached to the NIC. */
static int foreign_fault(uint32_t id, const char *nic, struct fault *f)
{
	char interface[IFNAME_MAX + 1] = "", name[BPF_OBJ_NAME_LEN];
	int fd;

	if (!id) /* The program was detached in the meantime, or the driver itself is busy. */
		return fault(f, -EBUSY,
			     "%s: the driver is busy; if a bridge or bond of this NIC has an XDP "
			     "program, name the bridge or bond instead, or use --rx udp",
			     nic);
	fd = open_program(id, name);
	if (fd >= 0) {
		xdplink_owner(fd, interface);
		close(fd);
	}
	if (*interface)
		return fault(
			f, -EBUSY,
			"%s: the XDP program of interface %s is attached to this NIC; XDP will be "
			"used for this tunnel once %s is detached",
			nic, interface, interface);
	return fault(f, -EBUSY,
		     "%s: XDP program %u (%s) is attached to this NIC and stays; use "
		     "--rx udp, or detach that program first",
		     nic, id, name);
}

/* Returns the id of an XDP program on the NIC, in any mode; 0 if there is none. */
static uint32_t attached_id(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	if (bpf_xdp_query(ifindex, 0, &q))
		return 0;
	if (q.prog_id)
		return q.prog_id;
	/* With XDP_ATTACHED_MULTI, prog_id is 0 and each mode has its own program. */
	return q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id ? q.skb_prog_id : q.hw_prog_id;
}

static int create_link(int prog_fd, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

/* Returns text that says why the driver refused native XDP. On Linux 6.3 and newer, the list of the
 * driver's XDP features shows whether it supports native XDP at all. */
static const char *refusal(int err, uint32_t ifindex)
{
	struct xdp_features features;

	if (err == -EOPNOTSUPP && !xdp_features_read(ifindex, &features) && !features.native)
		return "its driver offers no native XDP with the present settings";
	if (err == -ENOSPC) /* from veth_xdp_set() in the kernel */
		return "it has too few receiving queues; a veth device needs as many as the other "
		       "end has sending queues (ethtool -L)";
	if (err == -ERANGE) /* from veth_xdp_set() in the kernel */
		return "the MTU of the other end of this veth pair is too large for XDP (ip link)";
	return strerror(-err);
}

static int attach_fault(int err, uint32_t ifindex, const char *nic, bool native, struct fault *f)
{
	switch (err) {
	case -EBUSY:
	case -EEXIST:
		return foreign_fault(attached_id(ifindex), nic, f);
	case -EPERM:
		return fault(
			f, err,
			"%s: cannot attach XDP: not permitted; run as root or with CAP_BPF and "
			"CAP_NET_ADMIN",
			nic);
	case -EMFILE:
	case -ENFILE:
		return fault(f, err, "%s: cannot attach XDP: %s", nic, strerror(-err));
	case -ENODEV:
	case -EINVAL: /* bpf_link_create returns this for an unknown ifindex */
		if (!if_indextoname(ifindex, (char[IF_NAMESIZE]){ 0 }))
			return no_interface(nic, f);
		/* fall through */
	default:
		if (native)
			return fault(f, -EOPNOTSUPP,
				     "%s: cannot attach XDP in native mode: %s; use --rx udp, or "
				     "--xdp-mode generic, which is slower",
				     nic, refusal(err, ifindex));
		return fault(f, err, "%s: cannot attach XDP: %s; use --rx udp", nic,
			     strerror(-err));
	}
}

int xdplink_vacant(uint32_t ifindex, const char *nic, struct fault *f)
{
	uint32_t id = attached_id(ifindex);

	return id ? foreign_fault(id, nic, f) : 0;
}

int xdplink_open(int prog_fd, uint32_t ifindex, const char *nic, bool native, struct fault *f)
{
	int fd = xdplink_vacant(ifindex, nic, f);

	if (fd)
		return fd;
	fd = create_link(prog_fd, ifindex, native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	return fd < 0 ? attach_fault(fd, ifindex, nic, native, f) : fd;
}

bool xdplink_alive(int fd)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	/* The ifindex is 0 if the device is gone or the link was detached by force. */
	return !bpf_obj_get_info_by_fd(fd, &info, &len) && info.xdp.ifindex;
}
