/* SPDX-License-Identifier: MIT */
/* test_afxdp_setup.c - opens and closes AF_XDP sockets, and tests the errors of opening one. */
#include "afxdp_pair.h"

static void a_queue_closed_a_moment_ago_opens_again(void **state)
{
	const struct afxdp_config config = near_config();
	unsigned before = netpair_open_descriptors();

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(afxdp_new(&path, &config, &why), 0);
		assert_int_equal(netpair_open_descriptors(), before + 1);
		assert_true(fcntl(path->fd, F_GETFD) & FD_CLOEXEC);
		path->ops->deinit(path);
		assert_int_equal(netpair_open_descriptors(), before);
	}
	path = NULL;
}

static void a_queue_in_use_is_busy(void **state)
{
	const struct afxdp_config config = near_config();
	struct transport *other = (void *)77;
	unsigned before = netpair_open_descriptors();

	(void)state;
	assert_int_equal(afxdp_new(&other, &config, &why), -EBUSY);
	assert_non_null(strstr(why.text, "near0: other programs have AF_XDP sockets on queue 0"));
	assert_ptr_equal(other, (void *)77);
	assert_int_equal(netpair_open_descriptors(), before);
}

static void refusals_have_a_sentence(void **state)
{
	static const struct {
		const char *nic;
		uint32_t queue, mtu, rx_frames;
		enum afxdp_zc zc;
		int err;
		const char *word;
	} table[] = {
		{ "near0", 0, AFXDP_MTU_MAX + 1, 0, AFXDP_ZC_AUTO, -EMSGSIZE, "3823" },
		{ "near0", 0, 9001, 0, AFXDP_ZC_AUTO, -EMSGSIZE, "9001" },
		{ "near0", 99, 1500, 0, AFXDP_ZC_AUTO, -EINVAL, "queue 99" },
		{ "near0", 0, 1500, 100, AFXDP_ZC_AUTO, -EINVAL, "powers of two" },
		{ "near0", 0, 1500, 0, AFXDP_ZC_ON, -EOPNOTSUPP, "zero-copy" },
		{ "nonesuch0", 0, 1500, 0, AFXDP_ZC_AUTO, -ENODEV, "nonesuch0" },
	};
	struct transport *transport = (void *)77;
	unsigned before = netpair_open_descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct afxdp_config config = near_config();

		config.nic = table[i].nic;
		config.queue = table[i].queue;
		config.mtu = table[i].mtu;
		config.rx_frames = table[i].rx_frames;
		config.zero_copy = table[i].zc;
		assert_int_equal(afxdp_new(&transport, &config, &why), table[i].err);
		if (!strstr(why.text, table[i].word))
			fail_msg("\"%s\" lacks \"%s\"", why.text, table[i].word);
		assert_ptr_equal(transport, (void *)77);
		assert_int_equal(netpair_open_descriptors(), before);
	}
}

static void chunks_fit_the_mtu(void **state)
{
	static const struct {
		uint32_t mtu, room;
	} table[] = {
		{ 1280, 2048 - FRAME_HEADROOM }, { 1500, 2048 - FRAME_HEADROOM },
		{ 1770, 2048 - FRAME_HEADROOM }, { 1771, 4096 - FRAME_HEADROOM },
		{ 3000, 4096 - FRAME_HEADROOM }, { AFXDP_MTU_MAX, 4096 - FRAME_HEADROOM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct afxdp_config config = near_config();

		config.mtu = table[i].mtu;
		assert_int_equal(afxdp_new(&path, &config, &why), 0);
		assert_false(afxdp_zero_copy(path)); /* a veth has no zero-copy */
		assert_int_equal(path->ops->alloc(path, tx, 1, FRAME_BYTES), 1);
		assert_int_equal(tx[0].room, table[i].room);
		tx[0].len = 0;
		path->ops->send(path, tx, 1);
		path->ops->deinit(path);
	}
	path = NULL;
}

static int socket_option(int option)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(path->fd, SOL_SOCKET, option, &value, &len), 0);
	return value;
}

/* The options of busy polling are read back from the kernel, except the budget, which the kernel
 * does not report. The kernel refuses a time above INT_MAX. The socket then opens without busy
 * polling. */
static void busy_polling_is_optional(void **state)
{
	static const struct {
		uint32_t us, got_ns;
		int prefer, got_us;
	} table[] = { { 0, 0, 0, 0 }, { 50, 50000, 1, 50 }, { UINT32_MAX, 0, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct afxdp_config config = near_config();

		config.busy_poll_us = table[i].us;
		assert_int_equal(afxdp_new(&path, &config, &why), 0);
		assert_int_equal(path->busy_poll_ns, table[i].got_ns);
		assert_int_equal(socket_option(SO_PREFER_BUSY_POLL), table[i].prefer);
		assert_int_equal(socket_option(SO_BUSY_POLL), table[i].got_us);
		path->ops->deinit(path);
	}
	path = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_closed_a_moment_ago_opens_again),
		with_path(a_queue_in_use_is_busy),
		cmocka_unit_test(refusals_have_a_sentence),
		cmocka_unit_test(chunks_fit_the_mtu),
		cmocka_unit_test(busy_polling_is_optional),
	};

	return netpair_main(tests, afxdp_pair_setup, afxdp_pair_teardown);
}
