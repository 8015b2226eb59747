/* SPDX-License-Identifier: MIT */
/*
 * pmtu.c - two raw sockets with filters. The IPv4 socket receives every "destination unreachable",
 * of which "fragmentation needed" is one code; the IPv6 socket receives only "packet too big". A
 * message of the IPv4 socket begins with its IP header; a message of the IPv6 socket begins with
 * the ICMPv6 header:
 *
 *   | IP | ICMP: type, code, checksum, MTU | quoted packet: IP header | UDP header: ports ...
 */
#include "io/pmtu.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "io/inner.h"

#define ICMP_HEADER_LEN 8
#define FRAGMENT_HEADER_LEN 8
#define PORTS_LEN 4
#define READ_LEN 512		       /* only these first bytes of an error are needed */
#define SOCKET_BUFFER_BYTES (64 << 10) /* small, so that the kernel drops most of a flood */

struct pmtu_watch {
	int fd, ipv4, ipv6; /* fd: epoll over both sockets; -1 = not open */
};

/* Parsing -------------------------------------------------------------------------------------- */

static bool parse_ports(const uint8_t *udp, __be16 port, __be16 *to)
{
	memcpy(to, udp + 2, sizeof(*to));
	return !memcmp(udp, &port, sizeof(port)) && *to;
}

static bool parse_ipv4(const uint8_t *p, size_t len, __be16 port, struct endpoint *to)
{
	size_t header = len ? inner4_header_len(p) : 0;
	struct sockaddr_in found = { .sin_family = AF_INET };

	if (header < INNER4_LEN || len < header + ICMP_HEADER_LEN + INNER4_LEN ||
	    p[header] != ICMP_DEST_UNREACH || p[header + 1] != ICMP_FRAG_NEEDED)
		return false;
	p += header + ICMP_HEADER_LEN;
	len -= header + ICMP_HEADER_LEN;
	header = inner4_header_len(p);
	if (inner_family(p, len) != AF_INET || header < INNER4_LEN || len < header + PORTS_LEN ||
	    inner4_protocol(p) != IPPROTO_UDP || inner4_is_later_fragment(p))
		return false;
	if (!parse_ports(p + header, port, &found.sin_port))
		return false;
	memcpy(&found.sin_addr, inner4_destination(p), sizeof(found.sin_addr));
	*to = (struct endpoint){ .remote.v4 = found };
	return true;
}

static bool parse_ipv6(const uint8_t *p, size_t len, __be16 port, struct endpoint *to)
{
	const uint8_t *quoted = p + ICMP_HEADER_LEN, *at = quoted + INNER6_LEN;
	struct sockaddr_in6 found = { .sin6_family = AF_INET6 };
	uint8_t next;

	if (len < ICMP_HEADER_LEN + INNER6_LEN + PORTS_LEN || p[0] != ICMPV6_PKT_TOOBIG ||
	    inner_version(quoted) != 6)
		return false;
	next = inner6_next(quoted);
	if (next == IPPROTO_FRAGMENT &&
	    len >= ICMP_HEADER_LEN + INNER6_LEN + FRAGMENT_HEADER_LEN + PORTS_LEN &&
	    !inner6_is_later_fragment(at)) {
		next = at[0];
		at += FRAGMENT_HEADER_LEN;
	}
	if (next != IPPROTO_UDP || !parse_ports(at, port, &found.sin6_port))
		return false;
	memcpy(&found.sin6_addr, inner6_destination(quoted), sizeof(found.sin6_addr));
	*to = (struct endpoint){ .remote.v6 = found };
	return true;
}

/* Sockets -------------------------------------------------------------------------------------- */

static int open_ipv4(void)
{
	const struct icmp_filter filter = { ~(1U << ICMP_DEST_UNREACH) };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);

	if (fd >= 0)
		setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	return fd;
}

static int open_ipv6(void)
{
	struct icmp6_filter filter;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);

	memset(&filter, 0xff, sizeof(filter)); /* a set bit blocks its type */
	filter.data[0] &= ~(1U << ICMPV6_PKT_TOOBIG);
	if (fd >= 0)
		setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, &filter, sizeof(filter));
	return fd;
}

static int add(const struct pmtu_watch *w, int fd)
{
	const int size = SOCKET_BUFFER_BYTES;
	struct epoll_event event = { .events = EPOLLIN };

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return epoll_ctl(w->fd, EPOLL_CTL_ADD, fd, &event);
}

struct pmtu_watch *pmtu_open(void)
{
	struct pmtu_watch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return NULL;
	w->ipv4 = open_ipv4();
	w->ipv6 = open_ipv6(); /* -1 on a host without IPv6 */
	w->fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->fd >= 0 && w->ipv4 >= 0 && !add(w, w->ipv4) && (w->ipv6 < 0 || !add(w, w->ipv6)))
		return w;
	err = errno;
	pmtu_close(w);
	errno = err;
	return NULL;
}

void pmtu_close(struct pmtu_watch *w)
{
	if (!w)
		return;
	if (w->ipv4 >= 0)
		close(w->ipv4);
	if (w->ipv6 >= 0)
		close(w->ipv6);
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

int pmtu_fd(const struct pmtu_watch *w)
{
	return w->fd;
}

static bool is_listed(const struct endpoint *e, const struct endpoint *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (endpoint_same_remote(e, &list[i]))
			return true;
	return false;
}

unsigned pmtu_read(struct pmtu_watch *w, __be16 port, struct endpoint *to, unsigned max)
{
	unsigned count = 0;
	uint8_t msg[READ_LEN];
	struct endpoint e;

	for (unsigned i = 0; i < PMTU_READS && count < max; i++) {
		bool v6 = i %
			  2; /* alternate, so that a flood in one family does not hide the other */
		ssize_t n = recv(v6 ? w->ipv6 : w->ipv4, msg, sizeof(msg), 0);

		if (n < 0) {
			v6 = !v6;
			n = recv(v6 ? w->ipv6 : w->ipv4, msg, sizeof(msg), 0);
		}
		if (n < 0)
			break;
		if ((v6 ? parse_ipv6(msg, (size_t)n, port, &e)
			: parse_ipv4(msg, (size_t)n, port, &e)) &&
		    !is_listed(&e, to, count))
			to[count++] = e;
	}
	return count;
}
