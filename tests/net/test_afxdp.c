/* SPDX-License-Identifier: MIT */
/*
 * test_afxdp.c - the AF_XDP path against plain UDP sockets at the other end of a veth. A program of
 * a few instructions redirects all UDP to the AF_XDP socket, so that the test needs no program of
 * bpf/.
 *
 *   far socket ──▶ far0 ══ near0 ─ XDP ─▶ XSK ─▶ recv()      ring accounting: every chunk of the
 *              ◀── far0 ══ near0 ◀─────── XSK ◀─ send()      UMEM is in exactly one place
 */
#include <linux/if_packet.h>

#include "afxdp_pair.h"
#include "dataplane/path_stats.h"
#include "io/encap.h"

static struct rx_frame rx[FRAME_BATCH];

static struct encap *encap_to(struct endpoint e)
{
	struct encap_hop hop = { .ifindex = path->ifindex, .source_port = htons(PORT), .ttl = 64 };
	struct encap *encap = encap_new(&e, 1500);

	assert_non_null(encap);
	memcpy(hop.source_mac, netpair_near_mac, 6);
	memcpy(hop.next_hop_mac, netpair_far_mac, 6);
	encap_set_xsk_ok(encap, &hop);
	return encap;
}

static struct encap *encap_to_far(void)
{
	union netpair_address a;
	struct endpoint e = { 0 };

	netpair_address(&a, "10.9.0.2", FAR_PORT);
	e.remote.v4 = a.v4;
	inet_pton(AF_INET, "10.9.0.1", &e.local.v4);
	return encap_to(e);
}

static unsigned receive(unsigned max)
{
	return netpair_readable(path->fd, 2000) ? path->ops->recv(path, rx, max) : 0;
}

/* Checks that every chunk is in exactly one place: idle, lent to the caller of recv(), in the fill
 * or rx ring, or in the tx or completion ring. */
static void assert_chunks_accounted(void)
{
	const struct afxdp *a = afxdp_self(path);
	uint8_t seen[RX_FRAMES + TX_FRAMES] = { 0 };

#define SEE(addr) seen[(addr) / a->chunk]++
	for (uint32_t i = 0; i < a->idle_count; i++)
		SEE(a->idle[i]);
	for (uint32_t i = 0; i < a->lent_count; i++)
		SEE(a->lent[i]);
	for (uint32_t i = *a->fill.consumer; i != *a->fill.producer; i++)
		SEE(((uint64_t *)a->fill.ring)[i & a->fill.mask]);
	for (uint32_t i = *a->rx.consumer; i != *a->rx.producer; i++)
		SEE(((struct xdp_desc *)a->rx.ring)[i & a->rx.mask].addr);
	for (uint32_t i = *a->tx.consumer; i != *a->tx.producer; i++)
		SEE(((struct xdp_desc *)a->tx.ring)[i & a->tx.mask].addr);
	for (uint32_t i = *a->completion.consumer; i != *a->completion.producer; i++)
		SEE(((uint64_t *)a->completion.ring)[i & a->completion.mask]);
#undef SEE
	for (unsigned i = 0; i < RX_FRAMES + TX_FRAMES; i++)
		assert_int_equal(seen[i], 1);
}

static void assert_rings_at_rest(void)
{
	const struct afxdp *a = afxdp_self(path);

	path->ops->sweep(path);
	assert_int_equal(path->unsent, 0);
	assert_int_equal(a->lent_count, 0);
	assert_int_equal(a->idle_count, TX_FRAMES);
	assert_int_equal(*a->fill.producer - *a->fill.consumer, RX_FRAMES);
	assert_chunks_accounted();
}

/* ---- tests ---- */

/* Receives a batch of frames and sends them all back. Returns the number of frames. */
static unsigned echo(struct encap *encap)
{
	unsigned n = receive(FRAME_BATCH), room;

	room = path->ops->alloc(path, tx, n, FRAME_BYTES);
	assert_int_equal(room, n);
	for (unsigned i = 0; i < n; i++) {
		tx[i].encap = encap;
		tx[i].len = rx[i].len;
		memcpy(tx[i].payload, rx[i].payload, rx[i].len);
	}
	assert_int_equal(path->ops->send(path, tx, n), n);
	path->ops->sweep(path);
	return n;
}

