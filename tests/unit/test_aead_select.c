/* SPDX-License-Identifier: MIT */
/*
 * test_aead_select.c - the choice of the backend; and the self-test, which must find faulty
 * backends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "crypto/aead_trial.h"

/* The test replaces every backend of the table except libsodium, so that it can break them. It also
 * replaces the measurement. */
#if defined(__aarch64__)
#define aead_neon first
#endif
#define aead_avx512ifma first
#define aead_avx512ifma256 neighbour
#define aead_avx512 second
#define aead_avx2 third
#define aead_sse2 fourth
static void trial(const struct aead_backend *const *b, size_t n, uint64_t *ns);
#define aead_trial trial
#include "crypto/aead.c" /* NOLINT(bugprone-suspicious-include) */
#undef aead_neon
#undef aead_avx512ifma
#undef aead_avx512ifma256
#undef aead_avx512
#undef aead_avx2
#undef aead_sse2
#undef aead_trial

static enum fault {
	NONE,
	SEALS_WRONG_TAG,
	SEALS_WRONG_LONG,
	OPENS_FORGED,
	OPENS_NOTHING,
	OPENS_WRONG,
	LEAVES_FORGED,
	WRONG_ALONE,
	N_FAULTS
} fault;
static bool first_usable, neighbour_usable, second_usable, fourth_usable, slows_core;
static uint64_t first_ns = 100, neighbour_ns = 100, second_ns = 100, fourth_ns = 100;
static uint64_t libsodium_ns = 1000;
static unsigned trials;

static void broken_seal(struct aead_job *jobs, size_t n)
{
	aead_libsodium.seal_batch(jobs, n);
	if (fault == SEALS_WRONG_TAG)
		jobs[n - 1].dst[jobs[n - 1].len] ^= 1;
	for (size_t i = 0; i < n; i++) {
		if (fault == SEALS_WRONG_LONG && jobs[i].len > 1024)
			jobs[i].dst[1024] ^= 0x80;
	}
	if (fault == WRONG_ALONE && n == 1)
		jobs[0].dst[jobs[0].len + 15] ^= 1;
}

static void broken_open(struct aead_job *jobs, size_t n)
{
	aead_libsodium.open_batch(jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (fault == OPENS_FORGED)
			jobs[i].ok = true;
		else if (fault == OPENS_NOTHING)
			jobs[i].ok = false;
		else if (fault == OPENS_WRONG && jobs[i].ok && jobs[i].len)
			jobs[i].dst[jobs[i].len - 1] ^= 1;
		else if (fault == LEAVES_FORGED && !jobs[i].ok && jobs[i].len)
			jobs[i].dst[jobs[i].len - 1] = jobs[i].src[jobs[i].len - 1] | 1;
	}
}

static bool is_first_usable(void)
{
	return first_usable;
}

static bool first_slows_core(void)
{
	return slows_core;
}

static bool is_neighbour_usable(void)
{
	return neighbour_usable;
}

static bool is_second_usable(void)
{
	return second_usable;
}

static bool is_never_usable(void)
{
	return false;
}

static bool is_fourth_usable(void)
{
	return fourth_usable;
}

const struct aead_backend first = { "first", is_first_usable, first_slows_core, broken_seal,
				    broken_open };
const struct aead_backend neighbour = { "neighbour", is_neighbour_usable, NULL, broken_seal,
					broken_open };
const struct aead_backend second = { "second", is_second_usable, NULL, broken_seal, broken_open };
const struct aead_backend third = { "third", is_never_usable, NULL, NULL, NULL };
const struct aead_backend fourth = { "fourth", is_fourth_usable, NULL, broken_seal, broken_open };

static uint64_t time_of(const struct aead_backend *b)
{
	if (b == &first)
		return first_ns;
	if (b == &neighbour)
		return neighbour_ns;
	if (b == &second)
		return second_ns;
	return b == &fourth ? fourth_ns : libsodium_ns;
}

