/* SPDX-License-Identifier: MIT */
/*
 * test_conf.c - config files: the peers that they describe, the messages about bad files, and the
 * choice of the file to read. The expected peers were compared with those that wireguard-tools
 * 1.0.20210914 writes to the UAPI socket for the same text. The values of single keys are in
 * test_conf_values.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/keytext.h"
#include "conf_parse.h"

/* Prints each peer as "KEY-LETTER[name]: prefix prefix", for comparison. */
static char *peers_text(const struct conf *c, char *out, size_t room)
{
	char key[KEYTEXT_BASE64_LEN + 1], prefix[PREFIX_TEXT_LEN];

	*out = '\0';
	for (uint32_t i = 0; i < c->peer_count; i++) {
		const struct conf_peer *p = &c->peers[i];
		size_t at = strlen(out);

		keytext_to_base64(key, p->public_key);
		at += (size_t)snprintf(out + at, room - at, "%s%c[%s]%s:", i ? " | " : "",
				       !strcmp(key, KEY_A)   ? 'A'
				       : !strcmp(key, KEY_B) ? 'B'
							     : 'C',
				       p->name, p->own ? "own" : "");
		for (uint32_t j = 0; j < p->allowed_count; j++)
			at += (size_t)snprintf(out + at, room - at, " %s",
					       prefix_text(&p->allowed[j], prefix));
	}
	return out;
}

