/* SPDX-License-Identifier: MIT */
/*
 * test_conf_write.c - writes config files: reading the written file yields the same values, the
 * file is replaced atomically, and the daemon's reply to get=1 becomes the peers of the file.
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
#include "conf/conf_write.h"
#include "conf/keytext.h"

/* Only tests and the documentation use these keys. */
#define SECRET "0LQzGeQ4CLWln00nM6JAGq4axbXvElQY9yMVdNtOnVQ="
#define KEY_A "YhJ+ih9fHOB0LsEePKuygUS1v9mX7qpRIaLUhQ2RBEQ="
#define HEX_SECRET "d0b43319e43808b5a59f4d2733a2401aae1ac5b5ef125418f7231574db4e9d54"
#define HEX_A "62127e8a1f5f1ce0742ec11e3cabb28144b5bfd997eeaa5121a2d4850d910444"
#define HEX_B "96f91f3961dc5088ca49777d681f4e58b5f326692b77508a486abb4dc35a3e41"
#define HEX_NONE "0000000000000000000000000000000000000000000000000000000000000000"

static char directory[] = "/tmp/test_conf_write.XXXXXX", path[64];

static void read_back(struct conf *c, const struct conf *from)
{
	struct buffer text = { 0 };
	struct fault f = { "" };

	conf_format(from, &text);
	assert_false(text.failed);
	if (conf_parse(c, text.data + text.at, buffer_len(&text), "t.conf", NULL, NULL, &f))
		fail_msg("%s in %.*s", f.text, (int)buffer_len(&text), text.data + text.at);
	buffer_done(&text);
}

static void assert_same_list(const struct conf_list *a, const struct conf_list *b)
{
	assert_int_equal(a->count, b->count);
	for (uint32_t i = 0; i < a->count; i++)
		assert_string_equal(a->items[i], b->items[i]);
}

static void assert_same_peer(const struct conf_peer *a, const struct conf_peer *b)
{
	assert_memory_equal(a->public_key, b->public_key, WIRE_KEY_LEN);
	assert_memory_equal(a->preshared_key, b->preshared_key, WIRE_KEY_LEN);
	assert_int_equal(a->keepalive_s, b->keepalive_s);
	assert_string_equal(a->name, b->name);
	assert_int_equal(!a->host, !b->host);
	if (a->host) {
		assert_string_equal(a->host, b->host);
		assert_string_equal(a->port, b->port);
	}
	assert_true(endpoint_same_remote(&a->endpoint, &b->endpoint));
	assert_int_equal(a->allowed_count, b->allowed_count);
	assert_memory_equal(a->allowed, b->allowed, a->allowed_count * sizeof(*a->allowed));
}

static void assert_same(const struct conf *a, const struct conf *b)
{
	assert_memory_equal(a->private_key, b->private_key, WIRE_KEY_LEN);
	assert_int_equal(a->has_private_key, b->has_private_key);
	assert_int_equal(a->listen_port, b->listen_port);
	assert_int_equal(a->fwmark, b->fwmark);
	assert_int_equal(a->mtu, b->mtu);
	assert_int_equal(a->table, b->table);
	assert_int_equal(a->table_id, b->table_id);
	assert_string_equal(a->table_text, b->table_text);
	assert_int_equal(a->address_count, b->address_count);
	if (a->address_count)
		assert_memory_equal(a->addresses, b->addresses,
				    a->address_count * sizeof(*a->addresses));
	assert_same_list(&a->dns_servers, &b->dns_servers);
	assert_same_list(&a->dns_search, &b->dns_search);
	for (unsigned i = 0; i < CONF_HOOK_COUNT; i++)
		assert_same_list(&a->hooks[i], &b->hooks[i]);
	assert_int_equal(a->save_config, b->save_config);
	assert_int_equal(a->peer_count, b->peer_count);
	for (uint32_t i = 0; i < a->peer_count; i++)
		assert_same_peer(&a->peers[i], &b->peers[i]);
}

/* Files of random lines ----------------------------------------------------------------------- */

