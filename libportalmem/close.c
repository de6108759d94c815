// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Closing files that somebody else chose. close(2) of a file that a process
 * serves (FUSE) asks that process, and nothing ends the wait for its answer;
 * that of a socket can wait for its peer. So threads of their own close what
 * may be such files, each one of them, since the next one may be another's; and
 * who wants them closed waits for that, but not for long. The number is free
 * for another file at once, however long the rest takes.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "private.h"

/* For all of them together. */
#define PATIENCE_SECONDS 1

/* What the threads have to do. The last one that uses it frees it. */
struct closing {
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t changed;
	unsigned int users; /* these threads, and who waits for them */
	size_t left;	    /* files that no thread has taken yet */
	int fds[];
};

static struct closing *new_closing(const int *fds, size_t count)
{
	struct closing *closing =
		calloc(1, sizeof(*closing) + count * sizeof(*fds));
	pthread_condattr_t clock;

	if (!closing)
		return NULL;
	pthread_mutex_init(&closing->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&closing->changed, &clock);
	pthread_condattr_destroy(&clock);
	closing->users = 1;
	closing->left = count;
	memcpy(closing->fds, fds, count * sizeof(*fds));
	return closing;
}

static void leave(struct closing *closing)
{
	unsigned int users;

	pthread_mutex_lock(&closing->lock);
	users = --closing->users;
	pthread_cond_signal(&closing->changed);
	pthread_mutex_unlock(&closing->lock);
	if (users)
		return;
	pthread_cond_destroy(&closing->changed);
	pthread_mutex_destroy(&closing->lock);
	free(closing);
}

static int take(struct closing *closing)
{
	int fd;

	pthread_mutex_lock(&closing->lock);
	fd = closing->fds[--closing->left];
	pthread_mutex_unlock(&closing->lock);
	return fd;
}

static void *run(void *data)
{
	struct closing *closing = data;

	close(take(closing));
	leave(closing);
	return NULL;
}

static void start(struct closing *closing, const pthread_attr_t *attributes)
{
	pthread_t thread;

	pthread_mutex_lock(&closing->lock);
	closing->users++;
	pthread_mutex_unlock(&closing->lock);
	if (!pthread_create(&thread, attributes, run, closing))
		return;
	/* Without the means for a thread, the caller may have to wait. */
	close(take(closing));
	pthread_mutex_lock(&closing->lock);
	closing->users--;
	pthread_mutex_unlock(&closing->lock);
}

static void start_all(struct closing *closing, size_t count)
{
	pthread_attr_t detached;
	sigset_t all, before;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	/* The program's signals are not for these threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (count--)
		start(closing, &detached);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
}

static void wait_and_leave(struct closing *closing)
{
	struct timespec end;
	int ret = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PATIENCE_SECONDS;
	pthread_mutex_lock(&closing->lock);
	while (closing->users > 1 && !ret)
		ret = pthread_cond_timedwait(&closing->changed, &closing->lock,
					     &end);
	pthread_mutex_unlock(&closing->lock);
	leave(closing);
}

static void close_aside(const int *fds, size_t count)
{
	struct closing *closing = new_closing(fds, count);

	if (closing) {
		start_all(closing, count);
		wait_and_leave(closing);
		return;
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* Every buffer and every fence is one. */
static bool closes_at_once(int fd)
{
	return pm_fd_is_anonymous(fd) || fcntl(fd, F_GET_SEALS) >= 0;
}

void pm_close_unknown(int *fds, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			continue;
		if (closes_at_once(fds[i]))
			close(fds[i]);
		else
			fds[left++] = fds[i];
	}
	if (left)
		close_aside(fds, left);
}
