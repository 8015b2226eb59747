/* SPDX-License-Identifier: MIT */
/* test_xsk_owners.c - which owners of AF_XDP sockets are reported for given answers of the
 * kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "io/xsk_owners.c" /* NOLINT(bugprone-suspicious-include) */

#define NIC 7

/* Passes take_socket() a message about a socket. The last @cut bytes of the message are missing. */
static void take_cut(struct xsk_search *s, uint32_t ifindex, uint32_t queue, uint32_t inode,
		     size_t cut)
{
	const struct xdp_diag_info info = { .ifindex = ifindex, .queue_id = queue };
	uint8_t buf[256] = { 0 }, *exact;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct xdp_diag_msg *msg;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->xdiag_family = AF_XDP;
	msg->xdiag_ino = inode;
	mnl_attr_put(nlh, XDP_DIAG_INFO, sizeof(info), &info);
	nlh->nlmsg_len -= (uint32_t)cut;
	/* AddressSanitizer notices if anything beyond the message is read. */
	exact = malloc(MNL_ALIGN(nlh->nlmsg_len));
	assert_non_null(exact);
	memcpy(exact, buf, MNL_ALIGN(nlh->nlmsg_len));
	assert_int_equal(take_socket((struct nlmsghdr *)exact, s), 0);
	free(exact);
}

static void take(struct xsk_search *s, uint32_t ifindex, uint32_t queue, uint32_t inode)
{
	take_cut(s, ifindex, queue, inode, 0);
}

/* Returns the owners as one text. */
static const char *owners_text(const struct xsk_search *s)
{
	static char all[NIC_QUEUES_MAX * XSK_OWNER_TEXT_LEN];
	char text[XSK_OWNER_TEXT_LEN];
	struct xsk_owners owners = { .count = 0 };
	size_t len = 0;

	*all = '\0';
	list_owners(s, &owners);
	for (unsigned i = 0; i < owners.count; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? "; " : "",
					xsk_owner_text(&owners.items[i], text));
	return all;
}

/* 1. Sockets on other NICs, and on queues outside the requested range, are ignored. */
static void test_sockets(void **state)
{
	struct xsk_search s = { .ifindex = NIC, .begin = 1, .end = 4 };

	(void)state;
	take(&s, 0, 0, 100);	   /* not bound yet */
	take(&s, NIC + 1, 2, 101); /* another NIC */
	take(&s, NIC, 0, 102);	   /* other queues */
	take(&s, NIC, 4, 103);
	take(&s, NIC, UINT32_MAX, 104);
	assert_string_equal(owners_text(&s), "");
	take(&s, NIC, 1, 105);
	take(&s, NIC, 3, 106);
	take(&s, NIC, 3, 107); /* shares the queue */
	assert_string_equal(owners_text(&s), "queue 1; queue 3");
	take(&s, NIC, 2, 108);
	assert_string_equal(owners_text(&s), "queues 1 to 3");
	assert_int_equal(s.queues[1].inode, 105);
}

/* 2. Queues with higher numbers than wgxdp can use are ignored, even if they are requested. */
static void test_many_queues(void **state)
{
	struct xsk_search s = { .ifindex = NIC, .end = UINT32_MAX };

	(void)state;
	take(&s, NIC, NIC_QUEUES_MAX - 1, 100);
	take(&s, NIC, NIC_QUEUES_MAX, 101);
	take_used(&s, NIC_QUEUES_MAX);
	take_used(&s, UINT32_MAX);
	assert_string_equal(owners_text(&s), "queue 63");
	for (uint32_t i = 0; i < NIC_QUEUES_MAX; i++)
		take_used(&s, i);
	assert_string_equal(owners_text(&s), "queues 0 to 63");
}

/* 3. Messages that are too short are ignored. (libmnl treats up to three missing bytes as
 * padding.) */
static void test_cut(void **state)
{
	struct xsk_search s = { .ifindex = NIC, .end = 4 };
	const size_t len =
		sizeof(struct xdp_diag_msg) + MNL_ATTR_HDRLEN + sizeof(struct xdp_diag_info);

	(void)state;
	for (size_t cut = MNL_ALIGNTO; cut <= len; cut++)
		take_cut(&s, NIC, 1, 100, cut);
	assert_string_equal(owners_text(&s), "");
	take_cut(&s, NIC, 1, 100, 0);
	assert_string_equal(owners_text(&s), "queue 1");
}

/* 4. The process that has a socket open is found and reported. If no process has the socket open,
 * only the queue is reported. */
static void test_processes(void **state)
{
	struct xsk_search s = { .ifindex = NIC, .end = 8 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char want[128];
	struct stat st;

	(void)state;
	assert_return_code(fd, errno);
	assert_return_code(fstat(fd, &st), errno);
	take(&s, NIC, 2, (uint32_t)st.st_ino);
	take(&s, NIC, 3, (uint32_t)st.st_ino);
	take_used(&s, 4); /* a kernel without xsk_diag does not report the inode */
	find_processes(&s);
	snprintf(want, sizeof(want), "queues 2 to 3 (process %d, test_xsk_owners); queue 4",
		 (int)getpid());
	assert_string_equal(owners_text(&s), want);
	close(fd);
	s.queues[2].pid = s.queues[3].pid = 0;
	find_processes(&s);
	assert_string_equal(owners_text(&s), "queues 2 to 4");
}

/* 5. The error message names at most four owners, and is complete even if their names are long. */
static void test_sentence(void **state)
{
	static const struct xsk_owner one = { 0, 0, 12, "xdpsock" };
	static const struct xsk_owner widest = { UINT32_MAX, 1, INT32_MAX, "123456789012345" };
	struct xsk_owners owners = { .known = true, .count = 1, .items = { one } };
	struct fault f;

	(void)state;
	assert_int_equal(xsk_owners_fault(&owners, "eth0", &f), -EBUSY);
	assert_string_equal(f.text, "eth0: other programs have AF_XDP sockets on queue 0 "
				    "(process 12, xdpsock); stop these programs, or use --rx udp "
				    "--tx udp");
	for (owners.count = 0; owners.count < 5; owners.count++)
		owners.items[owners.count] = widest;
	xsk_owners_fault(&owners, "123456789012345", &f);
	assert_non_null(strstr(f.text, "123456789012345) and more queues; stop"));
	assert_non_null(strstr(f.text, "or use --rx udp --tx udp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),	 cmocka_unit_test(test_many_queues),
		cmocka_unit_test(test_cut),	 cmocka_unit_test(test_processes),
		cmocka_unit_test(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
