/* SPDX-License-Identifier: MIT */
/*
 * test_aead_traces.c - checks that a batch leaves no secrets behind. The test runs a batch in a
 * thread whose stack it owns. Then it searches the stack and the registers for the key, the key
 * stream and Poly1305's r. It also runs the same batch under two keys, and compares what is left.
 * The AVX-512 backends must leave zeros in all mask registers except k1, in which memset() of the C
 * library leaves a length.
 *
 * The libsodium backend is not tested, because wgxdp cannot wipe libsodium's stack frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__OPTIMIZE__) &&                      \
	!defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#define N 40 /* more packets than AEAD_WINDOW */
#define ROOM 2048
#define STACK_LEN (128 * 1024)
#define STREAM_WORDS 32 /* words of each packet's key stream that the test searches for */
#define LIMBS 5
#define FILLER 0x55
#define N_SCALARS 16 /* room for all registers that a call may change; x86-64 has fewer */

static uint8_t stack[STACK_LEN] __attribute__((aligned(4096)));
static uint8_t key[AEAD_KEY_LEN], text[N][ROOM], out[N][ROOM];

struct run {
	const struct aead_backend *backend;
	struct aead_job jobs[N];
	size_t n;
	uint32_t len;
	bool open;
	_Alignas(64) uint8_t registers[32][64];
	uint64_t scalars[N_SCALARS];
	uint32_t masks;		/* AVX-512 mask registers except k1, combined by OR */
	const uint8_t *touched; /* lowest address of the stack that was used */
	const uint8_t *frame;	/* stack frame of run_batch(); the C library's are above it */
};

#if defined(__x86_64__)

/* Must be called right after the backend. It is inlined, because a call would change registers. */
static inline __attribute__((always_inline)) void store_scalars(uint64_t *to)
{
	__asm__ volatile("mov %%rax, (%0)\n\tmov %%rcx, 8(%0)\n\tmov %%rdx, 16(%0)\n\t"
			 "mov %%rsi, 24(%0)\n\tmov %%rdi, 32(%0)\n\tmov %%r8, 40(%0)\n\t"
			 "mov %%r9, 48(%0)\n\tmov %%r10, 56(%0)\n\tmov %%r11, 64(%0)"
			 :
			 : "b"(to)
			 : "memory");
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f");
}

#define STORE(width, i) "vmovdqu" width "mm" #i ", 64*" #i "(%0)\n\t"
#define STORE_SSE(i) "movdqu %%xmm" #i ", 64*" #i "(%0)\n\t"
#define STORE4(width, a, b, c, d) STORE(width, a) STORE(width, b) STORE(width, c) STORE(width, d)
#define STORE_LOWER(width)                                                                         \
	STORE4(width, 0, 1, 2, 3)                                                                  \
	STORE4(width, 4, 5, 6, 7) STORE4(width, 8, 9, 10, 11) STORE4(width, 12, 13, 14, 15)
#define STORE4_SSE(a, b, c, d) STORE_SSE(a) STORE_SSE(b) STORE_SSE(c) STORE_SSE(d)
#define STORE_UPPER(width)                                                                         \
	STORE4(width, 16, 17, 18, 19)                                                              \
	STORE4(width, 20, 21, 22, 23) STORE4(width, 24, 25, 26, 27) STORE4(width, 28, 29, 30, 31)

/* Clears the vector registers, because a new thread inherits what the C library has left in them on
 * the main thread. The backends without AVX-512 would not overwrite zmm16 to zmm31. */
static void forget_registers(void)
{
	if (has_avx512())
		__asm__ volatile(".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, "
				 "30, 31\n\t"
				 "vpxorq %%zmm\\n, %%zmm\\n, %%zmm\\n\n\t"
				 ".endr"
				 :
				 :
				 : "memory");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" : : : "memory");
}

static __attribute__((noinline)) void store_xmm(uint8_t *to)
{
	__asm__ volatile(STORE4_SSE(0, 1, 2, 3) STORE4_SSE(4, 5, 6, 7) STORE4_SSE(8, 9, 10, 11)
				 STORE4_SSE(12, 13, 14, 15)
			 :
			 : "r"(to)
			 : "memory");
}

static __attribute__((noinline)) void store_ymm(uint8_t *to)
{
	__asm__ volatile(STORE_LOWER(" %%y") : : "r"(to) : "memory");
}

static __attribute__((noinline)) void store_zmm(uint8_t *to)
{
	__asm__ volatile(STORE_LOWER("64 %%z") STORE_UPPER("64 %%z") : : "r"(to) : "memory");
}

