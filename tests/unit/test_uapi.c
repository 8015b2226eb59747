/* SPDX-License-Identifier: MIT */
/*
 * test_uapi.c - the configuration protocol of wg(8): whole conversations (uapi_conversations.h) and
 * single cases.
 */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "uapi_conversations.h"
#include "uapi_world.h"

static void talks(void **state)
{
	struct world w;
	char got[8192];

	(void)state;
	for (size_t i = 0; i < sizeof(conversations) / sizeof(conversations[0]); i++) {
		const struct conversation *c = &conversations[i];
		const char *answer;

		begin(&w);
		assert_int_equal(say(&w, c->said), 0);
		answer = heard(&w);
		if (strcmp(answer, c->answered) != 0)
			fail_msg("%zu: answered %s", i, answer);
		snprintf(got, sizeof(got), "%s" OK, c->got);
		assert_int_equal(say(&w, "get=1\n\n"), 0);
		answer = heard(&w);
		if (strcmp(answer, got) != 0)
			fail_msg("%zu: got %s", i, answer);
		end(&w);
	}
}

/* A first line other than get=1 or set=1, a further line of a get, or a NUL in a line ends the
 * connection without an answer. */
static void closes(void **state)
{
	static const char *const said[] = { "\n", "get=2\n", "set=1 \n", "hello\n", "get=1\nx\n" };
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		begin(&w);
		assert_true(say(&w, said[i]) < 0);
		assert_string_equal(heard(&w), "");
		end(&w);
	}
	begin(&w);
	assert_true(uapi_line(&w.session, (char[]){ "set=1\0x" }, 7, &w.reply) < 0);
	end(&w);
}

static void own_key(void **state)
{
	char text[512], hex[65];
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(say(&w, "set=1\nprivate_key=" OWN "\n\n"), 0);
	sodium_bin2hex(hex, sizeof(hex), w.device.identity.public, 32);
	/* A peer with the device's own public key is ignored with all its lines. */
	snprintf(text, sizeof(text),
		 "set=1\npublic_key=%s\nallowed_ip=10.0.0.1/32\nendpoint=192.0.2.1:1\n"
		 "public_key=" A "\n\n",
		 hex);
	assert_int_equal(say(&w, text), 0);
	assert_string_equal(heard(&w), OK OK);
	assert_int_equal(w.device.peer_count, 1);
	assert_int_equal(endpoints_set, 0);
	assert_int_equal(allowedips_count(w.device.allowed, AF_INET), 0);
	/* If the device is given the private key of one of its peers, this peer is removed. */
	assert_int_equal(say(&w, "set=1\nprivate_key=" ZERO "\n\n"), 0);
	assert_int_equal(say(&w, text), 0);
	assert_int_equal(endpoints_set, 1); /* now the peer and its endpoint are accepted */
	assert_int_equal(w.device.peer_count, 2);
	assert_int_equal(say(&w, "set=1\nprivate_key=" OWN "\n\n"), 0);
	assert_int_equal(w.device.peer_count, 1);
	end(&w);
}

/* Peers are added and removed while a get is answered. */
static void peers_change_during_get(void **state)
{
	static const char add[] = "set=1\npublic_key=" A "\npublic_key=" B "\npublic_key=" C "\n\n";
	struct uapi_session other;
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(say(&w, add), 0);
	heard(&w);
	assert_int_equal(uapi_line(&w.session, (char[]){ "get=1" }, 5, &w.reply), 0);
	assert_int_equal(uapi_line(&w.session, (char[]){ "" }, 0, &w.reply), 1);
	assert_int_equal(uapi_more(&w.session, &w.reply), 1);
	assert_string_equal(heard(&w), PEER_HEAD(A) PEER_TAIL);
	other = w.session;
	w.session = (struct uapi_session){ .uapi = &w.uapi };
	/* The reply to get=1 has stopped after peer A. Now A is removed, and a new peer gets A's
	 * slot. */
	assert_int_equal(
		say(&w, "set=1\npublic_key=" A "\nremove=true\npublic_key=" HEX("d4") "\n\n"), 0);
	heard(&w);
	w.session = other;
	assert_int_equal(uapi_more(&w.session, &w.reply), 1);
	assert_string_equal(heard(&w), PEER_HEAD(B) PEER_TAIL);
	device_peers_clear(&w.device);
	assert_int_equal(uapi_more(&w.session, &w.reply), 0);
	assert_string_equal(heard(&w), OK);
	end(&w);
}

/* replace_peers removes many peers in several steps. A peer that is added between two steps
 * stays. */
