/* SPDX-License-Identifier: MIT */
/* conf_running.c - reads the daemon's reply to the request get=1 of wg(8) into a struct conf. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_private.h"
#include "conf/conf_write.h"
#include "conf/keytext.h"
#include "conf/valuetext.h"
#include "crypto/wipe.h"

struct reply {
	struct conf c;	      /* only private key, port, mark and peers are used */
	struct conf_peer *at; /* peer of the current line; NULL = the line belongs to the device */
	uint32_t peer_size, allowed_size;
};

/* Device -------------------------------------------------------------------------------------- */

static int read_private_key(struct reply *r, char *value)
{
	if (!keytext_from_hex(r->c.private_key, value, strlen(value)))
		return -EINVAL;
	r->c.has_private_key = !is_zero_ct(r->c.private_key, WIRE_KEY_LEN);
	return 0;
}

static int read_listen_port(struct reply *r, char *value)
{
	uint32_t port;

	if (!valuetext_number(value, 10, UINT16_MAX, &port))
		return -EINVAL;
	r->c.listen_port = (uint16_t)port;
	return 0;
}

static int read_fwmark(struct reply *r, char *value)
{
	return valuetext_number(value, 10, UINT32_MAX, &r->c.fwmark) ? 0 : -EINVAL;
}

static int read_errno(struct reply *r, char *value)
{
	(void)r;
	return strcmp(value, "0") == 0 ? 0 : -EINVAL;
}

/* Peers --------------------------------------------------------------------------------------- */

static int read_public_key(struct reply *r, char *value)
{
	int err = conf_add_peer(&r->c, &r->peer_size);

	if (err)
		return err;
	r->at = &r->c.peers[r->c.peer_count - 1];
	r->allowed_size = 0;
	return keytext_from_hex(r->at->public_key, value, strlen(value)) ? 0 : -EINVAL;
}

static int read_preshared_key(struct reply *r, char *value)
{
	return keytext_from_hex(r->at->preshared_key, value, strlen(value)) ? 0 : -EINVAL;
}

static int read_endpoint(struct reply *r, char *value)
{
	char *host, *port;

	if (r->at->host || valuetext_split_endpoint(value, &host, &port) ||
	    valuetext_resolve(&r->at->endpoint, host, port, true))
		return -EINVAL;
	r->at->host = strdup(host);
	r->at->port = strdup(port);
	return r->at->host && r->at->port ? 0 : -ENOMEM;
}

static int read_keepalive(struct reply *r, char *value)
{
	uint32_t interval_s;

	if (!valuetext_number(value, 10, UINT16_MAX, &interval_s))
		return -EINVAL;
	r->at->keepalive_s = (uint16_t)interval_s;
	return 0;
}

static int read_allowed_ip(struct reply *r, char *value)
{
	struct prefix *grown;

	if (r->at->allowed_count == r->allowed_size) {
		if (r->allowed_size >= 2 * ALLOWED_IPS_MAX)
			return -E2BIG;
		r->allowed_size = r->allowed_size ? 2 * r->allowed_size : 4;
		grown = reallocarray(r->at->allowed, r->allowed_size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		r->at->allowed = grown;
	}
	if (valuetext_prefix(value, &r->at->allowed[r->at->allowed_count]))
		return -EINVAL;
	prefix_mask(&r->at->allowed[r->at->allowed_count++]);
	return 0;
}

/* Reply --------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool of_peer;
	int (*read)(struct reply *r, char *value);
} keys[] = {
	{ "private_key", false, read_private_key },
	{ "listen_port", false, read_listen_port },
	{ "fwmark", false, read_fwmark },
	{ "errno", false, read_errno },
	{ "public_key", false, read_public_key },
	{ "preshared_key", true, read_preshared_key },
	{ "endpoint", true, read_endpoint },
	{ "persistent_keepalive_interval", true, read_keepalive },
	{ "allowed_ip", true, read_allowed_ip },
};

static int read_reply_line(struct reply *r, char *line)
{
	char *value = strchr(line, '=');

	if (!value)
		return *line ? -EINVAL : 0;
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].name, line) == 0)
			return keys[i].of_peer && !r->at ? -EINVAL : keys[i].read(r, value);
	return 0;
}

static int read_reply(struct reply *r, char *text, size_t len)
{
	char *end = text + len, *next;
	int err = memchr(text, '\0', len) ? -EINVAL : 0;

	for (; text < end && !err; text = next) {
		next = memchr(text, '\n', (size_t)(end - text));
		if (!next)
			return -EINVAL; /* the reply ends in the middle of a line */
		*next++ = '\0';
		err = read_reply_line(r, text);
	}
	return err;
}

/* Names --------------------------------------------------------------------------------------- */

static int compare_peers(const void *a, const void *b)
{
	return memcmp((*(struct conf_peer *const *)a)->public_key,
		      (*(struct conf_peer *const *)b)->public_key, WIRE_KEY_LEN);
}

/* Copies peer names from @from to the peers of @to that have the same public key. */
static int copy_names(struct conf *to, const struct conf *from)
{
	struct conf_peer **sorted = calloc(from->peer_count + 1, sizeof(struct conf_peer *));

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->peer_count; i++)
		sorted[i] = &from->peers[i];
	qsort(sorted, from->peer_count, sizeof(*sorted), compare_peers);
	for (uint32_t i = 0; i < to->peer_count; i++) {
		const struct conf_peer *peer = &to->peers[i];
		struct conf_peer **same =
			bsearch(&peer, sorted, from->peer_count, sizeof(*sorted), compare_peers);

		if (same)
			memcpy(to->peers[i].name, (*same)->name, sizeof(peer->name));
	}
	free(sorted);
	return 0;
}

int conf_set_running(struct conf *c, const char *reply, size_t len, struct fault *f)
{
	struct reply r = { 0 };
	char *copy = malloc(len + 1);
	int err;

	if (!copy)
		return fault(f, -ENOMEM, "the daemon's configuration: out of memory");
	memcpy(copy, reply, len);
	err = read_reply(&r, copy, len);
	if (!err)
		err = copy_names(&r.c, c);
	if (err) {
		fault(f, err, "the daemon's configuration could not be read: %s", strerror(-err));
		goto out;
	}
	conf_free_peers(c);
	memcpy(c->private_key, r.c.private_key, WIRE_KEY_LEN);
	c->has_private_key = r.c.has_private_key;
	c->listen_port = r.c.listen_port;
	c->fwmark = r.c.fwmark;
	c->peers = r.c.peers;
	c->peer_count = r.c.peer_count;
	r.c.peers = NULL;
	r.c.peer_count = 0;
out:
	wipe(copy, len);
	free(copy);
	conf_done(&r.c);
	return err;
}
