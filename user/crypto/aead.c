/* SPDX-License-Identifier: MIT */
/*
 * aead.c - chooses the AEAD backend: the one that the user named, or the fastest one that this CPU
 * runs. A backend is used only after it has passed a known-answer test. docs/aead.md explains the
 * backends.
 *
 *   auto:  runs on this CPU and does not slow the core? ─▶ passes the test? ─▶ measure
 *            ─▶ use the first of these backends in the table, or a later one that is much faster
 *
 * "auto" uses the reference backend only if no other backend is left.
 */
#include <errno.h>
#include <string.h>

#include "crypto/aead_backends.h"
#include "crypto/aead_trial.h"

/* Fastest first, as measured on hardware. The last one is the reference backend, which runs on
 * every CPU. */
static const struct aead_backend *const backends[] = {
#if defined(__x86_64__)
	&aead_avx512ifma, &aead_avx512ifma256, &aead_avx512, &aead_avx2, &aead_sse2,
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

static bool is_candidate(const struct aead_backend *b)
{
	return b->usable() && !(b->slows_core && b->slows_core());
}

/* Collects the backends that "auto" may use and that pass the test, in the order of the table.
 * Returns their number. *@failed: as for aead_select(). */
static size_t find_good(const struct aead_backend *good[N_BACKENDS], const char **failed)
{
	size_t n = 0;

	for (size_t i = 0; i < N_BACKENDS; i++) {
		if (!is_candidate(backends[i]))
			continue;
		if (aead_selftest(backends[i]))
			good[n++] = backends[i];
		else if (!*failed)
			*failed = backends[i]->name;
	}
	return n;
}

/* Chooses the backend for "auto". The order of the table decides, unless a later backend needs less
 * than three quarters of the time of the best one before it. A smaller difference may be noise, and
 * a machine should have the same backend after each start. The time of libsodium is not measured,
 * because libsodium is compiled without the sanitizers of a test build, which slow the other
 * backends down. *@failed: as for aead_select(). */
static int select_best(const char **failed)
{
	const struct aead_backend *good[N_BACKENDS];
	size_t n = find_good(good, failed), best = 0;
	uint64_t ns[N_BACKENDS];

	if (n == 0)
		return -EIO;
	if (n > 1 && good[n - 1] == &aead_libsodium)
		n--;
	aead_trial(good, n, ns);
	for (size_t i = 1; i < n; i++)
		if (ns[i] < ns[best] / 4 * 3)
			best = i;
	current = good[best];
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
