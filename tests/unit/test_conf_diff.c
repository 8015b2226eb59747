/* SPDX-License-Identifier: MIT */
/* test_conf_diff.c - the changes between two config files: a table of expected changes, and random
 * pairs of files. Making the changes one by one must lead from the old file to the new one. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf_diff.h"

static const uint8_t digest_key[CONF_DIGEST_KEY_LEN] = { 1, 2, 3 };

/* Public keys of 32 equal bytes. In the table of changes, the peers with these keys are called A
 * and B. */
#define A "PublicKey=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
#define B "PublicKey=AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
#define SECRET "PrivateKey=AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n"
#define OTHER "PrivateKey=BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=\n"
#define PSK "PresharedKey=BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n"
#define PSK2 "PresharedKey=BgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgYGBgY=\n"
/* The public key of SECRET. */
#define OWN "PublicKey=Xf7dO2vUf2+ijuFdlp1bsOpTd01Ii9r53xxuASSz7yI=\n"
#define IF "[Interface]\n"
#define PEER "[Peer]\n"

static const struct {
	const char *old, *new, *changes;
	bool removes_all;
} cases[] = {
	{ IF SECRET PEER A, IF SECRET PEER A, "", false },
	{ IF SECRET, IF OTHER, "key ", false },
	{ IF SECRET, IF, "", false }, /* the key stays if the new file has none */
	{ IF, IF SECRET, "key ", false },
	{ IF "ListenPort=1\n", IF "ListenPort=2\nFwMark=3\n", "port mark ", false },
	{ IF, IF PEER A, "add A ", false },
	{ IF, IF PEER A PSK "AllowedIPs=10.0.0.1\nPersistentKeepalive=5\nEndpoint=192.0.2.1:1\n",
	  "add A psk A endpoint A allow A 10.0.0.1/32 keepalive A ", false },
	{ IF PEER A, IF, "remove A ", true },
	{ IF PEER A PEER B, IF PEER B, "remove A ", false },
	{ IF PEER A, IF PEER B, "add B remove A ", true },
	{ IF PEER A PSK, IF PEER A PSK, "", false },
	{ IF PEER A PSK, IF PEER A PSK2, "psk A ", false },
	{ IF PEER A PSK, IF PEER A, "psk A ", false },
	{ IF PEER A "Endpoint=192.0.2.1:1\n", IF PEER A "Endpoint=192.0.2.1:2\n", "endpoint A ",
	  false },
	{ IF PEER A "Endpoint=192.0.2.1:1\n", IF PEER A, "endpoint A ", false },
	{ IF PEER A "PersistentKeepalive=5\n", IF PEER A, "keepalive A ", false },
	{ IF "\n# Name = x\n" PEER A, IF "\n# Name = y\n" PEER A, "name A ", false },
	{ IF PEER A "AllowedIPs=10.0.0.1,10.0.0.2\n", IF PEER A "AllowedIPs=10.0.0.2,10.0.0.3\n",
	  "allow A 10.0.0.3/32 disallow A 10.0.0.1/32 ", false },
	{ IF PEER A "AllowedIPs=10.0.0.1,10.0.0.2\n", IF PEER A "AllowedIPs=10.0.0.2,10.0.0.1\n",
	  "", false },
	/* A prefix that moves is given to the new peer before the old peer loses it. */
	{ IF PEER A "AllowedIPs=10.0.0.1\n" PEER B, IF PEER A PEER B "AllowedIPs=10.0.0.1\n",
	  "allow B 10.0.0.1/32 disallow A 10.0.0.1/32 ", false },
	/* A peer with our own public key causes no change, until we get another key. */
	{ IF SECRET PEER OWN "AllowedIPs=10.0.0.1\n" PEER A, IF SECRET PEER A, "", false },
	{ IF SECRET PEER A, IF SECRET PEER A PEER OWN, "", false },
	{ IF OTHER PEER OWN, IF SECRET PEER OWN, "key ", false },
	{ IF SECRET PEER OWN, IF OTHER PEER OWN "AllowedIPs=10.0.0.1\n",
	  "key add O allow O 10.0.0.1/32 ", false },
};

