/* SPDX-License-Identifier: MIT */
/* fuzz_uapi.c - after any lines at the configuration socket the device still answers a get. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "control/uapi.h"
#include "fuzz_main.h"

/* Operations that always succeed and do nothing. */
/* clang-format off */
static void op_random(void *ctx, void *out, size_t n) { (void)ctx, memset(out, 1, n); }
static uint64_t op_time(void *ctx) { (void)ctx; return NS_PER_S; }
static int op_send(void *ctx, struct peer *p, const struct endpoint *to, const void *m, size_t n)
{ (void)ctx, (void)p, (void)to, (void)m, (void)n; return 0; }
static int op_begin(void *ctx, uint32_t i, const struct peer *p, bool b)
{ (void)ctx, (void)i, (void)p, (void)b; return 0; }
static void op_end(void *ctx, uint32_t i) { (void)ctx, (void)i; }
static int op_peer(void *ctx, const struct peer *p) { (void)ctx, (void)p; return 0; }
static void op_peer_end(void *ctx, const struct peer *p) { (void)ctx, (void)p; }
static void op_identity(void *ctx) { (void)ctx; }
static int op_allowed(void *ctx, const struct prefix *x, const struct peer *p)
{ (void)ctx, (void)x, (void)p; return 0; }
static void op_allowed_end(void *ctx, const struct prefix *x) { (void)ctx, (void)x; }
static void op_changed(void *ctx, struct peer *p, bool e) { (void)ctx, (void)p, (void)e; }
static void op_flush(void *ctx, struct peer *p) { (void)ctx, (void)p; }
static void op_retire(void *ctx, void *o, void (*release)(void *o)) { (void)ctx; release(o); }
static void op_event(void *ctx, enum device_event e, const struct peer *p, const struct endpoint *f)
{ (void)ctx, (void)e, (void)p, (void)f; }
static const struct device_mirror device_mirror = {
	.index_begin = op_begin, .index_end = op_end,
	.peer_begin = op_peer, .peer_end = op_peer_end,
	.identity_changed = op_identity, .allowed_begin = op_allowed, .allowed_end = op_allowed_end,
};
static const struct device_ops device_ops = {
	.random = op_random, .unix_ns = op_time, .send = op_send,
	.peer_changed = op_changed, .flush = op_flush, .retire = op_retire, .event = op_event,
};
static int set_port(void *ctx, uint16_t p) { (void)ctx; return p == 1 ? -1 : 0; }
static int set_mark(void *ctx, uint32_t m) { (void)ctx; return m == 1 ? -1 : 0; }
static uint16_t port(void *ctx) { (void)ctx; return 5; }
static uint32_t mark(void *ctx) { (void)ctx; return 0; }
static const struct uapi_ops uapi_ops = { set_port, set_mark, port, mark, op_time };

/* clang-format on */

/* Passes @text to the parser line by line, as server.c does. */
static void feed(struct uapi *u, const char *text, size_t size, struct buffer *reply)
{
	struct uapi_session s = { .uapi = u };
	char line[UAPI_LINE_MAX + 1];
	const char *end;
	int more;

	for (; (end = memchr(text, '\n', size)); size -= (size_t)(end + 1 - text), text = end + 1) {
		size_t len = (size_t)(end - text);

		if (len > UAPI_LINE_MAX)
			return;
		memcpy(line, text, len);
		line[len] = '\0';
		more = uapi_line(&s, line, len, reply);
		while (more > 0)
			more = uapi_more(&s, reply);
		if (more)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer reply = { 0 }, got = { 0 };
	struct device device;
	struct uapi u = { &device, &uapi_ops, NULL };

	if (sodium_init() < 0 || device_init(&device, &device_ops, NULL, &device_mirror, NULL))
		abort();
	device_set_up(&device, true, NS_PER_S);
	feed(&u, (const char *)data, size, &reply);
	feed(&u, "get=1\n\n", 7, &got);
	buffer_append(&got, "", 1);
	if (strcmp(got.data + got.end - sizeof("errno=0\n\n"), "errno=0\n\n") != 0)
		abort();
	device_done(&device);
	buffer_done(&reply);
	buffer_done(&got);
	return 0;
}
