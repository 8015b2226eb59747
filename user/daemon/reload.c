/* SPDX-License-Identifier: MIT */
#include "daemon/reload.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#include "crypto/wipe.h"
#include "daemon/apply.h"
#include "util/log.h"
#include "util/notify.h"

#define SLICE_NS 2000000ULL

static void begin_next(struct reload *r);
static void answer_unless_awaited(void *ctx);

/* Records the first error of a reload. A reload that has begun to change peers continues, because a
 * partly applied file is better than one that is not applied at all. */
static void note_error(struct reload *r, const struct fault *f)
{
	if (!*r->error.text)
		r->error = *f;
}

static void end_reload(struct reload *r)
{
	bool failed = *r->error.text;

	r->failed = r->error;
	r->failed_unix_s = (uint64_t)time(NULL);
	if (failed)
		log_error("reload: %s", r->failed.text);
	if (r->wishes != RELOAD_ADOPT)
		notify_ready();
	r->wishes = 0;
	r->config.ops->ended(r->config.ctx, r->run, failed ? r->failed.text : NULL);
	begin_next(r);
	answer_unless_awaited(r);
}

static void retired(struct reload *r)
{
	r->applied = r->job.new;
	r->job.new = (struct conf){ 0 };
	end_reload(r);
}

/* Makes the new config the last applied one. While the job runs, r->applied holds only SaveConfig,
 * which signalled() of config_follow.c reads if a signal arrives. */
static void retire(struct reload *r)
{
	r->applied_unix_s = (uint64_t)time(NULL);
	r->job.former = r->applied;
	r->applied = (struct conf){ .save_config = r->job.new.save_config };
	reload_job_start(&r->job, RELOAD_JOB_RETIRE);
}

/* Changes ------------------------------------------------------------------------------------ */

/* Sets port, mark and key. Sets the port first: if another program uses the port, this step fails,
 * and nothing else has been changed yet. */
static int set_interface(struct reload *r, struct fault *f)
{
	const struct conf_diff *d = &r->job.diff;
	const struct conf *new = &r->job.new;
	int err = 0;

	/* Without --exact, keep a port or mark that neither the old nor the new file sets. */
	if (d->listen_port && (new->listen_port || r->applied.listen_port || d->exact))
		err = r->config.ops->set_port(r->config.ctx, new->listen_port);
	if (err)
		return fault(f, err, "%s: ListenPort = %u: %s", r->config.path, new->listen_port,
			     strerror(-err));
	if (d->fwmark && (new->fwmark || r->applied.fwmark || d->exact))
		err = r->config.ops->set_fwmark(r->config.ctx, new);
	if (err)
		return fault(f, err, "%s: FwMark = %u: %s", r->config.path, new->fwmark,
			     strerror(-err));
	if (d->private_key)
		device_set_private_key(r->config.device, new->private_key, loop_now_ns());
	return 0;
}

static bool change_some(struct reload *r, uint64_t until_ns)
{
	const struct conf_diff *d = &r->job.diff;
	struct fault f;
	uint64_t now_ns = loop_now_ns();

	for (; r->next < d->count && now_ns < until_ns; now_ns = loop_now_ns()) {
		const struct conf_change *change = &d->changes[r->next++];

		if (!apply_change(r->config.device, r->config.names, &r->applied, &r->job.new,
				  change, now_ns, &f))
			continue;
		note_error(r, &f);
		/* Mark the peer, so that the next reload tries again. Only a change to a peer of
		 * the new config can fail, so change->peer is an index in the new config. */
		r->job.new.peers[change->peer].incomplete = true;
	}
	return r->next == d->count;
}

/* With --exact, removes the peers that are not in the file. */
static bool remove_some(struct reload *r, uint64_t until_ns)
{
	struct device *device = r->config.device;
	struct peer *p;

	while (loop_now_ns() < until_ns) {
		struct device_place before = r->place;

		p = device_peer_next(device, &r->place);
		if (!p)
			return true;
		if (conf_diff_has(&r->job.diff, &r->job.new, p->remote.public))
			continue;
		device_peer_remove(device, p);
		r->place = before;
	}
	return false;
}

/* Called when all changes have been made, successfully or not. */
static void finish(struct reload *r)
{
	log_info("%s: applied, %zu change%s to peers", r->config.path, r->job.diff.count,
		 r->job.diff.count == 1 ? "" : "s");
	retire(r);
}

void reload_host_set(struct reload *r, int result, const struct fault *f)
{
	r->host_failed = result != 0;
	if (result < 0)
		note_error(r, f);
	finish(r);
}