static void peers_replaced_in_pieces(void **state)
{
	uint8_t key[WIRE_KEY_LEN] = { 0 };
	struct peer *p;
	struct world w;
	int more = 1;

	(void)state;
	begin(&w);
	for (key[0] = 1; key[0] <= 100; key[0]++)
		assert_int_equal(device_peer_add(&w.device, key, &p), 0);
	assert_int_equal(uapi_line(&w.session, (char[]){ "set=1" }, 5, &w.reply), 0);
	assert_int_equal(uapi_line(&w.session, (char[]){ "replace_peers=true" }, 18, &w.reply), 1);
	assert_in_range(w.device.peer_count, 50, 99);
	assert_int_equal(device_peer_add(&w.device, key, &p), 0);
	while (more > 0)
		more = uapi_more(&w.session, &w.reply);
	assert_int_equal(more, 0);
	assert_int_equal(w.device.peer_count, 1);
	assert_int_equal(say(&w, "public_key=" A "\n\n"), 0);
	assert_string_equal(heard(&w), OK);
	assert_int_equal(w.device.peer_count, 2);
	end(&w);
}

/* A peer that is added during a get is left out of the answer, so that the answer comes to an
 * end. */
static void peer_added_during_get(void **state)
{
	struct peer *p;
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(say(&w, "set=1\npublic_key=" A "\n\n"), 0);
	heard(&w);
	assert_int_equal(uapi_line(&w.session, (char[]){ "get=1" }, 5, &w.reply), 0);
	assert_int_equal(uapi_line(&w.session, (char[]){ "" }, 0, &w.reply), 1);
	assert_int_equal(device_peer_add(&w.device, (const uint8_t[WIRE_KEY_LEN]){ 1 }, &p), 0);
	assert_int_equal(uapi_more(&w.session, &w.reply), 1);
	assert_int_equal(uapi_more(&w.session, &w.reply), 0);
	assert_string_equal(heard(&w), PEER_HEAD(A) PEER_TAIL OK);
	end(&w);
}

/* Another connection removes the peer while this connection configures it. The further lines about
 * the peer have no effect. */
static void peer_vanishes(void **state)
{
	struct uapi_session first;
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(say(&w, "set=1\npublic_key=" A "\n"), 0);
	first = w.session;
	w.session = (struct uapi_session){ .uapi = &w.uapi };
	assert_int_equal(say(&w, "set=1\nreplace_peers=true\n\n"), 0);
	w.session = first;
	assert_int_equal(say(&w, "allowed_ip=10.0.0.1/32\nremove=true\npreshared_key=" B "\n\n"),
			 0);
	assert_string_equal(heard(&w), OK OK);
	assert_int_equal(w.device.peer_count, 0);
	end(&w);
}

/* If a prefix of the peer is given again after replace_allowed_ips, that prefix is never removed,
 * not even for a moment. The peer's other prefixes are removed at the end of the peer's lines. */