/* clang-format off */
static const struct good {
	const char *text;
	const char *peers;
	unsigned warnings;
} good[] = {
	/*  0 */ { "", "", 0 },
	/*  1 */ { "\n  \n# comment\n\t#\n", "", 0 },
	/*  2 */ { PEER(KEY_A), "A[]:", 0 },
	/*  3 */ { PEER(KEY_A) "AllowedIPs =\n", "A[]:", 0 },
	/*  4 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.1, ::1 ,10.0.0.0/8\n",
		   "A[]: 10.0.0.1/32 ::1/128 10.0.0.0/8", 0 },
	/*  5 */ { PEER(KEY_A) "allowedips=10.0.0.9/8\nALLOWEDIPS=fd00::1/08\n",
		   "A[]: 10.0.0.0/8 fd00::/8", 2 },
	/*  6 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.1\nAllowedIPs = 10.0.0.2, 10.0.0.1\n",
		   "A[]: 10.0.0.1/32 10.0.0.2/32", 0 },
	/* 7: only the allowed IPs of a peer's last section are used */
	{ PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(KEY_A) "AllowedIPs=10.0.0.2\n",
	  "A[]: 10.0.0.2/32", 1 },
	/*  8 */ { PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(KEY_A), "A[]:", 1 },
	/*  9 */ { PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(KEY_A) "AllowedIPs=10.0.0.1\n",
		   "A[]: 10.0.0.1/32", 1 },
	/* 10: a '+' or '-' changes the peer's list instead of replacing it */
	{ PEER(KEY_A) "AllowedIPs=10.0.0.1,10.0.0.2\n" PEER(KEY_A)
	  "AllowedIPs=-10.0.0.1/32, +10.0.0.3\n", "A[]: 10.0.0.2/32 10.0.0.3/32", 1 },
	/* 11 */ { PEER(KEY_A) "AllowedIPs=+10.0.0.1,-10.0.0.1,-10.9.0.0/16\n", "A[]:", 0 },
	/* 12: a prefix moves to the peer that names it last */
	{ PEER(KEY_A) "AllowedIPs=10.0.0.1,10.0.0.2\n" PEER(KEY_B) "AllowedIPs=10.0.0.1\n",
	  "A[]: 10.0.0.2/32 | B[]: 10.0.0.1/32", 1 },
	/* 13: the prefix moves back to the first peer */
	{ PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(KEY_B) "AllowedIPs=10.0.0.1\n" PEER(KEY_A)
	  "AllowedIPs=10.0.0.1\n", "A[]: 10.0.0.1/32 | B[]:", 3 },
	/* 14: a prefix that was moved and then removed belongs to nobody */
	{ PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(KEY_B) "AllowedIPs=10.0.0.1\n" PEER(KEY_B),
	  "A[]: | B[]:", 2 },
	/* 15: only the peer that has a prefix can remove it */
	{ PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(KEY_B) "AllowedIPs=-10.0.0.1\n",
	  "A[]: 10.0.0.1/32 | B[]:", 0 },
	/* 16: a peer with our own key is skipped, and takes no prefix from other peers */
	{ IF "PrivateKey=" SECRET "\n" PEER(KEY_A) "AllowedIPs=10.0.0.1\n" PEER(SECRET_PUBLIC)
	  "AllowedIPs=10.0.0.1,0.0.0.0/0\n", "A[]: 10.0.0.1/32 | C[]own:", 0 },
	/* 17: with Table = off a default route is accepted without a warning */
	{ IF "Table=off\n" PEER(KEY_A) "AllowedIPs=0.0.0.0/0, ::/0\n", "A[]: 0.0.0.0/0 ::/0", 0 },
	/* 18 */ { PEER(KEY_A) "AllowedIPs=0.0.0.0/0\n" IF "table = OFF\n", "A[]: 0.0.0.0/0", 0 },
	/* 19: names */
	{ "# Name = alice\n" PEER(KEY_A) "# Name=bob\n\n" PEER(KEY_B) "\n#name =  carl  \n"
	  PEER(KEY_C), "A[alice]: | B[]: | C[carl]:", 0 },
	/* 20 */ { "[Peer]\n# Name = alice\nPublicKey=" KEY_A "\n[Peer] # Name = bob\nPublicKey="
		   KEY_B "\n", "A[alice]: | B[bob]:", 0 },
	/* 21 */ { PEER(KEY_A) "AllowedIPs=\n# Name = alice\n\n# Name = bob\n" PEER(KEY_B),
		   "A[alice]: | B[bob]:", 0 },
	/* 22 */ { PEER(KEY_A) "# Name = alice", "A[alice]:", 0 },
	/* 23 */ { "# Name = 0123456789012345678901234567890123456789\n" PEER(KEY_A),
		   "A[0123456789012345678901234567890]:", 0 },
	/* 24: a long name is cut between characters, and invalid bytes are replaced */
	{ "# Name = 012345678901234567890123456789\xc3\xa4\n" PEER(KEY_A),
	  "A[012345678901234567890123456789]:", 0 },
	/* 25 */ { "# Name = a\xff\x1b[1m\xc3\xa4\xed\xa0\x80\n" PEER(KEY_A),
		   "A[a??[1m\xc3\xa4???]:", 0 },
	/* 26 */ { "# Names = a\n# Name\n#\n" PEER(KEY_A), "A[]:", 0 },
	/* 27: white space is ignored, and lines may end in CR */
	{ "[ Peer ]\r\n\tPublic Key\t= " KEY_A "\r\nAllowedIPs = 10. 0.0.1 / 32\r\n",
	  "A[]: 10.0.0.1/32", 0 },
	/* 28 */ { PEER(KEY_B) "PublicKey = " KEY_A "# the last one wins\n", "A[]:", 1 },
	/* 29 */ { PEER(KEY_A) "Endpoint = 192.0.2.1:0\n", "A[]:", 1 },
	/* 30: empty values that wg-quick(8) treats as absent */
	{ IF "MTU =\nTable =\nAddress=\nDNS =\nPostUp = \nPreDown =\n" PEER(KEY_A) "AllowedIPs =\n",
	  "A[]:", 0 },
	/* 31 */ { IF IF PEER(KEY_A), "A[]:", 1 },
	/* 32: an MTU below 1280 is accepted if the config sets up no IPv6 address or route */
	{ IF "MTU = 1000\nTable = off\nAddress = 10.0.0.1/255.255.255.0\n" PEER(KEY_A)
	  "AllowedIPs = ::1\n", "A[]: ::1/128", 0 },
	/* 33: wg(8) accepts an IPv4 address with fewer than four numbers */
	{ PEER(KEY_A) "Endpoint = 10.0.1:5\n", "A[]:", 1 },
	/* 34 */ { PEER(KEY_A) "Endpoint = host.5a:5\nEndpoint = 10.0.0.1:5\n", "A[]:", 0 },
	/* 35: lines that were converted to CRLF twice end in two carriage returns */
	{ "[Peer]\r\r\nPublicKey = " KEY_A "\r\r\n", "A[]:", 0 },
	/* 36 */ { "# a\rb\n" PEER(KEY_A), "A[]:", 0 },
	/* 37 */ { "[Interface]\r\r\r", "", 0 },
};
/* clang-format on */

