/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "conf/keytext.h"
#include "crypto/wipe.h"
#include "crypto/x25519.h"

static int no_arguments(int argc, char **argv)
{
	return argc == 1
		       ? CLI_OK
		       : cli_fail(CLI_USAGE, "%s takes no arguments, but got %s", argv[0], argv[1]);
}

/* Warns before the key goes to a file that other users may read. */
static void warn_of_readers(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO))
		cli_warn(NULL, "writing to a world accessible file; consider setting the umask to "
			       "077 and trying again");
}

static int print_key(const uint8_t key[static WIRE_KEY_LEN])
{
	char text[KEYTEXT_BASE64_LEN + 1];
	int err;

	keytext_to_base64(text, key);
	setvbuf(stdout, NULL, _IONBF,
		0); /* stdio would keep a copy in a buffer that is never wiped */
	err = puts(text) < 0;
	wipe(text, sizeof(text));
	return err ? cli_fail(CLI_FAILED, "the key could not be written; is the disk full?")
		   : CLI_OK;
}

static int generate(int argc, char **argv, void (*shape)(uint8_t key[static X25519_LEN]))
{
	uint8_t key[WIRE_KEY_LEN];
	int code = no_arguments(argc, argv);

	if (code)
		return code;
	warn_of_readers();
	randombytes_buf(key, sizeof(key));
	if (shape)
		shape(key);
	code = print_key(key);
	wipe(key, sizeof(key));
	return code;
}

int genkey_main(int argc, char **argv)
{
	return generate(argc, argv, x25519_clamp);
}

int genpsk_main(int argc, char **argv)
{
	return generate(argc, argv, NULL);
}

/* Reads the key from stdin. Only white space may follow the key. */
static int read_key(uint8_t key[static WIRE_KEY_LEN])
{
	char text[KEYTEXT_BASE64_LEN];
	int c, code = CLI_OK;

	setvbuf(stdin, NULL, _IONBF, 0);
	if (fread(text, 1, sizeof(text), stdin) != sizeof(text) ||
	    !keytext_from_base64(key, text, sizeof(text)))
		code = cli_fail(CLI_FAILED, "stdin: this is not a key; a key has 44 characters of "
					    "base64, as wgxdp genkey prints it");
	wipe(text, sizeof(text));
	while (code == CLI_OK && (c = getchar()) != EOF)
		if (!isspace(c))
			code = cli_fail(CLI_FAILED,
					"stdin: something follows the key; give one key "
					"and nothing else");
	return code;
}

int pubkey_main(int argc, char **argv)
{
	uint8_t key[WIRE_KEY_LEN], public[WIRE_KEY_LEN];
	int code = no_arguments(argc, argv);

	if (code)
		return code;
	code = read_key(key);
	if (code == CLI_OK) {
		x25519_clamp(key);
		x25519_public(public, key);
		code = print_key(public);
	}
	wipe(key, sizeof(key));
	return code;
}
