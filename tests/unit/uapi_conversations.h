/* SPDX-License-Identifier: MIT */
/*
 * uapi_conversations.h - the table of test_uapi.c: the lines that a client sends, the answers, and
 * the result of a get afterwards.
 */
#ifndef TESTS_UNIT_UAPI_CONVERSATIONS_H
#define TESTS_UNIT_UAPI_CONVERSATIONS_H

#define HEX(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define A HEX("a1")
#define B HEX("b2")
#define C HEX("c3")
#define ZERO HEX("00")
/* A private key, clamped. */
#define OWN "c8" HEX_28("11") "111151"
#define HEX_28(c) c c c c c c c c c c c c c c c c c c c c c c c c c c c c

#define PEER_HEAD(key) "public_key=" key "\npreshared_key=" ZERO "\nprotocol_version=1\n"
#define PEER_TIMES "last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
#define PEER_TAIL PEER_TIMES "persistent_keepalive_interval=0\n"
#define OK "errno=0\n\n"

/* clang-format off */
static const struct conversation {
	const char *said;
	const char *answered;
	const char *got; /* the answer to a get afterwards, without its errno */
} conversations[] = {
	/*  0 */ { "set=1\n\n", OK, "" },
	/*  1: the order of the lines in the answer to a get */
	{ "set=1\nfwmark=51820\nlisten_port=5\nprivate_key=" OWN "\npublic_key=" A
	  "\nallowed_ip=10.0.0.9/8\nallowed_ip=fd00::/8\npersistent_keepalive_interval=25\n"
	  "endpoint=[2001:db8::1]:5\npreshared_key=" B "\nprotocol_version=1\n\n", OK,
	  "private_key=" OWN "\nlisten_port=5\nfwmark=51820\npublic_key=" A "\npreshared_key=" B
	  "\nprotocol_version=1\nendpoint=[2001:db8::1]:5\n" PEER_TIMES
	  "persistent_keepalive_interval=25\nallowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\n" },
	/*  2: peers in the order in which they were added */
	{ "set=1\npublic_key=" C "\npublic_key=" A "\npublic_key=" B "\npublic_key=" C "\n\n", OK,
	  PEER_HEAD(C) PEER_TAIL PEER_HEAD(A) PEER_TAIL PEER_HEAD(B) PEER_TAIL },
	/*  3: an allowed IP moves to another peer; only the peer that has it can remove it */
	{ "set=1\npublic_key=" A "\nallowed_ip=10.0.0.1/32\nallowed_ip=10.0.0.2/32\n"
	  "allowed_ip=10.0.0.3/32\n"
	  "public_key=" B "\nallowed_ip=10.0.0.2/32\nallowed_ip=-10.0.0.1/32\npublic_key=" A
	  "\nallowed_ip=-10.0.0.3/32\n\n", OK,
	  PEER_HEAD(A) PEER_TAIL "allowed_ip=10.0.0.1/32\n" PEER_HEAD(B) PEER_TAIL
	  "allowed_ip=10.0.0.2/32\n" },
	/*  4: replace_allowed_ips removes the earlier allowed IPs */
	{ "set=1\npublic_key=" A "\nallowed_ip=::/0\nallowed_ip=0.0.0.0/0\n"
	  "replace_allowed_ips=true\n"
		   "allowed_ip=0.0.0.0/0\n\n", OK,
		   PEER_HEAD(A) PEER_TAIL "allowed_ip=0.0.0.0/0\n" },
	/*  5: after remove=true, the peer's other lines have no effect */
	{ "set=1\npublic_key=" A "\nremove=true\nallowed_ip=10.0.0.1/32\npreshared_key=" B
	  "\nendpoint=192.0.2.1:1\npersistent_keepalive_interval=1\nreplace_allowed_ips=true\n"
	  "remove=true\nupdate_only=true\npublic_key=" B "\n\n", OK, PEER_HEAD(B) PEER_TAIL },
	/*  6: update_only changes a peer, but adds none */
	{ "set=1\npublic_key=" A "\nupdate_only=true\nallowed_ip=10.0.0.1/32\npublic_key=" B
	  "\npublic_key=" B "\nupdate_only=true\nallowed_ip=10.0.0.2/32\n\n", OK,
	  PEER_HEAD(B) PEER_TAIL "allowed_ip=10.0.0.2/32\n" },
	/*  7 */ { "set=1\npublic_key=" A "\nreplace_peers=true\n\n", "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/*  8 */ { "set=1\npublic_key=" A "\n\nset=1\nreplace_peers=true\npublic_key=" B "\n\n",
	  OK OK,
		   PEER_HEAD(B) PEER_TAIL },
	/*  9: an all-zero key clears the private key or the preshared key */
	{ "set=1\nprivate_key=" OWN "\npublic_key=" A "\npreshared_key=" B "\n\n"
	  "set=1\nprivate_key=" ZERO
	  "\npublic_key=" A "\npreshared_key=" ZERO "\n\n", OK OK, PEER_HEAD(A) PEER_TAIL },
	/* 10: lines before an error take effect, lines after it do not */
	{ "set=1\nlisten_port=7\nfwmark=x\nfwmark=8\npublic_key=" A "\n\n", "errno=-22\n\n",
	  "listen_port=7\n" },
	/* 11 */ { "set=1\nlisten_port\nfwmark=8\n\n", "errno=-71\n\n", "" },
	/* 12 */ { "set=1\nlisten_port=666\n\n", "errno=-98\n\n", "" },
	/* 13 */ { "set=1\nfwmark=666\n\n", "errno=-98\n\n", "" },
	/* 14 */ { "set=1\nlisten_port=65536\n\n", "errno=-22\n\n", "" },
	/* 15 */ { "set=1\nlisten_port=\n\n", "errno=-22\n\n", "" },
	/* 16 */ { "set=1\nfwmark=4294967295\nfwmark=4294967296\n\n", "errno=-22\n\n",
		   "fwmark=4294967295\n" },
	/* 17 */ { "set=1\nprivate_key=" A "0\n\n", "errno=-22\n\n", "" },
	/* 18 */ { "set=1\npublic_key=xx\n\n", "errno=-22\n\n", "" },
	/* 19 */ { "set=1\nallowed_ip=10.0.0.0/8\n\n", "errno=-22\n\n", "" },
	/* 20 */ { "set=1\nno_such_key=1\n\n", "errno=-22\n\n", "" },
	/* 21 */ { "set=1\nreplace_peers=false\n\n", "errno=-22\n\n", "" },
	/* 22 */ { "set=1\npublic_key=" A "\nremove=1\n\n", "errno=-22\n\n",
	  PEER_HEAD(A) PEER_TAIL },
	/* 23 */ { "set=1\npublic_key=" A "\nallowed_ip=10.0.0.1\n\n", "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/* 24 */ { "set=1\npublic_key=" A "\nallowed_ip=10.0.0.1/33\n\n", "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/* 25 */ { "set=1\npublic_key=" A "\nprotocol_version=2\n\n", "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/* 26 */ { "set=1\npublic_key=" A "\nendpoint=name.invalid:1\n\n", "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/* 27 */ { "set=1\npublic_key=" A "\nendpoint=192.0.2.1:99999\n\n", "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/* 28 */ { "set=1\npublic_key=" A "\npersistent_keepalive_interval=off\n\n",
	  "errno=-22\n\n",
		   PEER_HEAD(A) PEER_TAIL },
	/* 29: an error does not affect the next operation */
	{ "set=1\nx\n\nset=1\nlisten_port=7\n\n", "errno=-71\n\n" OK, "listen_port=7\n" },
	/* 30: lines of a removed peer must be valid, too */
	{ "set=1\npublic_key=" A "\nremove=true\nallowed_ip=x/8\n\n", "errno=-22\n\n", "" },
};
/* clang-format on */

#endif
