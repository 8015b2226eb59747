/* SPDX-License-Identifier: MIT */
/*
 * bench_aead.c - measures the cost of a packet with each AEAD backend. tools/bench-aead runs it.
 *
 * Every round measures each backend with the same packets, and OpenSSL with messages of 16 KiB, so
 * that other load on the machine affects all of them in the same way. Ratios are computed within
 * each round. The output shows the medians of the times and of the ratios over all rounds. OpenSSL
 * is loaded at run time and is optional.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/aead.h"

#define N_PACKETS 64 /* a multiple of every batch size */
#define N_KEYS 8
#define MAX_BACKENDS 8
#define MAX_ROUNDS 1000
#define MAX_LEN 9000
#define STRIDE (MAX_LEN + 64)
#define BULK_LEN 16384
#define TARGET_NS 400000.0 /* duration of one measurement */
#define SWEEP_LEN 2048
#define SWEEP_TARGET_NS 100000.0

static const unsigned int lengths[] = { 64, 128, 256, 576, 1024, 1424, 9000 };
static const unsigned int batches[] = { 1, 8, 32, 64 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The functions of OpenSSL's EVP interface that the benchmark calls. */
struct openssl {
	void *ctx;
	int (*cipher_init)(void *ctx, const void *cipher, void *engine, const uint8_t *key,
			   const uint8_t *iv, int encrypt);
	int (*update)(void *ctx, uint8_t *out, int *out_len, const uint8_t *in, int in_len);
	int (*final)(void *ctx, uint8_t *out, int *out_len);
	int (*ctrl)(void *ctx, int type, int arg, void *p);
};

#define EVP_CTRL_AEAD_GET_TAG 0x10

struct bench {
	const struct aead_backend *backends[MAX_BACKENDS];
	size_t n_backends, reference;
	unsigned int rounds;
	bool json, sweep;
	struct openssl openssl;
	uint8_t keys[N_KEYS][AEAD_KEY_LEN];
	uint8_t *plain, *sealed, *out, *bulk;
	struct aead_job jobs[N_PACKETS];
};

struct cell {
	bool open;
	unsigned int len, batch;
	double ns[MAX_BACKENDS][MAX_ROUNDS];
	/* the time that OpenSSL needs for len bytes at its speed with messages of 16 KiB */
	double bulk_ns[MAX_ROUNDS];
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, size_t n)
{
	double sorted[MAX_ROUNDS];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/* Returns the median of the ratios @a[i] / @b[i] of the @n rounds. */
static double median_ratio(const double *a, const double *b, size_t n)
{
	double ratios[MAX_ROUNDS] = { 0 };

	for (size_t i = 0; i < n; i++)
		ratios[i] = a[i] / b[i];
	return median(ratios, n);
}

static bool openssl_init(struct openssl *o, const uint8_t *key)
{
	void *lib = dlopen("libcrypto.so.3", RTLD_NOW);
	void *(*ctx_new)(void);
	const void *(*cipher)(void);

	if (!lib)
		return false;
	*(void **)&ctx_new = dlsym(lib, "EVP_CIPHER_CTX_new");
	*(void **)&cipher = dlsym(lib, "EVP_chacha20_poly1305");
	*(void **)&o->cipher_init = dlsym(lib, "EVP_CipherInit_ex");
	*(void **)&o->update = dlsym(lib, "EVP_CipherUpdate");
	*(void **)&o->final = dlsym(lib, "EVP_CipherFinal_ex");
	*(void **)&o->ctrl = dlsym(lib, "EVP_CIPHER_CTX_ctrl");
	if (!ctx_new || !cipher || !o->cipher_init || !o->update || !o->final || !o->ctrl)
		return false;
	o->ctx = ctx_new();
	return o->ctx && o->cipher_init(o->ctx, cipher(), NULL, key, NULL, 1) == 1;
}

static void openssl_seal_bulk(struct openssl *o, uint8_t *buf)
{
	static const uint8_t iv[12];
	uint8_t tag[AEAD_TAG_LEN];
	int n;

	o->cipher_init(o->ctx, NULL, NULL, NULL, iv, 1);
	o->update(o->ctx, buf, &n, buf, BULK_LEN);
	o->final(o->ctx, buf + BULK_LEN, &n);
	o->ctrl(o->ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag);
}

static void lay_out(struct bench *b, const struct cell *cell)
{
	for (size_t i = 0; i < N_PACKETS; i++) {
		const uint8_t *from = cell->open ? b->sealed : b->plain;

		b->jobs[i] = (struct aead_job){
			.key = b->keys[i % N_KEYS],
			.counter = i,
			.src = from + i * STRIDE,
			.dst = b->out + i * STRIDE,
			.len = cell->len,
		};
	}
}

/* Seals packets of cell->len bytes, so that the benchmark of opening has sealed packets to open. */
static void prepare(struct bench *b, const struct cell *cell)
{
	lay_out(b, &(struct cell){ .len = cell->len });
	for (size_t i = 0; i < N_PACKETS; i++)
		b->jobs[i].dst = b->sealed + i * STRIDE;
	b->backends[b->reference]->seal_batch(b->jobs, N_PACKETS);
	lay_out(b, cell);
}

static double time_backend(struct bench *b, const struct cell *cell, size_t backend, size_t sweeps)
{
	void (*run)(struct aead_job *, size_t) =
		cell->open ? b->backends[backend]->open_batch : b->backends[backend]->seal_batch;
	double start = now_ns();

	for (size_t s = 0; s < sweeps; s++) {
		for (size_t i = 0; i < N_PACKETS; i += cell->batch)
			run(b->jobs + i, cell->batch);
	}
	return (now_ns() - start) / (double)(sweeps * N_PACKETS);
}

static double time_bulk(struct bench *b, const struct cell *cell, size_t times)
{
	double start = now_ns();

	for (size_t i = 0; i < times; i++)
		openssl_seal_bulk(&b->openssl, b->bulk);
	return (now_ns() - start) / (double)times / BULK_LEN * cell->len;
}

static void measure(struct bench *b, struct cell *cell)
{
	size_t sweeps[MAX_BACKENDS] = { 0 };

	prepare(b, cell);
	for (size_t i = 0; i < b->n_backends; i++) {
		double ns = time_backend(b, cell, i, 1);

		sweeps[i] =
			1 + (size_t)((b->sweep ? SWEEP_TARGET_NS : TARGET_NS) / (ns * N_PACKETS));
	}
	for (size_t r = 0; r < b->rounds; r++) {
		for (size_t i = 0; i < b->n_backends; i++)
			cell->ns[i][r] = time_backend(b, cell, i, sweeps[i]);
		if (b->openssl.ctx)
			cell->bulk_ns[r] = time_bulk(b, cell, 32);
	}
}

static void print_text(const struct bench *b, const struct cell *cell)
{
	printf("%-5s %5u %6u", cell->open ? "open" : "seal", cell->len, cell->batch);
	for (size_t i = 0; i < b->n_backends; i++) {
		printf(" %9.1f", median(cell->ns[i], b->rounds));
		if (i != b->reference)
			printf(" %5.2fx",
			       median_ratio(cell->ns[b->reference], cell->ns[i], b->rounds));
		if (b->openssl.ctx)
			printf(" %4.0f%%",
			       100 * median_ratio(cell->bulk_ns, cell->ns[i], b->rounds));
	}
	printf("\n");
}

static void print_json(const struct bench *b, const struct cell *cell, bool first)
{
	printf("%s\n    {\"op\": \"%s\", \"length\": %u, \"batch\": %u, \"backends\": {",
	       first ? "" : ",", cell->open ? "open" : "seal", cell->len, cell->batch);
	for (size_t i = 0; i < b->n_backends; i++) {
		printf("%s\"%s\": {\"ns\": %.1f, \"ratio\": %.3f", i ? ", " : "",
		       b->backends[i]->name, median(cell->ns[i], b->rounds),
		       median_ratio(cell->ns[b->reference], cell->ns[i], b->rounds));
		if (b->openssl.ctx)
			printf(", \"openssl_bulk_share\": %.3f",
			       median_ratio(cell->bulk_ns, cell->ns[i], b->rounds));
		printf("}");
	}
	printf("}}");
}

static void print_head(const struct bench *b)
{
	if (b->json) {
		printf("{\n  \"rounds\": %u,\n  \"openssl\": %s,\n  \"cells\": [", b->rounds,
		       b->openssl.ctx ? "true" : "false");
		return;
	}
	printf("ns per packet, ratio to libsodium, share of OpenSSL's 16 KiB rate; "
	       "medians of %u rounds\nop      len  batch",
	       b->rounds);
	for (size_t i = 0; i < b->n_backends; i++)
		printf(" %9s%s%s", b->backends[i]->name, i == b->reference ? "" : "       ",
		       b->openssl.ctx ? "     " : "");
	printf("\n");
}

static bool setup(struct bench *b)
{
	const struct aead_backend *backend;

	if (sodium_init() < 0)
		return false;
	for (size_t i = 0; (backend = aead_backend(i)) != NULL; i++) {
		if (!backend->usable() || b->n_backends == MAX_BACKENDS)
			continue;
		if (strcmp(backend->name, "libsodium") == 0)
			b->reference = b->n_backends;
		b->backends[b->n_backends++] = backend;
	}
	b->plain = calloc(N_PACKETS, STRIDE);
	b->sealed = calloc(N_PACKETS, STRIDE);
	b->out = calloc(N_PACKETS, STRIDE);
	b->bulk = calloc(1, BULK_LEN + AEAD_TAG_LEN);
	if (!b->plain || !b->sealed || !b->out || !b->bulk)
		return false;
	randombytes_buf(b->keys, sizeof(b->keys));
	randombytes_buf(b->plain, (size_t)N_PACKETS * STRIDE);
	if (!openssl_init(&b->openssl, b->keys[0]))
		b->openssl.ctx = NULL;
	return true;
}

static void run_all(struct bench *b)
{
	static struct cell cell;
	bool first = true;

	print_head(b);
	for (int open = 0; open < 2; open++) {
		for (size_t l = 0; l < COUNT(lengths); l++) {
			for (size_t n = 0; n < COUNT(batches); n++) {
				cell.open = open;
				cell.len = lengths[l];
				cell.batch = batches[n];
				measure(b, &cell);
				if (b->json)
					print_json(b, &cell, first);
				else
					print_text(b, &cell);
				first = false;
			}
		}
	}
	if (b->json)
		printf("\n  ]\n}\n");
}

/* Prints, for sealing and for opening with each backend, the length up to SWEEP_LEN at which the
 * backend is slowest compared with libsodium. */
static void run_sweep(struct bench *b)
{
	static struct cell cell = { .batch = 1 };
	double worst[MAX_BACKENDS] = { 0 }, ratio;
	unsigned int at[MAX_BACKENDS] = { 0 };

	b->openssl.ctx = NULL;
	for (int open = 0; open < 2; open++) {
		for (size_t i = 0; i < b->n_backends; i++)
			worst[i] = 1e9;
		for (unsigned int len = 0; len <= SWEEP_LEN; len++) {
			cell.open = open;
			cell.len = len;
			measure(b, &cell);
			for (size_t i = 0; i < b->n_backends; i++) {
				ratio = median_ratio(cell.ns[b->reference], cell.ns[i], b->rounds);
				if (ratio < worst[i]) {
					worst[i] = ratio;
					at[i] = len;
				}
			}
		}
		for (size_t i = 0; i < b->n_backends; i++) {
			if (i != b->reference)
				printf("%s, batch 1, every length to %d: %s at worst %.2fx "
				       "libsodium, at %u bytes\n",
				       open ? "open" : "seal", SWEEP_LEN, b->backends[i]->name,
				       worst[i], at[i]);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "sweep", no_argument, NULL, 's' },
		{ 0 },
	};
	static struct bench b = { .rounds = 20 };
	int c;

	while ((c = getopt_long(argc, argv, "jr:s", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			b.json = true;
			break;
		case 'r':
			b.rounds = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 's':
			b.sweep = true;
			break;
		default:
			return 2;
		}
	}
	if (b.rounds < 1 || b.rounds > MAX_ROUNDS) {
		fprintf(stderr, "bench-aead: --rounds must be between 1 and %d\n", MAX_ROUNDS);
		return 2;
	}
	if (!setup(&b)) {
		fprintf(stderr, "bench-aead: libsodium failed to start, or memory ran out\n");
		return 1;
	}
	if (b.sweep)
		run_sweep(&b);
	else
		run_all(&b);
	return 0;
}
