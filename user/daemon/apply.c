/* SPDX-License-Identifier: MIT */
#include "daemon/apply.h"

#include <errno.h>
#include <string.h>

#include "conf/keytext.h"

static int apply_peer(struct device *d, const struct conf *conf, const struct conf_peer *c,
		      uint64_t now_ns, struct fault *f)
{
	char key[KEYTEXT_BASE64_LEN + 1];
	struct peer *p;
	int err = device_peer_add(d, c->public_key, &p);

	keytext_to_base64(key, c->public_key);
	if (err == -EADDRINUSE)
		return 0; /* this node itself, in a list that all nodes share */
	if (err)
		return fault(f, err, "%s:%u: peer %s: %s", conf->path, c->line, key,
			     err == -ENOSPC ? "more peers than the maps hold" : strerror(-err));
	device_peer_set_psk(d, p, c->preshared_key);
	if (*c->name)
		device_peer_set_name(d, p, c->name);
	if (c->endpoint.remote.sa.sa_family != AF_UNSPEC)
		device_peer_set_endpoint(d, p, &c->endpoint);
	for (uint32_t i = 0; i < c->allowed_count && !err; i++)
		err = device_peer_allow(d, p, &c->allowed[i]);
	if (err)
		return fault(f, err, "%s:%u: allowed IPs of peer %s: %s", conf->path, c->line, key,
			     err == -ENOSPC ? "more than the tables hold" : strerror(-err));
	device_peer_set_keepalive(d, p, c->keepalive_s, now_ns);
	return 0;
}

int apply_conf(struct device *d, const struct conf *conf, uint64_t now_ns, struct fault *f)
{
	int err = 0;

	if (conf->has_private_key)
		device_set_private_key(d, conf->private_key, now_ns);
	for (uint32_t i = 0; i < conf->peer_count && !err; i++)
		err = apply_peer(d, conf, &conf->peers[i], now_ns, f);
	return err;
}
