/* SPDX-License-Identifier: MIT */
/*
 * test_conf_values.c - the value of each key of a config file. For the keys of wg(8), the values
 * were compared with those that wireguard-tools 1.0.20210914 sends for the same text.
 */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/keytext.h"
#include "conf/rt_tables.h"
#include "conf/valuetext.h"
#include "conf_parse.h"

static void interface_values(void **state)
{
	static const char text[] = IF
		"PrivateKey = " SECRET "\nListenPort = 51820\nFwMark = 0xCa6c\n"
		"Address = 10.0.0.1/24, fd00::1 192.0.2.7\nAddress = 10.0.0.2\nMTU = 1380\nTable = "
		"off\n"
		"SaveConfig = false\n";
	char prefix[PREFIX_TEXT_LEN], key[KEYTEXT_BASE64_LEN + 1];
	static const char *const addresses[] = { "10.0.0.1/24", "fd00::1/128", "192.0.2.7/32",
						 "10.0.0.2/32" };
	struct told told;
	struct fault f;
	struct conf c;

	(void)state;
	assert_int_equal(parse(&c, text, &told, &f), 0);
	keytext_to_base64(key, c.private_key);
	assert_string_equal(key, SECRET);
	assert_true(c.has_private_key);
	assert_int_equal(c.listen_port, 51820);
	assert_int_equal(c.fwmark, 0xca6c);
	assert_int_equal(c.mtu, 1380);
	assert_int_equal(c.table, CONF_TABLE_OFF);
	assert_int_equal(c.address_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(prefix_text(&c.addresses[i], prefix), addresses[i]);
	conf_done(&c);

	assert_int_equal(parse(&c,
			       IF "ListenPort=1\nListenPort=domain\nFwMark=9\n" IF "fwmark=OFF\n",
			       &told, &f),
			 0);
	assert_int_equal(c.listen_port, 53);
	assert_int_equal(c.fwmark, 0);
	assert_false(c.has_private_key);
	assert_int_equal(c.table, CONF_TABLE_AUTO);
	conf_done(&c);

	/* zeros clear the key, as for wg */
	assert_int_equal(parse(&c, IF "PrivateKey=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
			       &told, &f),
			 0);
	assert_false(c.has_private_key);
	conf_done(&c);
}

/* Joins the items, with a '|' after each item. */
static char *list_text(const struct conf_list *list, char *out, size_t room)
{
	*out = '\0';
	for (uint32_t i = 0; i < list->count; i++)
		snprintf(out + strlen(out), room - strlen(out), "%s|", list->items[i]);
	return out;
}

/* clang-format off */
static const struct quick {
	const char *text, *servers, *search, *hooks[CONF_HOOK_COUNT];
	bool save;
} quick[] = {
	/*  0 */ { IF "DNS = 192.0.2.53,2001:db8::53 corp.example, ~lab.example ~.\n"
		   "dns=fe80::1%eth0,,\nDNS = 192.0.2.53\n",
		   "192.0.2.53|2001:db8::53|fe80::1%eth0|192.0.2.53|",
		   "corp.example|~lab.example|~.|", { "", "", "", "" }, 0 },
	/*  1: everything up to '#' is the command */
	{ IF "PostUp = a = \"b;c\" <(d) \xe2\x80\x9c\xc2\xa0"
	  "e  && \t%i; # not this\r\nPOSTUP=second\n",
	  "", "",
	  { "", "a = \"b;c\" <(d) \xe2\x80\x9c\xc2\xa0" "e  && \t%i;|second|", "", "" }, 0 },
	/*  2 */ { IF "PreDown = 3\nPreUp = 1\nPostDown = 4\n PostUp\t=\t2 \nPreUp=#\nPreUp =\n",
		   "", "", { "1|", "2|", "3|", "4|" }, 0 },
	/*  3 */ { IF "SaveConfig = TRUE\n", "", "", { "", "", "", "" }, 1 },
	/*  4 */ { IF "SaveConfig = true\nSaveConfig = false\n", "", "", { "", "", "", "" }, 0 },
};
/* clang-format on */

static void quick_values(void **state)
{
	char text[512];
	struct told told;
	struct fault f;
	struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(quick) / sizeof(quick[0]); i++) {
		if (parse(&c, quick[i].text, &told, &f))
			fail_msg("%zu: %s", i, f.text);
		if (strcmp(list_text(&c.dns_servers, text, sizeof(text)), quick[i].servers) ||
		    strcmp(list_text(&c.dns_search, text, sizeof(text)), quick[i].search))
			fail_msg("%zu: DNS: %s", i, text);
		for (unsigned j = 0; j < CONF_HOOK_COUNT; j++)
			if (strcmp(list_text(&c.hooks[j], text, sizeof(text)), quick[i].hooks[j]))
				fail_msg("%zu: hook %u: %s", i, j, text);
		assert_int_equal(c.save_config, quick[i].save);
		conf_done(&c);
	}
}

