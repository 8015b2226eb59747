/* SPDX-License-Identifier: MIT */
/*
 * test_loader_maps.c - checks what the loader has written to its maps. The test opens the maps by
 * their pins, as another process would.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>

#include "sandbox.h"
#include "wg/prefix.h"
#include "wgxdp/blake2s.h"
#include "wgxdp/limits.h"
#include "wgxdp/wire.h"

/* This many of the next insertions fail with ENOMEM. Real insertions sometimes fail in this way
 * while the kernel refills the memory of its maps. */
static unsigned refusals;

/* Replaces libbpf's function in this test program: fails @refusals times, and then calls libbpf's
 * function. */
int bpf_map__update_elem(const struct bpf_map *map, const void *key, size_t key_sz,
			 const void *value, size_t value_sz, __u64 flags)
{
	__typeof__(&bpf_map__update_elem) real = dlsym(RTLD_NEXT, __func__);

	if (refusals) {
		refusals--;
		return -ENOMEM;
	}
	return real(map, key, key_sz, value, value_sz, flags);
}

static struct prefix prefix_of(const char *address, uint8_t length)
{
	struct prefix p = { .family = strchr(address, ':') ? AF_INET6 : AF_INET, .length = length };

	assert_int_equal(inet_pton(p.family, address, p.addr), 1);
	return p;
}

/* Looks up @address in the map @fd. Returns the slot of the peer that has the longest matching
 * prefix, or SLOT_NONE. */
static uint32_t slot_of(int fd, const char *address)
{
	struct prefix p = prefix_of(address, strchr(address, ':') ? 128 : 32);
	struct allowed6_key key = { .length = p.length };
	uint32_t slot = SLOT_NONE;

	memcpy(key.address, p.addr, 16);
	bpf_map_lookup_elem(fd, &key, &slot);
	return slot;
}

static void test_allowed(void **state)
{
	static const struct {
		const char *name, *any, *net, *host, *other;
		uint8_t net_length, host_length;
	} families[] = {
		{ "allowed4", "0.0.0.0", "10.1.0.0", "10.1.2.3", "10.2.0.0", 16, 32 },
		{ "allowed6", "::", "fd01::", "fd01::2:3", "fd02::", 16, 128 },
	};

	(void)state;
	make_loader();
	for (unsigned i = 0; i < 2; i++) {
		struct prefix any = prefix_of(families[i].any, 0);
		struct prefix net = prefix_of(families[i].net, families[i].net_length);
		struct prefix host = prefix_of(families[i].host, families[i].host_length);
		int fd = pinned_map(families[i].name);

		assert_int_equal(slot_of(fd, families[i].host), SLOT_NONE);
		assert_int_equal(loader_allowed_set(loader, &net, 7), 0);
		assert_int_equal(loader_allowed_set(loader, &host, 8), 0);
		assert_int_equal(slot_of(fd, families[i].host), 8);
		assert_int_equal(slot_of(fd, families[i].net), 7);
		assert_int_equal(slot_of(fd, families[i].other), SLOT_NONE);
		assert_int_equal(loader_allowed_set(loader, &any, 0), 0);
		assert_int_equal(slot_of(fd, families[i].other), 0);
		/* A prefix is assigned to another slot, deleted, and deleted again. */
		assert_int_equal(loader_allowed_set(loader, &host, 9), 0);
		assert_int_equal(slot_of(fd, families[i].host), 9);
		loader_allowed_del(loader, &host);
		assert_int_equal(slot_of(fd, families[i].host), 7);
		loader_allowed_del(loader, &host);
		loader_allowed_del(loader, &net);
		loader_allowed_del(loader, &any);
		assert_int_equal(slot_of(fd, families[i].net), SLOT_NONE);
		any.length = 129;
		assert_int_equal(loader_allowed_set(loader, &any, 0), -EINVAL);
		close(fd);
	}
}

/* 0.0.0.0/0 does not change the IPv6 trie. */
static void test_allowed_apart(void **state)
{
	struct prefix any = prefix_of("0.0.0.0", 0);
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("allowed6");
	assert_int_equal(loader_allowed_set(loader, &any, 1), 0);
	assert_int_equal(slot_of(fd, "::1"), SLOT_NONE);
	close(fd);
}

static void test_peer_auth(void **state)
{
	const struct peer_stats_value v = { 1, 2, 3, 4 };
	const struct peer_value peer = { .name = "a" };
	struct peer_stats_value got;
	uint32_t slot = 12;
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("peer_auth");
	assert_int_equal(loader_peer_auth_set(loader, slot, &v), -ENOENT);
	assert_int_equal(loader_peer_set(loader, slot, &peer), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &got), 0);
	assert_int_equal(got.rx_packets | got.tx_bytes, 0);
	assert_int_equal(loader_peer_auth_set(loader, slot, &v), 0);
	assert_int_equal(loader_peer_set(loader, slot, &peer), 0); /* must not reset peer_auth */
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &got), 0);
	assert_memory_equal(&got, &v, sizeof(v));
	loader_peer_del(loader, slot);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &got), -ENOENT);
	close(fd);
}

static void test_mac1_key(void **state)
{
	const uint8_t key[32] = { 9, 8, 7 };
	struct mac_keys_value got;
	uint32_t zero = 0, want[8];
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("mac_keys");
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &got), 0);
	assert_int_equal(got.has_mac1, 0);
	assert_int_equal(loader_set_mac1_key(loader, key), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &got), 0);
	blake2s_midstate(want, WIRE_MAC_LEN, key, sizeof(key));
	assert_int_equal(got.has_mac1, 1);
	assert_memory_equal(got.mac1, want, sizeof(want));
	assert_int_equal(loader_set_mac1_key(loader, NULL), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &got), 0);
	assert_int_equal(got.has_mac1 | got.mac1[0], 0);
	close(fd);
}

