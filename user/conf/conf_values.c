/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf_private.h"
#include "conf/keytext.h"
#include "conf/valuetext.h"
#include "crypto/wipe.h"
#include "util/closest.h"

#define PART_MIN 4 /* characters; a shorter part of a name does not tell which key is meant */
#define STEPS_MAX (3 * ALLOWED_IPS_MAX)
_Static_assert(STEPS_MAX == 3145728, "the limit in the message");

/* Explains in @what why @value is not a valid key. */
static void explain_key(const char *value, char *what, size_t room)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(value), at = strspn(value, digits);

	at = at < KEYTEXT_BASE64_LEN ? at : KEYTEXT_BASE64_LEN - 1;
	if (len != KEYTEXT_BASE64_LEN)
		snprintf(what, room, "it has %zu characters; a key has 44 base64 characters", len);
	else if (at != KEYTEXT_BASE64_LEN - 1 || value[at] != '=')
		snprintf(what, room,
			 "its character %zu is '%c'; a key has 43 base64 digits and then '='",
			 at + 1, isprint((unsigned char)value[at]) ? value[at] : '?');
	else
		snprintf(what, room, "it does not encode 32 bytes; copy the whole key");
}

/* Reads a key. Messages never show a key, because the user may have pasted a private key where a
 * public key belongs. */
static int read_key(struct conf_parser *p, const char *value, uint8_t key[static WIRE_KEY_LEN],
		    const char *from)
{
	const char *published;
	char what[192];

	if (keytext_from_base64(key, value, strlen(value))) {
		published = p->report ? conf_published(key) : NULL;
		if (published) {
			snprintf(what, sizeof(what),
				 "this key is published in %s; make another key", published);
			conf_warn(p, conf_here(p), p->key, what);
		}
		return 0;
	}
	if (conf_is_placeholder(value))
		snprintf(what, sizeof(what), "%.64s is a placeholder; replace it with %s", value,
			 from);
	else
		explain_key(value, what, sizeof(what));
	return conf_bad(p, -EINVAL, p->key, what);
}

/* Reads a port as a number or as the name of a service, like wg(8). */
static bool read_port(const char *value, uint32_t *port)
{
	const struct servent *service;

	if (valuetext_number(value, 10, UINT16_MAX, port))
		return true;
	if (!isalpha((unsigned char)*value))
		return false;
	service = getservbyname(value, "udp");
	if (service)
		*port = ntohs((uint16_t)service->s_port);
	return service;
}

static int set_private_key(struct conf_parser *p, char *value)
{
	int err = read_key(p, value, p->c->private_key, "the output of `wgxdp genkey`");

	if (!err)
		p->c->has_private_key = !is_zero_ct(p->c->private_key, WIRE_KEY_LEN);
	return err;
}

static int set_listen_port(struct conf_parser *p, char *value)
{
	uint32_t port;

	if (!read_port(value, &port))
		return conf_bad(p, -EINVAL, value, "ListenPort must be a number from 0 to 65535");
	p->c->listen_port = (uint16_t)port;
	return 0;
}

static int set_fwmark(struct conf_parser *p, char *value)
{
	bool hex = strncmp(value, "0x", 2) == 0;

	if (strcasecmp(value, "off") == 0)
		p->c->fwmark = 0;
	else if (!valuetext_number(hex ? value + 2 : value, hex ? 16 : 10, UINT32_MAX,
				   &p->c->fwmark))
		return conf_bad(p, -EINVAL, value,
				"FwMark must be \"off\" or a number up to 0xffffffff, "
				"decimal, or hexadecimal with 0x");
	return 0;
}

static int set_public_key(struct conf_parser *p, char *value)
{
	uint8_t before[WIRE_KEY_LEN];
	int err;

	memcpy(before, p->block.public_key, sizeof(before));
	err = read_key(p, value, p->block.public_key, "the output of `wgxdp pubkey` on the peer");
	if (!err && p->has_key && memcmp(before, p->block.public_key, sizeof(before)) != 0)
		conf_warn(p, conf_here(p), "PublicKey",
			  "this is the second one of this peer and replaces the first; if it "
			  "belongs to another peer, add a line [Peer] above it");
	p->has_key |= !err;
	wipe(before, sizeof(before)); /* the file may hold a private key here by mistake */
	return err;
}