static void ten_thousand_echoed(const char *far, const char *near)
{
	enum { TOTAL = 10000, BURST = 128 };
	int fd = netpair_far_socket(far, FAR_PORT, near, PORT);
	static uint8_t seen[TOTAL];
	struct encap *encap = NULL;
	uint32_t msg[350] = { 0 };

	memset(seen, 0, sizeof(seen));
	for (uint32_t sent = 0, back = 0; back < TOTAL;) {
		for (unsigned i = 0; i < BURST && sent < TOTAL; i++) {
			size_t len = 4 + sent % (sizeof(msg) - 4); /* frames of many sizes */

			msg[0] = sent++;
			assert_int_equal(send(fd, msg, len, 0), len);
		}
		if (!encap) {
			assert_int_equal(receive(1), 1);
			encap = encap_to(frame_endpoint(&rx[0]));
			path->ops->sweep(path);
			assert_int_equal(send(fd, (uint32_t[]){ 0 }, 4, 0), 4);
		}
		while (back < sent) {
			for (unsigned n = echo(encap); n; n--, back++) {
				ssize_t len = recv(fd, msg, sizeof(msg), 0);

				assert_true(len >= 4 && msg[0] < TOTAL);
				assert_int_equal(len, 4 + msg[0] % (sizeof(msg) - 4));
				assert_int_equal(seen[msg[0]]++, 0);
			}
		}
	}
	assert_int_equal(recv(fd, msg, sizeof(msg), MSG_DONTWAIT), -1);
	for (unsigned i = 0; i < TOTAL; i++)
		assert_int_equal(seen[i], 1);
	assert_rings_at_rest();
	assert_int_equal(path->stats.tx_refused, 0);
	assert_int_equal(path->stats.rx_malformed, 0);
	free(encap);
	close(fd);
}

static void ten_thousand_over_ipv4(void **state)
{
	(void)state;
	ten_thousand_echoed("10.9.0.2", "10.9.0.1");
}

static void ten_thousand_over_ipv6(void **state)
{
	(void)state;
	ten_thousand_echoed("fd09::2", "fd09::1");
}

static void frames_say_where_they_come_from(void **state)
{
	static const char *const far[] = { "10.9.0.2", "fd09::2" };
	static const char *const near[] = { "10.9.0.11", "fd09::1" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = netpair_far_socket(far[i], FAR_PORT, near[i], PORT);
		union netpair_address from, to;
		bool v4 = i == 0;

		netpair_address(&from, far[i], FAR_PORT);
		netpair_address(&to, near[i], PORT);
		assert_int_equal(send(fd, "hello", 5, 0), 5);
		assert_int_equal(receive(FRAME_BATCH), 1);
		assert_int_equal(rx[0].len, 5);
		assert_memory_equal(rx[0].payload, "hello", 5);
		assert_int_equal(rx[0].family, from.sa.sa_family);
		assert_int_equal(rx[0].source_port, htons(FAR_PORT));
		assert_int_equal(rx[0].ifindex, path->ifindex);
		assert_memory_equal(rx[0].source,
				    v4 ? (void *)&from.v4.sin_addr : (void *)&from.v6.sin6_addr,
				    v4 ? 4 : 16);
		assert_memory_equal(rx[0].destination,
				    v4 ? (void *)&to.v4.sin_addr : (void *)&to.v6.sin6_addr,
				    v4 ? 4 : 16);
		assert_int_equal(rx[0].payload - rx[0].l3, v4 ? 28 : 48);
		assert_true(encap_checksum_fits(rx[0].l3, rx[0].payload - 8));
		path->ops->sweep(path);
		close(fd);
	}
	assert_rings_at_rest();
}