static void read_conf(struct conf *c, const char *text)
{
	struct fault f;

	assert_int_equal(conf_parse(c, text, strlen(text), "t", NULL, NULL, &f), 0);
}

static char letter(const uint8_t *key)
{
	return key[0] < 3 ? (char)('A' + key[0] - 1) : 'O';
}

static void describe(char *out, size_t size, const struct conf_diff *d, const struct conf *old,
		     const struct conf *new)
{
	static const char *const names[] = { "add",   "psk",   "endpoint", "name",     "keepalive",
					     "allow", "begin", "end",	   "disallow", "remove" };
	char text[PREFIX_TEXT_LEN];

	snprintf(out, size, "%s%s%s", d->private_key ? "key " : "", d->listen_port ? "port " : "",
		 d->fwmark ? "mark " : "");
	for (size_t i = 0; i < d->count; i++) {
		const struct conf_change *c = &d->changes[i];
		bool was = c->kind == CONF_CHANGE_DISALLOW || c->kind == CONF_CHANGE_REMOVE;
		const struct conf_peer *p = &(was ? old : new)->peers[c->peer];
		size_t len = strlen(out);

		len += (size_t)snprintf(out + len, size - len, "%s %c ", names[c->kind],
					letter(p->public_key));
		if (c->kind == CONF_CHANGE_ALLOW || c->kind == CONF_CHANGE_DISALLOW)
			snprintf(out + len, size - len, "%s ",
				 prefix_text(&p->allowed[c->prefix], text));
	}
}

static void table(void **state)
{
	char got[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf old, new;
		struct conf_diff d;

		read_conf(&old, cases[i].old);
		read_conf(&new, cases[i].new);
		conf_forget_secrets(&old, digest_key);
		assert_int_equal(conf_diff(&d, &old, &new, digest_key), 0);
		describe(got, sizeof(got), &d, &old, &new);
		assert_string_equal(got, cases[i].changes);
		assert_int_equal(d.removes_all, cases[i].removes_all);
		conf_diff_done(&d);
		conf_done(&old);
		conf_done(&new);
	}
}

/* If the changes to a peer failed, they are made again, although the file is the same. */
static void incomplete(void **state)
{
	const char *text = IF PEER A "AllowedIPs=10.0.0.1\n" PEER B;
	struct conf old, new;
	struct conf_diff d;
	char got[256];

	(void)state;
	read_conf(&old, text);
	read_conf(&new, text);
	old.peers[0].incomplete = true;
	assert_int_equal(conf_diff(&d, &old, &new, digest_key), 0);
	describe(got, sizeof(got), &d, &old, &new);
	assert_string_equal(got, "add A psk A name A endpoint A begin A allow A 10.0.0.1/32 end A "
				 "keepalive A ");
	assert_true(d.host);
	conf_diff_done(&d);
	conf_done(&old);
	conf_done(&new);
}

static void exactly(void **state)
{
	struct conf old, new;
	struct conf_diff d;
	char got[256];

	(void)state;
	read_conf(&old, IF PEER B);
	read_conf(&new, IF PEER A "AllowedIPs=10.0.0.1\n");
	assert_int_equal(conf_diff_exact(&d, &old, &new), 0);
	describe(got, sizeof(got), &d, &old, &new);
	assert_string_equal(
		got,
		"key port mark add A psk A name A endpoint A begin A allow A 10.0.0.1/32 end A "
		"keepalive A ");
	assert_true(d.exact);
	assert_true(d.removes_all);
	assert_true(conf_diff_has(&d, &new, new.peers[0].public_key));
	assert_false(conf_diff_has(&d, &new, old.peers[0].public_key));
	conf_diff_done(&d);
	conf_done(&old);
	conf_done(&new);
}

static bool holds(const void *memory, size_t size, const uint8_t key[static WIRE_KEY_LEN])
{
	return memmem(memory, size, key, WIRE_KEY_LEN) != NULL;
}

