/* SPDX-License-Identifier: MIT */
/* test_socket_file.c - the files of listening sockets, in a temporary directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/socket_file.h"

struct world {
	char directory[64], run[80], path[100];
	struct loop *loop;
	struct socket_file file;
	int fd;
	unsigned deleted;
};

static void on_deleted(void *ctx)
{
	struct world *w = ctx;

	w->deleted++;
}

/* Listens at @path. */
static int serve(struct socket_file *s, const char *path, int *fd, struct fault *f)
{
	int err = socket_file_init(s, path, f);

	if (!err)
		err = socket_file_bind(s, 0750, fd, f);
	if (!err)
		assert_int_equal(listen(*fd, 1), 0);
	return err;
}

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fault f;

	strcpy(w->directory, "/tmp/test_socket_file.XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->run, sizeof(w->run), "%s/run", w->directory);
	snprintf(w->path, sizeof(w->path), "%s/wg0.sock", w->run);
	w->loop = loop_new();
	assert_non_null(w->loop);
	assert_int_equal(serve(&w->file, w->path, &w->fd, &f), 0);
	assert_int_equal(socket_file_watch(&w->file, w->loop, on_deleted, w), 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	socket_file_done(&w->file);
	close(w->fd);
	loop_free(w->loop);
	assert_int_equal(access(w->path, F_OK), -1);
	assert_int_equal(rmdir(w->run), 0);
	assert_int_equal(rmdir(w->directory), 0);
	free(w);
	return 0;
}

static void nothing(void *ctx, uint64_t now_ns)
{
	(void)ctx, (void)now_ns;
}

/* Runs the loop once. A timer that is due keeps the loop from waiting. */
static void turn(struct world *w)
{
	struct loop_timer due;

	loop_timer_init(&due, w->loop, nothing, NULL);
	loop_timer_arm(&due, 0);
	assert_int_equal(loop_once(w->loop), 0);
	loop_timer_done(&due);
}

static void modes(void **state)
{
	struct world *w = *state;
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(w->run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
}

static void in_use_and_stale(void **state)
{
	struct world *w = *state;
	struct socket_file second;
	char stale[100];
	struct fault f;
	int fd = -1;

	assert_true(socket_file_answers(w->path));
	assert_int_equal(serve(&second, w->path, &fd, &f), -EADDRINUSE);
	assert_non_null(strstr(f.text, "in use"));
	assert_int_equal(fd, -1);
	socket_file_done(&second);
	assert_int_equal(access(w->path, F_OK), 0);
	/* After a socket is closed, nobody listens at its file, so a new socket may replace the
	 * file. */
	snprintf(stale, sizeof(stale), "%s/stale.sock", w->run);
	assert_int_equal(serve(&second, stale, &fd, &f), 0);
	close(fd);
	assert_false(socket_file_answers(stale));
	assert_int_equal(serve(&second, stale, &fd, &f), 0);
	assert_true(socket_file_answers(stale));
	assert_int_equal(socket_file_watch(&second, w->loop, NULL, NULL), 0);
	socket_file_done(&second);
	assert_int_equal(access(stale, F_OK), -1);
	close(fd);
}

static void deletion(void **state)
{
	struct world *w = *state;
	char other[120];

	snprintf(other, sizeof(other), "%s.other", w->path);
	fclose(fopen(other, "w"));
	unlink(other);
	turn(w);
	assert_int_equal(w->deleted, 0);
	unlink(w->path);
	turn(w);
	assert_int_equal(w->deleted, 1);
	/* The path now names a file of another process. socket_file_done() does not delete this
	 * file. */
	fclose(fopen(w->path, "w"));
	turn(w);
	assert_int_equal(w->deleted, 1);
	socket_file_done(&w->file);
	assert_int_equal(unlink(w->path), 0);
}

static void deletion_before_watch(void **state)
{
	struct world *w = *state;
	struct socket_file early;
	char path[100];
	struct fault f;
	int fd = -1;

	snprintf(path, sizeof(path), "%s/early.sock", w->run);
	assert_int_equal(serve(&early, path, &fd, &f), 0);
	unlink(path);
	assert_int_equal(socket_file_watch(&early, w->loop, on_deleted, w), 0);
	assert_int_equal(w->deleted, 0);
	turn(w);
	assert_int_equal(w->deleted, 1);
	socket_file_done(&early);
	close(fd);
}

static void adoption(void **state)
{
	struct world *w = *state;
	struct socket_file inherited;
	struct fault f;

	assert_int_equal(socket_file_init(&inherited, w->path, &f), 0);
	assert_int_equal(socket_file_adopt(&inherited, w->fd, &f), 0);
	assert_int_equal(socket_file_watch(&inherited, w->loop, on_deleted, w), 0);
	turn(w);
	assert_int_equal(w->deleted, 0);
	socket_file_done(&inherited);
	assert_int_equal(access(w->path, F_OK), -1);
	turn(w);
	assert_int_equal(w->deleted, 1); /* the watch of w->file noticed the deletion */
	assert_int_equal(socket_file_init(&inherited, w->path, &f), 0);
	assert_int_equal(socket_file_adopt(&inherited, w->fd, &f), -ENOENT);
	assert_non_null(strstr(f.text, w->path));
}

/* The file at the path is not that of the inherited socket, but belongs to another program. The
 * file stays. */
static void adoption_of_others(void **state)
{
	struct world *w = *state;
	struct socket_file inherited, other;
	char path[110];
	struct fault f;
	int fd = -1;

	snprintf(path, sizeof(path), "%s/other", w->run);
	assert_int_equal(serve(&other, path, &fd, &f), 0);
	assert_int_equal(socket_file_init(&inherited, w->path, &f), 0);
	assert_int_equal(socket_file_adopt(&inherited, fd, &f), -ENOENT);
	socket_file_done(&inherited);
	assert_int_equal(access(w->path, F_OK), 0);
	socket_file_done(&other);
	close(fd);
}

static void bad_places(void **state)
{
	struct world *w = *state;
	char open[90], path[120];
	struct socket_file s;
	struct fault f;
	int fd;

	snprintf(open, sizeof(open), "%s/open", w->directory);
	assert_int_equal(mkdir(open, 0700), 0);
	assert_int_equal(chmod(open, 0777), 0);
	snprintf(path, sizeof(path), "%s/a.sock", open);
	assert_int_equal(serve(&s, path, &fd, &f), -EACCES);
	rmdir(open);
	snprintf(path, sizeof(path), "%s/none/at/all", w->directory);
	assert_int_equal(serve(&s, path, &fd, &f), -ENOENT);
	memset(path, 'x', 108);
	path[108] = '\0';
	assert_int_equal(serve(&s, path, &fd, &f), -ENAMETOOLONG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(modes),	  TEST(in_use_and_stale),
		TEST(deletion),	  TEST(deletion_before_watch),
		TEST(adoption),	  TEST(adoption_of_others),
		TEST(bad_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
