/* SPDX-License-Identifier: MIT */
/* conf_quick.c - the keys of [Interface] that wg-quick(8) handles and wg(8) does not know. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf_private.h"
#include "conf/rt_tables.h"
#include "conf/valuetext.h"

#define SEPARATORS ", \t\r\v\f"

/* Calls @add for each word of a list. */
static int each_word(struct conf_parser *p, char *value, int (*add)(struct conf_parser *p, char *))
{
	char *rest = NULL, *word;
	int err = 0, one = 0;

	for (word = strtok_r(value, SEPARATORS, &rest); word && conf_goes_on(p, one);
	     word = strtok_r(NULL, SEPARATORS, &rest)) {
		p->at = word;
		one = add(p, word);
		err = one ? one : err;
	}
	return err;
}

/* Appends a copy of @text. */
static int append(struct conf_parser *p, struct conf_list *list, uint32_t max, const char *text,
		  const char *too_many)
{
	char **grown;

	if (list->count == max)
		return conf_bad(p, -E2BIG, p->key, too_many);
	grown = reallocarray(list->items, list->count + 1, sizeof(*grown));
	if (!grown)
		return conf_no_memory(p);
	list->items = grown;
	list->items[list->count] = strdup(text);
	if (!list->items[list->count])
		return conf_no_memory(p);
	list->count++;
	return 0;
}

/* Address ------------------------------------------------------------------------------------ */

/* Returns true if @c already has the address. The kernel accepts an IPv6 address only once, and an
 * IPv4 address once for each prefix length. */
static bool has_address(const struct conf *c, const struct prefix *a)
{
	for (uint32_t i = 0; i < c->address_count; i++) {
		const struct prefix *b = &c->addresses[i];

		if (a->family == b->family && !memcmp(a->addr, b->addr, sizeof(a->addr)) &&
		    (a->family == AF_INET6 || a->length == b->length))
			return true;
	}
	return false;
}

static int add_address(struct conf_parser *p, char *text)
{
	struct conf *c = p->c;
	struct prefix *grown;
	const char *what;

	if (c->address_count == CONF_ADDRESSES_MAX)
		return conf_bad(p, -E2BIG, text, "there are more than 4096 addresses");
	grown = reallocarray(c->addresses, c->address_count + 1, sizeof(*grown));
	if (!grown)
		return conf_no_memory(p);
	c->addresses = grown;
	what = valuetext_interface_address(text, &c->addresses[c->address_count]);
	if (!what && has_address(c, &c->addresses[c->address_count]))
		what = "the Address is given twice";
	if (what)
		return conf_bad(p, -EINVAL, text, what);
	c->address_count++;
	return 0;
}

int conf_set_address(struct conf_parser *p, char *value)
{
	return each_word(p, value, add_address);
}

/* DNS ---------------------------------------------------------------------------------------- */

/* Returns true if @word has only digits and dots, or contains a colon. wg-quick(8) treats such a
 * word as a name server. */
static bool is_server(const char *word)
{
	return strchr(word, ':') || !word[strspn(word, "0123456789.")];
}

static int add_dns(struct conf_parser *p, char *word)
{
	if (is_server(word)) {
		if (!valuetext_is_address(word))
			return conf_bad(p, -EINVAL, word,
					"this is not the address of a name server; write for "
					"example 9.9.9.9 or 2620:fe::fe");
		return append(p, &p->c->dns_servers, CONF_DNS_MAX, word,
			      "there are more than 64 name servers");
	}
	if (!valuetext_is_domain(word + (*word == '~')))
		return conf_bad(p, -EINVAL, word,
				"this is neither the address of a name server nor a domain");
	return append(p, &p->c->dns_search, CONF_DNS_MAX, word,
		      "there are more than 64 search domains");
}

int conf_set_dns(struct conf_parser *p, char *value)
{
	return each_word(p, value, add_dns);
}

/* MTU and Table ------------------------------------------------------------------------------ */

int conf_set_mtu(struct conf_parser *p, char *value)
{
	uint32_t mtu = 0;

	if (*value && (!valuetext_number_0x(value, 65535, &mtu) || mtu < 68))
		return conf_bad(p, -EINVAL, value,
				"MTU must be a number from 68 to 65535; if you remove this line, "
				"wgxdp chooses the MTU");
	p->c->mtu = mtu;
	p->mtu = conf_here(p);
	return 0;
}

int conf_set_table(struct conf_parser *p, char *value)
{
	struct conf *c = p->c;
	uint32_t id = 0;

	if (strlen(value) >= sizeof(c->table_text))
		return conf_bad(p, -EINVAL, value, "this name is too long for a table");
	if (!*value || strcasecmp(value, "auto") == 0)
		c->table = CONF_TABLE_AUTO;
	else if (strcasecmp(value, "off") == 0)
		c->table = CONF_TABLE_OFF;
	else if (valuetext_number_0x(value, UINT32_MAX, &id) || rt_tables_find(value, &id))
		c->table = CONF_TABLE_NUMBER;
	else
		return conf_bad(p, -EINVAL, value,
				"Table must be \"auto\", \"off\", a number, or a name in "
				"/etc/iproute2/rt_tables");
	/* The kernel treats table 0 as table main. */
	c->table_id = c->table == CONF_TABLE_NUMBER && !id ? RT_TABLE_MAIN : id;
	memcpy(c->table_text, value, strlen(value) + 1);
	return 0;
}

/* Hooks and SaveConfig ------------------------------------------------------------------------ */

static int add_hook(struct conf_parser *p, enum conf_hook hook, const char *command)
{
	if (strlen(command) > CONF_HOOK_LEN_MAX)
		return conf_bad(p, -E2BIG, p->key,
				"the command is longer than 65536 bytes; put it into a script");
	return append(p, &p->c->hooks[hook], CONF_HOOKS_MAX, command,
		      "there are more than 1024 such lines; put the commands into a script");
}

int conf_set_pre_up(struct conf_parser *p, char *value)
{
	return add_hook(p, CONF_PRE_UP, value);
}

int conf_set_post_up(struct conf_parser *p, char *value)
{
	return add_hook(p, CONF_POST_UP, value);
}

int conf_set_pre_down(struct conf_parser *p, char *value)
{
	return add_hook(p, CONF_PRE_DOWN, value);
}

int conf_set_post_down(struct conf_parser *p, char *value)
{
	return add_hook(p, CONF_POST_DOWN, value);
}

int conf_set_save_config(struct conf_parser *p, char *value)
{
	bool on = strcasecmp(value, "true") == 0;

	if (!on && strcasecmp(value, "false") != 0)
		return conf_bad(p, -EINVAL, value, "SaveConfig must be true or false");
	p->c->save_config = on;
	return 0;
}
