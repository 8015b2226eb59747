/* SPDX-License-Identifier: MIT */
/* test_endpoint_check.c - when the daemon ends, no further endpoint is checked. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/netlink.h"

/* The macro has parameters, so that it does not replace the name of struct netlink_route. */
#define netlink_route(nl, e, flow, route) count_route(nl, e, flow, route)

static unsigned routes;
static atomic_bool ending;

/* Replaces netlink_route() and finds no route. During the second call, the daemon begins to end. */
static int count_route(struct netlink *nl, const struct endpoint *e,
		       const struct netlink_flow *flow, struct netlink_route *route)
{
	(void)nl, (void)e, (void)flow, (void)route;
	if (++routes == 2)
		atomic_store(&ending, true);
	return -ENETUNREACH;
}

#include "host/endpoint_check.c" /* NOLINT(bugprone-suspicious-include) */

static void count_warning(void *ctx, const char *sentence)
{
	assert_string_equal(sentence, "no route to endpoint 192.0.2.1:7 yet");
	*(unsigned *)ctx += 1;
}

static void ends_early(void **state)
{
	struct conf_peer peers[5] = { 0 };
	const struct conf conf = { .peers = peers, .peer_count = 5 };
	unsigned warnings = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct sockaddr_in *to = (struct sockaddr_in *)&peers[i].endpoint.remote;

		*to = (struct sockaddr_in){ AF_INET, htons(7), { htonl(0xc0000201) }, { 0 } };
	}
	endpoint_check(NULL, 1, 0, &conf, &ending, count_warning, &warnings);
	assert_int_equal(routes, 2);
	assert_int_equal(warnings, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
