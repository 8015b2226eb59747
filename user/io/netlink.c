/* SPDX-License-Identifier: MIT */
/*
 * netlink.c - the request socket, links and addresses. Routes and neighbours are in
 * netlink_route.c.
 */
#include "io/netlink.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/ipv6.h>
#include <linux/pkt_sched.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "io/netlink_private.h"

#define HOP_LIMIT_DEFAULT 64

/* Requests ------------------------------------------------------------------------------------ */

static struct netlink *open_protocol(int protocol)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int on = 1;

	if (!nl)
		return NULL;
	nl->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (!nl->socket)
		goto free_nl;
	if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID))
		goto close_socket;
	/* Before Linux 4.12 there are no extended acknowledgements, and netlink_error() does
	 * without. */
	(void)mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	nl->seq = (uint32_t)time(NULL);
	return nl;

close_socket:
	mnl_socket_close(nl->socket);
free_nl:
	free(nl);
	return NULL;
}

struct netlink *netlink_open(void)
{
	return open_protocol(NETLINK_ROUTE);
}

struct netlink *netlink_open_netfilter(void)
{
	return open_protocol(NETLINK_NETFILTER);
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	mnl_socket_close(nl->socket);
	free(nl);
}

struct nlmsghdr *netlink_begin(struct netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->request);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = ++nl->seq;
	return nlh;
}

struct nlmsghdr *netlink_begin_link(struct netlink *nl, uint32_t ifindex)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = (int)ifindex;
	return nlh;
}

int netlink_receive(int fd, void *buf)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n;

	do {
		n = recvfrom(fd, buf, NETLINK_BUFFER, MSG_TRUNC, (struct sockaddr *)&from,
			     &from_len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n > NETLINK_BUFFER)
		return -ENOBUFS;
	return from_len == sizeof(from) && from.nl_pid == 0 ? (int)n : 0;
}

struct talk {
	struct netlink *nl;
	netlink_fn fn;
	void *ctx;
	bool done, interrupted;
	int err;
};

static void copy_text(char *to, size_t room, const struct nlattr *a)
{
	size_t n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	if (n >= room)
		n = room - 1;
	memcpy(to, mnl_attr_get_payload(a), n);
	to[n] = '\0';
}

/* Keeps the sentence of an extended acknowledgement for netlink_error(). */
static void keep_sentence(struct netlink *nl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	size_t header = sizeof(*e), len = mnl_nlmsg_get_payload_len(nlh);
	const struct nlattr *a;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED)) /* the request is quoted before the attributes */
		header += e->msg.nlmsg_len - sizeof(e->msg);
	if (header > len)
		return;
	a = netlink_attr(nlh, header, NLMSGERR_ATTR_MSG, 1);
	if (a)
		copy_text(nl->sentence, sizeof(nl->sentence), a);
}

static void take_answer(struct talk *t, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const int *dump_err = mnl_nlmsg_get_payload(nlh);
	int err = 0;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		t->interrupted = true;

	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR: /* also the acknowledgement, with error 0 */
		t->done = true;
		err = mnl_nlmsg_get_payload_len(nlh) >= sizeof(*e) ? e->error : -EBADMSG;
		if (err != -EBADMSG && err)
			keep_sentence(t->nl, nlh);
		break;
	case NLMSG_DONE:
		t->done = true;
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*dump_err))
			err = *dump_err;
		break;
	case NLMSG_NOOP:
	case NLMSG_OVERRUN:
		break;
	default:
		if (t->fn)
			err = t->fn(nlh, t->ctx);
	}
	if (err < 0 && !t->err)
		t->err = err;
}

int netlink_talk(struct netlink *nl, const struct nlmsghdr *nlh, netlink_fn fn, void *ctx)
{
	struct talk t = { .nl = nl, .fn = fn, .ctx = ctx };
	int fd = mnl_socket_get_fd(nl->socket);
	uint32_t port = mnl_socket_get_portid(nl->socket);
	const struct nlmsghdr *m;
	int n;

	nl->sentence[0] = '\0';
	while (mnl_socket_sendto(nl->socket, nlh, nlh->nlmsg_len) < 0)
		if (errno != EINTR)
			return -errno;

	/* The kernel answers within sendto(), so this never waits for long. The rest of an answer
	 * to an earlier request that failed half-way carries another sequence number. */
	while (!t.done) {
		n = netlink_receive(fd, nl->answer);
		if (n < 0)
			return n;
		for (m = (const struct nlmsghdr *)nl->answer; mnl_nlmsg_ok(m, n);
		     m = mnl_nlmsg_next(m, &n))
			if (m->nlmsg_seq == nlh->nlmsg_seq && m->nlmsg_pid == port && !t.done)
				take_answer(&t, m);
	}
	return !t.err && t.interrupted ? -EINTR : t.err;
}

