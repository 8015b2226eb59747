/* SPDX-License-Identifier: MIT */
#include "control/uapi.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "conf/keytext.h"
#include "conf/valuetext.h"
#include "crypto/wipe.h"

#define CLEAR_AT_ONCE 16 /* peers that one call of uapi_more() removes */

/* The function that handles a line "name=value" of a set=1 operation. Returns 0, or the -errno to
 * report. */
struct setter {
	const char *name;
	int (*set)(struct uapi_session *s, const char *value);
};

static int read_key(uint8_t key[static WIRE_KEY_LEN], const char *value)
{
	return keytext_from_hex(key, value, strlen(value)) ? 0 : -EINVAL;
}

static int read_number(const char *value, uint32_t max, uint32_t *number)
{
	return valuetext_number(value, 10, max, number) ? 0 : -EINVAL;
}

static bool is_true(const char *value)
{
	return strcmp(value, "true") == 0;
}

/* Returns the peer of the current section, or NULL if the section's lines have no effect. */
static struct peer *current_peer(const struct uapi_session *s)
{
	return s->skip ? NULL : device_find(s->uapi->device, s->peer_key);
}

/* Device ------------------------------------------------------------------------------------- */

static int set_private_key(struct uapi_session *s, const char *value)
{
	uint8_t key[WIRE_KEY_LEN];
	int err = read_key(key, value);

	if (!err)
		device_set_private_key(s->uapi->device, key, s->uapi->ops->now_ns(s->uapi->ctx));
	wipe(key, sizeof(key));
	return err;
}

static int set_listen_port(struct uapi_session *s, const char *value)
{
	uint32_t port;

	if (read_number(value, UINT16_MAX, &port))
		return -EINVAL;
	return s->uapi->ops->set_listen_port(s->uapi->ctx, (uint16_t)port) ? -EADDRINUSE : 0;
}

static int set_fwmark(struct uapi_session *s, const char *value)
{
	uint32_t mark;

	if (read_number(value, UINT32_MAX, &mark))
		return -EINVAL;
	return s->uapi->ops->set_fwmark(s->uapi->ctx, mark) ? -EADDRINUSE : 0;
}

static int replace_peers(struct uapi_session *s, const char *value)
{
	if (!is_true(value))
		return -EINVAL;
	s->clear_serial = s->uapi->device->last_serial;
	return 0;
}

/* Removes some of the peers that existed when replace_peers= was read. These peers come first in
 * the device's list, which is sorted by serial. Returns true if some of them are left. */
static bool clear_some(struct uapi_session *s)
{
	struct device *d = s->uapi->device;

	for (unsigned i = 0; i < CLEAR_AT_ONCE && d->first; i++) {
		if (d->first->serial > s->clear_serial)
			break;
		device_peer_remove(d, d->first);
	}
	if (d->first && d->first->serial <= s->clear_serial)
		return true;
	s->clear_serial = 0;
	return false;
}

/* Ends a peer's section: at the next peer, a blank line, or the end of the connection. After
 * replace_allowed_ips=true, removes the old allowed IPs that were not given again. */
static void end_peer(struct uapi_session *s)
{
	struct peer *peer = s->replaces ? device_find(s->uapi->device, s->peer_key) : NULL;

	if (peer)
		device_peer_replace_end(s->uapi->device, peer);
	s->replaces = false;
}

/* Starts the section of a peer. Creates the peer if it does not exist. */
static int public_key(struct uapi_session *s, const char *value)
{
	uint8_t key[WIRE_KEY_LEN];
	struct peer *peer;
	int err = read_key(key, value);

	if (err)
		return err;
	end_peer(s);
	memcpy(s->peer_key, key, sizeof(key));
	s->has_peer = true;
	s->skip = s->fresh = false;
	if (device_find(s->uapi->device, key))
		return 0;
	err = device_peer_add(s->uapi->device, key, &peer);
	s->fresh = !err;
	s->skip = err;
	return err == -EADDRINUSE ? 0 : err; /* -EADDRINUSE: our own key; skip the section */
}

/* Peer --------------------------------------------------------------------------------------- */

static int remove_peer(struct uapi_session *s, const char *value)
{
	struct peer *peer = current_peer(s);

	if (!is_true(value))
		return -EINVAL;
	if (peer)
		device_peer_remove(s->uapi->device, peer);
	s->skip = true;
	return 0;
}