/* Must only be called with backends that can run, do not slow the core and passed the self-test. */
static void trial(const struct aead_backend *const *b, size_t n, uint64_t *ns)
{
	trials++;
	for (size_t i = 0; i < n; i++) {
		assert_true(b[i]->usable());
		assert_false(b[i]->slows_core && b[i]->slows_core());
		assert_true(b[i] == &aead_libsodium || fault == NONE);
		ns[i] = time_of(b[i]);
	}
}

/* 1. A correct backend passes the self-test, and a backend with any of the faults fails it. */
static void test_selftest(void **state)
{
	(void)state;
	assert_true(aead_selftest(&aead_libsodium));
	for (fault = NONE; fault < N_FAULTS; fault++)
		assert_int_equal(aead_selftest(&first), fault == NONE);
}

/* 2. "auto" takes the first usable backend that passes the self-test, and reports the first backend
 * that failed it. */
static void test_auto(void **state)
{
	static const char *const names[] = { NULL, "auto" };
	const char *failed = "untouched";

	(void)state;
	second_usable = false;
	for (size_t i = 0; i < 2; i++) {
		first_usable = true;
		fault = NONE;
		assert_int_equal(aead_select(names[i], &failed), 0);
		assert_string_equal(aead_name(), "first");
		assert_null(failed);

		fault = OPENS_FORGED;
		assert_int_equal(aead_select(names[i], &failed), 0);
		assert_string_equal(aead_name(), "libsodium");
		assert_string_equal(failed, "first");
		assert_int_equal(aead_select(names[i], NULL), 0);

		first_usable = false;
		assert_int_equal(aead_select(names[i], &failed), 0);
		assert_string_equal(aead_name(), "libsodium");
		assert_null(failed);
	}
}

#if defined(__x86_64__) /* on arm64 the table has no fourth backend */
/* 3. "auto" takes a later backend only if it is much faster than the best one before it. Libsodium
 * is never taken for its speed. */
static void test_measured(void **state)
{
	static const struct {
		uint64_t first_ns, fourth_ns, libsodium_ns;
		const char *chosen;
	} rows[] = {
		{ 100, 100, 1000, "first" }, { 100, 76, 1000, "first" },
		{ 100, 74, 1000, "fourth" }, { 100, 1, 1000, "fourth" },
		{ 2000, 2000, 1, "first" },  { 2000, 1100, 1, "fourth" },
	};
	const char *failed;

	(void)state;
	first_usable = fourth_usable = true;
	second_usable = false;
	fault = NONE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned before = trials;

		first_ns = rows[i].first_ns;
		fourth_ns = rows[i].fourth_ns;
		libsodium_ns = rows[i].libsodium_ns;
		assert_int_equal(aead_select("auto", &failed), 0);
		assert_string_equal(aead_name(), rows[i].chosen);
		assert_null(failed);
		assert_int_equal(trials, before + 1);
		assert_int_equal(aead_select("first", NULL), 0);
		assert_string_equal(aead_name(), "first");
		assert_int_equal(trials, before + 1); /* a named backend is not measured */
	}
	fault = OPENS_NOTHING; /* makes the first and the fourth backend fail */
	fourth_ns = 1;
	assert_int_equal(aead_select("auto", &failed), 0);
	assert_string_equal(aead_name(), "libsodium");
	assert_string_equal(failed, "first");
	first_ns = fourth_ns = 100;
	fourth_usable = false;
}
#endif

/* 4. "auto" leaves out a backend that slows the core down, but the user can choose it. */
static void test_slows_core(void **state)
{
	(void)state;
	first_usable = slows_core = true;
	second_usable = false;
	fault = NONE;
	assert_int_equal(aead_select("auto", NULL), 0);
	assert_string_equal(aead_name(), "libsodium");
	assert_int_equal(aead_select("first", NULL), 0);
	assert_string_equal(aead_name(), "first");
	slows_core = false;
}

#if defined(__x86_64__) /* on arm64 the table has no neighbour */
/* 5. If the first backend slows the core down, "auto" takes its neighbour in the table, however
 * fast the first one is. A later backend must be much faster than the neighbour. */