static int set_preshared_key(struct conf_parser *p, char *value)
{
	p->has_psk = true;
	return read_key(p, value, p->block.preshared_key,
			"the output of `wgxdp genpsk`, the same on both sides");
}

static int set_keepalive(struct conf_parser *p, char *value)
{
	uint32_t interval_s = 0;

	if (strcasecmp(value, "off") != 0 && !valuetext_number(value, 10, UINT16_MAX, &interval_s))
		return conf_bad(p, -EINVAL, value,
				"PersistentKeepalive must be \"off\" or a number "
				"of seconds from 0 to 65535");
	p->block.keepalive_s = (uint16_t)interval_s;
	p->has_keepalive = true;
	return 0;
}

/* Returns true if the last part of a name is a number, as in 192.0.2.300. No domain ends in a
 * number, because programs read such a name as an IPv4 address (RFC 3696 2). */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');

	return dot && dot[1] && !dot[1 + strspn(dot + 1, "0123456789")];
}

/* Returns what is wrong with the host of an Endpoint, or NULL. Fills in @e if the host is an
 * address. */
static const char *check_host(struct endpoint *e, const char *host, const char *port)
{
	if (valuetext_resolve(e, host, port, true) == 0)
		return NULL;
	if (strchr(host, ':'))
		return valuetext_is_address(host)
			       ? NULL /* the interface after '%' may not exist yet */
			       : "this is not an IPv6 address with a port; write [address]:port";
	if (ends_in_number(host))
		return "this is not an IPv4 address; each of its four numbers is at most 255";
	return valuetext_is_domain(host) ? NULL : "this is neither an address nor a host name";
}

/* Warns of an IPv4 address in an unusual form, such as 10.1, which is read as 10.0.0.1. */
static void warn_short_address(struct conf_parser *p, const char *whole, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_LEN], sentence[ENDPOINT_TEXT_LEN + 64];

	snprintf(sentence, sizeof(sentence),
		 "wgxdp and wg(8) read it as %s; write the whole address", endpoint_text(e, text));
	conf_warn(p, conf_here(p), whole, sentence);
}

static int set_endpoint(struct conf_parser *p, char *value)
{
	struct conf_peer *b = &p->block;
	struct endpoint e = { 0 };
	char *whole = strdup(value), *host, *port;
	const char *what;
	uint32_t number = 0;
	bool named = false;
	int err = 0;

	if (!whole)
		return conf_no_memory(p);
	what = valuetext_split_endpoint(value, &host, &port);
	if (!what && !read_port(port, &number))
		what = "the port must be a number from 0 to 65535";
	if (!what)
		what = check_host(&e, host, port);
	named = e.remote.sa.sa_family == AF_UNSPEC;
	if (what) {
		err = conf_bad(p, -EINVAL, whole, what);
		goto out;
	}
	if (number == 0)
		conf_warn(p, conf_here(p), whole, "nothing can be sent to port 0");
	if (!named && !valuetext_is_address(host))
		warn_short_address(p, whole, &e);
	free(b->host);
	free(b->port);
	b->endpoint = e;
	b->host = strdup(host);
	b->named = named;
	b->endpoint_line = p->line;
	if (asprintf(&b->port, "%u", number) < 0)
		b->port = NULL;
	if (!b->host || !b->port)
		err = conf_no_memory(p);
out:
	free(whole);
	return err;
}

int conf_add_step(struct conf_parser *p, const struct settle_step *step)
{
	struct settle_step *grown;
	size_t size;

	if (p->step_count == STEPS_MAX)
		return conf_bad(p, -E2BIG, p->key, "the file has more than 3145728 allowed IPs");
	if (p->step_count == p->step_size) {
		size = p->step_size ? 2 * p->step_size : 64;
		grown = reallocarray(p->steps, size, sizeof(*grown));
		if (!grown)
			return conf_no_memory(p);
		p->steps = grown;
		p->step_size = size;
	}
	p->steps[p->step_count++] = *step;
	return 0;
}

/* Returns true if the value has addresses without a comma between them, such as "10.0.0.1
 * 10.0.0.2". */