/* Removes the peer again if the line public_key= has just created it, because only an existing peer
 * may be updated. */
static int update_only(struct uapi_session *s, const char *value)
{
	if (!is_true(value))
		return -EINVAL;
	return s->fresh ? remove_peer(s, value) : 0;
}

static int set_preshared_key(struct uapi_session *s, const char *value)
{
	struct peer *peer = current_peer(s);
	uint8_t key[WIRE_KEY_LEN];
	int err = read_key(key, value);

	if (!err && peer)
		device_peer_set_psk(s->uapi->device, peer, key);
	wipe(key, sizeof(key));
	return err;
}

static int set_endpoint(struct uapi_session *s, const char *value)
{
	struct peer *peer = current_peer(s);
	char text[UAPI_LINE_MAX + 1], *host, *port;
	struct endpoint e;
	uint32_t number;

	memcpy(text, value, strlen(value) + 1);
	if (valuetext_split_endpoint(text, &host, &port) ||
	    read_number(port, UINT16_MAX, &number) || valuetext_resolve(&e, host, port, true))
		return -EINVAL;
	if (!peer)
		return 0;
	device_peer_set_endpoint(s->uapi->device, peer, &e);
	s->uapi->ops->endpoint_set(s->uapi->ctx, peer);
	return 0;
}

static int set_keepalive(struct uapi_session *s, const char *value)
{
	struct peer *peer = current_peer(s);
	uint32_t interval_s;

	if (read_number(value, UINT16_MAX, &interval_s))
		return -EINVAL;
	if (peer)
		device_peer_set_keepalive(s->uapi->device, peer, (uint16_t)interval_s,
					  s->uapi->ops->now_ns(s->uapi->ctx));
	return 0;
}

static int replace_allowed_ips(struct uapi_session *s, const char *value)
{
	struct peer *peer = current_peer(s);

	if (!is_true(value))
		return -EINVAL;
	if (!peer)
		return 0;
	device_peer_replace_begin(peer);
	s->replaces = true;
	return 0;
}

static int allowed_ip(struct uapi_session *s, const char *value)
{
	struct peer *peer = current_peer(s);
	bool take = *value == '-';
	struct prefix p;

	if (!strchr(value, '/') || valuetext_prefix(value + take, &p))
		return -EINVAL;
	if (!peer)
		return 0;
	if (!take)
		return device_peer_allow(s->uapi->device, peer, &p);
	device_peer_disallow(s->uapi->device, peer, &p);
	return 0;
}

static int protocol_version(struct uapi_session *s, const char *value)
{
	(void)s;
	return strcmp(value, "1") == 0 ? 0 : -EINVAL;
}

static const struct setter device_setters[] = {
	{ "private_key", set_private_key }, { "listen_port", set_listen_port },
	{ "fwmark", set_fwmark },	    { "replace_peers", replace_peers },
	{ "public_key", public_key },	    { NULL, NULL },
};

static const struct setter peer_setters[] = {
	{ "public_key", public_key },
	{ "remove", remove_peer },
	{ "update_only", update_only },
	{ "preshared_key", set_preshared_key },
	{ "endpoint", set_endpoint },
	{ "persistent_keepalive_interval", set_keepalive },
	{ "replace_allowed_ips", replace_allowed_ips },
	{ "allowed_ip", allowed_ip },
	{ "protocol_version", protocol_version },
	{ NULL, NULL },
};

static int set_line(struct uapi_session *s, char *line)
{
	const struct setter *setter = s->has_peer ? peer_setters : device_setters;
	char *value = strchr(line, '=');

	if (!value)
		return -EPROTO;
	*value++ = '\0';
	for (; setter->name; setter++)
		if (strcmp(setter->name, line) == 0)
			return setter->set(s, value);
	return -EINVAL;
}

/* get=1 -------------------------------------------------------------------------------------- */

static void print_key(struct buffer *reply, const char *name, const uint8_t *key)
{
	char hex[KEYTEXT_HEX_LEN + 1];

	keytext_to_hex(hex, key);
	buffer_printf(reply, "%s=%s\n", name, hex);
	wipe(hex, sizeof(hex));
}

static int print_allowed_ip(void *ctx, const struct prefix *p)
{
	char text[PREFIX_TEXT_LEN];

	buffer_printf(ctx, "allowed_ip=%s\n", prefix_text(p, text));
	return 0;
}