static void options_and_extension_headers(void **state)
{
	static const uint8_t ip_options[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	static const uint8_t dst_options[16] = { 0, 1, 1, 12 };
	int v4 = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	int v6 = netpair_far_socket("fd09::2", FAR_PORT, "fd09::1", PORT);

	(void)state;
	assert_int_equal(setsockopt(v4, IPPROTO_IP, IP_OPTIONS, ip_options, 8), 0);
	assert_int_equal(setsockopt(v6, IPPROTO_IPV6, IPV6_DSTOPTS, dst_options, 16), 0);
	assert_int_equal(send(v4, "options", 7, 0), 7);
	assert_int_equal(receive(FRAME_BATCH), 1);
	assert_int_equal(rx[0].payload - rx[0].l3, 20 + 8 + 8);
	assert_memory_equal(rx[0].payload, "options", 7);
	path->ops->sweep(path);
	assert_int_equal(send(v6, "extension", 9, 0), 9);
	assert_int_equal(receive(FRAME_BATCH), 1);
	assert_int_equal(rx[0].payload - rx[0].l3, 40 + 16 + 8);
	assert_memory_equal(rx[0].payload, "extension", 9);
	assert_rings_at_rest();
	close(v4);
	close(v6);
}

static void malformed_is_dropped_and_counted(void **state)
{
	uint8_t frame[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 46 };
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_halen = 6 };
	int fd;

	(void)state;
	frame[23] = IPPROTO_UDP;
	frame[39] = 100; /* the UDP length exceeds the IP packet */
	netpair_enter(netpair_far);
	a.sll_ifindex = (int)if_nametoindex("far0");
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	netpair_enter(netpair_near);
	for (int i = 0; i < RX_FRAMES + 10; i++) {
		assert_int_equal(sendto(fd, frame, 60, 0, (void *)&a, sizeof(a)), 60);
		assert_int_equal(receive(FRAME_BATCH), 0);
		path->ops->sweep(path);
	}
	assert_int_equal(path->stats.rx_malformed, RX_FRAMES + 10);
	assert_rings_at_rest();
	close(fd);
}

static void data_messages_are_counted(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	struct encap *encap = encap_to_far();
	uint8_t msg[148];

	(void)state;
	memset(msg, WIRE_DATA, sizeof(msg));
	send(fd, msg, 33, 0); /* one byte of data: only this message is counted */
	send(fd, msg, 32, 0); /* a keepalive */
	msg[0] = WIRE_INITIATION;
	send(fd, msg, 148, 0);
	for (unsigned n = 0; n < 3;)
		n += echo(encap);
	assert_int_equal(path->stats.rx_packets, 1);
	assert_int_equal(path->stats.tx_packets, 1);
	free(encap);
	close(fd);
}

static void a_full_rx_ring_recovers(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	struct afxdp_drops drops = { 0 };
	unsigned got = 0, n;

	(void)state;
	for (int i = 0; i < 3 * RX_FRAMES; i++)
		assert_int_equal(send(fd, "flood", 5, 0), 5);
	assert_chunks_accounted();
	while ((n = netpair_readable(path->fd, 100) ? path->ops->recv(path, rx, 7) : 0)) {
		got += n;
		assert_chunks_accounted();
	}
	assert_int_equal(got, RX_FRAMES); /* no frame returns to the fill ring before sweep() */
	assert_rings_at_rest();
	assert_int_equal(afxdp_drops(path, &drops), 0);
	assert_true(drops.rx_fill_ring_empty + drops.rx_dropped > 0);
	assert_int_equal(send(fd, "again", 5, 0), 5);
	assert_int_equal(receive(FRAME_BATCH), 1);
	assert_rings_at_rest();
	close(fd);
}

static void more_than_a_wakeup_sends(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0);
	struct encap *encap = encap_to_far();
	uint32_t got;

	(void)state;
	assert_int_equal(path->ops->alloc(path, tx, TX_FRAMES + 1, FRAME_BYTES), TX_FRAMES);
	for (uint32_t i = 0; i < TX_FRAMES; i++) {
		tx[i].encap = encap;
		tx[i].len = sizeof(i);
		memcpy(tx[i].payload, &i, sizeof(i));
	}
	assert_int_equal(path->ops->send(path, tx, TX_FRAMES), TX_FRAMES);
	path->ops->sweep(path); /* wakes the kernel up four times, for 32 frames each */
	for (uint32_t i = 0; i < TX_FRAMES; i++) {
		assert_int_equal(recv(fd, &got, sizeof(got), 0), sizeof(got));
		assert_int_equal(got, i);
	}
	assert_rings_at_rest();
	free(encap);
	close(fd);
}

