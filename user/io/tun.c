/* SPDX-License-Identifier: MIT */
/*
 * tun.c - the TUN device of the tunnel interface.
 *
 *   fd:  │ vnet header 10 B │ IP packet │   one packet per read() or write()
 *
 * With offloads, packets from the host may be up to 64 KiB long. A large TCP or UDP packet must be
 * split into segments of the size in its vnet header. tun_writev() also accepts large packets.
 */
#include "io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/netlink_request.h"
#include "io/vnet.h"
#include "util/open_files.h"

#define TUN_DEVICE "/dev/net/tun"
#define TX_QUEUE_LEN 1000 /* packets; a full queue drops packets and does not slow the sender */

int tun_read(const struct tun *t, struct virtio_net_hdr *vnet, uint8_t *buf, size_t room)
{
	uint8_t beyond;
	/* The kernel truncates without an error. If a byte is read into @beyond, the packet did not
	 * fit. */
	struct iovec iov[] = { { vnet, t->vnet_len }, { buf, room }, { &beyond, 1 } };
	ssize_t n;

	if (!t->vnet_len)
		memset(vnet, 0, sizeof(*vnet));
	n = readv(t->fd, iov, 3);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n <= t->vnet_len)
		return 0;
	n -= t->vnet_len;
	return (size_t)n > room ? -EMSGSIZE : (int)n;
}

int tun_write(const struct tun *t, uint8_t *packet, size_t len)
{
	uint8_t *start = packet - t->vnet_len;

	memset(start, 0, t->vnet_len);
	return write(t->fd, start, len + t->vnet_len) < 0 ? -errno : 0;
}

int tun_writev(const struct tun *t, const struct iovec *iov, unsigned n)
{
	return writev(t->fd, iov, (int)n) < 0 ? -errno : 0;
}

/* ---- setup ---- */

static int set_mtu_and_queue(struct netlink *nl, uint32_t ifindex, uint32_t mtu)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(nlh, IFLA_TXQLEN, TX_QUEUE_LEN);
	return netlink_talk(nl, nlh, NULL, NULL);
}

/* Prevents a link-local address on the interface, so that the kernel sends no router solicitations
 * into the tunnel. */
static int set_addr_gen_none(struct netlink *nl, uint32_t ifindex)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);
	struct nlattr *families = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

	mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(nlh, inet6);
	mnl_attr_nest_end(nlh, families);
	return netlink_talk(nl, nlh, NULL, NULL);
}

/* Turns ICMP redirects off. A host that relays packets between peers sends them back through the
 * interface on which they arrived. The kernel would answer such packets with redirects if either
 * `all` or the interface allows them. So both are turned off, as the kernel's WireGuard does.
 * Failure (a read-only /proc) is ignored, because redirects are only a nuisance. */
static void disable_redirects(const char *name)
{
	const char *const interfaces[] = { "all", name };
	char path[64];
	int fd;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/send_redirects",
			 interfaces[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		(void)!write(fd, "0", 1);
		close(fd);
	}
}

/* Explains that an interface @name exists already. Tells how to remove the interface only if it is
 * a tunnel, because any other interface may be the host's uplink. */
static int name_taken(const char *name, struct fault *f)
{
	struct netlink *nl = netlink_open();
	struct netlink_link link = { .kind = "" };

	if (nl)
		(void)netlink_link(nl, name, 0, &link);
	netlink_close(nl);
	if (!strcmp(link.kind, "wireguard"))
		return fault(
			f, -EBUSY,
			"%s: the kernel's WireGuard has an interface of this name; run `wg-quick "
			"down %s`, or choose another name",
			name, name);
	if (!strcmp(link.kind, "tun"))
		return fault(f, -EBUSY,
			     "%s: a TUN interface of this name exists; end the program that serves "
			     "it, or choose another name",
			     name);
	return fault(f, -EBUSY,
		     "%s: a network interface of this name exists; choose another name for the "
		     "tunnel",
		     name);
}

static int create(int fd, const char *name, struct fault *f)
{
	struct ifreq ifr = { 0 };

	/* IFF_TUN_EXCL: fail if the interface exists, because another program owns it. */
	ifr.ifr_flags =
		(short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE | IFF_TUN_EXCL);
	memcpy(ifr.ifr_name, name, strlen(name) + 1); /* tun_open() has checked the length */
	if (!ioctl(fd, TUNSETIFF, &ifr))
		return 0;
	switch (errno) {
	case EBUSY:
		return name_taken(name, f);
	case EPERM:
		return fault(f, -EPERM,
			     "%s: not permitted to create a TUN interface; run as root "
			     "or with CAP_NET_ADMIN",
			     name);
	case EINVAL:
		return fault(f, -EINVAL, "%s: not a valid interface name", name);
	default:
		return fault(f, -errno, "%s: cannot create a TUN interface: %s", name,
			     strerror(errno));
	}
}

/* Uses the given descriptor of /dev/net/tun. Creates an interface unless the descriptor has one. */
static int adopt(int fd, const char *name, struct fault *f)
{
	struct ifreq ifr = { 0 };

	if (ioctl(fd, TUNGETIFF, &ifr)) {
		if (errno == EBADFD)
			return create(fd, name, f);
		return fault(f, -errno, "descriptor %d is not a TUN device: %s", fd,
			     strerror(errno));
	}
	/* IFF_NO_PI cannot be checked, because TUNGETIFF reports IFF_NOFILTER in the same bit. */
	if (ifr.ifr_flags & IFF_NAPI)
		return fault(
			f, -EINVAL,
			"descriptor %d (%s) has IFF_NAPI, so a write returns before TC has seen "
			"the packet; open the device without IFF_NAPI",
			fd, ifr.ifr_name);
	if (!(ifr.ifr_flags & IFF_TUN))
		return fault(f, -EINVAL,
			     "descriptor %d (%s) is a TAP device; open /dev/net/tun with "
			     "IFF_TUN|IFF_NO_PI",
			     fd, ifr.ifr_name);
	return 0;
}

