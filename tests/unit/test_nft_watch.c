/* SPDX-License-Identifier: MIT */
/* test_nft_watch.c - nft_watch.c: which nf_tables messages mean that a table was damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "io/nft_watch.c" /* NOLINT(bugprone-suspicious-include) */

#define TABLE "wgxdp-wg0"
#define IP (1U << NFPROTO_IPV4)
#define IP6 (1U << NFPROTO_IPV6)

/* Gives @s the message that the kernel sends about @table, or about an object in this table. */
static void tell(struct search *s, int type, uint8_t family, const char *table)
{
	char buf[MNL_SOCKET_BUFFER_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	head->nfgen_family = family;
	if (table)
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	take_message(s, nlh);
}

static void one_message(void **state)
{
	static const struct {
		int type;
		uint8_t family;
		const char *table;
		uint32_t deleted;
	} cases[] = {
		{ NFT_MSG_DELTABLE, NFPROTO_IPV4, TABLE, IP },
		{ NFT_MSG_DELCHAIN, NFPROTO_IPV4, TABLE, IP },
		{ NFT_MSG_DELRULE, NFPROTO_IPV6, TABLE, IP6 },
		{ NFT_MSG_DELRULE, NFPROTO_IPV4, "wgxdp-wg1", 0 },
		{ NFT_MSG_DELRULE, NFPROTO_IPV4, "wgxdp-wg", 0 },
		{ NFT_MSG_DELRULE, NFPROTO_IPV4, "wgxdp-wg00", 0 },
		{ NFT_MSG_DELRULE, NFPROTO_IPV4, NULL, 0 },
		{ NFT_MSG_DELRULE, 200, TABLE, 0 },
		{ NFT_MSG_NEWTABLE, NFPROTO_IPV4, TABLE, 0 },
		{ NFT_MSG_NEWRULE, NFPROTO_IPV4, TABLE, 0 },
		{ NFT_MSG_DELSET, NFPROTO_IPV4, TABLE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct search s = { .name = TABLE };

		tell(&s, cases[i].type, cases[i].family, cases[i].table);
		assert_int_equal(s.deleted, cases[i].deleted);
		assert_int_equal(s.later, cases[i].deleted);
	}
}

/* guard_set() deletes each table and adds it again, in one transaction. */
static void replace(struct search *s, uint8_t family)
{
	tell(s, NFT_MSG_DELRULE, family, TABLE);
	tell(s, NFT_MSG_DELCHAIN, family, TABLE);
	tell(s, NFT_MSG_DELTABLE, family, TABLE);
	tell(s, NFT_MSG_NEWTABLE, family, TABLE);
	tell(s, NFT_MSG_NEWCHAIN, family, TABLE);
	tell(s, NFT_MSG_NEWRULE, family, TABLE);
}

static void own_changes(void **state)
{
	struct search s = { .name = TABLE };

	(void)state;
	replace(&s, NFPROTO_IPV4);
	replace(&s, NFPROTO_IPV6);
	assert_int_equal(s.deleted, IP | IP6);
	assert_int_equal(s.later, 0);
}

/* Another program flushes the table immediately after wgxdp has restored it, before wgxdp reads the
 * messages of its own changes. */
static void flushed_at_once(void **state)
{
	struct search s = { .name = TABLE };

	(void)state;
	replace(&s, NFPROTO_IPV4);
	replace(&s, NFPROTO_IPV6);
	tell(&s, NFT_MSG_DELRULE, NFPROTO_IPV4, TABLE);
	assert_int_equal(s.later, IP);
	replace(&s, NFPROTO_IPV6);
	assert_int_equal(s.later, IP);
	replace(&s, NFPROTO_IPV4);
	assert_int_equal(s.later, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_message),
		cmocka_unit_test(own_changes),
		cmocka_unit_test(flushed_at_once),
	};

	return cmocka_run_group_tests_name("nft_watch", tests, NULL, NULL);
}
