/* SPDX-License-Identifier: MIT */
/* test_vmgenid.c - which uevents and log records of the kernel mean that the machine was restored
 * or cloned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/vmgenid.c" /* NOLINT(bugprone-suspicious-include) */

/* The bytes of a string literal and their number, without the terminating NUL. The literal may
 * contain NULs. */
#define BYTES(text) text, sizeof(text) - 1

static void uevents(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool copy;
	} table[] = {
		{ BYTES("change@/devices/x\0ACTION=change\0NEW_VMGENID=1\0SEQNUM=7\0"), true },
		{ BYTES("change@/devices/x\0ACTION=change\0NEW_VMGENID=1\0"), true },
		{ BYTES("NEW_VMGENID=1\0"), true },
		{ BYTES("NEW_VMGENID=1"), true }, /* cut off after the variable */
		{ BYTES("change@/devices/x\0ACTION=change\0SYNTH_ARG_NEW_VMGENID=1\0"), false },
		{ BYTES("change@/devices/x\0NEW_VMGENID=10\0"), false },
		{ BYTES("change@/devices/x\0NEW_VMGENID=\0001\0"), false },
		{ BYTES("change@/devices/x\0NEW_VMGENID"), false },
		{ BYTES("change@/devices/x\0NAME=a NEW_VMGENID=1\0"), false },
		{ BYTES("\0\0\0"), false },
		{ BYTES(""), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_int_equal(says_copy(table[i].text, table[i].len), table[i].copy);
}

static void records(void **state)
{
	static const struct {
		const char *text;
		bool copy;
	} table[] = {
		{ "5,339,5140900,-;random: crng reseeded due to virtual machine fork\n", true },
		{ "5,339,5140900,-;random: crng reseeded due to virtual machine fork\n KEY=x\n",
		  true },
		{ "13,339,5140900,-;random: crng reseeded due to virtual machine fork\n", false },
		{ "5,339,5140900,-;random: crng reseeded on system resumption\n", false },
		{ "5,3,5,-;a;random: crng reseeded due to virtual machine fork\n", false },
		{ "x,3,5,-;random: crng reseeded due to virtual machine fork\n", false },
		{ ";random: crng reseeded due to virtual machine fork\n", false },
		{ "5,339,5140900,-;random: crng reseeded due to virtual", false },
		{ "5,339", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_int_equal(logs_copy(table[i].text, strlen(table[i].text)), table[i].copy);
}

static void lost(void **state)
{
	struct vmgenid v = { 0 };
	uint64_t now_ns = 7 * NS_PER_S;

	(void)state;
	assert_true(lost_counts(&v, now_ns));
	assert_false(v.lost_later);
	assert_false(lost_counts(&v, now_ns));
	assert_false(lost_counts(&v, now_ns + LOST_GAP_NS - 1));
	assert_true(v.lost_later);
	assert_true(lost_counts(&v, now_ns + LOST_GAP_NS));
	assert_false(v.lost_later);
	assert_false(lost_counts(&v, now_ns + LOST_GAP_NS + 1));
}

/* Overflows the receive buffers of the sockets that joined netlink group 1. */
static void overrun(void)
{
	const struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int sender = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	const char text[512] = "";

	for (unsigned i = 0; i < 100; i++)
		sendto(sender, text, sizeof(text), 0, (const struct sockaddr *)&to, sizeof(to));
	close(sender);
}

/* Lost uevents may have announced a new generation ID, so their loss is treated like such an
 * announcement. But this holds only on a machine with a generation ID, and at most once in
 * LOST_GAP_NS. */
static void lost_uevents(void **state)
{
	const struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	struct vmgenid v = { .uevents = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK) };
	int small = 4096;
	char text[512];

	(void)state;
	if (geteuid() != 0 || bind(v.uevents, (const struct sockaddr *)&group, sizeof(group)))
		skip();
	assert_int_equal(setsockopt(v.uevents, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (unsigned i = 0; i < 2; i++) {
		bool expected = i == 0 && may_report();

		overrun();
		assert_int_equal(hear_uevent(&v), expected);
		while (recv(v.uevents, text, sizeof(text), MSG_DONTWAIT) >= 0)
			;
	}
	assert_true(v.lost_later);
	close(v.uevents);
}

static void devices(void **state)
{
	char dir[] = "/tmp/vmgenid.XXXXXX", name[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_false(has_device(dir));
	snprintf(name, sizeof(name), "%s/module", dir);
	assert_int_equal(symlink("/", name), 0);
	assert_false(has_device(dir));
	unlink(name);
	snprintf(name, sizeof(name), "%s/VMGENCTR:00", dir);
	assert_int_equal(symlink("/", name), 0);
	assert_true(has_device(dir));
	unlink(name);
	assert_int_equal(rmdir(dir), 0);
	assert_false(has_device(dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uevents),	cmocka_unit_test(records), cmocka_unit_test(lost),
		cmocka_unit_test(lost_uevents), cmocka_unit_test(devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
