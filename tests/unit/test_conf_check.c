/* SPDX-License-Identifier: MIT */
/* test_conf_check.c - conf_check() reports all errors and warnings of a file in one run, with their
 * places. */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"

/* Only tests and the documentation use these keys. SELF is a private key; the others are
 * public keys. */
#define KEY_A "YhJ+ih9fHOB0LsEePKuygUS1v9mX7qpRIaLUhQ2RBEQ="
#define KEY_B "lvkfOWHcUIjKSXd9aB9OWLXzJmkrd1CKSGq7TcNaPkE="
#define SELF "eFzKmCnNK7lU9NV1bWZKvOSHwbWqO2S2ZFVTqrB5KUw="
#define IF "[Interface]\nPrivateKey=" SELF "\n"
#define UP IF "ListenPort=1\n"
#define PEER(key) "[Peer]\nPublicKey=" key "\n"

struct told {
	unsigned faults, warnings;
	char all[16384]; /* a line for each fault ("F 2:14: ...") and warning ("W 2:14: ...") */
};

static void remember(void *ctx, enum conf_severity severity, const char *sentence)
{
	struct told *t = ctx;
	size_t at = strlen(t->all);

	*(severity == CONF_FAULT ? &t->faults : &t->warnings) += 1;
	assert_memory_equal(sentence, "t.conf:", 7);
	snprintf(t->all + at, sizeof(t->all) - at, "%c %s\n", severity == CONF_FAULT ? 'F' : 'W',
		 sentence + 7);
}

static int check(const char *text, struct told *t)
{
	struct conf c;
	int err;

	memset(t, 0, sizeof(*t));
	err = conf_check(&c, text, strlen(text), "t.conf", remember, t);
	assert_int_equal(!err, !t->faults);
	if (!err)
		conf_done(&c);
	return err;
}

/* clang-format off */
static const struct row {
	const char *text;
	const char *says[8]; /* how each sentence begins, in order */
} rows[] = {
	/*  0 */ { UP PEER(KEY_A) "AllowedIPs = 10.0.0.1/32\n", { NULL } },
	/*  1: each fault is reported once, with the place of its value */
	{ "[Interfaces]\n  PrivatKey = a\nMTU = x\nAddress = 10.0.0.1, ::1/129 tunnel\n"
	  "[Peer]\nPublicKey = short\n\tAllowedIPs = ::/0, 10.1/8\n",
	  { "F 1:1: [Interfaces]: there are only [Interface] and [Peer]; did you mean [Interface]?",
	    "F 2:3: PrivatKey: there is no such key; did you mean PrivateKey?",
	    "F 3:7: x: MTU must be", "F 4:21: ::1/129: after", "F 4:29: tunnel: this is not",
	    "F 6:13: PublicKey: it has 5", "F 7:21: 10.1/8: this is not" } },
	/*  2: lines of an unknown section are skipped; lines of a misspelt section are checked */
	{ "[Foo]\na = b\n[Pear]\nPublicKey=" KEY_A "\nEndpoint = x\n",
	  { "F 1:1: [Foo]: there are only [Interface] and [Peer]", "F 3:1: [Pear]: there are only",
	    "F 5:12: x: the port is missing" } },
	/*  3: a peer without a key is reported once, with the line where it begins */
	{ UP "[Peer]\nAllowedIPs = ::1\n" PEER(KEY_A) "AllowedIPs = ::1\n",
	  { "F 4:1: [Peer]: its PublicKey is missing" } },
	/*  4: columns are characters, not bytes */
	{ "[Interface]\nDNS = \xc3\xa4.example, 1.2\n", { "F 2:18: 1.2: this is not the" } },
	/*  5 */ { "[Interface]\nMTU\n\nMTU =\n\xc2\xa0""Address = ::1\n",
		   { "F 2:1: MTU: there is no '='", "F 5:1: character 1: this is a no-break" } },
	/*  6: the message quotes a placeholder, but not a key in brackets */
	{ "[Interface]\nPrivateKey = <private key of hub>\nPrivateKey = somePrivateKeyAbcdAbcd=\n"
	  "PrivateKey=<" KEY_A ">\nPrivateKey={{ key }}\n",
	  { "F 2:14: PrivateKey: <privatekeyofhub> is a placeholder; replace it with the output",
	    "F 3:14: PrivateKey: somePrivateKeyAbcdAbcd= is a placeholder",
	    "F 4:12: PrivateKey: it has 46 characters",
	    "F 5:12: PrivateKey: {{key}} is a placeholder" } },
	/*  7: a private key that is published in a document */
	{ "[Interface]\nListenPort=1\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n",
	  { "W 3:14: PrivateKey: this key is published in wireguard.com and wg(8)" } },
	/*  8 */ { "", { "W 1:1: [Interface]: the file is empty" } },
	/*  9 */ { "\n# nothing\n", { "W 1:1: [Interface]: the file is empty" } },
	/* 10 */ { "\n[Interface]\n", { "W 2:1: [Interface]: there is no PrivateKey" } },
	/* 11 */ { "[Interface]\nPostUp = wg set %i private-key <(pass k)\n", { NULL } },
	/* 12 */ { IF PEER(KEY_A), { "W 1:1: [Interface]: there is no ListenPort, and no" } },
	/* 13 */ { IF PEER(KEY_A) "Endpoint = vpn.example:1\n", { NULL } },
	/* 14 */ { IF "PostUp = wg set %i listen-port 1\n" PEER(KEY_A), { NULL } },
	/* 15: each prefix that contains other peers' prefixes is reported once; a default route is
	 * not reported */
	{ UP PEER(KEY_A) "AllowedIPs = 10.0.0.0/8, 10.1.0.0/16, 0.0.0.0/0\n" PEER(KEY_B)
	  "AllowedIPs = 10.1.2.3, 10.2.0.0/16, 11.0.0.0/8, ::/0\n",
	  { "W 6:14: 10.0.0.0/8: it contains 10.1.2.3/32 of the peer in line 7",
	    "W 6:26: 10.1.0.0/16: it contains 10.1.2.3/32 of the peer in line 7" } },
	/* 16 */ { UP PEER(KEY_A) "AllowedIPs = fd00::/8, fd00::/16, fd00::/32\n", { NULL } },
	/* 17 */ { UP PEER(KEY_A) "AllowedIPs = fd00::/8\n" PEER(KEY_B) "AllowedIPs = fd00::/8\n",
		   { "W 9:14: fd00::/8: another peer has this prefix" } },
	/* 18 */ { IF "MTU = 1000\nAddress = ::1\n", { "F 3:7: MTU = 1000: IPv6 needs" } },
	/* 19: a [Peer] line is missing */
	{ UP PEER(KEY_A) "AllowedIPs = fd00::/8\nPublicKey = " KEY_B "\n",
	  { "W 7:13: PublicKey: this is the second one of this peer" } },
};
/* clang-format on */

