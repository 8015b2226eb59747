/* SPDX-License-Identifier: MIT */
/*
 * netpair.h - two network namespaces without names, which end with the test's process:
 *
 *        near (the test runs here)              far
 *     near0 10.9.0.1/24 fd09::1/64 ──veth── far0 10.9.0.2/24 fd09::2/64
 *           10.9.0.11/24                         02:00:00:00:00:02
 *     02:00:00:00:00:01
 */
#ifndef WGXDP_TEST_NETPAIR_H
#define WGXDP_TEST_NETPAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../local_route.h"

static const uint8_t netpair_near_mac[6] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t netpair_far_mac[6] = { 2, 0, 0, 0, 0, 2 };

static int netpair_near = -1, netpair_far = -1;

/* Runs a shell command in the namespace of the calling thread; returns its exit code. */
__attribute__((format(printf, 1, 2))) static inline int netpair_try(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return system(command);
}

#define netpair_run(...) assert_int_equal(netpair_try(__VA_ARGS__), 0)

static inline int netpair_namespace(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	netpair_run("ip link set lo up");
	return fd;
}

static inline void netpair_enter(int namespace)
{
	assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

/* Returns how many file descriptors below 256 are open in this process. */
static inline unsigned netpair_open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* cmocka's group setup. */
static inline int netpair_setup(void **state)
{
	(void)state;
	netpair_far = netpair_namespace();
	netpair_near = netpair_namespace();
	netpair_run("ip link add near0 address 02:00:00:00:00:01 type veth "
		    "peer name far0 address 02:00:00:00:00:02 netns /proc/%d/fd/%d",
		    getpid(), netpair_far);
	netpair_run("ip addr add 10.9.0.1/24 dev near0 && ip addr add 10.9.0.11/24 dev near0 && "
		    "ip addr add fd09::1/64 dev near0 nodad && ip link set near0 up");
	netpair_enter(netpair_far);
	netpair_run("ip addr add 10.9.0.2/24 dev far0 && ip addr add fd09::2/64 dev far0 nodad && "
		    "ip link set far0 up");
	wait_for_local_route("fd09::2");
	netpair_enter(netpair_near);
	wait_for_local_route("fd09::1");
	return 0;
}

static inline int netpair_teardown(void **state)
{
	(void)state;
	netpair_run("ip link delete near0"); /* otherwise the kernel deletes near0 only later */
	close(netpair_near);
	close(netpair_far);
	return 0;
}

union netpair_address {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t netpair_address(union netpair_address *a, const char *text, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	if (strchr(text, ':')) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &a->v6.sin6_addr), 1);
		return sizeof(a->v6);
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, text, &a->v4.sin_addr), 1);
	return sizeof(a->v4);
}

/* Opens a UDP socket in the far namespace, bound to @text and @port, and connected to @peer unless
 * it is NULL. A receive waits for at most 2 s. */
static inline int netpair_far_socket(const char *text, uint16_t port, const char *peer,
				     uint16_t peer_port)
{
	const struct timeval wait = { .tv_sec = 2 };
	const int buffer = 32 << 20;
	union netpair_address a;
	socklen_t len = netpair_address(&a, text, port);
	int fd;

	netpair_enter(netpair_far);
	fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	netpair_enter(netpair_near);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a.sa, len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)), 0);
	if (peer) {
		len = netpair_address(&a, peer, peer_port);
		assert_int_equal(connect(fd, &a.sa, len), 0);
	}
	return fd;
}

/* Waits until @fd is readable. Returns false after @ms. */
static inline int netpair_readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

/* The body of main(): runs @tests and prints TAP. Without root it only prints a skip with the
 * reason. */
#define netpair_main(tests, setup, teardown)                                                       \
	({                                                                                         \
		int result_ = 0;                                                                   \
		if (geteuid()) {                                                                   \
			puts("1..0 # SKIP needs root: network namespaces");                        \
		} else {                                                                           \
			cmocka_set_message_output(CM_OUTPUT_TAP);                                  \
			result_ = cmocka_run_group_tests(tests, setup, teardown);                  \
		}                                                                                  \
		result_;                                                                           \
	})

#endif