static bool is_two_addresses(const char *text)
{
	char copy[128], *rest;
	struct prefix unused;

	snprintf(copy, sizeof(copy), "%s", text);
	rest = copy + strcspn(copy, " \t");
	if (!*rest)
		return false;
	*rest++ = '\0';
	rest += strspn(rest, " \t");
	rest[strcspn(rest, " \t")] = '\0';
	return !valuetext_prefix(copy, &unused) && !valuetext_prefix(rest, &unused);
}

static int bad_allowed_ip(struct conf_parser *p, const char *text, const char *what)
{
	if (!*text)
		return conf_bad(p, -EINVAL, p->key,
				"an address is missing before or after a comma");
	return conf_bad(p, -EINVAL, text,
			is_two_addresses(text) ? "a comma is missing between two addresses" : what);
}

static int add_allowed_ip(struct conf_parser *p, char *text)
{
	bool sign = *text == '+' || *text == '-';
	struct settle_step step = { .take = *text == '-',
				    .line = p->line,
				    .column = conf_here(p).column };
	char masked[PREFIX_TEXT_LEN], sentence[PREFIX_TEXT_LEN + 64], written[128];
	const char *what;

	snprintf(written, sizeof(written), "%s", text);
	conf_squeeze(text);
	what = valuetext_prefix(text + sign, &step.prefix);
	if (what)
		return bad_allowed_ip(p, written, what);
	p->incremental |= sign;
	if (prefix_mask(&step.prefix)) {
		snprintf(sentence, sizeof(sentence), "has host bits set; it is read as %s",
			 prefix_text(&step.prefix, masked));
		conf_warn(p, conf_here(p), text, sentence);
	}
	return conf_add_step(p, &step);
}

static int set_allowed_ips(struct conf_parser *p, char *value)
{
	int err = 0, one = 0;
	char *word;

	while (conf_goes_on(p, one) && (word = strsep(&value, ","))) {
		word = conf_trim(word);
		p->at = word;
		one = add_allowed_ip(p, word);
		err = one ? one : err;
	}
	return err;
}

/* -------------------------------------------------------------------------------------------- */

/* All keys. wg-quick(8) accepts an empty MTU, Table, Address, DNS or hook. */
static const struct conf_key keys[] = {
	{ "PrivateKey", CONF_INTERFACE, .set = set_private_key },
	{ "ListenPort", CONF_INTERFACE, .set = set_listen_port },
	{ "FwMark", CONF_INTERFACE, .set = set_fwmark },
	{ "Address", CONF_INTERFACE, .words = true, .may_be_empty = true, .set = conf_set_address },
	{ "DNS", CONF_INTERFACE, .words = true, .may_be_empty = true, .set = conf_set_dns },
	{ "MTU", CONF_INTERFACE, .resets = true, .set = conf_set_mtu },
	{ "Table", CONF_INTERFACE, .resets = true, .set = conf_set_table },
	{ "PreUp", CONF_INTERFACE, .command = true, .set = conf_set_pre_up },
	{ "PostUp", CONF_INTERFACE, .command = true, .set = conf_set_post_up },
	{ "PreDown", CONF_INTERFACE, .command = true, .set = conf_set_pre_down },
	{ "PostDown", CONF_INTERFACE, .command = true, .set = conf_set_post_down },
	{ "SaveConfig", CONF_INTERFACE, .set = conf_set_save_config },
	{ "PublicKey", CONF_PEER, .is_public_key = true, .set = set_public_key },
	{ "PresharedKey", CONF_PEER, .set = set_preshared_key },
	{ "AllowedIPs", CONF_PEER, .words = true, .may_be_empty = true, .set = set_allowed_ips },
	{ "Endpoint", CONF_PEER, .set = set_endpoint },
	{ "PersistentKeepalive", CONF_PEER, .set = set_keepalive },
};

const struct conf_key *conf_key(const char *name, enum conf_section section)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].section == section && strcasecmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

const char *conf_closest_key(const char *name)
{
	const size_t count = sizeof(keys) / sizeof(keys[0]);
	const char *meant = closest(name, keys, sizeof(keys[0]), count);

	/* Other programs use parts of these names, such as Keepalive or Port. */
	for (size_t i = 0; i < count && !meant && strlen(name) >= PART_MIN; i++)
		if (strcasestr(keys[i].name, name))
			meant = keys[i].name;
	return meant;
}
