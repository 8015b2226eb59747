/* SPDX-License-Identifier: MIT */
/*
 * test_tun.c - the TUN device: what the kernel sends and receives, byte for byte, as a packet
 * socket on the same interface sees it, and what happens when the interface is removed.
 */
#include "io/tun.h"

#include "io/vnet.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "netpair.h"

#define NAME "wgt0"
#define MTU 1420
#define PORT 5000

static struct fault why;
static struct virtio_net_hdr vnet;

/* IPv4 10.77.0.2:5000 -> 10.77.0.1:5000, UDP without checksum, payload "hello" */
static const uint8_t incoming[] = {
	0x45, 0, 0, 33,	  0x12, 0x34, 0,    0, 64, 17, 0x54, 0x00, 10,	77,  0,	  2,   10,
	77,   0, 1, 0x13, 0x88, 0x13, 0x88, 0, 13, 0,  0,    'h',  'e', 'l', 'l', 'o',
};

/* Copies @incoming to @packet, and writes the IPv4 header checksum. */
static void build(uint8_t packet[sizeof(incoming)])
{
	uint32_t sum = 0;

	memcpy(packet, incoming, sizeof(incoming));
	packet[10] = packet[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)packet[i] << 8 | packet[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
}

static struct tun open_tun(void)
{
	struct tun t;

	assert_int_equal(tun_open(&t, NAME, -1, MTU, &why), 0);
	return t;
}

static void bring_up(void)
{
	netpair_run("ip addr replace 10.77.0.1/24 dev " NAME " && ip link set " NAME " up");
}

static int packet_socket(const struct tun *t)
{
	const struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)t->ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const void *)&a, sizeof(a)), 0);
	return fd;
}

static int inner_socket(void)
{
	union netpair_address a;
	socklen_t len = netpair_address(&a, "10.77.0.1", PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a.sa, len), 0);
	return fd;
}

static void send_inner(int fd, const void *payload, size_t n)
{
	union netpair_address a;
	socklen_t len = netpair_address(&a, "10.77.0.2", PORT);

	assert_int_equal(sendto(fd, payload, n, 0, &a.sa, len), n);
}

static void created_as_asked(void **state)
{
	struct tun t = open_tun();

	(void)state;
	assert_string_equal(t.name, NAME);
	assert_int_equal(t.ifindex, if_nametoindex(NAME));
	netpair_run(
		"ip -d link show " NAME " | tr '\\n' ' ' | grep 'mtu 1420 ' | grep 'qlen 1000' | "
		"grep 'addrgenmode none' | grep 'vnet_hdr on multi_queue numqueues 1' | grep -v "
		"'[<,]UP' >/dev/null");
	netpair_run("test 0 = $(cat /proc/sys/net/ipv4/conf/" NAME "/send_redirects) -a "
		    "0 = $(cat /proc/sys/net/ipv4/conf/all/send_redirects)");
	bring_up();
	netpair_run("test -z \"$(ip -6 addr show dev " NAME ")\""); /* no link-local address */
	tun_close(&t);
	netpair_run("! ip link show " NAME " 2>/dev/null"); /* gone with its last queue */
}

static void silent_when_fresh(void **state)
{
	struct tun t = open_tun();
	uint8_t buf[2000];

	(void)state;
	bring_up();
	assert_int_equal(tun_read(&t, &vnet, buf, sizeof(buf)), 0);
	assert_false(netpair_readable(t.fd, 300));
	tun_close(&t);
}

static void out_byte_for_byte(void **state)
{
	static const size_t sizes[] = { 1, 5, 100, MTU - 28 };
	uint8_t payload[MTU] = { 0 }, got[2000], seen[2000];
	struct tun t = open_tun();
	int inner, packets;

	(void)state;
	bring_up();
	inner = inner_socket();
	packets = packet_socket(&t);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(payload, (int)i + 1, sizeof(payload));
		send_inner(inner, payload, sizes[i]);
		assert_true(netpair_readable(t.fd, 2000));
		assert_int_equal(tun_read(&t, &vnet, got, sizeof(got)), sizes[i] + 28);
		assert_int_equal(recv(packets, seen, sizeof(seen), 0), sizes[i] + 28);
		assert_memory_equal(got, seen, sizes[i] + 28);
		assert_memory_equal(got + 28, payload, sizes[i]);
	}
	assert_int_equal(tun_read(&t, &vnet, got, sizeof(got)), 0);
	close(packets);
	close(inner);
	tun_close(&t);
}