static void meanings(void **state)
{
	char text[1024];
	struct told told;
	struct fault f;
	struct conf c;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (parse(&c, good[i].text, &told, &f))
			fail_msg("%zu: %s", i, f.text);
		if (strcmp(peers_text(&c, text, sizeof(text)), good[i].peers) != 0)
			fail_msg("%zu: %s instead of %s", i, text, good[i].peers);
		if (good[i].warnings != told.count)
			fail_msg("%zu: warnings: %s", i, told.all);
		conf_done(&c);
	}
}

/* clang-format off */
static const struct bad {
	const char *text;
	int err;
	const char *says; /* how the message must begin, without the file and the column */
} bad[] = {
	/*  0 */ { IF "Colour = blue\n", -EINVAL, "2: Colour: there is no such key" },
	/*  1 */ { IF "AllowedIPs = ::1\n", -EINVAL, "2: AllowedIPs: belongs below a [Peer]" },
	/*  2 */ { PEER(KEY_A) "MTU = 1400\n", -EINVAL, "3: MTU: belongs below [Interface]" },
	/*  3 */ { "MTU = 1400\n", -EINVAL, "1: MTU: belongs below [Interface]" },
	/*  4 */ { "[Pear]\n", -EINVAL, "1: [Pear]: there are only" },
	/*  5 */ { "\xef\xbb\xbf[Interface]\n", -EINVAL,
		   "1: character 1: this is a byte order mark" },
	/*  6 */ { IF "Address\n", -EINVAL, "2: Address: there is no '='" },
	/*  7 */ { IF "PrivateKey =\n", -EINVAL, "2: PrivateKey: the value is missing" },
	/*  8 */ { IF "PrivateKey = sosecret\n", -EINVAL, "2: PrivateKey: it has 8 characters" },
	/*  9 */ { IF "PrivateKey = 0LQzGeQ4CLWln00nM6JAGq4axbXvElQY9yMVdNtOnVn=\n", -EINVAL,
		   "2: PrivateKey: it does not encode 32 bytes" },
	/* 10 */ { PEER(KEY_A) "PresharedKey = sosecret!!\n", -EINVAL,
		   "3: PresharedKey: it has 10 characters" },
	/* 11 */ { "[Peer]\nPublicKey = sosecret!!\n", -EINVAL,
		   "2: PublicKey: it has 10 characters; a key has 44" },
	/* 12 */ { IF "ListenPort = 99999\n", -EINVAL, "2: 99999: ListenPort must be" },
	/* 13 */ { IF "ListenPort = -1\n", -EINVAL, "2: -1: ListenPort" },
	/* 14 */ { IF "ListenPort = 12000;\n", -EINVAL, "2: ListenPort: there is a ';'" },
	/* 15 */ { IF "FwMark = 0x\n", -EINVAL, "2: 0x: FwMark" },
	/* 16 */ { IF "FwMark = 4294967296\n", -EINVAL, "2: 4294967296: FwMark" },
	/* 17 */ { IF "FwMark = 0X10\n", -EINVAL, "2: 0X10: FwMark" },
	/* 18 */ { IF "MTU = 12\n", -EINVAL, "2: 12: MTU" },
	/* 19 */ { IF "MTU = 65536\n", -EINVAL, "2: 65536: MTU" },
	/* 20 */ { IF "Address = 10.0.0.1/240\n", -EINVAL, "2: 10.0.0.1/240: after the '/'" },
	/* 21 */ { IF "Address = 10.0.0.1, tunnel\n", -EINVAL, "2: tunnel: this is not" },
	/* 22 */ { IF "Table = no-such-table\n", -EINVAL,
		   "2: no-such-table: Table must be \"auto\", \"off\", a number, or a name in" },
	/* 23 */ { IF "Table = 4294967296\n", -EINVAL, "2: 4294967296: Table must be" },
	/* 24 */ { IF "DNS = 192.0.2.53, 192.0.2\n", -EINVAL, "2: 192.0.2: this is not the" },
	/* 25 */ { IF "DNS = fe80::1%\n", -EINVAL, "2: fe80::1%: this is not the address" },
	/* 26 */ { IF "DNS = 192.0.2.53/24\n", -EINVAL, "2: 192.0.2.53/24: this is neither" },
	/* 27: resolvectl would read this value as an option */
	{ IF "DNS = --help\n", -EINVAL, "2: --help: this is neither the address" },
	/* 28 */ { IF "Address = 10.0.0.1/024\n", -EINVAL, "2: 10.0.0.1/024: ip(8) reads" },
	/* 29 */ { IF "SaveConfig = yes\n", -EINVAL, "2: yes: SaveConfig must be true or false" },
	/* 30 */ { PEER(KEY_A) "PostUp = a\n", -EINVAL, "3: PostUp: belongs below [Interface]" },
	/* 31: ip(8) would read this number as octal */
	{ IF "MTU = 01400\n", -EINVAL, "2: 01400: MTU must be" },
	/* 32 */ { "[Peer]\nAllowedIPs = ::1\n\n" IF, -EINVAL,
		   "1: [Peer]: its PublicKey is missing" },
	/* 33 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.2/33\n", -EINVAL,
		   "3: 10.0.0.2/33: after the '/'" },
	/* 34 */ { PEER(KEY_A) "AllowedIPs = ::/129\n", -EINVAL, "3: ::/129: after the '/'" },
	/* 35 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.2/\n", -EINVAL, "3: 10.0.0.2/: after the '/'" },
	/* 36 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.2/8/4\n", -EINVAL, "3: 10.0.0.2/8/4: after" },
	/* 37 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.2,\n", -EINVAL,
		   "3: AllowedIPs: an address is missing before or after a comma" },
	/* 38 */ { PEER(KEY_A) "AllowedIPs = 10.1/8\n", -EINVAL, "3: 10.1/8: this is not an IPv4" },
	/* 39 */ { PEER(KEY_A) "AllowedIPs = tunnel\n", -EINVAL, "3: tunnel: this is not an IPv4" },
	/* 40 */ { PEER(KEY_A) "Endpoint = 192.0.2.2\n", -EINVAL,
		   "3: 192.0.2.2: the port is missing" },
	/* 41 */ { PEER(KEY_A) "Endpoint = 192.0.2.2:x\n", -EINVAL,
		   "3: 192.0.2.2:x: the port must" },
	/* 42 */ { PEER(KEY_A) "Endpoint = 192.0.2.2:99999\n", -EINVAL,
		   "3: 192.0.2.2:99999: the port" },
	/* 43 */ { PEER(KEY_A) "Endpoint = [::1\n", -EINVAL, "3: [::1: the ']' is missing" },
	/* 44 */ { PEER(KEY_A) "Endpoint = [::1]5\n", -EINVAL, "3: [::1]5: after the ']'" },
	/* 45 */ { PEER(KEY_A) "Endpoint = :5\n", -EINVAL, "3: :5: the host is missing" },
	/* 46 */ { PEER(KEY_A) "Endpoint = 2001:db8::1:g:5\n", -EINVAL,
		   "3: 2001:db8::1:g:5: this is not" },
	/* 47 */ { PEER(KEY_A) "PersistentKeepalive = 65536\n", -EINVAL, "3: 65536: Persistent" },
	/* 48 */ { PEER(KEY_A) "PersistentKeepalive = 0x10\n", -EINVAL, "3: 0x10: Persistent" },
	/* 49: text in the wrong place may be a secret, so it is not shown */
	{ IF "sosecretsosecretsosecretsosecretsosecret123=\n", -EINVAL,
		   "2: ...: there is no such" },
	/* 50 */ { "sosecretsosecretsosecretsosecretsosecret1234\n", -EINVAL,
		   "1: ...: there is no '='" },
	/* 51 */ { IF "PrivatKey = sosecretsosecretsosecretsosecretsosecret123=\n", -EINVAL,
		   "2: PrivatKey: there is no such key" },
	/* 52: a long word may be a key, so it is not shown */
	{ "[Peer]\nPublicKey = sosecretsosecretsosecretsosecretsosecret1#4=\n", -EINVAL,
	  "2: PublicKey: it has 41 characters" },
	/* 53 */ { "[Peer]\nPublicKey = sosecretsosecretsosecretsosecretsosecret1!4=\n", -EINVAL,
		   "2: PublicKey: its character 42 is '!'" },
	/* 54 */ { "[Peer]\nPublicKey = sosecretsosecretsosecretsosecretsosecret1\x1b[=\n", -EINVAL,
		   "2: PublicKey: its character 42 is '?'" },
	/* 55 */ { "[Peer]\nPublicKey = sosecretsosecretsosecretsosecretsosecret123n\n", -EINVAL,
		   "2: PublicKey: its character 44 is 'n'" },
	/* 56 */ { "[sosecretsosecretsosecretsosecretsosecret123=]\n", -EINVAL,
		   "1: [...]: there are only [Interface] and [Peer]" },
	/* 57: no escape sequence reaches the terminal */
	{ IF "MTU = 1\x1b[31m2\n", -EINVAL, "2: 1?[31m2: MTU" },
	/* 58: addresses that the kernel would refuse */
	{ IF "Address = 10.0.0.1/8, 10.0.0.1/9\nAddress = 10.0.0.1/8\n", -EINVAL,
		   "3: 10.0.0.1/8: the" },
	/* 59 */ { IF "Address = fd00::1/64 fd00:0::1\n", -EINVAL,
		   "2: fd00:0::1: the Address is given" },
	/* 60: characters that editors and web pages insert */
	{ PEER(KEY_A) "AllowedIPs = 10.9.9.1/32\xc2\xa0 \n", -EINVAL,
	  "3: character 25: this is a no-break space (U+00A0)" },
	/* 61 */ { IF "\xc2\xa0MTU = 1400\n", -EINVAL, "2: character 1: this is a no-break space" },
	/* 62 */ { IF "PrivateKey = \xe2\x80\x9csosecret\xe2\x80\x9d\n", -EINVAL,
		   "2: character 14: this is a quotation mark" },
	/* 63 */ { "\xff\xfe[\0", -EINVAL, "1: [...]: this file is in UTF-16" },
	/* 64 */ { IF "PrivateKey = \"sosecret\"\n", -EINVAL,
		   "2: PrivateKey: the value is in quotes" },
	/* 65 */ { PEER(KEY_A) "Endpoint = '192.0.2.2:1'\n", -EINVAL,
		   "3: Endpoint: the value is in" },
	/* 66 */ { "; a comment\n", -EINVAL, "1: ; a comment: a comment begins with '#'" },
	/* 67 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.1; 10.0.0.2\n", -EINVAL,
		   "3: AllowedIPs: there is a ';'" },
	/* 68 */ { IF "PrivateKey = sosecret= ; mine\n", -EINVAL, "2: PrivateKey: there is a ';'" },
	/* 69: the message quotes the value as it was written */
	{ PEER(KEY_A) "AllowedIPs = 10.0.0.1/32 10.0.0.2/32\n", -EINVAL,
	  "3: 10.0.0.1/32 10.0.0.2/32: a comma is missing between two addresses" },
	/* 70 */ { PEER(KEY_A) "AllowedIPs = ::1, 10.0.0.1\t10.0.0.2 10.0.0.3\n", -EINVAL,
		   "3: 10.0.0.1?10.0.0.2 10.0.0.3: a comma is missing" },
	/* 71 */ { PEER(KEY_A) "AllowedIPs = 10.0.0.1 / 33\n", -EINVAL,
		   "3: 10.0.0.1 / 33: after the" },
	/* 72: misspelt */
	{ IF "Adresses = 10.0.0.1\n", -EINVAL,
		   "2: Adresses: there is no such key; did you mean Address?" },
	/* 73 */ { PEER(KEY_A) "AllowedIP = ::1\n", -EINVAL,
		   "3: AllowedIP: there is no such key; did you mean AllowedIPs?" },
	/* 74 */ { IF "Listen-Port = 1\n", -EINVAL,
		   "2: Listen-Port: there is no such key; did you mean ListenPort?" },
	/* 75 */ { IF IF "PublicKey = a\n", -EINVAL,
		   "3: PublicKey: belongs below a [Peer], but this is the second" },
	/* 76: keys whose values must not be empty */
	{ IF "ListenPort =\n", -EINVAL, "2: ListenPort: the value is missing" },
	/* 77 */ { IF "SaveConfig =\n", -EINVAL, "2: SaveConfig: the value is missing" },
	/* 78: a netmask is for an Address only, and has its ones on the left */
	{ PEER(KEY_A) "AllowedIPs = 10.0.0.0/255.0.0.0\n", -EINVAL,
		   "3: 10.0.0.0/255.0.0.0: after" },
	/* 79 */ { IF "Address = 10.0.0.1/255.0.255.0\n", -EINVAL,
		   "2: 10.0.0.1/255.0.255.0: after" },
	/* 80 */ { IF "Address = ::1/255.0.0.0\n", -EINVAL, "2: ::1/255.0.0.0: after" },
	/* 81: the kernel removes IPv6 from an interface whose MTU is below 1280 */
	{ IF "MTU = 1279\nAddress = fd00::1/64\n", -EINVAL,
		   "2: MTU = 1279: IPv6 needs at least 1280" },
	/* 82 */ { IF "MTU = 1000\n" PEER(KEY_A) "AllowedIPs = ::1\n", -EINVAL,
		   "2: MTU = 1000: IPv6" },
	/* 83: a host name cannot end in a number, so this is a wrong address */
	{ PEER(KEY_A) "Endpoint = 192.0.2.300:5\n", -EINVAL,
		   "3: 192.0.2.300:5: this is not an IPv4 address" },
	/* 84: invisible characters, and a dash that is not '-' */
	{ IF "MTU = 1400\xe2\x80\x8e\n", -EINVAL,
		   "2: character 11: this is an invisible character (U+200E); remove it" },
	/* 85 */ { IF "Listen\xc2\xadPort = 1\n", -EINVAL,
		   "2: character 7: this is an invisible character (U+00AD)" },
	/* 86 */ { IF "MTU = 1400\xc2\x85\n", -EINVAL, "2: character 11: this is an invisible" },
	/* 87 */ { IF "Post\xe2\x80\x94Up = true\n", -EINVAL,
		   "2: character 5: this is a dash (U+2014)" },
	/* 88: with line ends of an old Mac, the whole file would be one comment */
	{ "# a comment\rMTU = 1400\r", -EINVAL, "1: [...]: this line ends in a carriage return" },
	/* 89: only a part of a key's name */
	{ PEER(KEY_A) "KeepAlive = 25\n", -EINVAL,
		   "3: KeepAlive: there is no such key; did you mean PersistentKeepalive?" },
	/* 90: a direction mark outside the Unicode block General Punctuation */
	{ IF "MTU = 1400\xd8\x9c\n", -EINVAL,
		   "2: character 11: this is an invisible character (U+061C)" },
	/* 91: a variation selector */
	{ IF "MTU = 1400\xef\xb8\x8f\n", -EINVAL,
		   "2: character 11: this is an invisible character" },
};
/* clang-format on */

