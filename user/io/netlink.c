/* SPDX-License-Identifier: MIT */
/*
 * netlink.c - sends requests and reads the answers; lists, adds and deletes addresses. Links are in
 * netlink_link.c, routes and neighbours in netlink_route.c.
 */
#include "io/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/net_namespace.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/netlink_private.h"

#define DUMP_ATTEMPTS 16 /* how often a dump is tried if concurrent changes interrupt it */
#define LIST_ROOM 16	 /* initial size of a list, in items */

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
	/* Ignore errors of both calls: if the kernel has no extended acknowledgements,
	 * netlink_error() returns strerror(). */
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

struct netlink *netlink_open_xfrm(void)
{
	return open_protocol(NETLINK_XFRM);
}

struct netlink *netlink_open_generic(void)
{
	return open_protocol(NETLINK_GENERIC);
}

struct netlink *netlink_open_sock_diag(void)
{
	return open_protocol(NETLINK_SOCK_DIAG);
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

/* Returns the id of the namespace from which a message came, on a socket with
 * NETLINK_LISTEN_ALL_NSID. */
static int nsid_of(struct msghdr *m)
{
	struct cmsghdr *c;
	int nsid = NETNSA_NSID_NOT_ASSIGNED;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
		    c->cmsg_len == CMSG_LEN(sizeof(nsid)))
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

int netlink_receive(int fd, void *buf, int *nsid)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = buf, .iov_len = NETLINK_BUFFER };
	struct sockaddr_nl from = { 0 };
	struct msghdr m;
	ssize_t n;

	do {
		m = (struct msghdr){
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		n = recvmsg(fd, &m, MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n > NETLINK_BUFFER)
		return -ENOBUFS;
	if (nsid)
		*nsid = nsid_of(&m);
	return m.msg_namelen == sizeof(from) && from.nl_pid == 0 ? (int)n : 0;
}

struct talk {
	struct netlink *nl;
	netlink_fn fn;
	void *ctx;
	bool done, interrupted;
	int err;
};

void netlink_copy_text(char *to, size_t room, const struct nlattr *a)
{
	size_t n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	if (n >= room)
		n = room - 1;
	memcpy(to, mnl_attr_get_payload(a), n);
	to[n] = '\0';
}

/* Keeps the message text of an extended acknowledgement for netlink_error(). */
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
		netlink_copy_text(nl->sentence, sizeof(nl->sentence), a);
}

static void take_answer(struct talk *t, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	const int *dump_err = mnl_nlmsg_get_payload(nlh);
	int err = 0;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		t->interrupted = true;

	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR: /* an error, or the acknowledgement, which has error 0 */
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

	/* The kernel has answered when sendto() returns, so the loop never waits for long. Messages
	 * with another sequence number are the rest of the answer to an earlier request that
	 * failed. */
	while (!t.done) {
		n = netlink_receive(fd, nl->answer, NULL);
		if (n < 0)
			return n;
		for (m = (const struct nlmsghdr *)nl->answer; mnl_nlmsg_ok(m, n);
		     m = mnl_nlmsg_next(m, &n))
			if (m->nlmsg_seq == nlh->nlmsg_seq && m->nlmsg_pid == port && !t.done)
				take_answer(&t, m);
	}
	return !t.err && t.interrupted ? -EINTR : t.err;
}

void *netlink_list_add(struct netlink_list *list, size_t size)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : LIST_ROOM;
		void *items = reallocarray(list->items, room, size);

		if (!items)
			return NULL;
		list->items = items;
		list->room = room;
	}
	return (char *)list->items + list->count++ * size;
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *nlh, netlink_fn fn, void *ctx,
		 struct netlink_list *list)
{
	size_t before = list ? list->count : 0;
	int err = -EINTR;