static void tables(void **state)
{
	static const struct {
		const char *text;
		enum conf_table table;
		uint32_t id;
		const char *written;
	} values[] = {
		{ "Table = 1234", CONF_TABLE_NUMBER, 1234, "1234" },
		{ "Table = 0xCa6C", CONF_TABLE_NUMBER, 0xca6c, "0xCa6C" },
		{ "Table = main", CONF_TABLE_NUMBER, 254, "main" },
		{ "Table = 0", CONF_TABLE_NUMBER, 254,
		  "0" }, /* for the kernel, 0 is the main table */
		{ "Table = 4294967295", CONF_TABLE_NUMBER, UINT32_MAX, "4294967295" },
		{ "Table = Off", CONF_TABLE_OFF, 0, "Off" },
		{ "Table = 7\nTable =", CONF_TABLE_AUTO, 0, "" }, /* the last line counts */
		{ "Table = 7\nTable = auto", CONF_TABLE_AUTO, 0, "auto" },
		{ "MTU = 0x500\nMTU =", CONF_TABLE_AUTO, 0, "" },
	};
	char path[] = "/tmp/test_conf.XXXXXX", text[64];
	uint32_t id = 7;
	struct told told;
	struct fault f;
	struct conf c;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		snprintf(text, sizeof(text), IF "%s\n", values[i].text);
		if (parse(&c, text, &told, &f))
			fail_msg("%zu: %s", i, f.text);
		assert_int_equal(c.table, values[i].table);
		assert_int_equal(c.table_id, values[i].id);
		assert_string_equal(c.table_text, values[i].written);
		assert_int_equal(c.mtu, 0);
		conf_done(&c);
	}
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "# 5 five\n1\tone # first\n0x1f hex\n\nx bad\n") > 0);
	close(fd);
	assert_true(rt_tables_find_in(path, "one", &id));
	assert_int_equal(id, 1);
	assert_true(rt_tables_find_in(path, "hex", &id));
	assert_int_equal(id, 31);
	assert_false(rt_tables_find_in(path, "five", &id));
	assert_false(rt_tables_find_in(path, "bad", &id));
	unlink(path);
	assert_false(rt_tables_find_in(path, "one", &id));
	assert_int_equal(id, 31);
}

static void peer_values(void **state)
{
	static const struct {
		const char *written, *host, *port, *endpoint;
	} endpoints[] = {
		{ "192.0.2.1:51820", "192.0.2.1", "51820", "192.0.2.1:51820" },
		{ "[2001:db8::1]:51820", "2001:db8::1", "51820", "[2001:db8::1]:51820" },
		{ "2001:db8::1:51820", "2001:db8::1", "51820", "[2001:db8::1]:51820" },
		{ "[192.0.2.1]:domain", "192.0.2.1", "53", "192.0.2.1:53" },
		{ "vpn.example.org:51820", "vpn.example.org", "51820", "" },
	};
	struct told told;
	struct fault f;
	struct conf c;
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		snprintf(text, sizeof(text), PEER(KEY_A) "Endpoint = %s\n", endpoints[i].written);
		assert_int_equal(parse(&c, text, &told, &f), 0);
		assert_string_equal(c.peers[0].host, endpoints[i].host);
		assert_string_equal(c.peers[0].port, endpoints[i].port);
		assert_int_equal(c.peers[0].named, !*endpoints[i].endpoint);
		assert_string_equal(endpoint_text(&c.peers[0].endpoint, text),
				    endpoints[i].endpoint);
		conf_done(&c);
	}
	/* A second section of a peer changes only the values that it sets. */
	assert_int_equal(
		parse(&c,
		      PEER(KEY_A) "PresharedKey=" KEY_B "\nPersistentKeepalive=25\n"
				  "Endpoint=192.0.2.1:1\n" PEER(KEY_A) "PersistentKeepalive=off\n",
		      &told, &f),
		0);
	assert_int_equal(c.peer_count, 1);
	assert_int_equal(c.peers[0].keepalive_s, 0);
	assert_int_equal(c.peers[0].line, 1);
	assert_string_equal(endpoint_text(&c.peers[0].endpoint, text), "192.0.2.1:1");
	keytext_to_base64(text, c.peers[0].preshared_key);
	assert_string_equal(text, KEY_B);
	assert_int_equal(conf_resolve(&c.peers[0]), 0);
	assert_int_equal(c.peers[0].endpoint_line, 5);
	conf_done(&c);
}

/* The first peer has 1 + 255 * 256 * 2 prefixes, and all are kept, in order. 2000 further peers
 * share 256 prefixes. Each shared prefix moves to the last peer that names it, with a warning. */
static void many(void **state)
{
	size_t room = 8 << 20, at = 0;
	char *text = malloc(room), key[KEYTEXT_BASE64_LEN + 1];
	struct told told;
	struct fault f;
	struct conf c;
	uint8_t raw[32] = { 9 };

	(void)state;
	assert_non_null(text);
	at += (size_t)sprintf(text + at, PEER(KEY_A) "AllowedIPs = 10.255.255.255");
	for (unsigned i = 0; i < 255 * 256; i++)
		at += (size_t)sprintf(text + at, ", 10.%u.%u.0/24, fd00:%x::/32", i >> 8, i & 255,
				      i);
	for (unsigned i = 0; i < 2000; i++) {
		memcpy(raw, &i, sizeof(i));
		keytext_to_base64(key, raw);
		at += (size_t)sprintf(text + at, "\n[Peer]\nPublicKey=%s\nAllowedIPs=192.0.2.%u",
				      key, i & 255);
	}
	assert_int_equal(parse(&c, text, &told, &f), 0);
	assert_int_equal(c.peer_count, 2001);
	assert_int_equal(c.peers[0].allowed_count, 1 + 255 * 256 * 2);
	assert_int_equal(c.peers[0].allowed[2 * 65279 + 1].addr[1], 65279 >> 8);
	assert_int_equal(c.peers[1999].allowed_count, 1);
	assert_int_equal(c.peers[1].allowed_count, 0);
	/* 100 warnings, and a line that says that further ones are not shown. */
	assert_true(told.count == 101);
	conf_done(&c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interface_values),
		cmocka_unit_test(quick_values),
		cmocka_unit_test(tables),
		cmocka_unit_test(peer_values),
		cmocka_unit_test(many),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