static void print_peer(struct buffer *reply, struct peer *p)
{
	char endpoint[ENDPOINT_TEXT_LEN];

	print_key(reply, "public_key", p->remote.public);
	print_key(reply, "preshared_key", p->remote.psk);
	buffer_printf(reply, "protocol_version=1\n");
	if (*endpoint_text(&p->endpoint, endpoint))
		buffer_printf(reply, "endpoint=%s\n", endpoint);
	buffer_printf(reply,
		      "last_handshake_time_sec=%" PRIu64 "\nlast_handshake_time_nsec=%" PRIu64 "\n"
		      "tx_bytes=%" PRIu64 "\nrx_bytes=%" PRIu64 "\n"
		      "persistent_keepalive_interval=%u\n",
		      p->latest_handshake_unix_ns / (uint64_t)NS_PER_S,
		      p->latest_handshake_unix_ns % (uint64_t)NS_PER_S,
		      (uint64_t)atomic_load_explicit(&p->tx_bytes, memory_order_relaxed),
		      (uint64_t)atomic_load_explicit(&p->rx_bytes, memory_order_relaxed),
		      p->timers.persistent_s);
	allowedips_each(&p->allowed, print_allowed_ip, reply);
}

/* Appends the part of the answer before the peers. */
static void begin_get(struct uapi_session *s, struct buffer *reply)
{
	const struct uapi *u = s->uapi;
	uint16_t port = u->ops->listen_port(u->ctx);
	uint32_t mark = u->ops->fwmark(u->ctx);

	if (u->device->identity.set)
		print_key(reply, "private_key", u->device->identity.private);
	if (port)
		buffer_printf(reply, "listen_port=%u\n", port);
	if (mark)
		buffer_printf(reply, "fwmark=%" PRIu32 "\n", mark);
	s->got = (struct device_place){ 0 };
	s->last_serial = u->device->last_serial;
}

int uapi_more(struct uapi_session *s, struct buffer *reply)
{
	struct peer *p;
	bool more;

	if (s->operation == UAPI_SET)
		return clear_some(s);
	p = device_peer_next(s->uapi->device, &s->got);
	more = p && p->serial <= s->last_serial;
	if (more)
		print_peer(reply, p);
	else
		buffer_printf(reply, "errno=0\n\n");
	return reply->failed ? -ENOMEM : more;
}

/* -------------------------------------------------------------------------------------------- */

/* Handles the first line of an operation. */
static int begin(struct uapi_session *s, const char *line)
{
	struct uapi *uapi = s->uapi;

	wipe(s, sizeof(*s));
	s->uapi = uapi;
	if (strcmp(line, "set=1") == 0)
		s->operation = UAPI_SET;
	else if (strcmp(line, "get=1") == 0)
		s->operation = UAPI_GET;
	else
		return -EPROTO;
	return 0;
}

int uapi_line(struct uapi_session *s, char *line, size_t len, struct buffer *reply)
{
	bool more;

	if (strlen(line) != len) /* the line contains a NUL */
		return -EPROTO;
	if (s->operation == UAPI_NONE)
		return begin(s, line);
	if (len && s->operation == UAPI_GET)
		return -EPROTO;
	if (len) {
		if (!s->error)
			s->error = set_line(s, line);
		return s->clear_serial != 0 && clear_some(s);
	}
	end_peer(s);
	more = s->operation == UAPI_GET;
	if (more)
		begin_get(s, reply);
	else
		buffer_printf(reply, "errno=%d\n\n", s->error);
	s->operation = UAPI_NONE;
	return reply->failed ? -ENOMEM : more;
}

static int session_open(void *ctx, void *session)
{
	((struct uapi_session *)session)->uapi = ctx;
	return 0;
}

static int session_line(void *ctx, void *session, struct server_client *client, char *line,
			size_t len, struct buffer *reply)
{
	(void)ctx;
	(void)client;
	return uapi_line(session, line, len, reply);
}

static int session_more(void *ctx, void *session, struct buffer *reply)
{
	(void)ctx;
	return uapi_more(session, reply);
}

static void session_close(void *ctx, void *session, struct server_client *client)
{
	(void)ctx;
	(void)client;
	end_peer(session);
}

const struct server_protocol uapi_protocol = {
	.line_max = UAPI_LINE_MAX,
	.session_size = sizeof(struct uapi_session),
	.open = session_open,
	.line = session_line,
	.more = session_more,
	.close = session_close,
};
