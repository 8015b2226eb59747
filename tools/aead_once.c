/* SPDX-License-Identifier: MIT */
/*
 * aead_once - seals or opens batches of packets, so that a profiler can count the instructions
 * (docs/aead.md). The program itself measures no time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"

#define BATCH_MAX 64
#define LEN_MAX 9000

static uint8_t plain[BATCH_MAX][LEN_MAX + AEAD_TAG_LEN];
static uint8_t sealed[BATCH_MAX][LEN_MAX + AEAD_TAG_LEN];
static struct aead_job jobs[BATCH_MAX];

static const struct aead_backend *backend_named(const char *name)
{
	const struct aead_backend *b = NULL;

	for (size_t i = 0; (b = aead_backend(i)) && strcmp(b->name, name); i++)
		;
	return b && b->usable() ? b : NULL;
}

int main(int argc, char **argv)
{
	const uint8_t key[AEAD_KEY_LEN] = { 1 };
	const struct aead_backend *b = argc == 6 ? backend_named(argv[1]) : NULL;
	size_t len = argc == 6 ? strtoul(argv[2], NULL, 10) : 0;
	size_t batch = argc == 6 ? strtoul(argv[3], NULL, 10) : 0;

	if (!b || len > LEN_MAX || batch < 1 || batch > BATCH_MAX) {
		fprintf(stderr,
			"usage: aead_once BACKEND BYTES BATCH seal|open TIMES\n"
			"BYTES is at most %d, BATCH at most %d. This CPU must support BACKEND.\n",
			LEN_MAX, BATCH_MAX);
		return 2;
	}
	for (size_t i = 0; i < batch; i++)
		jobs[i] = (struct aead_job){
			.key = key, .counter = i, .src = plain[i], .dst = sealed[i], .len = len
		};
	b->seal_batch(jobs, batch);
	for (size_t i = 0; i < batch && !strcmp(argv[4], "open"); i++) {
		jobs[i].src = sealed[i];
		jobs[i].dst = plain[i];
	}
	for (unsigned long n = strtoul(argv[5], NULL, 10); n; n--)
		(strcmp(argv[4], "open") ? b->seal_batch : b->open_batch)(jobs, batch);
	return 0;
}