static void test_neighbour(void **state)
{
	static const struct {
		bool slows_core;
		uint64_t first_ns, neighbour_ns, second_ns;
		const char *chosen;
	} rows[] = {
		{ false, 100, 100, 100, "first" },  { true, 100, 100, 100, "neighbour" },
		{ true, 1, 100, 100, "neighbour" }, { true, 1, 100, 76, "neighbour" },
		{ true, 1, 100, 74, "second" },	    { true, 1000, 100, 76, "neighbour" },
		{ false, 100, 76, 100, "first" },   { false, 100, 74, 74, "neighbour" },
		{ false, 100, 74, 50, "second" },
	};
	const char *failed;

	(void)state;
	first_usable = neighbour_usable = second_usable = true;
	fault = NONE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		slows_core = rows[i].slows_core;
		first_ns = rows[i].first_ns;
		neighbour_ns = rows[i].neighbour_ns;
		second_ns = rows[i].second_ns;
		assert_int_equal(aead_select("auto", &failed), 0);
		assert_string_equal(aead_name(), rows[i].chosen);
		assert_null(failed);
	}
	first_ns = neighbour_ns = second_ns = 100;
	slows_core = neighbour_usable = second_usable = false;
}
#endif

/* 6. A named backend that is unknown, unusable or faulty is refused, and the previous backend stays
 * in use. */
static void test_named(void **state)
{
	const char *failed;

	(void)state;
	first_usable = true;
	second_usable = false;
	fault = NONE;
	assert_int_equal(aead_select("libsodium", &failed), 0);
	assert_string_equal(aead_name(), "libsodium");
	assert_int_equal(aead_select("first", &failed), 0);
	assert_string_equal(aead_name(), "first");

	assert_int_equal(aead_select("fifth", &failed), -ENOENT);
	assert_null(failed);
	assert_int_equal(aead_select("", &failed), -ENOENT);
#if defined(__x86_64__) /* on arm64 the table has no second backend */
	assert_int_equal(aead_select("second", &failed), -ENOTSUP);
	assert_null(failed);
#endif
	assert_string_equal(aead_name(), "first");

	assert_int_equal(aead_select("libsodium", &failed), 0);
	fault = SEALS_WRONG_TAG;
	assert_int_equal(aead_select("first", &failed), -EIO);
	assert_string_equal(failed, "first");
	assert_string_equal(aead_name(), "libsodium");
}

/* 7. The chosen backend runs, and aead_open_batch() counts the packets that open. */
static void test_batch(void **state)
{
	uint8_t key[AEAD_KEY_LEN] = { 1 }, sealed[3][64], out[3][64];
	struct aead_job jobs[3];

	(void)state;
	fault = NONE;
	first_usable = true;
	assert_int_equal(aead_select("first", NULL), 0);
	for (int i = 0; i < 3; i++)
		jobs[i] = (struct aead_job){ .key = key, .src = key, .dst = sealed[i], .len = 32 };
	aead_seal_batch(jobs, 3);
	sealed[1][5] ^= 1;
	for (int i = 0; i < 3; i++) {
		jobs[i].src = sealed[i];
		jobs[i].dst = out[i];
	}
	assert_int_equal(aead_open_batch(jobs, 3), 2);
	assert_false(jobs[1].ok);
	assert_memory_equal(out[2], key, 32);
	fault = OPENS_NOTHING;
	assert_int_equal(aead_open_batch(jobs, 3), 0);
}

/* 8. The names in the table differ, and the last backend is the reference, which is always
 * usable. */
static void test_table(void **state)
{
	const struct aead_backend *b, *other, *last = &first;

	(void)state;
	for (size_t i = 0; (b = aead_backend(i)) != NULL; i++) {
		last = b;
		for (size_t k = 0; k < i; k++) {
			other = aead_backend(k);
			assert_string_not_equal(b->name, other->name);
		}
	}
	assert_ptr_equal(last, &aead_libsodium);
	assert_true(last->usable());
	assert_null(aead_backend(1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selftest),
		cmocka_unit_test(test_auto),
#if defined(__x86_64__)
		cmocka_unit_test(test_measured),
#endif
		cmocka_unit_test(test_slows_core),
#if defined(__x86_64__)
		cmocka_unit_test(test_neighbour),
#endif
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_batch),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