/* Turns "t.conf:2:14: Colour: ..." into "2: Colour: ...". */
static void cut_place(const char *text, char *out, size_t room)
{
	unsigned line = 0, column = 0;
	int at = 0;

	assert_int_equal(sscanf(text, "t.conf:%u:%u:%n", &line, &column, &at), 2);
	assert_true(column > 0 && at > 0);
	snprintf(out, room, "%u:%s", line, text + at);
}

static void refusals(void **state)
{
	struct told told;
	struct fault f;
	struct conf c;
	char said[512];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int err = parse(&c, bad[i].text, &told, &f);

		cut_place(f.text, said, sizeof(said));
		if (err != bad[i].err || strncmp(said, bad[i].says, strlen(bad[i].says)) != 0)
			fail_msg("%zu: %d %s", i, err, f.text);
		assert_null(strstr(f.text, "sosecret"));
		assert_null(strstr(f.text, "0LQzG"));
	}
}

/* A file that exceeds a limit by one is refused. */
static void limits(void **state)
{
	static const struct {
		const char *line;
		unsigned max;
	} rows[] = { { "DNS = 192.0.2.1\n", CONF_DNS_MAX },
		     { "DNS = a\n", CONF_DNS_MAX },
		     { "PostDown = a\n", CONF_HOOKS_MAX } };
	char *text = malloc(CONF_HOOK_LEN_MAX + 65536);
	struct told told;
	struct fault f;
	struct conf c;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t at = (size_t)sprintf(text, IF);

		for (unsigned j = 0; j < rows[i].max; j++)
			at += (size_t)sprintf(text + at, "%s", rows[i].line);
		assert_int_equal(parse(&c, text, &told, &f), 0);
		conf_done(&c);
		sprintf(text + at, "%s", rows[i].line);
		assert_int_equal(parse(&c, text, &told, &f), -E2BIG);
	}
	sprintf(text, IF "PreUp=%0*d", CONF_HOOK_LEN_MAX, 1);
	assert_int_equal(parse(&c, text, &told, &f), 0);
	conf_done(&c);
	sprintf(text + strlen(text), "1");
	assert_int_equal(parse(&c, text, &told, &f), -E2BIG);
	free(text);
}