static const char *pick(const char *const *values, size_t count)
{
	return values[(size_t)rand() % count];
}
static const char private_key[] = "PrivateKey = " SECRET;
static const char preshared_key[] = "PresharedKey = " SECRET;
#define PICK(...)                                                                                  \
	pick((const char *const[]){ __VA_ARGS__ },                                                 \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void random_interface(struct buffer *text)
{
	buffer_printf(text, "[Interface]\n");
	for (int i = rand() % 12; i; i--)
		buffer_printf(
			text, "%s\n",
			PICK(private_key, "ListenPort = 51820", "FwMark = 0xca6c",
			     "Address = 10.1.2.3/24", "Address = fd00::1/64, 10.9.9.9 192.0.2.1/31",
			     "DNS = 9.9.9.9, corp.example ::1", "DNS = ~lab.example fe80::1%eth0",
			     "MTU = 1380", "Table = off", "Table = auto", "Table = main",
			     "Table = 0x77", "PreUp = ip rule add; true", "PostUp = a \"b\" 'c' %i",
			     "PostUp = x\t\xc2\xa0y", "PreDown = =x=", "PostDown = [Peer]",
			     "SaveConfig = true", "# Name = nobody", "MTU ="));
}

static void random_peer(struct buffer *text)
{
	uint8_t raw[WIRE_KEY_LEN];
	char key[KEYTEXT_BASE64_LEN + 1];

	randombytes_buf(raw, sizeof(raw));
	keytext_to_base64(key, raw);
	buffer_printf(text, "%s[Peer]\nPublicKey = %s\n",
		      PICK("", "# Name = carl\n", "# Name = \xc3\xa4  b # c\n",
			   "#name=012345678901234567890123456789  x\n"),
		      key);
	for (int i = rand() % 6; i; i--)
		buffer_printf(text, "%s\n",
			      PICK(preshared_key, "PersistentKeepalive = 25",
				   "Endpoint = 192.0.2.1:51820", "Endpoint = [2001:db8::1]:domain",
				   "Endpoint = fe80::1%lo:7", "Endpoint = [fe80::1%no-such]:7",
				   "Endpoint = [vpn.example]:51820", "Endpoint = 0x7f.1:1",
				   "AllowedIPs = 10.0.0.0/8, ::/0, 0.0.0.0/0",
				   "AllowedIPs = 10.0.0.1/32, 2001:db8::/32",
				   "AllowedIPs = -10.0.0.1/32"));
}

static void random_files(void **state)
{
	(void)state;
	srand(11);
	for (unsigned i = 0; i < 2000; i++) {
		struct buffer text = { 0 };
		struct conf c, again;
		struct fault f;

		random_interface(&text);
		for (int peers = rand() % 5; peers; peers--)
			random_peer(&text);
		/* A file that gives an address twice is refused. */
		if (!conf_parse(&c, text.data, text.end, "t.conf", NULL, NULL, &f)) {
			read_back(&again, &c);
			assert_same(&c, &again);
			conf_done(&again);
			conf_done(&c);
		} else if (!strstr(f.text, "given twice")) {
			fail_msg("%s", f.text);
		}
		buffer_done(&text);
	}
}

/* The whole file ------------------------------------------------------------------------------ */

static const char everything[] =
	"[Interface]\nAddress = 10.1.2.3/24\nAddress = fd00::1/64\nDNS = 9.9.9.9\n"
	"DNS = corp.example\nMTU = 1380\nTable = main\nSaveConfig = true\n"
	"PreUp = one\nPreUp = two\nPostUp = three %i\nPreDown = four\nPostDown = five\n"
	"ListenPort = 51820\nFwMark = 0xca6c\n"
	"PrivateKey = " SECRET "\n\n# Name = alice\n[Peer]\nPublicKey = " KEY_A "\n"
	"PresharedKey = " SECRET "\nAllowedIPs = 10.0.0.0/8, ::/0\n"
	"Endpoint = [2001:db8::1]:51820\nPersistentKeepalive = 25\n";

static void order_of_lines(void **state)
{
	struct buffer text = { 0 };
	struct fault f;
	struct conf c;

	(void)state;
	assert_int_equal(conf_parse(&c, everything, strlen(everything), "t", NULL, NULL, &f), 0);
	conf_format(&c, &text);
	buffer_append(&text, "", 1);
	assert_string_equal(text.data, everything);
	buffer_done(&text);
	conf_done(&c);
}

static void assert_file(const char *name, mode_t mode, const char *text)
{
	char data[2048];
	struct stat s;
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	data[fread(data, 1, sizeof(data) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(data, text);
	assert_int_equal(lstat(name, &s), 0);
	assert_int_equal(s.st_mode & (S_IFMT | 07777), S_IFREG | mode);
}

static void files(void **state)
{
	char link[80], command[160], count[16] = "";
	struct fault f;
	struct stat s;
	struct conf c;
	FILE *list;

	(void)state;
	snprintf(link, sizeof(link), "%s/link.conf", directory);
	assert_int_equal(conf_parse(&c, everything, strlen(everything), "t", NULL, NULL, &f), 0);
	assert_int_equal(conf_write(&c, path, &f), 0);
	assert_file(path, 0600, everything);
	/* A symbolic link stays. The file it points to gets mode 0600. */
	assert_int_equal(symlink("wg0.conf", link), 0);
	assert_int_equal(chmod(path, 0644), 0);
	c.save_config = false;
	c.peer_count = 0;
	c.listen_port = 1;
	assert_int_equal(conf_write(&c, link, &f), 0);
	assert_int_equal(lstat(link, &(struct stat){ 0 }), 0);
	assert_true(readlink(link, command, sizeof(command)) == 8);
	assert_int_equal(stat(link, &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	c.peer_count = 1;
	conf_done(&c);
	assert_int_equal(conf_read(&c, path, NULL, NULL, &f), 0);
	assert_int_equal(c.listen_port, 1);
	/* A failure keeps the old file, and leaves no temporary file. */
	assert_int_equal(conf_write(&c, "/proc/wg0.conf", &f), -ENOENT);
	assert_non_null(
		strstr(f.text, "/proc/wg0.conf: the running configuration cannot be saved"));
	assert_int_equal(conf_write(&c, directory, &f), -EISDIR);
	snprintf(command, sizeof(command), "ls %s | wc -l", directory);
	list = popen(command, "r");
	assert_non_null(list);
	assert_non_null(fgets(count, sizeof(count), list));
	pclose(list);
	assert_int_equal(atoi(count), 2);
	conf_done(&c);
	unlink(link);
	unlink(path);
}

/* The daemon's reply -------------------------------------------------------------------------- */

static void running(void **state)
{
	static const char reply[] =
		"private_key=" HEX_SECRET "\nlisten_port=51821\nfwmark=7\nunknown=x\n"
		"public_key=" HEX_B "\npreshared_key=" HEX_NONE "\nprotocol_version=1\n"
		"last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
		"persistent_keepalive_interval=0\n"
		"public_key=" HEX_A "\npreshared_key=" HEX_SECRET "\nprotocol_version=1\n"
		"endpoint=[2001:db8::9]:7\nlast_handshake_time_sec=1\nlast_handshake_time_nsec=0\n"
		"tx_bytes=1\nrx_bytes=1\npersistent_keepalive_interval=21\nallowed_ip=::/0\n"
		"allowed_ip=10.0.0.0/8\nerrno=0\n\n";
	struct buffer text = { 0 };
	struct fault f;
	struct conf c;

	(void)state;
	assert_int_equal(conf_parse(&c, everything, strlen(everything), "t", NULL, NULL, &f), 0);
	assert_int_equal(conf_set_running(&c, reply, strlen(reply), &f), 0);
	conf_format(&c, &text);
	buffer_append(&text, "", 1);
	assert_non_null(strstr(
		text.data,
		"PostDown = five\nListenPort = 51821\nFwMark = 0x7\nPrivateKey = " SECRET "\n\n"
		"[Peer]\nPublicKey = lvkfOWHcUIjKSXd9aB9OWLXzJmkrd1CKSGq7TcNaPkE=\n\n"
		"# Name = alice\n[Peer]\nPublicKey = " KEY_A "\nPresharedKey = " SECRET "\n"
		"AllowedIPs = ::/0, 10.0.0.0/8\nEndpoint = [2001:db8::9]:7\n"
		"PersistentKeepalive = 21\n"));
	buffer_done(&text);
	conf_done(&c);
}

static void bad_replies(void **state)
{
	static const char *const replies[] = {
		"errno=1\n\n",
		"private_key=00\n",
		"listen_port=65536\n",
		"fwmark=\n",
		"nonsense\n",
		"allowed_ip=::/0\n",
		"public_key=" HEX_A,
		"public_key=" HEX_A "\nallowed_ip=::/129\n",
		"public_key=" HEX_A "\nendpoint=vpn.example:5\n",
		"public_key=" HEX_A "\nendpoint=192.0.2.1:5\nendpoint=192.0.2.1:5\n",
		"public_key=" HEX_A "\npreshared_key=x\n",
		"public_key=" HEX_A "\npersistent_keepalive_interval=off\n",
	};
	struct conf c, same;
	struct fault f;

	(void)state;
	assert_int_equal(conf_parse(&c, everything, strlen(everything), "t", NULL, NULL, &f), 0);
	assert_int_equal(conf_parse(&same, everything, strlen(everything), "t", NULL, NULL, &f), 0);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		if (conf_set_running(&c, replies[i], strlen(replies[i]), &f) != -EINVAL)
			fail_msg("%zu was accepted", i);
		assert_same(&c, &same);
	}
	assert_int_equal(conf_set_running(&c, "a\0=b\n", 5, &f), -EINVAL);
	conf_done(&same);
	conf_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_files), cmocka_unit_test(order_of_lines),
		cmocka_unit_test(files),	cmocka_unit_test(running),
		cmocka_unit_test(bad_replies),
	};
	int failed;

	if (sodium_init() < 0 || !mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/wg0.conf", directory);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
