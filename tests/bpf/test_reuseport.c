/* SPDX-License-Identifier: MIT */
/*
 * test_reuseport.c - which of several real sockets on lo gets a datagram, for IPv4 and IPv6:
 *
 *   control thread ── binds first, then sets SO_REUSEPORT ─┐
 *   worker 0, worker 1 ── bind with SO_REUSEPORT ──────────┴─ one port; the BPF program chooses
 */
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "frames.h"
#include "sandbox.h"

#ifndef SO_ATTACH_REUSEPORT_EBPF
#define SO_ATTACH_REUSEPORT_EBPF 52
#endif

enum { DAEMON, WORKER0, WORKER1, MEMBERS, NOBODY = MEMBERS };
enum { OF_WORKER0 = 0x01020304, OF_WORKER1 = 0x89abcdef, PENDING1 = 0x11, UNKNOWN = 0x04030201 };

static const int families[] = { AF_INET, AF_INET6 };

struct group {
	int family;
	int fds[MEMBERS];
	int sender;
};

static int open_socket(int family, uint16_t port, bool reuse)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const void *address = family == AF_INET ? (void *)&v4 : &v6;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int one = 1;

	assert_true(fd >= 0);
	if (family == AF_INET6)
		assert_int_equal(setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &one, sizeof(one)), 0);
	if (reuse)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, address, family == AF_INET ? sizeof(v4) : sizeof(v6)), 0);
	return fd;
}

static int open_sender(int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(FRAME_PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(FRAME_PORT),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, family == AF_INET ? (void *)&v4 : (void *)&v6,
				 family == AF_INET ? sizeof(v4) : sizeof(v6)),
			 0);
	return fd;
}

static void open_group(struct group *g, int family)
{
	const int one = 1;
	int prog;

	g->family = family;
	for (unsigned i = 0; i < MEMBERS; i++) {
		g->fds[i] = open_socket(family, FRAME_PORT, i != DAEMON);
		if (i == DAEMON)
			assert_int_equal(setsockopt(g->fds[i], SOL_SOCKET, SO_REUSEPORT, &one,
						    sizeof(one)),
					 0);
	}
	prog = loader_reuseport_prog(loader);
	assert_true(prog >= 0);
	assert_int_equal(setsockopt(g->fds[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &prog,
				    sizeof(prog)),
			 0);
	for (unsigned i = 0; i < MEMBERS; i++)
		assert_int_equal(loader_set_reuseport_socket(
					 loader, i == DAEMON ? SOCKS_DAEMON : SOCKS_WORKER(i - 1),
					 family, g->fds[i]),
				 0);
	g->sender = open_sender(family);
}

static void close_group(struct group *g)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		close(g->fds[i]);
	close(g->sender);
}

static void put_session(uint32_t index, uint16_t worker, enum session_kind kind)
{
	const struct session_value v = { .worker = worker, .kind = kind };

	assert_int_equal(loader_session_set(loader, index, &v), 0);
}

static void set_heartbeats(bool worker0, bool worker1)
{
	loader_heartbeat(loader)[0] = worker0 ? INT64_MAX / 2 : 0;
	loader_heartbeat(loader)[1] = worker1 ? INT64_MAX / 2 : 1; /* 1 ns: long ago */
}

static void begin_groups(struct group groups[2])
{
	make_loader();
	put_session(OF_WORKER0, 0, SESSION_DATA);
	put_session(OF_WORKER1, 1, SESSION_DATA);
	put_session(PENDING1, 1, SESSION_PENDING);
	set_heartbeats(true, true);
	for (unsigned i = 0; i < 2; i++)
		open_group(&groups[i], families[i]);
}

/* Sends the @len bytes at @payload. Returns the number of the socket that received them,
 * NOBODY if none did, or -1 if several did. */
static int receiver_of(const struct group *g, const void *payload, size_t len)
{
	char buffer[256];
	int receiver = NOBODY;

	assert_int_equal(send(g->sender, payload, len, 0), len);
	for (int i = 0; i < MEMBERS; i++)
		if (recv(g->fds[i], buffer, sizeof(buffer), 0) >= 0)
			receiver = receiver == NOBODY ? i : -1;
	return receiver;
}

static int receiver_of_message(const struct group *g, uint8_t type, uint32_t index)
{
	const struct frame_spec spec = { .family = 4, .type = type, .receiver = index };
	struct frame frame;

	frame_build(&frame, &spec);
	return receiver_of(g, frame.data + frame.at[MSG], frame.payload_len);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_by_type_and_index(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t index;
		int receiver;
	} cases[] = {
		{ WIRE_INITIATION, 0, DAEMON },
		{ WIRE_RESPONSE, OF_WORKER1, DAEMON },
		{ WIRE_COOKIE, OF_WORKER1, DAEMON },
		{ WIRE_DATA, OF_WORKER0, WORKER0 },
		{ WIRE_DATA, OF_WORKER1, WORKER1 },
		{ WIRE_DATA, PENDING1, WORKER1 },
		{ WIRE_DATA, UNKNOWN, WORKER0 },
		{ 0, OF_WORKER0, WORKER0 },
		{ 5, UNKNOWN, WORKER0 },
	};
	struct group groups[2];

	(void)state;
	begin_groups(groups);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned g = 0; g < 2; g++)
			/* Send from three ports: a choice by hash could be right by chance. */
			for (unsigned n = 0; n < 3; n++) {
				assert_int_equal(receiver_of_message(&groups[g], cases[i].type,
								     cases[i].index),
						 cases[i].receiver);
				close(groups[g].sender);
				groups[g].sender = open_sender(groups[g].family);
			}
	close_group(&groups[0]);
	close_group(&groups[1]);
}