static void in_byte_for_byte(void **state)
{
	uint8_t buf[TUN_VNET_LEN + sizeof(incoming)], seen[200];
	uint8_t *packet = buf + TUN_VNET_LEN;
	struct tun t = open_tun();
	int inner, packets;

	(void)state;
	bring_up();
	inner = inner_socket();
	packets = packet_socket(&t);
	memset(buf, 0xff, TUN_VNET_LEN); /* in wgxdp this memory holds a message header */
	build(packet);
	assert_int_equal(tun_write(&t, packet, sizeof(incoming)), 0);
	assert_true(netpair_readable(inner, 2000));
	assert_int_equal(recv(inner, seen, sizeof(seen), 0), 5);
	assert_memory_equal(seen, "hello", 5);
	assert_int_equal(recv(packets, seen, sizeof(seen), 0), sizeof(incoming));
	assert_memory_equal(seen, packet, sizeof(incoming));
	close(packets);
	close(inner);
	tun_close(&t);
}

static void larger_than_room_is_lost_alone(void **state)
{
	uint8_t payload[200] = { 7 }, got[228], *beyond = got + 128;
	struct tun t = open_tun();
	int inner;

	(void)state;
	bring_up();
	inner = inner_socket();
	memset(got, 0xaa, sizeof(got));
	send_inner(inner, payload, 101); /* one byte too many */
	send_inner(inner, payload, 100);
	assert_int_equal(tun_read(&t, &vnet, got, 128), -EMSGSIZE);
	assert_int_equal(*beyond, 0xaa);
	assert_int_equal(tun_read(&t, &vnet, got, 128), 128);
	close(inner);
	tun_close(&t);
}

static void down_then_deleted(void **state)
{
	uint8_t buf[TUN_VNET_LEN + sizeof(incoming)], *packet = buf + TUN_VNET_LEN;
	struct tun t = open_tun();
	int inner;

	(void)state;
	build(packet);
	assert_int_equal(tun_write(&t, packet, sizeof(incoming)), -EIO); /* still down */
	bring_up();
	inner = inner_socket(); /* so that the host sends no ICMP error */
	assert_int_equal(tun_write(&t, packet, sizeof(incoming)), 0);
	netpair_run("ip link set " NAME " down");
	assert_int_equal(tun_write(&t, packet, sizeof(incoming)), -EIO);
	assert_int_equal(tun_read(&t, &vnet, packet, sizeof(incoming)), 0);
	netpair_run("ip link set " NAME " up");
	assert_int_equal(tun_write(&t, packet, sizeof(incoming)), 0);
	netpair_run("ip link delete " NAME);
	assert_int_equal(tun_write(&t, packet, sizeof(incoming)), -EBADFD);
	assert_int_equal(tun_read(&t, &vnet, packet, sizeof(incoming)), -EBADFD);
	close(inner);
	tun_close(&t);
}

static void name_taken(void **state)
{
	struct tun t = open_tun(), other = { .fd = 77 };

	(void)state;
	assert_int_equal(tun_open(&other, NAME, -1, MTU, &why), -EBUSY);
	assert_non_null(strstr(why.text, NAME));
	assert_int_equal(tun_open(&other, "near0", -1, MTU, &why), -EBUSY);
	assert_non_null(strstr(why.text, "near0"));
	assert_int_equal(other.fd, 77);
	netpair_run("ip link show near0 >/dev/null 2>&1 && ip link show " NAME " >/dev/null");
	tun_close(&t);
}