/* A lookup in an array map returns what a worker has written through its mapping of the map. */
static void test_mapped_arrays(void **state)
{
	uint64_t value;
	int tun_writer, heartbeat;

	(void)state;
	make_loader();
	tun_writer = pinned_map("tun_writer");
	heartbeat = pinned_map("heartbeat");
	for (uint32_t i = 0; i < WORKERS_MAX; i++) {
		assert_int_equal(bpf_map_lookup_elem(tun_writer, &i, &value), 0);
		assert_int_equal(value, SLOT_NONE);
		assert_int_equal(bpf_map_lookup_elem(heartbeat, &i, &value), 0);
		assert_int_equal(value, 0);
		loader_tun_writer(loader)[i] = 1000 + i;
		loader_heartbeat(loader)[i] = (1ULL << 40) + i;
	}
	for (uint32_t i = 0; i < WORKERS_MAX; i++) {
		assert_int_equal(bpf_map_lookup_elem(tun_writer, &i, &value), 0);
		assert_int_equal(value, 1000 + i);
		assert_int_equal(bpf_map_lookup_elem(heartbeat, &i, &value), 0);
		assert_int_equal(value, (1ULL << 40) + i);
	}
	close(tun_writer);
	close(heartbeat);
}

/* A change of the NIC's MAC address keeps the worker that is recorded for each queue. Detaching the
 * NIC resets the worker to 0. */
static void test_queue_worker(void **state)
{
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct nic_value got;
	bool native;
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("nics");
	assert_int_equal(loader_set_queue_worker(loader, lt0, 0, 0), -ENOENT);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(loader_set_queue_worker(loader, lt0, NIC_QUEUES_MAX, 0), -ERANGE);
	assert_int_equal(loader_set_queue_worker(loader, lt0, 0, WORKERS_MAX), -ERANGE);
	assert_int_equal(loader_set_queue_worker(loader, lt0, NIC_QUEUES_MAX - 1, 5), 0);
	assert_int_equal(loader_set_mac(loader, lt0, mac), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &lt0, &got), 0);
	assert_int_equal(got.workers[NIC_QUEUES_MAX - 1], 5);
	assert_int_equal(got.workers[0], 0);
	assert_memory_equal(got.mac, mac, 6);
	loader_detach(loader, lt0);
	assert_int_equal(loader_attach(loader, lt0, "lt0", LOADER_MODE_AUTO, &native, &f), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &lt0, &got), 0);
	assert_int_equal(got.workers[NIC_QUEUES_MAX - 1], 0);
	close(fd);
}

/* While the kernel has no memory ready, the loader retries an insertion. After too many failures it
 * gives up. */
static void test_memory_is_short(void **state)
{
	const struct peer_value peer = { .name = "b" };
	const struct session_value session = { .slot = 7 };
	const struct prefix host = prefix_of("10.1.2.3", 32);
	struct peer_value got;
	uint32_t slot = 7;
	int fd;

	(void)state;
	make_loader();
	fd = pinned_map("peers");
	refusals = 3;
	assert_int_equal(loader_peer_set(loader, slot, &peer), 0);
	refusals = 3;
	assert_int_equal(loader_session_set(loader, 1, &session), 0);
	refusals = 3;
	assert_int_equal(loader_allowed_set(loader, &host, slot), 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &got), 0);
	refusals = 100000;
	assert_int_equal(loader_peer_set(loader, ++slot, &peer), -ENOMEM);
	refusals = 0;
	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &got), -ENOENT);
	close(fd);
}

/* After the loader has given up on an insertion, the next ones fail at once, without a retry. Some
 * time later the loader retries insertions again. */
static void test_memory_stays_short(void **state)
{
	const struct session_value session = { .slot = 7 };
	int err = -ENOMEM;

	(void)state;
	make_loader();
	refusals = 100000;
	assert_int_equal(loader_session_set(loader, 1, &session), -ENOMEM);
	refusals = 2;
	assert_int_equal(loader_session_set(loader, 1, &session), -ENOMEM);
	assert_int_equal(refusals, 1);
	for (unsigned i = 0; i < 300 && err == -ENOMEM; i++) {
		usleep(10000);
		refusals = 1;
		err = loader_session_set(loader, 1, &session);
	}
	assert_int_equal(err, 0);
}

/* The fd of the ring `events` is readable only while the ring holds samples. */
static void test_events_fd(void **state)
{
	struct listen_key k = { .address = { [10] = 0xff, 0xff, 192, 0, 2, 9 },
				.port = htons(51820) };
	struct pollfd wait = { .events = POLLIN };
	bool native;

	(void)state;
	make_loader();
	wait.fd = loader_events_fd(loader);
	assert_int_equal(poll(&wait, 1, 0), 0);
	run("ip address replace 198.51.100.1/32 dev lo");
	run("ip route replace local 192.0.2.9 dev lo src 198.51.100.1");
	assert_int_equal(loader_attach(loader, 1, "lo", LOADER_MODE_GENERIC, &native, &f), 0);
	assert_int_equal(loader_set_listen(loader, &k, 1), 0);
	run("bash -c 'printf junk >/dev/udp/192.0.2.9/51820'");
	assert_int_equal(poll(&wait, 1, 5000), 1);
	assert_int_equal(loader_events_read(loader, NULL, NULL), 1);
	assert_int_equal(poll(&wait, 1, 0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(allowed),	 TEST(allowed_apart),	TEST(peer_auth),
		TEST(mac1_key),	 TEST(mapped_arrays),	TEST(queue_worker),
		TEST(events_fd), TEST(memory_is_short), TEST(memory_stays_short),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loader_maps", tests, setup, NULL);
}
