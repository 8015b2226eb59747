/* SPDX-License-Identifier: MIT */
#include "sync/icmp_sender.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/conntrack.h"
#include "io/inner.h"
#include "io/netlink.h"
#include "util/inetsum.h"

#define ICMP_ID 4 /* offset of the identifier of an echo request or reply */
#define CHECKSUM_NONE SIZE_MAX

/* Network address translation ------------------------------------------------------------------ */

static bool is_echo(uint8_t protocol, uint8_t type)
{
	return protocol == IPPROTO_ICMP ? type == ICMP_ECHO || type == ICMP_ECHOREPLY
					: type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY;
}

bool icmp_sender_tuple(const uint8_t *p, size_t len, struct conntrack_tuple *t)
{
	bool v4 = inner_family(p, len) == AF_INET;
	size_t at;

	*t = (struct conntrack_tuple){ .family = v4 ? AF_INET : AF_INET6 };
	if (!inner_transport(p, len, &t->protocol, &at) || len < at + 8)
		return false;
	memcpy(t->source, v4 ? inner4_source(p) : inner6_source(p), v4 ? 4 : 16);
	memcpy(t->destination, v4 ? inner4_destination(p) : inner6_destination(p), v4 ? 4 : 16);
	switch (t->protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		t->icmp_type = p[at];
		memcpy(&t->id, p + at + ICMP_ID, sizeof(t->id));
		return is_echo(t->protocol, t->icmp_type);
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		memcpy(&t->source_port, p + at, 2);
		memcpy(&t->destination_port, p + at + 2, 2);
		return true;
	default:
		return false;
	}
}

/* Returns the offset of the Internet checksum in the transport header, or CHECKSUM_NONE. SCTP has a
 * CRC instead, which adjust() cannot change. */
static size_t checksum_offset(uint8_t protocol, size_t at)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return at + offsetof(struct tcphdr, check);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return at + offsetof(struct udphdr, check);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return at + offsetof(struct icmphdr, checksum);
	case IPPROTO_DCCP:
		return at + 6;
	default:
		return CHECKSUM_NONE;
	}
}

/* Adjusts the Internet checksum at offset @at, because @n bytes change from @old to @new (RFC
 * 1624). Does nothing if the checksum is beyond @len. */
static void adjust(uint8_t *p, size_t len, size_t at, const void *old, const void *new, size_t n)
{
	uint64_t inverse = 0xffffULL * (n / 2) - inetsum_add(old, n, 0);
	uint16_t sum;

	if (at > len || len - at < sizeof(sum))
		return;
	memcpy(&sum, p + at, sizeof(sum));
	sum = (uint16_t)~inetsum_fold(inetsum_add(new, n, (uint16_t)~sum + inverse));
	memcpy(p + at, &sum, sizeof(sum));
}

struct rewrite {
	uint8_t *p;
	size_t len;
	size_t checksums[2]; /* offsets of checksums over the changed bytes, or CHECKSUM_NONE */
};

/* Replaces the @n bytes at offset @at and adjusts both checksums. @n is even. */
static void replace(const struct rewrite *r, size_t at, const void *new, size_t n)
{
	adjust(r->p, r->len, r->checksums[0], r->p + at, new, n);
	adjust(r->p, r->len, r->checksums[1], r->p + at, new, n);
	memcpy(r->p + at, new, n);
}

static bool has_no_checksum(const uint8_t *p, size_t len, uint8_t protocol, size_t at)
{
	return protocol == IPPROTO_UDP && len >= at + 2 && !p[at] && !p[at + 1];
}

void icmp_sender_undo_nat(uint8_t *p, size_t len, const struct conntrack_tuple *before)
{
	bool v4 = inner_family(p, len) == AF_INET;
	struct rewrite r = { .p = p, .len = len, .checksums = { CHECKSUM_NONE, CHECKSUM_NONE } };
	size_t n = v4 ? 4 : 16, at, checksum;
	uint8_t protocol;

	if (!inner_transport(p, len, &protocol, &at) || len < at + 8)
		return;
	checksum = checksum_offset(protocol, at);
	if (!has_no_checksum(p, len, protocol, checksum))
		r.checksums[0] = checksum;
	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
		replace(&r, at + ICMP_ID, &before->id, 2);
	} else {
		replace(&r, at, &before->source_port, 2);
		replace(&r, at + 2, &before->destination_port, 2);
	}
	/* The checksum of ICMP covers no addresses; that of ICMPv6 does. */
	if (protocol == IPPROTO_ICMP)
		r.checksums[0] = CHECKSUM_NONE;
	if (v4)
		r.checksums[1] = offsetof(struct iphdr, check);
	at = (size_t)((v4 ? inner4_source(p) : inner6_source(p)) - p);
	replace(&r, at, before->source, n);
	replace(&r, at + n, before->destination, n);
}

/* Sending -------------------------------------------------------------------------------------- */

struct errors {
	struct handoff *handoff;
	uint32_t ifindex; /* ifindex of the tunnel: scope id of link-local senders */
	struct netlink *conntrack;
	int icmp4, icmp6; /* -1 = not open */
};

static int open_icmp4(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	/* TOS 0xc0 is "internetwork control", which RFC 1812 4.3.2.5 asks for in ICMP errors. */
	int tos = 0xc0, no_df = IP_PMTUDISC_DONT;

	if (fd >= 0) {
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &no_df, sizeof(no_df));
	}
	return fd;
}

static void send_error(struct errors *e, const struct unsent_packet *u)
{
	struct endpoint to = { 0 };
	uint8_t message[ICMP_ERROR_MAX];
	size_t len = icmp_error(message, u->data, u->len, u->mtu);
	int fd;

	if (!len)
		return;
	if (inner_version(u->data) == 4) {
		if (e->icmp4 < 0)
			e->icmp4 = open_icmp4();
		fd = e->icmp4;
		to.remote.v4.sin_family = AF_INET;
		memcpy(&to.remote.v4.sin_addr, inner4_source(u->data),
		       sizeof(to.remote.v4.sin_addr));
	} else {
		if (e->icmp6 < 0)
			e->icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
					  IPPROTO_ICMPV6);
		fd = e->icmp6;
		to.remote.v6.sin6_family = AF_INET6;
		memcpy(&to.remote.v6.sin6_addr, inner6_source(u->data),
		       sizeof(to.remote.v6.sin6_addr));
		if (IN6_IS_ADDR_LINKLOCAL(&to.remote.v6.sin6_addr))
			to.remote.v6.sin6_scope_id = e->ifindex;
	}
	if (fd >= 0)
		sendto(fd, message, len, 0, &to.remote.sa, endpoint_len(&to));
}

static int send_errors(void *ctx)
{
	struct errors *e = ctx;
	struct conntrack_tuple after, before;
	struct unsent_packet u;

	e->conntrack = conntrack_open();
	while (handoff_take_unsent(e->handoff, &u)) {
		if (icmp_sender_tuple(u.data, u.len, &after) &&
		    !conntrack_before(e->conntrack, &after, &before))
			icmp_sender_undo_nat(u.data, u.len, &before);
		send_error(e, &u);
	}
	netlink_close(e->conntrack);
	if (e->icmp4 >= 0)
		close(e->icmp4);
	if (e->icmp6 >= 0)
		close(e->icmp6);
	return 0;
}

void icmp_sender_run(const struct tunnel *t, struct handoff *h)
{
	struct errors e = {
		.handoff = h,
		.ifindex = t->config.tun->ifindex,
		.icmp4 = -1,
		.icmp6 = -1,
	};

	if (handoff_unsent_waiting(h))
		tunnel_call(t, send_errors, &e);
}
