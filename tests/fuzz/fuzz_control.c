/* SPDX-License-Identifier: MIT */
/* fuzz_control.c - each line sent to the control socket is answered by one line of JSON, at once
 * or later. */
#include "control/ctlserver.c" /* NOLINT(bugprone-suspicious-include) */

#include "fuzz_main.h"

static int op_show_begin(void *ctx, struct ctlserver_show *at, struct buffer *reply)
{
	(void)ctx;
	at->tail = strdup("\"wg0\"}\n");
	buffer_printf(reply, "{\"interface\":");
	return SERVER_MORE;
}

static int op_show_more(void *ctx, struct ctlserver_show *at, struct buffer *reply)
{
	(void)ctx;
	buffer_printf(reply, "%s", at->tail);
	return 0;
}

static json_t *op_debug(void *ctx, bool on)
{
	(void)ctx;
	return json_pack("{s:b}", CONTROL_OK, on);
}

static json_t *op_logs(void *ctx)
{
	(void)ctx;
	return json_pack("{s:[]}", "lines");
}

static unsigned op_reload(void *ctx, bool exact, bool adopt, struct fault *f)
{
	(void)ctx;
	if (!exact)
		return 1 + adopt;
	fault(f, 0, "no");
	return 0;
}

static unsigned op_settle(void *ctx, const char **error)
{
	*error = "no";
	return *(unsigned *)ctx;
}

static const char *op_confirm(void *ctx, bool wait)
{
	(void)ctx;
	return wait ? NULL : "no";
}

static const char *op_detach(void *ctx)
{
	*(unsigned *)ctx += 1;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctlserver_ops ops = {
		op_show_begin, op_show_more, op_debug,	 op_logs,
		op_reload,     op_settle,    op_confirm, op_detach
	};
	unsigned detached = 0;
	struct ctlserver c = { .ops = &ops, .ctx = &detached };
	struct waiting w = { 0 };
	struct buffer reply = { 0 };
	char *line = malloc(size + 1);
	json_t *answer;
	int result;

	memcpy(line, data, size);
	line[size] = '\0';
	result = on_line(&c, &w, (struct server_client *)&w, line, size, &reply);
	if (result == SERVER_MORE)
		result = on_more(&c, &w, &reply);
	if (result && result != SERVER_LATER)
		abort();
	if (!result != (reply.end > 0) || c.waiting != (result ? &w : NULL) ||
	    detached != (result && w.what == FOR_END))
		abort();
	if (!result) {
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