static __attribute__((noinline)) uint32_t masks_combined(void)
{
	uint32_t all;

	__asm__ volatile("korw %%k2, %%k0, %%k0\n\tkorw %%k3, %%k0, %%k0\n\t"
			 "korw %%k4, %%k0, %%k0\n\tkorw %%k5, %%k0, %%k0\n\t"
			 "korw %%k6, %%k0, %%k0\n\tkorw %%k7, %%k0, %%k0\n\t"
			 "kmovw %%k0, %0"
			 : "=r"(all));
	return all;
}

static __attribute__((noinline)) void store_registers(struct run *r)
{
	if (has_avx512()) {
		r->masks = masks_combined();
		store_zmm(r->registers[0]);
	} else if (__builtin_cpu_supports("avx")) {
		store_ymm(r->registers[0]);
	} else {
		store_xmm(r->registers[0]);
	}
}

#else

static void forget_registers(void)
{
}

static inline __attribute__((always_inline)) void store_scalars(uint64_t *to)
{
	register uint64_t *base __asm__("x19") = to;

	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
			 "str x\\n, [%0, #8 * \\n]\n\t"
			 ".endr"
			 :
			 : "r"(base)
			 : "memory");
}

static __attribute__((noinline)) void store_registers(struct run *r)
{
	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, "
			 "16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n\t"
			 "str q\\n, [%0, #64 * \\n]\n\t"
			 ".endr"
			 :
			 : "r"(r->registers[0])
			 : "memory");
}

#endif

static void *run_batch(void *arg)
{
	struct run *r = arg;

	r->frame = __builtin_frame_address(0);
	forget_registers();
	(r->open ? r->backend->open_batch : r->backend->seal_batch)(r->jobs, r->n);
	store_scalars(r->scalars);
	store_registers(r);
	return NULL;
}

/* Returns true if @p holds @first, at a multiple of four bytes, directly followed by @second. */
static bool holds(const void *p, size_t n, uint32_t first, uint32_t second)
{
	const uint32_t *words = p;

	for (size_t i = 0; i + 1 < n / 4; i++) {
		if (words[i] == first && words[i + 1] == second)
			return true;
	}
	return false;
}

static void assert_pair_gone(const struct run *r, uint32_t first, uint32_t second)
{
	assert_false(holds(r->touched, (size_t)(stack + STACK_LEN - r->touched), first, second));
	assert_false(holds(r->registers, sizeof(r->registers), first, second));
	assert_false(holds(r->scalars, sizeof(r->scalars), first, second));
}

/* Checks that no trace of @words is left. Code that stores the words in order would leave a word
 * and then the next word. Code that has one packet in each SIMD lane would leave the same word in
 * several lanes, because all packets have the same key. */
static void assert_words_gone(const struct run *r, const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_pair_gone(r, words[i], words[i]);
		if (i + 1 < n)
			assert_pair_gone(r, words[i], words[i + 1]);
	}
}

static void assert_word_gone(const struct run *r, uint64_t word)
{
	assert_pair_gone(r, (uint32_t)word, (uint32_t)(word >> 32));
}

/* Checks that Poly1305's r is gone in each form that the backends use: its halves, 5/4 of the upper
 * half, and its limbs. A limb has 26 or 44 bits and is stored in 64 bits. */
static void assert_r_gone(const struct run *r, const uint8_t *one_time_key)
{
	uint64_t low, high, limbs[LIMBS];

	memcpy(&low, one_time_key, 8);
	memcpy(&high, one_time_key + 8, 8);
	low &= 0x0ffffffc0fffffff;
	high &= 0x0ffffffc0ffffffc;
	assert_word_gone(r, low);
	assert_word_gone(r, high);
	assert_word_gone(r, high + (high >> 2));
	for (int i = 0; i < LIMBS; i++) {
		unsigned __int128 x = (unsigned __int128)high << 64 | low;

		limbs[i] = (uint64_t)(x >> (26 * i)) & 0x3ffffff;
		assert_pair_gone(r, (uint32_t)limbs[i], 0);
		limbs[i] = (uint64_t)(x >> (44 * (i % 3))) & 0xfffffffffff;
		assert_word_gone(r, limbs[i]);
	}
}

static void search(const struct run *r)
{
	uint32_t words[STREAM_WORDS];

	memcpy(words, key, sizeof(key));
	assert_words_gone(r, words, sizeof(key) / 4);
	for (size_t i = 0; i < r->n; i++) {
		uint8_t nonce[8] = { (uint8_t)r->jobs[i].counter };

		crypto_stream_chacha20((uint8_t *)words, sizeof(words), nonce, key);
		assert_words_gone(r, words, STREAM_WORDS);
		assert_r_gone(r, (const uint8_t *)words);
	}
}

