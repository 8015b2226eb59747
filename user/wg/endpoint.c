/* SPDX-License-Identifier: MIT */
#include "wg/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool endpoint_from_sockaddr(struct endpoint *e, const struct sockaddr *sa)
{
	struct endpoint new;

	memset(&new, 0, sizeof(new));
	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&new.remote.v4, sa, sizeof(new.remote.v4));
		memset(new.remote.v4.sin_zero, 0, sizeof(new.remote.v4.sin_zero));
		break;
	case AF_INET6:
		memcpy(&new.remote.v6, sa, sizeof(new.remote.v6));
		new.remote.v6.sin6_flowinfo = 0;
		break;
	default:
		return false;
	}
	*e = new;
	return true;
}

socklen_t endpoint_len(const struct endpoint *e)
{
	return e->remote.sa.sa_family == AF_INET ? sizeof(e->remote.v4) : sizeof(e->remote.v6);
}

bool endpoint_same_remote(const struct endpoint *a, const struct endpoint *b)
{
	if (a->remote.sa.sa_family != b->remote.sa.sa_family)
		return false;
	switch (a->remote.sa.sa_family) {
	case AF_INET:
		return a->remote.v4.sin_port == b->remote.v4.sin_port &&
		       a->remote.v4.sin_addr.s_addr == b->remote.v4.sin_addr.s_addr;
	case AF_INET6:
		return a->remote.v6.sin6_port == b->remote.v6.sin6_port &&
		       a->remote.v6.sin6_scope_id == b->remote.v6.sin6_scope_id &&
		       IN6_ARE_ADDR_EQUAL(&a->remote.v6.sin6_addr, &b->remote.v6.sin6_addr);
	default:
		return true;
	}
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	if (!endpoint_same_remote(a, b) || a->ifindex != b->ifindex)
		return false;
	if (a->remote.sa.sa_family == AF_INET)
		return a->local.v4.s_addr == b->local.v4.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->local.v6, &b->local.v6);
}

void endpoint_forget_local(struct endpoint *e)
{
	memset(&e->local, 0, sizeof(e->local));
	e->ifindex = 0;
}

bool endpoint_martian(const struct endpoint *e)
{
	const struct sockaddr_in *v4 = &e->remote.v4;
	const struct sockaddr_in6 *v6 = &e->remote.v6;

	switch (e->remote.sa.sa_family) {
	case AF_INET:
		return v4->sin_port == 0 || ntohl(v4->sin_addr.s_addr) >> 24 == 0 ||
		       v4->sin_addr.s_addr == htonl(INADDR_BROADCAST) ||
		       IN_MULTICAST(ntohl(v4->sin_addr.s_addr));
	case AF_INET6:
		return v6->sin6_port == 0 || IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr) ||
		       IN6_IS_ADDR_MULTICAST(&v6->sin6_addr) ||
		       IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
	default:
		return true;
	}
}

char *endpoint_text(const struct endpoint *e, char text[static ENDPOINT_TEXT_LEN])
{
	const struct sockaddr_in *v4 = &e->remote.v4;
	const struct sockaddr_in6 *v6 = &e->remote.v6;
	/* address[] has room for the longest text that inet_ntop() writes; "::ffff:1.2.3.4" and
	 * similar texts are shorter. */
	char address[sizeof("1111:2222:3333:4444:5555:6666:7777:8888")], scope[12] = "";

	text[0] = '\0';
	switch (e->remote.sa.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &v4->sin_addr, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT_LEN, "%s:%u", address, ntohs(v4->sin_port));
		break;
	case AF_INET6:
		/* Write the interface's number, because looking up its name is a system call. */
		if (v6->sin6_scope_id)
			snprintf(scope, sizeof(scope), "%%%u", v6->sin6_scope_id);
		inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT_LEN, "[%s%s]:%u", address, scope,
			 ntohs(v6->sin6_port));
		break;
	default:
		break;
	}
	return text;
}