static void nul_bytes(void **state)
{
	struct conf c;
	struct fault f;

	(void)state;
	assert_int_equal(conf_parse(&c, IF "MTU\0=1", sizeof(IF "MTU\0=1") - 1, "t.conf", NULL,
				    NULL, &f),
			 -EINVAL);
	assert_string_equal(
		f.text,
		"t.conf:2:1: [...]: there is a NUL byte; this is not a config file in UTF-8");
}

static void names_of_interfaces(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} names[] = { { "wg0", 1 }, { "a_=+.-Z", 1 },  { "123456789012345", 1 },
		      { "...", 1 }, { "", 0 },	       { "1234567890123456", 0 },
		      { ".", 0 },   { "..", 0 },       { "a/b", 0 },
		      { "a b", 0 }, { "w\xc3\xa4", 0 } };
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(conf_check_interface(names[i].name, &f),
				 names[i].good ? 0 : -EINVAL);
}

static void finding(void **state)
{
	char path[PATH_MAX], interface[IFNAME_MAX + 1], directory[] = "/tmp/test_conf.XXXXXX";
	struct fault f;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	fclose(fopen("home.conf", "w"));
	assert_int_equal(conf_find("home.conf", path, interface, &f), 0);
	assert_string_equal(path, "home.conf");
	assert_string_equal(interface, "home");
	assert_int_equal(conf_find("./home.conf", path, interface, &f), 0);
	assert_int_equal(conf_find("./none.conf", path, interface, &f), -ENOENT);
	assert_int_equal(conf_find("no-such-cfg", path, interface, &f), -ENOENT);
	assert_non_null(strstr(f.text, "/etc/wireguard/no-such-cfg.conf"));
	assert_non_null(strstr(f.text, "/etc/wgxdp/no-such-cfg.conf"));
	assert_int_equal(conf_find("./home", path, interface, &f), -EINVAL);
	assert_int_equal(conf_find("/etc/abcdefghijklmnop.conf", path, interface, &f), -EINVAL);
	assert_int_equal(conf_interface("/nowhere/wg7.conf", interface, &f), 0);
	assert_string_equal(interface, "wg7");
	assert_int_equal(conf_interface("wg8", interface, &f), 0);
	assert_string_equal(interface, "wg8");
	assert_int_equal(conf_interface(".conf", interface, &f), -EINVAL);
	unlink("home.conf");
	assert_int_equal(chdir("/"), 0);
	rmdir(directory);
}