/* Datagrams that are too short for a message go to a worker, not to the control thread. */
static void test_short_datagrams(void **state)
{
	const uint8_t initiation[] = { WIRE_INITIATION, 0, 0, 0 };
	struct group groups[2];

	(void)state;
	begin_groups(groups);
	for (unsigned g = 0; g < 2; g++)
		for (unsigned len = 0; len <= sizeof(initiation); len++)
			assert_int_equal(receiver_of(&groups[g], initiation, len), WORKER0);
	close_group(&groups[0]);
	close_group(&groups[1]);
}

/* The data of a hung worker goes to a live worker. If all workers hang, the data waits in the
 * socket of the worker that owns the session. */
static void test_hung_worker(void **state)
{
	static const struct {
		bool alive[2];
		int receivers[2]; /* workers that get the data of workers 0 and 1 */
	} cases[] = {
		{ { true, true }, { WORKER0, WORKER1 } },
		{ { true, false }, { WORKER0, WORKER0 } },
		{ { false, true }, { WORKER1, WORKER1 } },
		{ { false, false }, { WORKER0, WORKER1 } },
	};
	struct group groups[2];

	(void)state;
	begin_groups(groups);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_heartbeats(cases[i].alive[0], cases[i].alive[1]);
		for (unsigned g = 0; g < 2; g++) {
			assert_int_equal(receiver_of_message(&groups[g], WIRE_DATA, OF_WORKER0),
					 cases[i].receivers[0]);
			assert_int_equal(receiver_of_message(&groups[g], WIRE_DATA, OF_WORKER1),
					 cases[i].receivers[1]);
			assert_int_equal(receiver_of_message(&groups[g], WIRE_INITIATION, 0),
					 DAEMON);
		}
	}
	close_group(&groups[0]);
	close_group(&groups[1]);
}

/* If the chosen element of the BPF map `socks` is empty, any socket of the same family may get the
 * datagram. */
static void test_empty_places(void **state)
{
	struct group groups[2];

	(void)state;
	begin_groups(groups);
	assert_int_equal(loader_set_reuseport_socket(loader, SOCKS_WORKER(1), AF_INET6, -1), 0);
	assert_int_equal(loader_set_reuseport_socket(loader, SOCKS_WORKER(1), AF_INET6, -1), 0);
	assert_in_range(receiver_of_message(&groups[1], WIRE_DATA, OF_WORKER1), 0, MEMBERS - 1);
	assert_int_equal(receiver_of_message(&groups[0], WIRE_DATA, OF_WORKER1), WORKER1);
	/* The kernel removes a closed socket from the map, so another one can replace it. */
	close(groups[0].fds[WORKER1]);
	groups[0].fds[WORKER1] = open_socket(AF_INET, FRAME_PORT, true);
	assert_int_equal(loader_set_reuseport_socket(loader, SOCKS_WORKER(1), AF_INET,
						     groups[0].fds[WORKER1]),
			 0);
	assert_int_equal(receiver_of_message(&groups[0], WIRE_DATA, OF_WORKER1), WORKER1);
	close_group(&groups[0]);
	close_group(&groups[1]);
}

static void test_refusals(void **state)
{
	int alone, fd;

	(void)state;
	make_loader();
	fd = loader_reuseport_prog(loader);
	assert_true(fd >= 0);
	assert_int_equal(loader_reuseport_prog(loader), fd);
	alone = open_socket(AF_INET, 0, false);
	assert_int_equal(loader_set_reuseport_socket(loader, 0, AF_INET, alone), -EINVAL);
	assert_int_equal(loader_set_reuseport_socket(loader, SOCKS_WORKER(WORKERS_MAX), AF_INET,
						     alone),
			 -ERANGE);
	close(alone);
	alone = open_socket(AF_INET, 0, true);
	assert_int_equal(loader_set_reuseport_socket(loader, SOCKS_WORKER(WORKERS_MAX - 1), AF_INET,
						     alone),
			 0);
	assert_int_equal(loader_set_reuseport_socket(loader, 0, AF_INET, alone), -EBUSY);
	close(alone);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(by_type_and_index), TEST(short_datagrams), TEST(hung_worker),
		TEST(empty_places),	 TEST(refusals),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reuseport", tests, setup, NULL);
}