/* Reads back the device's name and flags, and sets the descriptor's options. */
static int set_up_queue(struct tun *t)
{
	int vnet_len = TUN_VNET_LEN, flags = fcntl(t->fd, F_GETFL);
	struct ifreq ifr = { 0 };
	int err;

	if (flags < 0 || fcntl(t->fd, F_SETFL, flags | O_NONBLOCK) ||
	    fcntl(t->fd, F_SETFD, FD_CLOEXEC) || ioctl(t->fd, TUNGETIFF, &ifr))
		return -errno;
	memcpy(t->name, ifr.ifr_name, sizeof(t->name));
	t->multi_queue = ifr.ifr_flags & IFF_MULTI_QUEUE;
	t->vnet_len = ifr.ifr_flags & IFF_VNET_HDR ? TUN_VNET_LEN : 0;
	if (t->vnet_len && ioctl(t->fd, TUNSETVNETHDRSZ, &vnet_len))
		return -errno;
	if (ioctl(t->fd, TUNSETOFFLOAD, t->offloads))
		return -errno;
	t->ifindex = if_nametoindex(t->name);
	err = t->ifindex ? 0 : -errno;
	return err ? open_files_room(1) ?: err : 0;
}

static int configure(const struct tun *t, uint32_t mtu, struct fault *f)
{
	struct netlink *nl = netlink_open();
	int err;

	if (!nl)
		return fault(f, -errno, "%s: cannot open a netlink socket: %s", t->name,
			     strerror(errno));
	err = set_mtu_and_queue(nl, t->ifindex, mtu);
	if (err) {
		fault(f, err, "%s: cannot set the MTU %u: %s", t->name, mtu,
		      netlink_error(nl, err));
		goto out;
	}
	err = set_addr_gen_none(nl, t->ifindex);
	if (err == -EAFNOSUPPORT || err == -EOPNOTSUPP) /* the host has no IPv6 */
		err = 0;
	if (err) {
		fault(f, err, "%s: cannot set addrgenmode none: %s", t->name,
		      netlink_error(nl, err));
		goto out;
	}
	disable_redirects(t->name);
out:
	netlink_close(nl);
	return err;
}

int tun_open(struct tun *t, const char *name, int given_fd, uint32_t mtu, struct fault *f)
{
	struct tun opened = { .fd = given_fd };
	int err;

	if (strlen(name) >= sizeof(opened.name))
		return fault(f, -ENAMETOOLONG,
			     "%s: the name is too long; an interface name has at most %zu bytes",
			     name, sizeof(opened.name) - 1);
	if (given_fd < 0)
		opened.fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);
	if (opened.fd < 0 && fault_is_limit(-errno))
		return fault(f, -errno, TUN_DEVICE ": %s", strerror(errno));
	if (opened.fd < 0)
		return fault(f, -errno, TUN_DEVICE ": %s; %s", strerror(errno),
			     errno == ENOENT ? "run `modprobe tun`, or add the device to the "
					       "container"
					     : "run as root or with CAP_NET_ADMIN");
	err = given_fd < 0 ? create(opened.fd, name, f) : adopt(opened.fd, name, f);
	if (err)
		goto out_close;
	err = set_up_queue(&opened);
	if (err) {
		fault(f, err, "%s: cannot set up the TUN device: %s", name, strerror(-err));
		goto out_close;
	}
	err = configure(&opened, mtu, f);
	if (err)
		goto out_close;
	*t = opened;
	return 0;

out_close:
	if (given_fd < 0)
		close(opened.fd);
	return err;
}

int tun_add_queue(struct tun *queue, const struct tun *first, struct fault *f)
{
	struct tun opened = { .fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC),
			      .offloads = first->offloads };
	struct ifreq ifr = { 0 };
	int err;

	if (opened.fd < 0)
		return fault(f, -errno, TUN_DEVICE ": %s", strerror(errno));
	ifr.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE);
	memcpy(ifr.ifr_name, first->name, sizeof(first->name));
	err = ioctl(opened.fd, TUNSETIFF, &ifr) ? -errno : set_up_queue(&opened);
	if (err) {
		close(opened.fd);
		return fault(f, err, "%s: cannot add a queue: %s", first->name, strerror(-err));
	}
	*queue = opened;
	return 0;
}

int tun_set_offloads(struct tun *t, bool from_host, bool udp, struct fault *f)
{
	const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	/* The kernel accepts USO4 and USO6 only together. */
	const unsigned all = tcp | TUN_F_USO4 | TUN_F_USO6;

	t->uso = udp && !ioctl(t->fd, TUNSETOFFLOAD, all);
	t->offloads = !from_host ? 0 : t->uso ? all : tcp;
	if (ioctl(t->fd, TUNSETOFFLOAD, t->offloads))
		return fault(f, -errno, "%s: cannot set offloads 0x%x: %s; use --no-gso", t->name,
			     t->offloads, strerror(errno));
	return 0;
}

void tun_close(struct tun *t)
{
	close(t->fd);
	t->fd = -1;
}
