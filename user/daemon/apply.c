/* SPDX-License-Identifier: MIT */
#include "daemon/apply.h"

#include <errno.h>
#include <string.h>

#include "conf/keytext.h"
#include "conf/valuetext.h"
#include "wgxdp/limits.h"

#define TOO_MANY_PEERS "there are more than 1048576 peers"
#define TOO_MANY_ALLOWED_IPS "there are more than 1048576 allowed IPs of one address family"
_Static_assert(PEERS_MAX == 1048576 && ALLOWED_IPS_MAX == 1048576, "the limits in the messages");

/* Sets the endpoint of the peer @p from @c. If the endpoint is a host name, @c has its address
 * only if `wgxdp attach` has resolved the name. */
static int apply_endpoint(struct device *d, struct endpoint_names *names, struct peer *p,
			  const struct conf_peer *c, uint64_t now_ns)
{
	bool known = c->endpoint.remote.sa.sa_family != AF_UNSPEC;
	uint32_t port = 0;

	if (known)
		device_peer_set_endpoint(d, p, &c->endpoint);
	if (!c->named || !valuetext_number(c->port, 10, UINT16_MAX, &port))
		return 0;
	return endpoint_names_set(names, p, c->host, (uint16_t)port, known ? &c->endpoint : NULL,
				  now_ns);
}

static int apply_peer(struct device *d, struct endpoint_names *names, const struct conf *conf,
		      const struct conf_peer *c, uint64_t now_ns, struct fault *f)
{
	char key[KEYTEXT_BASE64_LEN + 1];
	struct peer *p;
	int err = device_peer_add(d, c->public_key, &p);

	keytext_to_base64(key, c->public_key);
	if (err == -EADDRINUSE)
		return 0; /* the peer is this host itself, as in a file that all hosts share */
	if (err)
		return fault(f, err, "%s:%u: peer %s: %s", conf->path, c->line, key,
			     err == -ENOSPC ? TOO_MANY_PEERS : strerror(-err));
	device_peer_set_psk(d, p, c->preshared_key);
	if (*c->name)
		device_peer_set_name(d, p, c->name);
	err = apply_endpoint(d, names, p, c, now_ns);
	if (err)
		return fault(f, err, "%s:%u: Endpoint = %s: %s", conf->path, c->endpoint_line,
			     c->host, strerror(-err));
	for (uint32_t i = 0; i < c->allowed_count && !err; i++)
		err = device_peer_allow(d, p, &c->allowed[i]);
	if (err)
		return fault(f, err, "%s:%u: allowed IPs of peer %s: %s", conf->path, c->line, key,
			     err == -ENOSPC ? TOO_MANY_ALLOWED_IPS : strerror(-err));
	device_peer_set_keepalive(d, p, c->keepalive_s, now_ns);
	return 0;
}

int apply_conf(struct device *d, struct endpoint_names *names, const struct conf *conf,
	       uint64_t now_ns, struct fault *f)
{
	int err = 0;

	if (conf->has_private_key)
		device_set_private_key(d, conf->private_key, now_ns);
	for (uint32_t i = 0; i < conf->peer_count && !err; i++)
		err = apply_peer(d, names, conf, &conf->peers[i], now_ns, f);
	return err;
}

/* Changes ------------------------------------------------------------------------------------ */

static int add_peer(struct device *d, const struct conf_peer *c)
{
	struct peer *p;
	int err = device_peer_add(d, c->public_key, &p);

	/* EEXIST: wg(8) has added the peer. EADDRINUSE: the public key is our own. */
	return err == -EEXIST || err == -EADDRINUSE ? 0 : err;
}

/* Applies @change to the peer @p of the device. @c is the section of this peer in the config. */
static int change_peer(struct device *d, struct endpoint_names *names, struct peer *p,
		       const struct conf_peer *c, const struct conf_change *change, uint64_t now_ns)
{
	switch (change->kind) {
	case CONF_CHANGE_PSK:
		device_peer_set_psk(d, p, c->preshared_key);
		return 0;
	case CONF_CHANGE_ENDPOINT:
		if (!c->named)
			endpoint_names_forget(names, p);
		return apply_endpoint(d, names, p, c, now_ns);
	case CONF_CHANGE_NAME:
		device_peer_set_name(d, p, c->name);
		return 0;
	case CONF_CHANGE_KEEPALIVE:
		device_peer_set_keepalive(d, p, c->keepalive_s, now_ns);
		return 0;
	case CONF_CHANGE_ALLOW:
		return device_peer_allow(d, p, &c->allowed[change->prefix]);
	case CONF_CHANGE_REPLACE_BEGIN:
		device_peer_replace_begin(p);
		return 0;
	case CONF_CHANGE_REPLACE_END:
		device_peer_replace_end(d, p);
		return 0;
	case CONF_CHANGE_DISALLOW:
		device_peer_disallow(d, p, &c->allowed[change->prefix]);
		return 0;
	case CONF_CHANGE_REMOVE:
		device_peer_remove(d, p);
		return 0;
	case CONF_CHANGE_ADD:
		break;
	}
	return 0;
}

int apply_change(struct device *d, struct endpoint_names *names, const struct conf *old,
		 const struct conf *new, const struct conf_change *change, uint64_t now_ns,
		 struct fault *f)
{
	bool of_old = change->kind == CONF_CHANGE_DISALLOW || change->kind == CONF_CHANGE_REMOVE;
	const struct conf *conf = of_old ? old : new;
	const struct conf_peer *c = &conf->peers[change->peer];
	struct peer *p = device_find(d, c->public_key);
	char key[KEYTEXT_BASE64_LEN + 1];
	int err = 0;

	if (change->kind == CONF_CHANGE_ADD)
		err = add_peer(d, c);
	else if (p)
		err = change_peer(d, names, p, c, change, now_ns);
	if (!err)
		return 0;
	keytext_to_base64(key, c->public_key);
	return fault(f, err, "%s:%u: peer %s: %s", conf->path, c->line, key,
		     err != -ENOSPC		       ? strerror(-err)
		     : change->kind == CONF_CHANGE_ADD ? TOO_MANY_PEERS
						       : TOO_MANY_ALLOWED_IPS);
}
