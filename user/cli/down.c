/* SPDX-License-Identifier: MIT */
#include "cli/down.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/hooks.h"

void down_open_recorded(struct down *d, const char *interface)
{
	struct fault sentence, why;
	int err;

	*d = (struct down){ .interface = interface, .lock_fd = hook_record_lock(interface, false) };
	if (d->lock_fd == -EWOULDBLOCK) {
		fault(&sentence, 0,
		      "%s: another command is running the hooks of this interface; waiting for it",
		      interface);
		cli_warn(NULL, sentence.text);
		d->lock_fd = hook_record_lock(interface, true);
	}
	err = hook_record_read(interface, &d->record, &why);
	if (!err)
		d->path = d->record.path;
	if (err && err != -ENOENT) {
		fault(&sentence, 0,
		      "PreDown and PostDown do not run, because the record of the hooks cannot be "
		      "read: %.400s",
		      why.text);
		cli_warn(NULL, sentence.text);
	}
}

void down_open(struct down *d, const char *interface, const char *path)
{
	struct fault f, sentence;

	down_open_recorded(d, interface);
	if (!d->record.path)
		return; /* no config file was attached, so there are no hooks to run */
	if (path)
		d->path = path;
	d->has_file = conf_read(&d->file, d->path, NULL, NULL, &f) == 0;
	if (d->has_file)
		return;
	fault(&sentence, 0, "%.400s; running the hooks of the last applied file", f.text);
	cli_warn(NULL, sentence.text);
}

void down_done(struct down *d)
{
	if (d->has_file)
		conf_done(&d->file);
	d->has_file = false;
	hook_record_done(&d->record);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	d->lock_fd = -1;
}

static void run(struct down *d, enum conf_hook kind, const struct conf_list *recorded)
{
	const struct hooks hooks = { .interface = d->interface, .path = d->path, .lease = -1 };

	d->failures += hooks_run_all(&hooks, kind, d->has_file ? &d->file.hooks[kind] : recorded);
}

void down_pre(struct down *d)
{
	run(d, CONF_PRE_DOWN, &d->record.pre_down);
}

void down_post(struct down *d)
{
	run(d, CONF_POST_DOWN, &d->record.post_down);
}
