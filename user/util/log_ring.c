/* SPDX-License-Identifier: MIT */
#include "util/log_ring.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "util/clock.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct log_line lines[LOG_RING_LINES]; /* line N is in lines[N % LOG_RING_LINES] */
static uint64_t newest;			      /* serial of the last line; 0 = no line yet */

void log_ring_add(enum log_level level, const char *text)
{
	struct log_line *line;

	pthread_mutex_lock(&mutex);
	line = &lines[++newest % LOG_RING_LINES];
	line->serial = newest;
	line->time_ms = clock_ns(CLOCK_REALTIME) / NS_PER_MS;
	line->level = level;
	snprintf(line->text, sizeof(line->text), "%s", text);
	pthread_mutex_unlock(&mutex);
}

bool log_ring_next(struct log_line *line)
{
	uint64_t serial = line->serial + 1;
	bool found;

	pthread_mutex_lock(&mutex);
	if (serial + LOG_RING_LINES <= newest)
		serial = newest - LOG_RING_LINES + 1;
	found = serial <= newest;
	if (found)
		*line = lines[serial % LOG_RING_LINES];
	pthread_mutex_unlock(&mutex);
	return found;
}