static void bad_arguments(void **state)
{
	struct tun t = { .fd = 77 };

	(void)state;
	assert_int_equal(tun_open(&t, "sixteen-bytes-ab", -1, MTU, &why), -ENAMETOOLONG);
	assert_int_equal(tun_open(&t, "a/b", -1, MTU, &why), -EINVAL);
	assert_int_equal(tun_open(&t, NAME, -1, 70000, &why), -EINVAL);
	assert_non_null(strstr(why.text, "70000"));
	assert_int_equal(t.fd, 77);
	netpair_run("! ip link show " NAME " 2>/dev/null");
}

/* Opens a TUN descriptor like a program that passes one to the daemon in WG_TUN_FD. Unless @flags
 * are 0, attaches the descriptor to a device with these flags. */
static int given(int flags)
{
	struct ifreq ifr = { .ifr_flags = (short)flags };
	int fd = open("/dev/net/tun", O_RDWR);

	assert_true(fd >= 0);
	memcpy(ifr.ifr_name, NAME, sizeof(NAME));
	if (flags)
		assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void descriptor_taken_over(void **state)
{
	static const struct {
		int flags, err, vnet_len;
	} table[] = {
		{ 0, 0, TUN_VNET_LEN }, /* no queue is attached yet */
		{ IFF_TUN | IFF_NO_PI | IFF_VNET_HDR, 0, TUN_VNET_LEN },
		{ IFF_TUN | IFF_NO_PI, 0, 0 },
		{ IFF_TAP | IFF_NO_PI, -EINVAL, 0 },
	};
	uint8_t buf[TUN_VNET_LEN + sizeof(incoming)], seen[100];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int fd = given(table[i].flags), inner;
		struct tun t = { 0 };

		assert_int_equal(tun_open(&t, NAME, fd, MTU, &why), table[i].err);
		if (table[i].err) {
			assert_int_equal(close(fd), 0); /* still owned by the caller */
			continue;
		}
		assert_int_equal(t.fd, fd);
		assert_int_equal(t.vnet_len, table[i].vnet_len);
		bring_up();
		inner = inner_socket();
		build(buf + TUN_VNET_LEN);
		assert_int_equal(tun_write(&t, buf + TUN_VNET_LEN, sizeof(incoming)), 0);
		assert_true(netpair_readable(inner, 2000));
		assert_int_equal(recv(inner, seen, sizeof(seen), 0), 5);
		send_inner(inner, "abc", 3);
		assert_true(netpair_readable(t.fd, 2000));
		assert_int_equal(tun_read(&t, &vnet, seen, sizeof(seen)), 31);
		assert_memory_equal(seen + 28, "abc", 3);
		close(inner);
		tun_close(&t);
	}
}

static void not_a_tun_descriptor(void **state)
{
	struct tun t = { .fd = 77 };

	(void)state;
	assert_true(tun_open(&t, NAME, 0, MTU, &why) < 0); /* stdin */
	assert_int_equal(t.fd, 77);
}

/* Clean up, so that a test that failed half-way does not make the other tests fail. */
static int remove_tun(void **state)
{
	(void)state;
	netpair_try("ip link delete " NAME " 2>/dev/null");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(created_as_asked, remove_tun),
		cmocka_unit_test_teardown(silent_when_fresh, remove_tun),
		cmocka_unit_test_teardown(out_byte_for_byte, remove_tun),
		cmocka_unit_test_teardown(in_byte_for_byte, remove_tun),
		cmocka_unit_test_teardown(larger_than_room_is_lost_alone, remove_tun),
		cmocka_unit_test_teardown(down_then_deleted, remove_tun),
		cmocka_unit_test_teardown(name_taken, remove_tun),
		cmocka_unit_test_teardown(bad_arguments, remove_tun),
		cmocka_unit_test_teardown(descriptor_taken_over, remove_tun),
		cmocka_unit_test_teardown(not_a_tun_descriptor, remove_tun),
	};

	return netpair_main(tests, netpair_setup, netpair_teardown);
}