const char *netlink_error(const struct netlink *nl, int err)
{
	return nl->sentence[0] ? nl->sentence : strerror(-err);
}

const struct nlattr *netlink_attr(const struct nlmsghdr *nlh, size_t header, uint16_t type,
				  size_t min)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, nlh, header) if (mnl_attr_get_type(a) ==
					      type) return mnl_attr_get_payload_len(a) >= min
		? a
		: NULL;
	return NULL;
}

const struct nlattr *netlink_nested(const struct nlattr *nest, uint16_t type, size_t min)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest) if (mnl_attr_get_type(a) ==
					      type) return mnl_attr_get_payload_len(a) >= min
		? a
		: NULL;
	return NULL;
}

/* Links --------------------------------------------------------------------------------------- */

static void parse_xdp(const struct nlattr *xdp, struct netlink_link *l)
{
	/* With one program the kernel gives PROG_ID, with several (MULTI) one ID for each mode. */
	static const uint16_t ids[] = { IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID,
					IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID };
	const struct nlattr *a = netlink_nested(xdp, IFLA_XDP_ATTACHED, 1);

	if (a)
		l->xdp_mode = mnl_attr_get_u8(a);
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]) && !l->xdp_prog_id; i++) {
		a = netlink_nested(xdp, ids[i], 4);
		if (a)
			l->xdp_prog_id = mnl_attr_get_u32(a);
	}
}

/* Reads net.ipv6.conf.NAME.hop_limit, which a router's advertisement may have set. */
static uint8_t parse_hop_limit6(const struct nlmsghdr *nlh)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_AF_SPEC, 0);
	int32_t conf[DEVCONF_HOPLIMIT + 1];

	if (a)
		a = netlink_nested(a, AF_INET6, 0);
	if (a)
		a = netlink_nested(a, IFLA_INET6_CONF, sizeof(conf));
	if (!a)
		return HOP_LIMIT_DEFAULT;
	memcpy(conf, mnl_attr_get_payload(a), sizeof(conf));
	return (uint8_t)conf[DEVCONF_HOPLIMIT];
}

/* A port of a VRF stays the interface at which its packets reach IP. */
static void parse_kind(const struct nlmsghdr *nlh, struct netlink_link *l)
{
	const struct nlattr *info = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_LINKINFO, 0);
	const struct nlattr *master = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_MASTER, 4);
	const struct nlattr *kind = info ? netlink_nested(info, IFLA_INFO_KIND, 1) : NULL;
	const struct nlattr *port = info ? netlink_nested(info, IFLA_INFO_SLAVE_KIND, 1) : NULL;
	char port_kind[sizeof(l->kind)] = "";

	if (kind)
		copy_text(l->kind, sizeof(l->kind), kind);
	if (port)
		copy_text(port_kind, sizeof(port_kind), port);
	if (master && strcmp(port_kind, "vrf") != 0)
		l->master = mnl_attr_get_u32(master);
}

bool netlink_parse_link(const struct nlmsghdr *nlh, struct netlink_link *out)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *name, *a;
	struct netlink_link l = { 0 };

	/* A message of AF_BRIDGE is about a port's bridge side: its RTM_DELLINK means that the port
	 * left the bridge, not that the link is gone. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) || ifi->ifi_family != AF_UNSPEC)
		return false;
	name = netlink_attr(nlh, sizeof(*ifi), IFLA_IFNAME, 1);
	if (!name)
		return false;

	l.ifindex = (uint32_t)ifi->ifi_index;
	l.up = ifi->ifi_flags & IFF_UP;
	/* IFF_RUNNING follows the carrier (IFF_LOWER_UP) with a delay, so both must be set. */
	l.running = (ifi->ifi_flags & IFF_RUNNING) && (ifi->ifi_flags & IFF_LOWER_UP);
	l.loopback = ifi->ifi_flags & IFF_LOOPBACK;
	l.no_arp = ifi->ifi_flags & (IFF_NOARP | IFF_POINTOPOINT);
	copy_text(l.name, sizeof(l.name), name);

	a = netlink_attr(nlh, sizeof(*ifi), IFLA_ADDRESS, sizeof(l.mac));
	if (a && ifi->ifi_type == ARPHRD_ETHER) {
		l.has_mac = true;
		memcpy(l.mac, mnl_attr_get_payload(a), sizeof(l.mac));
	}
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_MTU, 4);
	if (a)
		l.mtu = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_NUM_RX_QUEUES, 4);
	if (a)
		l.rx_queues = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*ifi), IFLA_XDP, 0);
	if (a)
		parse_xdp(a, &l);
	parse_kind(nlh, &l);
	l.hop_limit6 = parse_hop_limit6(nlh);
	*out = l;
	return true;
}