static void secrets(void **state)
{
	uint8_t private[WIRE_KEY_LEN], psk[WIRE_KEY_LEN], none[WIRE_KEY_LEN] = { 0 };
	struct conf c;

	(void)state;
	read_conf(&c, IF SECRET PEER A PSK PEER B);
	memcpy(private, c.private_key, sizeof(private));
	memcpy(psk, c.peers[0].preshared_key, sizeof(psk));
	conf_forget_secrets(&c, digest_key);
	assert_false(holds(&c, sizeof(c), private));
	assert_false(holds(c.peers, 2 * sizeof(*c.peers), psk));
	assert_memory_equal(c.peers[1].preshared_key, none, sizeof(none));
	conf_done(&c);
}

/* A model of a device: which peer has each of eight prefixes. 0 means that no peer has the
 * prefix. */
#define PEERS 5
#define PREFIXES 8
struct model {
	bool has[PEERS + 1];
	unsigned holder[PREFIXES];
};

static void model_of(struct model *m, const struct conf *c)
{
	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < c->peer_count; i++) {
		unsigned peer = c->peers[i].public_key[0];

		m->has[peer] = true;
		for (uint32_t j = 0; j < c->peers[i].allowed_count; j++)
			m->holder[c->peers[i].allowed[j].addr[3]] = peer;
	}
}

static void make_change(struct model *m, const struct conf_change *c, const struct conf *old,
			const struct conf *new)
{
	bool was = c->kind == CONF_CHANGE_DISALLOW || c->kind == CONF_CHANGE_REMOVE;
	const struct conf_peer *p = &(was ? old : new)->peers[c->peer];
	unsigned peer = p->public_key[0], prefix;

	prefix = p->allowed_count ? p->allowed[c->prefix].addr[3] : 0;
	if (c->kind == CONF_CHANGE_ADD)
		m->has[peer] = true;
	assert_true(m->has[peer]);
	if (c->kind == CONF_CHANGE_ALLOW)
		m->holder[prefix] = peer;
	if (c->kind == CONF_CHANGE_DISALLOW && m->holder[prefix] == peer)
		m->holder[prefix] = 0;
	if (c->kind != CONF_CHANGE_REMOVE)
		return;
	m->has[peer] = false;
	for (unsigned i = 0; i < PREFIXES; i++)
		if (m->holder[i] == peer)
			m->holder[i] = 0;
}

static void random_conf(struct conf *c)
{
	static const char *const keys[] = {
		A, B, "PublicKey=AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n",
		"PublicKey=BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=\n",
		"PublicKey=BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=\n"
	};
	char text[2048] = IF;
	size_t len = strlen(text);

	for (unsigned i = 0; i < PEERS; i++) {
		if (randombytes_uniform(3) == 0)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, PEER "%s", keys[i]);
		for (unsigned j = randombytes_uniform(4); j; j--)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"AllowedIPs=10.0.0.%u\n",
						randombytes_uniform(PREFIXES));
	}
	read_conf(c, text);
}

/* A prefix that is assigned to a peer both before and after the changes (perhaps to different
 * peers) is assigned to a peer after every single change. */
static void random_pairs(void **state)
{
	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct model m, before, after;
		struct conf old, new;
		struct conf_diff d;

		random_conf(&old);
		random_conf(&new);
		model_of(&before, &old);
		model_of(&after, &new);
		m = before;
		assert_int_equal(conf_diff(&d, &old, &new, digest_key), 0);
		for (size_t i = 0; i < d.count; i++) {
			make_change(&m, &d.changes[i], &old, &new);
			for (unsigned j = 0; j < PREFIXES; j++)
				assert_false(before.holder[j] && after.holder[j] && !m.holder[j]);
		}
		assert_memory_equal(&m, &after, sizeof(m));
		conf_diff_done(&d);
		conf_done(&old);
		conf_done(&new);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),	cmocka_unit_test(incomplete),
		cmocka_unit_test(exactly),	cmocka_unit_test(secrets),
		cmocka_unit_test(random_pairs),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