static void on_slice(void *ctx, uint64_t now_ns)
{
	struct reload *r = ctx;
	uint64_t until_ns = now_ns + SLICE_NS;

	if (!change_some(r, until_ns) || (r->job.diff.exact && !remove_some(r, until_ns))) {
		loop_timer_arm(&r->slices, 0);
		return;
	}
	if (!r->job.diff.host && !r->host_failed) {
		finish(r);
		return;
	}
	r->config.ops->set_host(r->config.ctx, &r->job.new);
}

/* The thread --------------------------------------------------------------------------------- */

static void drop_new(struct reload *r)
{
	conf_diff_done(&r->job.diff);
	conf_done(&r->job.new);
}

/* Called when the file has been read and compared. */
static void on_read(struct reload *r)
{
	struct fault f = r->job.fault;
	int err = r->job.err;

	if (err) {
		note_error(r, &f);
		end_reload(r);
		return;
	}
	if (r->wishes == RELOAD_ADOPT) {
		retire(r);
		return;
	}
	if (r->job.diff.removes_all && !(r->wishes & RELOAD_ASKED))
		err = fault(&f, -ECANCELED,
			    "%s: the file no longer has any of its earlier peers, so it is not "
			    "applied automatically; `wgxdp reload` applies it",
			    r->config.path);
	if (!err)
		err = set_interface(r, &f);
	if (err) {
		note_error(r, &f);
		drop_new(r);
		end_reload(r);
		return;
	}
	r->next = 0;
	r->place = (struct device_place){ 0 };
	loop_timer_arm(&r->slices, 0);
}

static void on_job(void *ctx)
{
	struct reload *r = ctx;

	if (r->job.kind == RELOAD_JOB_READ)
		on_read(r);
	else
		retired(r);
}

/* -------------------------------------------------------------------------------------------- */

static void begin_next(struct reload *r)
{
	if (r->wishes || !r->pending)
		return;
	r->run++;
	r->wishes = r->pending;
	r->pending = 0;
	r->error.text[0] = '\0';
	if (r->wishes != RELOAD_ADOPT)
		notify_reloading();
	file_watch_know(&r->watch);
	r->job.exact = r->wishes & RELOAD_EXACT;
	reload_job_start(&r->job, RELOAD_JOB_READ);
}

unsigned reload_begin(struct reload *r, unsigned wishes)
{
	bool busy = r->wishes;

	r->pending |= wishes;
	begin_next(r);
	return busy ? r->run + 1 : r->run;
}

unsigned reload_awaited(struct reload *r)
{
	bool next = r->pending || file_watch_changing(&r->watch);

	return next ? r->run + 1 : r->wishes ? r->run : 0;
}

/* If no further reload is due, ends the wait of those to whom reload_awaited() has returned the
 * number of the next reload. A change of the file that has been taken back causes no reload. During
 * a reload this waits for its end. */
static void answer_unless_awaited(void *ctx)
{
	struct reload *r = ctx;

	if (r->wishes || r->pending || file_watch_waiting(&r->watch))
		return;
	r->config.ops->ended(r->config.ctx, r->run + 1, *r->failed.text ? r->failed.text : NULL);
}

static void on_changed(void *ctx)
{
	reload_begin(ctx, RELOAD_WATCHED);
}

void reload_host_again(struct reload *r)
{
	if (r->host_failed)
		reload_begin(r, RELOAD_WATCHED);
}

int reload_init(struct reload *r, const struct reload_config *config, struct conf *conf)
{
	int err;

	*r = (struct reload){
		.config = *config,
		.job.path = config->path,
		.applied_unix_s = (uint64_t)time(NULL),
	};
	err = job_init(&r->job.job, config->loop, on_job, r);
	if (err)
		return err;
	randombytes_buf(r->digest_key, sizeof(r->digest_key));
	r->job.digest_key = r->digest_key;
	r->job.old = &r->applied;
	conf_forget_secrets(conf, r->digest_key);
	r->applied = *conf;
	*conf = (struct conf){ 0 };
	loop_timer_init(&r->slices, config->loop, on_slice, r);
	if (config->watch)
		file_watch_open(&r->watch, config->loop, config->path, &config->read, on_changed,
				answer_unless_awaited, r);
	return 0;
}

void reload_done(struct reload *r)
{
	if (!r->config.loop)
		return;
	job_done(&r->job.job);
	file_watch_close(&r->watch);
	loop_timer_done(&r->slices);
	drop_new(r);
	conf_done(&r->applied);
	wipe(r, sizeof(*r));
}
