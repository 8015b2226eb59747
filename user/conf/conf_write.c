/* SPDX-License-Identifier: MIT */
#include "conf/conf_write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/keytext.h"
#include "crypto/wipe.h"
#include "util/file.h"

/* Text ---------------------------------------------------------------------------------------- */

static void put_key(struct buffer *out, const char *name, const uint8_t key[static WIRE_KEY_LEN])
{
	char text[KEYTEXT_BASE64_LEN + 1];

	keytext_to_base64(text, key);
	buffer_printf(out, "%s = %s\n", name, text);
	wipe(text, sizeof(text));
}

static void put_list(struct buffer *out, const char *name, const struct conf_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		buffer_printf(out, "%s = %s\n", name, list->items[i]);
}

static void put_interface(struct buffer *out, const struct conf *c)
{
	static const char *const hooks[CONF_HOOK_COUNT] = { "PreUp", "PostUp", "PreDown",
							    "PostDown" };
	char text[PREFIX_TEXT_LEN];

	buffer_printf(out, "[Interface]\n");
	for (uint32_t i = 0; i < c->address_count; i++)
		buffer_printf(out, "Address = %s\n", prefix_text(&c->addresses[i], text));
	put_list(out, "DNS", &c->dns_servers);
	put_list(out, "DNS", &c->dns_search);
	if (c->mtu)
		buffer_printf(out, "MTU = %u\n", c->mtu);
	if (c->table_text[0])
		buffer_printf(out, "Table = %s\n", c->table_text);
	if (c->save_config)
		buffer_printf(out, "SaveConfig = true\n");
	for (unsigned i = 0; i < CONF_HOOK_COUNT; i++)
		put_list(out, hooks[i], &c->hooks[i]);
	if (c->listen_port)
		buffer_printf(out, "ListenPort = %u\n", c->listen_port);
	if (c->fwmark)
		buffer_printf(out, "FwMark = 0x%x\n", c->fwmark);
	if (c->has_private_key)
		put_key(out, "PrivateKey", c->private_key);
}

static void put_peer(struct buffer *out, const struct conf_peer *p)
{
	char text[PREFIX_TEXT_LEN];

	buffer_printf(out, "\n");
	if (p->name[0])
		buffer_printf(out, "# Name = %s\n", p->name);
	buffer_printf(out, "[Peer]\n");
	put_key(out, "PublicKey", p->public_key);
	if (!is_zero_ct(p->preshared_key, WIRE_KEY_LEN))
		put_key(out, "PresharedKey", p->preshared_key);
	for (uint32_t i = 0; i < p->allowed_count; i++)
		buffer_printf(out, "%s%s",
			      i ? ", " : "AllowedIPs = ", prefix_text(&p->allowed[i], text));
	if (p->allowed_count)
		buffer_printf(out, "\n");
	if (p->host)
		buffer_printf(out,
			      strchr(p->host, ':') ? "Endpoint = [%s]:%s\n" : "Endpoint = %s:%s\n",
			      p->host, p->port);
	if (p->keepalive_s)
		buffer_printf(out, "PersistentKeepalive = %u\n", p->keepalive_s);
}

void conf_format(const struct conf *c, struct buffer *out)
{
	put_interface(out, c);
	for (uint32_t i = 0; i < c->peer_count; i++)
		put_peer(out, &c->peers[i]);
}

/* File ---------------------------------------------------------------------------------------- */

int conf_write(const struct conf *c, const char *path, struct fault *f)
{
	char *target = realpath(path, NULL);
	struct buffer text = { 0 };
	int err = 0;

	if (!target && errno != ENOENT)
		err = -errno;
	if (!err) {
		conf_format(c, &text);
		err = text.failed ? -ENOMEM
				  : file_replace(target ? target : path, text.data + text.at,
						 buffer_len(&text), true);
	}
	if (err)
		fault(f, err, "%s: the running configuration cannot be saved: %s%s", path,
		      strerror(-err), fault_remedy(-err));
	buffer_done(&text);
	free(target);
	return err;
}