/* Makes the jobs. For opening, also seals the packets, and alters every fourth one. */
static void prepare(struct run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		r->jobs[i] = (struct aead_job){
			.key = key, .counter = i + 1, .src = text[i], .dst = out[i], .len = r->len
		};
	}
	if (!r->open)
		return;
	/* This runs on the main thread's stack, which is not searched. */
	r->backend->seal_batch(r->jobs, r->n);
	for (size_t i = 0; i < r->n; i++) {
		memcpy(text[i], out[i], r->len + AEAD_TAG_LEN);
		text[i][0] ^= i % 4 == 3;
	}
}

/* Runs the batch in a thread on stack[]. */
static void run_in_thread(struct run *r)
{
	pthread_attr_t attr;
	pthread_t thread;

	memset(stack, FILLER, sizeof(stack));
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, sizeof(stack)), 0);
	assert_int_equal(pthread_create(&thread, &attr, run_batch, r), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	for (r->touched = stack; r->touched < stack + STACK_LEN && *r->touched == FILLER;)
		r->touched += 8;
	assert_in_range(r->touched - stack, STACK_LEN / 2,
			STACK_LEN - 4096); /* the thread ran on this stack */
}

static void run_and_search(const struct aead_backend *backend, size_t n, uint32_t len, bool open)
{
	static struct run r;

	r = (struct run){ .backend = backend, .n = n, .len = len, .open = open };
	prepare(&r);
	run_in_thread(&r);
	search(&r);
	if (strncmp(backend->name, "avx512", 6) == 0)
		assert_int_equal(r.masks, 0);
}

/* Returns true if the word is part of the packets, which are public here. */
static bool is_public(uint64_t word, size_t n, uint32_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (memmem(out[i], len + AEAD_TAG_LEN, &word, sizeof(word)) ||
		    memmem(text[i], len + AEAD_TAG_LEN, &word, sizeof(word)))
			return true;
	}
	return false;
}

/* Fails if a word depends on the key: if it differs between @before and @now and is not public. */
static void compare(const void *before, const void *now, size_t bytes, const struct run *r)
{
	const uint64_t *a = before, *b = now;

	for (size_t i = 0; i < bytes / 8; i++)
		assert_true(a[i] == b[i] || is_public(b[i], r->n, r->len));
}

/* Runs the same batch under two keys, and compares the stack and the registers. Unlike a search,
 * this also finds secrets in a form that nobody has thought of. */
static void run_twice(const struct aead_backend *backend, size_t n, uint32_t len, bool open)
{
	static uint8_t stack_before[STACK_LEN];
	static struct run r, before;

	r = (struct run){ .backend = backend, .n = n, .len = len, .open = open };
	prepare(&r);
	run_in_thread(&r);
	before = r;
	memcpy(stack_before, stack, sizeof(stack));
	key[0] ^= 1;
	prepare(&r);
	run_in_thread(&r);
	assert_ptr_equal(r.frame, before.frame);
	compare(stack_before, stack, (size_t)(r.frame - stack), &r);
	compare(before.registers, r.registers, sizeof(r.registers), &r);
	compare(before.scalars, r.scalars, sizeof(r.scalars), &r);
	key[0] ^= 1;
}

static void for_each_size(void (*check)(const struct aead_backend *, size_t, uint32_t, bool))
{
	static const size_t sizes[] = { 1, 2, 3, 5, 9, N };
	static const uint32_t lengths[] = { 0, 16, 64, 100, 320, 500, 576, 1424, 2000 };
	const struct aead_backend *b;

	for (size_t i = 0; (b = aead_backend(i)) != NULL; i++) {
		if (!b->usable() || strcmp(b->name, "libsodium") == 0)
			continue;
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
				check(b, sizes[s], lengths[l], false);
				check(b, sizes[s], lengths[l], true);
			}
		}
	}
}

/* 1. No code path leaves the key, the key stream or r behind. */
static void test_nothing_left(void **state)
{
	(void)state;
	for_each_size(run_and_search);
}

/* 2. Nothing that a batch leaves behind depends on the key, except the packets. */
static void test_nothing_depends_on_key(void **state)
{
	(void)state;
	for_each_size(run_twice);
}

static int setup(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	randombytes_buf_deterministic(key, sizeof(key), (const uint8_t[32]){ 3 });
	randombytes_buf_deterministic(text, sizeof(text), (const uint8_t[32]){ 4 });
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_left),
		cmocka_unit_test(test_nothing_depends_on_key),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

#else

int main(void)
{
	print_message("1..0 # skip needs x86-64 or arm64, and gcc with -O and no ASan or TSan\n");
	return 0;
}

#endif