/* Like wg-quick(8), conf_read() warns if other users have access to the file. Unlike wg-quick(8),
 * it does so only if the file contains a private key. */
static void readable_by_others(void **state)
{
	static const struct {
		mode_t file, directory;
		bool secret;
		unsigned warnings;
	} cases[] = { { 0644, 0755, true, 1 },
		      { 0600, 0755, true, 0 },
		      { 0644, 0700, true, 0 },
		      { 0644, 0755, false, 0 },
		      { 0602, 0703, true, 1 } };
	char directory[] = "/tmp/test_conf.XXXXXX", path[64];
	struct told told;
	struct fault f;
	struct conf c;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/wg0.conf", directory);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(cases[i].secret ? IF "PrivateKey=" SECRET "\n" : IF, file);
		fclose(file);
		assert_int_equal(chmod(path, cases[i].file), 0);
		assert_int_equal(chmod(directory, cases[i].directory), 0);
		memset(&told, 0, sizeof(told));
		assert_int_equal(conf_read(&c, path, remember, &told, &f), 0);
		assert_int_equal(told.count, cases[i].warnings);
		conf_done(&c);
	}
	unlink(path);
	assert_int_equal(conf_read(&c, path, NULL, NULL, &f), -ENOENT);
	assert_int_equal(conf_read(&c, directory, NULL, NULL, &f), -EISDIR);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meanings),
		cmocka_unit_test(refusals),
		cmocka_unit_test(limits),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(names_of_interfaces),
		cmocka_unit_test(finding),
		cmocka_unit_test(readable_by_others),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
