/* SPDX-License-Identifier: MIT */
/*
 * aead.c - chooses the AEAD backend: the one that the user named, or the fastest one that this CPU
 * runs. A backend is used only after it has passed a known-answer test. docs/aead.md explains the
 * backends.
 *
 *   auto:  usable? ─▶ passes the test? ─▶ measure ─▶ the first of these in the table, or a later
 *                                                    one that is much faster
 */
#include <errno.h>
#include <string.h>

#include "crypto/aead_backends.h"
#include "crypto/aead_trial.h"

/* Fastest first, as measured on hardware. The last one is the reference backend, which runs on
 * every CPU. */
static const struct aead_backend *const backends[] = {
#if defined(__x86_64__)
	&aead_avx512ifma, &aead_avx512, &aead_avx2, &aead_sse2,
#elif defined(AEAD_HAS_NEON)
	&aead_neon,
#endif
	&aead_libsodium,
};

#define N_BACKENDS (sizeof(backends) / sizeof(backends[0]))

/* The backend in use. Only aead_select() changes it, before other threads are started. */
static const struct aead_backend *current = &aead_libsodium;

const struct aead_backend *aead_backend(size_t i)
{
	return i < N_BACKENDS ? backends[i] : NULL;
}

/* Returns true if @ns is so much shorter than @best_ns that noise cannot be the reason. Otherwise
 * the order of the table decides, so that a machine has the same backend after each start. */
static bool much_faster(uint64_t ns, uint64_t best_ns)
{
	return ns < best_ns / 4 * 3;
}

/* Chooses among the usable backends that pass the test. *@failed: as for aead_select(). */
static int select_best(const char **failed)
{
	const struct aead_backend *best = NULL;
	uint64_t best_ns = 0;

	for (size_t i = 0; i < N_BACKENDS; i++) {
		uint64_t ns;

		if (!backends[i]->usable())
			continue;
		if (!aead_selftest(backends[i])) {
			if (!*failed)
				*failed = backends[i]->name;
			continue;
		}
		ns = aead_trial_ns(backends[i]);
		if (!best || much_faster(ns, best_ns)) {
			best = backends[i];
			best_ns = ns;
		}
	}
	if (!best)
		return -EIO;
	current = best;
	return 0;
}

static int select_named(const char *name, const char **failed)
{
	const struct aead_backend *b;

	for (size_t i = 0; (b = aead_backend(i)) != NULL; i++) {
		if (strcmp(b->name, name) != 0)
			continue;
		if (!b->usable())
			return -ENOTSUP;
		if (!aead_selftest(b)) {
			*failed = b->name;
			return -EIO;
		}
		current = b;
		return 0;
	}
	return -ENOENT;
}

int aead_select(const char *name, const char **failed)
{
	const char *first_failed = NULL;
	int err;

	if (!name || strcmp(name, "auto") == 0)
		err = select_best(&first_failed);
	else
		err = select_named(name, &first_failed);
	if (failed)
		*failed = first_failed;
	return err;
}

const char *aead_name(void)
{
	return current->name;
}

void aead_seal_batch(struct aead_job *jobs, size_t n)
{
	current->seal_batch(jobs, n);
}

size_t aead_open_batch(struct aead_job *jobs, size_t n)
{
	size_t ok = 0;

	current->open_batch(jobs, n);
	for (size_t i = 0; i < n; i++)
		ok += jobs[i].ok;
	return ok;
}