static int take_link(const struct nlmsghdr *nlh, void *ctx)
{
	if (nlh->nlmsg_type != RTM_NEWLINK)
		return 0;
	return netlink_parse_link(nlh, ctx) ? 0 : -EBADMSG;
}

int netlink_link(struct netlink *nl, const char *name, uint32_t ifindex, struct netlink_link *out)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	struct netlink_link found = { 0 };
	int err;

	if (name && (!*name || strlen(name) >= IFNAMSIZ))
		return -ENODEV;
	if (name)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	else
		ifi->ifi_index = (int)ifindex;
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = netlink_talk(nl, nlh, take_link, &found);
	if (!name && err == -EINVAL) /* index 0 or below */
		err = -ENODEV;
	if (!err && !found.ifindex)
		err = -ENODEV;
	if (!err)
		*out = found;
	return err;
}

#define MASTERS_MAX 4 /* a bond in a bridge, and room to spare */

uint32_t netlink_layer3(struct netlink *nl, uint32_t ifindex)
{
	struct netlink_link link;

	for (unsigned i = 0; i < MASTERS_MAX; i++) {
		if (netlink_link(nl, NULL, ifindex, &link) || !link.master)
			break;
		ifindex = link.master;
	}
	return ifindex;
}

struct member {
	uint32_t master;
	char name[16]; /* "" = none yet */
};

static int take_member(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_MASTER, 4);
	struct member *m = ctx;
	struct netlink_link l;

	if (a && mnl_attr_get_u32(a) == m->master && netlink_parse_link(nlh, &l))
		memcpy(m->name, l.name, sizeof(m->name));
	return 0;
}

int netlink_member(struct netlink *nl, uint32_t ifindex, char name[static 16])
{
	struct member m = { .master = ifindex };
	struct nlmsghdr *nlh;
	int err;

	do {
		nlh = netlink_begin(nl, RTM_GETLINK, NLM_F_DUMP);
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		mnl_attr_put_u32(nlh, IFLA_MASTER, ifindex); /* a filter */
		err = netlink_talk(nl, nlh, take_member, &m);
	} while (err == -EINTR && !*m.name);
	if (*m.name)
		memcpy(name, m.name, sizeof(m.name));
	return *m.name ? 0 : err ? err : -ENOENT;
}

static int take_drops(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct ifinfomsg), IFLA_STATS64,
					      offsetof(struct rtnl_link_stats64, multicast));
	struct netlink_drops *out = ctx;
	struct rtnl_link_stats64 stats; /* a copy: attributes are aligned to 4 bytes */

	if (!a)
		return -EBADMSG;
	memcpy(&stats, mnl_attr_get_payload(a), offsetof(struct rtnl_link_stats64, multicast));
	*out = (struct netlink_drops){ .rx_dropped = stats.rx_dropped,
				       .tx_dropped = stats.tx_dropped };
	return 0;
}

int netlink_link_drops(struct netlink *nl, uint32_t ifindex, struct netlink_drops *out)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	int err;

	ifi->ifi_index = (int)ifindex;
	err = netlink_talk(nl, nlh, take_drops, out);
	return err == -EINVAL ? -ENODEV : err; /* index 0 or below */
}

void netlink_queues(const char *name, uint32_t *rx, uint32_t *tx)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq request = { .ifr_data = (void *)&channels };
	int fd;

	*rx = *tx = 1;
	if (strlen(name) >= sizeof(request.ifr_name))
		return;
	memcpy(request.ifr_name, name, strlen(name));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
		*rx = channels.combined_count + channels.rx_count;
		*tx = channels.combined_count + channels.tx_count;
	}
	close(fd);
	*rx = *rx ? *rx : 1;
	*tx = *tx ? *tx : 1;
}

struct root_qdisc {
	int ifindex;
	char *kind;
	bool found;
};

static int take_qdisc(const struct nlmsghdr *nlh, void *ctx)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	struct root_qdisc *root = ctx;
	const struct nlattr *kind;

	if (nlh->nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(nlh) < sizeof(*tc) ||
	    tc->tcm_ifindex != root->ifindex || tc->tcm_parent != TC_H_ROOT || !tc->tcm_handle)
		return 0;
	kind = netlink_attr(nlh, sizeof(*tc), TCA_KIND, 1);
	if (kind)
		copy_text(root->kind, NETLINK_QDISC_LEN, kind);
	root->found = true;
	return 0;
}