static void findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct told told;
		char *rest = told.all, *line;
		unsigned n = 0;

		check(rows[i].text, &told);
		if (strstr(told.all, "YhJ+") || strstr(told.all, "eFzK"))
			fail_msg("%zu: a key is shown: %s", i, told.all);
		while ((line = strsep(&rest, "\n")) && *line) {
			const char *want = n < 8 ? rows[i].says[n] : NULL;

			if (!want || strncmp(line, want, strlen(want)) != 0)
				fail_msg("%zu: %u: %s, not %s", i, n, line,
					 want ? want : "nothing");
			n++;
		}
		if (n < 8 && rows[i].says[n])
			fail_msg("%zu: only %u sentences", i, n);
	}
}

static void own_key(void **state)
{
	static const char text[] = "[Interface]\nListenPort=1\n"
				   "PrivateKey=0LQzGeQ4CLWln00nM6JAGq4axbXvElQY9yMVdNtOnVQ=\n"
				   "# Name = me\n[Peer]\n"
				   "PublicKey=DCuP0At1uM5wkqeGIziFXLWKjs2qCop7+sEqHmqA9l8=\n";
	struct told told;

	(void)state;
	check(text, &told);
	assert_non_null(strstr(told.all, "W 5:1: me: its PublicKey is that of this host"));
}

/* Parsing stops at bytes that are not text, even within a section. */
static void no_text(void **state)
{
	static const char nul[] =
		"[Peer]\nAllowedIPs = ::1\nEndpoint = 192.0.2.1:1\nx\0y\n[Pear]\n";
	static const char utf16[] = "\xff\xfe[\0";
	struct told told = { 0 };
	struct conf c;

	(void)state;
	assert_int_equal(conf_check(&c, nul, sizeof(nul) - 1, "t.conf", remember, &told), -EINVAL);
	assert_string_equal(
		told.all, "F 4:1: [...]: there is a NUL byte; this is not a config file in UTF-8\n"
			  "F 1:1: [Peer]: its PublicKey is missing\n");
	memset(&told, 0, sizeof(told));
	assert_int_equal(conf_check(&c, utf16, sizeof(utf16), "t.conf", remember, &told), -EINVAL);
	assert_string_equal(told.all, "F 1:1: [...]: this file is in UTF-16; save it as UTF-8\n");
}

/* A stray character in a line with [Interface] or [Peer] causes one fault, and none in the lines
 * below. */
static void strays_in_sections(void **state)
{
	static const char *const texts[] = {
		"\xef\xbb\xbf" UP PEER(KEY_A),
		"[Interface]\xc2\xa0\nPrivateKey=" SELF "\nListenPort=1\n" PEER(KEY_A),
		UP "[\xe2\x80\x8bPeer]\nPublicKey=" KEY_A "\nAllowedIPs=10.0.0.1/32\n",
	};
	struct told told;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(check(texts[i], &told), -EINVAL);
		assert_non_null(strstr(told.all, "this is a"));
		assert_int_equal(told.faults, 1);
	}
}

/* If a file has many errors, 100 of them are reported. A final message says that there are more. */
static void many_faults(void **state)
{
	char text[4096];
	struct told told;

	(void)state;
	for (size_t at = 0; at < 200 * strlen("a = b\n"); at += strlen("a = b\n"))
		snprintf(text + at, sizeof(text) - at, "a = b\n");
	assert_int_equal(check(text, &told), -EINVAL);
	assert_int_equal(told.faults, 101);
	assert_non_null(strstr(told.all, "further faults are not shown"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings),    cmocka_unit_test(own_key),
		cmocka_unit_test(no_text),     cmocka_unit_test(strays_in_sections),
		cmocka_unit_test(many_faults),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