static void replaced(void **state)
{
	static const struct {
		const char *said, *ended, *got;
	} table[] = {
		{ "public_key=" A
		  "\nreplace_allowed_ips=true\nallowed_ip=fd00::3/128\nallowed_ip=10.0.0.1/32\n\n",
		  "10.0.0.2/32 ", "allowed_ip=fd00::3/128\nallowed_ip=10.0.0.1/32\n" },
		{ "public_key=" A "\nreplace_allowed_ips=true\nallowed_ip=10.0.0.4/32\n", "",
		  "allowed_ip=10.0.0.4/32\n" },
		{ "public_key=" A
		  "\nreplace_allowed_ips=true\nallowed_ip=10.0.0.2/32\npublic_key=" B "\n",
		  "10.0.0.1/32 fd00::3/128 ", "allowed_ip=10.0.0.2/32\n" },
		/* lines after an invalid line have no effect, so no prefix is given again */
		{ "public_key=" A
		  "\nreplace_allowed_ips=true\nallowed_ip=x\nallowed_ip=10.0.0.1/32\n\n",
		  "10.0.0.1/32 10.0.0.2/32 fd00::3/128 ", "" },
		/* a prefix moves to another peer */
		{ "public_key=" A "\nreplace_allowed_ips=true\npublic_key=" B
		  "\nallowed_ip=10.0.0.1/32\n\n",
		  "10.0.0.1/32 10.0.0.2/32 fd00::3/128 ", "" },
		/* a prefix is given again and then removed */
		{ "public_key=" A
		  "\nreplace_allowed_ips=true\nallowed_ip=10.0.0.1/32\nallowed_ip=-10.0.0.1/32\n\n",
		  "10.0.0.1/32 10.0.0.2/32 fd00::3/128 ", "" },
		/* the list is replaced twice */
		{ "public_key=" A
		  "\nreplace_allowed_ips=true\nallowed_ip=-10.0.0.2/32\nallowed_ip=10.0.0.5/32\n"
		  "replace_allowed_ips=true\nallowed_ip=fd00::3/128\n\n",
		  "10.0.0.2/32 10.0.0.1/32 10.0.0.5/32 ", "allowed_ip=fd00::3/128\n" },
		{ "public_key=" A "\nreplace_allowed_ips=true\nremove=true\n\n",
		  "10.0.0.1/32 10.0.0.2/32 fd00::3/128 ", NULL },
	};
	struct world w;
	const char *at;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		begin(&w);
		say(&w, "set=1\npublic_key=" A "\nallowed_ip=10.0.0.1/32\nallowed_ip=10.0.0.2/32\n"
			"allowed_ip=fd00::3/128\n\nset=1\n");
		say(&w, table[i].said);
		assert_string_equal(ended, table[i].ended);
		heard(&w);
		w.session = (struct uapi_session){ .uapi = &w.uapi };
		say(&w, "get=1\n\n");
		at = strstr(heard(&w), "allowed_ip=") ?: "";
		if (table[i].got)
			assert_memory_equal(at, table[i].got, strlen(table[i].got));
		end(&w);
	}
	/* The connection breaks in the middle of the second set. */
	begin(&w);
	say(&w, "set=1\npublic_key=" A "\nallowed_ip=10.0.0.1/32\n\nset=1\npublic_key=" A
		"\nreplace_allowed_ips=true\nallowed_ip=10.0.0.6/32\n");
	uapi_protocol.close(&w.uapi, &w.session, NULL);
	assert_string_equal(ended, "10.0.0.1/32 ");
	end(&w);
}

static void full_map(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	peers_max = 1;
	assert_int_equal(say(&w, "set=1\npublic_key=" A "\npublic_key=" B "\npublic_key=" C "\n\n"),
			 0);
	assert_string_equal(heard(&w), "errno=-28\n\n");
	assert_int_equal(w.device.peer_count, 1);
	end(&w);
}

/* If keepalives are turned on while the device is up, a handshake begins immediately, because a
 * keepalive is due. */
static void keepalive_at_once(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	device_set_up(&w.device, true, now_ns(NULL));
	assert_int_equal(say(&w, "set=1\nprivate_key=" OWN "\npublic_key=" A
				 "\nendpoint=192.0.2.1:1\n\n"),
			 0);
	assert_int_equal(sent, 0);
	assert_int_equal(say(&w, "set=1\npublic_key=" A "\npersistent_keepalive_interval=5\n\n"),
			 0);
	assert_int_equal(sent, 1);
	end(&w);
}

/* A get lists all 255 x 256 x 2 allowed IPs of a peer, in order. */
static void many_allowed_ips(void **state)
{
	static const char *const lines[] = { "allowed_ip=10.%u.%u.0/24\n",
					     "allowed_ip=fd00:1%02x:1%02x::/48\n" };
	const unsigned n = 255 * 256 * 2;
	const char *at;
	struct world w;
	char line[64];

	(void)state;
	begin(&w);
	assert_int_equal(say(&w, "set=1\npublic_key=" A "\n"), 0);
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line), lines[i % 2], i / 2 >> 8, i / 2 & 255);
		assert_int_equal(say(&w, line), 0);
	}
	assert_int_equal(say(&w, "\nget=1\n\n"), 0);
	buffer_append(&w.reply, "", 1);
	assert_memory_equal(w.reply.data + w.reply.at, OK, sizeof(OK) - 1);
	at = strstr(w.reply.data + w.reply.at, "allowed_ip=");
	assert_non_null(at);
	for (unsigned i = 0; i < n; i++) {
		int len = snprintf(line, sizeof(line), lines[i % 2], i / 2 >> 8, i / 2 & 255);

		assert_memory_equal(at, line, len);
		at += len;
	}
	assert_string_equal(at, OK);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks),
		cmocka_unit_test(closes),
		cmocka_unit_test(own_key),
		cmocka_unit_test(peer_vanishes),
		cmocka_unit_test(peers_change_during_get),
		cmocka_unit_test(peers_replaced_in_pieces),
		cmocka_unit_test(peer_added_during_get),
		cmocka_unit_test(replaced),
		cmocka_unit_test(full_map),
		cmocka_unit_test(keepalive_at_once),
		cmocka_unit_test(many_allowed_ips),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