int netlink_root_qdisc(struct netlink *nl, uint32_t ifindex, char kind[static NETLINK_QDISC_LEN])
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETQDISC, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	struct root_qdisc root = { (int)ifindex, kind, false };
	int err;

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	*kind = '\0';
	err = netlink_talk(nl, nlh, take_qdisc, &root);
	return err ? err : root.found;
}

int netlink_set_up(struct netlink *nl, uint32_t ifindex, bool up)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_set_mtu(struct netlink *nl, uint32_t ifindex, uint32_t mtu)
{
	struct nlmsghdr *nlh = netlink_begin_link(nl, ifindex);

	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return netlink_talk(nl, nlh, NULL, NULL);
}

/* Addresses ----------------------------------------------------------------------------------- */

int netlink_add_address(struct netlink *nl, uint32_t ifindex, const struct prefix *address)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	size_t len = netlink_addr_len(address->family);

	ifa->ifa_family = address->family;
	ifa->ifa_prefixlen = address->length;
	ifa->ifa_index = ifindex;
	mnl_attr_put(nlh, IFA_LOCAL, len, address->addr);
	mnl_attr_put(nlh, IFA_ADDRESS, len, address->addr);
	return netlink_talk(nl, nlh, NULL, NULL);
}

struct address {
	uint32_t ifindex;
	struct prefix prefix;
	bool tentative; /* duplicate detection is under way */
};

struct addresses {
	struct address *list;
	size_t count, room;
};

static int grow(struct addresses *all)
{
	size_t room = all->room ? all->room * 2 : 64;
	struct address *list = reallocarray(all->list, room, sizeof(*list));

	if (!list)
		return -ENOMEM;
	all->list = list;
	all->room = room;
	return 0;
}

static int take_address(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *flags_attr;
	struct addresses *all = ctx;
	struct address *new;
	uint32_t flags;
	size_t len;
	int err;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return 0;
	len = netlink_addr_len(ifa->ifa_family);
	/* On a point-to-point link IFA_ADDRESS is the other side's address, and IFA_LOCAL ours. */
	a = netlink_attr(nlh, sizeof(*ifa), IFA_LOCAL, len);
	if (!a)
		a = netlink_attr(nlh, sizeof(*ifa), IFA_ADDRESS, len);
	if (!a)
		return 0;

	flags_attr = netlink_attr(nlh, sizeof(*ifa), IFA_FLAGS, 4);
	flags = flags_attr ? mnl_attr_get_u32(flags_attr) : ifa->ifa_flags;
	if (flags & IFA_F_DADFAILED)
		return 0;

	if (all->count == all->room) {
		err = grow(all);
		if (err)
			return err;
	}
	new = &all->list[all->count++];
	*new = (struct address){
		.ifindex = ifa->ifa_index,
		.prefix = { .family = ifa->ifa_family, .length = ifa->ifa_prefixlen },
		.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE,
	};
	memcpy(new->prefix.addr, mnl_attr_get_payload(a), len);
	return 0;
}

static int list_addresses(struct netlink *nl, struct addresses *all)
{
	struct nlmsghdr *nlh;
	int err = -EINTR;

	for (int i = 0; i < NETLINK_DUMP_ATTEMPTS && err == -EINTR; i++) {
		all->count = 0;
		nlh = netlink_begin(nl, RTM_GETADDR, NLM_F_DUMP);
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
		err = netlink_talk(nl, nlh, take_address, all);
	}
	return err;
}

/* The addresses are collected before @fn sees any, because an interrupted dump is begun again and
 * because @fn may use @nl. */
int netlink_addresses(struct netlink *nl,
		      int (*fn)(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr),
		      void *ctx)
{
	struct addresses all = { 0 };
	int err = list_addresses(nl, &all);

	/* A tentative address is not ours yet. The kernel notifies the end of duplicate
	 * detection. */
	for (size_t i = 0; i < all.count && !err; i++)
		if (!all.list[i].tentative)
			err = fn(ctx, all.list[i].ifindex, all.list[i].prefix.family,
				 all.list[i].prefix.addr);
	free(all.list);
	return err;
}

static bool is_listed(const struct addresses *all, uint32_t ifindex, const struct prefix *p)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].ifindex == ifindex && !memcmp(&all->list[i].prefix, p, sizeof(*p)))
			return true;
	return false;
}

int netlink_missing_address(struct netlink *nl, uint32_t ifindex, const struct prefix *list,
			    size_t count, const struct prefix **missing)
{
	struct addresses all = { 0 };
	int err = list_addresses(nl, &all);

	if (!err)
		*missing = NULL;
	for (size_t i = 0; i < count && !err && !*missing; i++)
		if (!is_listed(&all, ifindex, &list[i]))
			*missing = &list[i];
	free(all.list);
	return err;
}
