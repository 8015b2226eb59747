/* SPDX-License-Identifier: MIT */
/* fuzz_uapi.c - sends any lines to the configuration socket. Afterwards the device must still
 * answer the request get=1. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "control/uapi.h"
#include "fuzz_device.h"
#include "fuzz_main.h"

/* clang-format off */
static int set_port(void *ctx, uint16_t p) { (void)ctx; return p == 1 ? -1 : 0; }
static int set_mark(void *ctx, uint32_t m) { (void)ctx; return m == 1 ? -1 : 0; }
static uint16_t port(void *ctx) { (void)ctx; return 5; }
static uint32_t mark(void *ctx) { (void)ctx; return 0; }
static void endpoint_set(void *ctx, struct peer *p) { (void)ctx, (void)p; }
static const struct uapi_ops uapi_ops = { set_port, set_mark, port, mark, op_time, endpoint_set };

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
