/* SPDX-License-Identifier: MIT */
/*
 * fuzz_main.h - the entry point of a fuzzer. With -DFUZZ_REPLAY any compiler can build the fuzzer,
 * and main() feeds it each file named on the command line, so that a finding can be debugged.
 */
#ifndef WGXDP_FUZZ_MAIN_H
#define WGXDP_FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZ_REPLAY
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "r");
		uint8_t *data = NULL;
		size_t size = 0, n = 0;

		if (!file) {
			perror(argv[i]);
			return 1;
		}
		do {
			size += n;
			data = realloc(data, size + 65536);
			n = data ? fread(data + size, 1, 65536, file) : 0;
		} while (n);
		fclose(file);
		LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	return 0;
}
#endif

#endif
