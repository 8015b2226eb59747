/* SPDX-License-Identifier: MIT */
/* test_tuning.c - the record of the NIC settings that were changed, and the commands that change
 * and restore them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "host/tuning.c" /* NOLINT(bugprone-suspicious-include) */

static void test_round_trip(void **state)
{
	const struct tuning t = {
		.netns = 4026531840,
		.count = 2,
		.changes = { { .ifindex = 2, .before = { 0, 0, 1 }, .after = { 0, 0, 4 } },
			     { .ifindex = 3, .is_offload = true, .offload = ETHTOOL_LRO } },
	};
	struct tuning read = { .count = 7 };
	json_t *json = pack(&t);

	(void)state;
	assert_int_equal(tuning_parse(&read, json), 0);
	assert_memory_equal(&read, &t, sizeof(t));
	json_decref(json);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"netns\":1}",
		"{\"netns\":\"1\",\"changes\":[]}",
		"{\"netns\":1,\"changes\":{}}",
		"{\"netns\":1,\"changes\":[{}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":0,\"offload\":\"rx-lro\"}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"offload\":\"rx-all\"}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"offload\":7}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"channels\":[[0,0,1]]}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"channels\":[[0,0,1],[0,0]]}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"channels\":[[0,0,1],[0,0,-4]]}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"channels\":[[0,0,1],[0,0,65536]]}]}",
		"{\"netns\":1,\"changes\":[{\"ifindex\":2,\"channels\":[[0,0,1],[0,0,1.5]]}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *json = json_loads(bad[i], 0, NULL);
		struct tuning t = { .count = 7 };

		assert_non_null(json);
		if (tuning_parse(&t, json) != -EINVAL || t.count != 7)
			fail_msg("%s is accepted", bad[i]);
		json_decref(json);
	}
}

static void test_too_many(void **state)
{
	json_t *changes = json_array(), *json;
	struct tuning t = { .count = 7 };

	(void)state;
	for (unsigned i = 0; i <= TUNING_MAX; i++)
		json_array_append_new(changes,
				      json_pack("{s:i, s:s}", "ifindex", 2, "offload", "rx-lro"));
	json = json_pack("{s:i, s:o}", "netns", 1, "changes", changes);
	assert_int_equal(tuning_parse(&t, json), -EINVAL);
	json_array_remove(changes, 0);
	assert_int_equal(tuning_parse(&t, json), 0);
	assert_int_equal(t.count, TUNING_MAX);
	json_decref(json);
}

static void test_command(void **state)
{
	static const struct {
		struct tuning_change change;
		const char *to, *back;
	} cases[] = {
		{ { .before = { 0, 0, 1 }, .after = { 0, 0, 4 } },
		  "ethtool -L eth0 combined 4",
		  "ethtool -L eth0 combined 1" },
		{ { .before = { 1, 1, 0 }, .after = { 4, 2, 0 } },
		  "ethtool -L eth0 rx 4 tx 2",
		  "ethtool -L eth0 rx 1 tx 1" },
		{ { .is_offload = true, .offload = ETHTOOL_LRO },
		  "ethtool -K eth0 rx-lro off",
		  "ethtool -K eth0 rx-lro on" },
	};
	char text[TUNING_COMMAND_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tuning_command(text, "eth0", &cases[i].change, false);
		assert_string_equal(text, cases[i].to);
		tuning_command(text, "eth0", &cases[i].change, true);
		assert_string_equal(text, cases[i].back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