static void unsendable_is_refused_and_freed(void **state)
{
	struct encap *encap = encap_to_far(), *far_away = encap_to_far(), *slow = encap_to_far();

	(void)state;
	far_away->ifindex++;
	slow->xsk_ok = false;
	assert_int_equal(path->ops->alloc(path, tx, 6, FRAME_BYTES), 6);
	for (unsigned i = 0; i < 6; i++) {
		tx[i].encap = encap;
		tx[i].len = 100;
	}
	tx[0].len = 0; /* not refused: len 0 means that the caller decided not to send it */
	tx[1].encap = far_away;
	tx[2].encap = slow;
	tx[3].encap = NULL;
	tx[4].len = 1500 - 28 + 1;
	tx[5].len = 1500 - 28;
	assert_int_equal(path->ops->send(path, tx, 6), 1);
	assert_int_equal(path->stats.tx_refused, 4);
	assert_rings_at_rest();
	free(encap);
	free(far_away);
	free(slow);
}

static void a_link_down_holds_frames_until_it_is_up(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0);
	struct encap *encap = encap_to_far();
	char got[8];

	(void)state;
	netpair_run("ip link set near0 down");
	assert_int_equal(path->ops->alloc(path, tx, TX_FRAMES, FRAME_BYTES), TX_FRAMES);
	for (unsigned i = 0; i < TX_FRAMES; i++) {
		tx[i].encap = encap;
		tx[i].len = i < 50 ? 5 : 0;
	}
	assert_int_equal(path->ops->send(path, tx, TX_FRAMES), 50);
	path->ops->sweep(path);
	assert_int_equal(path->unsent, 50);
	assert_int_equal(path->stats.tx_in_flight, 50);
	assert_chunks_accounted();
	netpair_run("ip link set near0 up");
	path->ops->sweep(path);
	for (int i = 0; i < 50; i++)
		assert_int_equal(recv(fd, got, sizeof(got), 0), 5);
	assert_rings_at_rest();
	netpair_run("ip addr replace fd09::1/64 dev near0 nodad"); /* `link down` removed it */
	wait_for_local_route("fd09::1");
	free(encap);
	close(fd);
}

/* Frames that never complete count as in flight, and as lost when the socket is closed. A veth
 * completes every frame, so the test takes three frames from the idle list instead. */
static void what_never_completes_is_counted(void **state)
{
	struct path_stats sum = { 0 };

	(void)state;
	afxdp_self(path)->idle_count -= 3;
	path->ops->sweep(path);
	path_stats_add_xsk(&sum, path);
	assert_int_equal(sum.in_flight, 3);
	assert_int_equal(sum.lost[LOSS_xsk_tx], 0);
	sum = (struct path_stats){ 0 };
	path_stats_close_xsk(&sum, path);
	assert_int_equal(sum.in_flight, 0);
	assert_int_equal(sum.lost[LOSS_xsk_tx], 3);
}

static void larger_than_a_chunk_is_dropped_by_the_kernel(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	struct afxdp_drops drops = { 0 };
	uint8_t big[2500] = { 0 };

	(void)state;
	netpair_run("ip link set near0 mtu 3000");
	netpair_enter(netpair_far);
	netpair_run("ip link set far0 mtu 3000");
	netpair_enter(netpair_near);
	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(send(fd, "small", 5, 0), 5);
	assert_int_equal(receive(FRAME_BATCH), 1);
	assert_int_equal(rx[0].len, 5);
	assert_int_equal(afxdp_drops(path, &drops), 0);
	assert_int_equal(drops.rx_dropped, 1);
	assert_rings_at_rest();
	netpair_run("ip link set near0 mtu 1500");
	netpair_enter(netpair_far);
	netpair_run("ip link set far0 mtu 1500");
	netpair_enter(netpair_near);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_path(ten_thousand_over_ipv4),
		with_path(ten_thousand_over_ipv6),
		with_path(frames_say_where_they_come_from),
		with_path(options_and_extension_headers),
		with_path(malformed_is_dropped_and_counted),
		with_path(data_messages_are_counted),
		with_path(a_full_rx_ring_recovers),
		with_path(more_than_a_wakeup_sends),
		with_path(unsendable_is_refused_and_freed),
		with_path(a_link_down_holds_frames_until_it_is_up),
		with_path(what_never_completes_is_counted),
		with_path(larger_than_a_chunk_is_dropped_by_the_kernel),
	};

	return netpair_main(tests, afxdp_pair_setup, afxdp_pair_teardown);
}