	for (int i = 0; i < DUMP_ATTEMPTS && err == -EINTR; i++) {
		if (list)
			list->count = before;
		nlh->nlmsg_seq = ++nl->seq;
		err = netlink_talk(nl, nlh, fn, ctx);
	}
	return err;
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

/* Addresses ----------------------------------------------------------------------------------- */

static int change_address(struct netlink *nl, uint16_t type, uint16_t flags, uint32_t ifindex,
			  const struct prefix *address)
{
	struct nlmsghdr *nlh = netlink_begin(nl, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	size_t len = netlink_addr_len(address->family);

	ifa->ifa_family = address->family;
	ifa->ifa_prefixlen = address->length;
	ifa->ifa_index = ifindex;
	if (address->family == AF_INET && address->addr[0] == 127)
		ifa->ifa_scope = RT_SCOPE_HOST; /* as ip(8) does */
	mnl_attr_put(nlh, IFA_LOCAL, len, address->addr);
	mnl_attr_put(nlh, IFA_ADDRESS, len, address->addr);
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_add_address(struct netlink *nl, uint32_t ifindex, const struct prefix *address)
{
	return change_address(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, address);
}

int netlink_delete_address(struct netlink *nl, uint32_t ifindex, const struct prefix *address)
{
	return change_address(nl, RTM_DELADDR, 0, ifindex, address);
}

struct address {
	uint32_t ifindex;
	struct prefix prefix;
	bool tentative; /* duplicate address detection is in progress */
};

static int take_address(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *flags_attr;
	struct address *new;
	uint32_t flags;
	size_t len;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa))
		return 0;
	if (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6)
		return 0;
	len = netlink_addr_len(ifa->ifa_family);
	/* On a point-to-point link, IFA_LOCAL is our address and IFA_ADDRESS is that of the other
	 * side. */
	a = netlink_attr(nlh, sizeof(*ifa), IFA_LOCAL, len);
	if (!a)
		a = netlink_attr(nlh, sizeof(*ifa), IFA_ADDRESS, len);
	if (!a)
		return 0;

	flags_attr = netlink_attr(nlh, sizeof(*ifa), IFA_FLAGS, 4);
	flags = flags_attr ? mnl_attr_get_u32(flags_attr) : ifa->ifa_flags;
	if (flags & IFA_F_DADFAILED)
		return 0;

	new = netlink_list_add(ctx, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = (struct address){
		.ifindex = ifa->ifa_index,
		.prefix = { .family = ifa->ifa_family, .length = ifa->ifa_prefixlen },
		.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) == IFA_F_TENTATIVE,
	};
	memcpy(new->prefix.addr, mnl_attr_get_payload(a), len);
	return 0;
}

/* Fills @all with items of struct address. */
static int list_addresses(struct netlink *nl, struct netlink_list *all)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETADDR, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
	return netlink_dump(nl, nlh, take_address, all, all);
}

/* Collects all addresses before it calls @fn, because an interrupted dump is repeated from the
 * start, and because @fn may use @nl. */
int netlink_addresses(struct netlink *nl,
		      int (*fn)(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr),
		      void *ctx)
{
	struct netlink_list all = { 0 };
	int err = list_addresses(nl, &all);
	const struct address *list = all.items;

	/* Skip tentative addresses, which are not ours yet. The kernel sends a notification when
	 * duplicate detection ends. */
	for (size_t i = 0; i < all.count && !err; i++)
		if (!list[i].tentative)
			err = fn(ctx, list[i].ifindex, list[i].prefix.family, list[i].prefix.addr);
	free(all.items);
	return err;
}

int netlink_link_addresses(struct netlink *nl, uint32_t ifindex, struct prefix **list,
			   uint32_t *count)
{
	struct netlink_list all = { 0 };
	int err = list_addresses(nl, &all);
	const struct address *addresses = all.items;
	struct prefix *out = err ? NULL : calloc(all.count + 1, sizeof(*out));
	uint32_t n = 0;

	if (!err && !out)
		err = -ENOMEM;
	for (size_t i = 0; i < all.count && !err; i++)
		if (addresses[i].ifindex == ifindex)
			out[n++] = addresses[i].prefix;
	if (!err) {
		*list = out;
		*count = n;
	}
	free(all.items);
	return err;
}

static bool is_listed(const struct netlink_list *all, uint32_t ifindex, const struct prefix *p)
{
	const struct address *list = all->items;

	for (size_t i = 0; i < all->count; i++)
		if (list[i].ifindex == ifindex && !memcmp(&list[i].prefix, p, sizeof(*p)))
			return true;
	return false;
}

int netlink_missing_address(struct netlink *nl, uint32_t ifindex, const struct prefix *list,
			    size_t count, const struct prefix **missing)
{
	struct netlink_list all = { 0 };
	int err = list_addresses(nl, &all);

	if (!err)
		*missing = NULL;
	for (size_t i = 0; i < count && !err && !*missing; i++)
		if (!is_listed(&all, ifindex, &list[i]))
			*missing = &list[i];
	free(all.items);
	return err;
}
