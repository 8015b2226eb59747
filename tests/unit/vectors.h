/* SPDX-License-Identifier: MIT */
/*
 * vectors.h - reads the files of tests/vectors/: blocks of "key = hex" lines that are separated by
 * empty lines. A line that begins with '#' is a comment. A malformed file or a missing key fails
 * the test.
 *
 *	static struct vectors v;
 *
 *	for (vectors_open(&v, "kdf.txt"); vectors_next(&v);)
 *		vectors_get(&v, "key", key, sizeof(key));
 *
 * Include after cmocka.h.
 */
#ifndef WGXDP_TESTS_VECTORS_H
#define WGXDP_TESTS_VECTORS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VECTORS_DIR
#define VECTORS_DIR "tests/vectors"
#endif

#define VECTORS_LINES_MAX 64
#define VECTORS_LINE_LEN 8192

struct vectors {
	FILE *file;
	unsigned count;	 /* lines of the current block */
	unsigned blocks; /* blocks read so far */
	char lines[VECTORS_LINES_MAX][VECTORS_LINE_LEN];
};

static inline void vectors_open(struct vectors *v, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", VECTORS_DIR, name);
	v->blocks = 0;
	v->file = fopen(path, "r");
	if (!v->file)
		fail_msg("%s: cannot open; tests run from the top of the tree", path);
}

/* Reads the next block. At the end of the file, closes the file and returns false. An empty file
 * fails the test. */
static inline bool vectors_next(struct vectors *v)
{
	v->count = 0;
	for (;;) {
		char *line = v->lines[v->count];

		if (!fgets(line, VECTORS_LINE_LEN, v->file))
			break;
		assert_non_null(strchr(line, '\n'));
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			continue;
		if (line[0] == '\0' && v->count > 0)
			break;
		if (line[0] != '\0')
			v->count++;
		assert_in_range(v->count, 0, VECTORS_LINES_MAX - 1);
	}
	if (v->count == 0) {
		fclose(v->file);
		assert_int_not_equal(v->blocks, 0);
		return false;
	}
	v->blocks++;
	return true;
}

/* Returns the hex digits that stand after "@key = " in the current block. */
static inline const char *vectors_find(const struct vectors *v, const char *key)
{
	size_t key_len = strlen(key);

	for (unsigned i = 0; i < v->count; i++) {
		const char *line = v->lines[i];

		if (strncmp(line, key, key_len) == 0 && strncmp(line + key_len, " = ", 3) == 0)
			return line + key_len + 3;
	}
	fail_msg("block %u has no \"%s\"", v->blocks, key);
	return "";
}

/* Writes the value of @key to @out. Returns its length in bytes. Fails if the length exceeds
 * @room. */
static inline size_t vectors_get_any(const struct vectors *v, const char *key, void *out,
				     size_t room)
{
	const char *hex = vectors_find(v, key);
	size_t len = 0;

	for (; *hex; hex += 2, len++) {
		char digits[3] = { hex[0], hex[1], '\0' }, *end;
		unsigned long byte = strtoul(digits, &end, 16);

		if (len == room || end != digits + 2)
			fail_msg("block %u: \"%s\" is no hex or longer than %zu", v->blocks, key,
				 room);
		((uint8_t *)out)[len] = (uint8_t)byte;
	}
	return len;
}

/* Writes the value of @key to @out. Fails unless the value has exactly @len bytes. */
static inline void vectors_get(const struct vectors *v, const char *key, void *out, size_t len)
{
	assert_int_equal(vectors_get_any(v, key, out, len), len);
}

#endif
