/* SPDX-License-Identifier: MIT */
/* fuzz_control.c - each line at the control socket gets one line of JSON as its answer, or asks to
 * be told when the daemon ends. */
#include "control/ctlserver.c" /* NOLINT(bugprone-suspicious-include) */

#include "fuzz_main.h"

static json_t *op_show(void *ctx)
{
	(void)ctx;
	return json_pack("{s:s}", "interface", "wg0");
}

static json_t *op_debug(void *ctx, bool on)
{
	(void)ctx;
	return json_pack("{s:b}", CONTROL_OK, on);
}

static void op_detach(void *ctx)
{
	*(unsigned *)ctx += 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctlserver_ops ops = { op_show, op_debug, op_detach };
	unsigned detached = 0;
	struct ctlserver c = { .ops = &ops, .ctx = &detached };
	struct waiting w = { 0 };
	struct buffer reply = { 0 };
	char *line = malloc(size + 1);
	json_t *answer;

	memcpy(line, data, size);
	line[size] = '\0';
	on_line(&c, &w, (struct server_client *)&w, line, size, &reply);
	if (detached != !reply.end || (detached && c.waiting != &w))
		abort();
	if (reply.end) {
		answer = json_loadb(reply.data, reply.end, 0, NULL);
		if (!json_is_object(answer) || reply.data[reply.end - 1] != '\n')
			abort();
		json_decref(answer);
	}
	on_close(&c, &w, NULL);
	buffer_done(&reply);
	free(line);
	return 0;
}
