/* SPDX-License-Identifier: MIT */
/* The config file -> device, by the same calls as the configuration socket makes. */
#include <errno.h>
#include <string.h>

#include "conf/keytext.h"
#include "daemon/daemon.h"

static int apply_peer(struct daemon *n, const struct conf *conf, const struct conf_peer *c,
		      uint64_t now_ns, struct fault *f)
{
	char key[KEYTEXT_BASE64_LEN + 1];
	struct peer *p;
	int err = device_peer_add(&n->device, c->public_key, &p);

	keytext_to_base64(key, c->public_key);
	if (err == -EADDRINUSE)
		return 0; /* ourselves, in a list shared by all nodes */
	if (err)
		return fault(f, err, "%s:%u: peer %s: %s", conf->path, c->line, key,
			     err == -ENOSPC ? "more peers than the maps hold" : strerror(-err));
	device_peer_set_psk(&n->device, p, c->preshared_key);
	if (*c->name)
		device_peer_set_name(&n->device, p, c->name);
	if (c->endpoint.remote.sa.sa_family != AF_UNSPEC)
		device_peer_set_endpoint(&n->device, p, &c->endpoint);
	for (uint32_t i = 0; i < c->allowed_count && !err; i++)
		err = device_peer_allow(&n->device, p, &c->allowed[i]);
	if (err)
		return fault(f, err, "%s:%u: allowed IPs of peer %s: %s", conf->path, c->line, key,
			     err == -ENOSPC ? "more than the tables hold" : strerror(-err));
	device_peer_set_keepalive(&n->device, p, c->keepalive_s, now_ns);
	return 0;
}

int apply_conf(struct daemon *n, const struct conf *conf, struct fault *f)
{
	uint64_t now_ns = loop_now_ns();
	int err = 0;

	n->wanted_port = conf->listen_port;
	n->fwmark = conf->fwmark;
	if (conf->has_private_key)
		device_set_private_key(&n->device, conf->private_key, now_ns);
	for (uint32_t i = 0; i < conf->peer_count && !err; i++)
		err = apply_peer(n, conf, &conf->peers[i], now_ns, f);
	return err;
}
