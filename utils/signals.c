// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "signals.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Those that end a program, as a rule. */
static const int terminating[] = {SIGINT, SIGTERM, SIGHUP};

/* What SIGPIPE did when the program started. */
static struct sigaction inherited_sigpipe;

void ignore_broken_pipes(void)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGPIPE, &ignore, &inherited_sigpipe);
}

void restore_broken_pipes(void)
{
	sigaction(SIGPIPE, &inherited_sigpipe, NULL);
}

void block_termination(sigset_t *set)
{
	struct sigaction action;
	size_t i;

	sigemptyset(set);
	for (i = 0; i < ARRAY_SIZE(terminating); i++) {
		sigaction(terminating[i], NULL, &action);
		if (action.sa_handler != SIG_IGN)
			sigaddset(set, terminating[i]);
	}
	sigprocmask(SIG_BLOCK, set, NULL);
}

void catch_termination(void (*handler)(int signal), bool replace)
{
	struct sigaction action = {.sa_handler = handler,
				   .sa_flags = (int)SA_RESETHAND};
	struct sigaction former;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(terminating); i++) {
		sigaction(terminating[i], NULL, &former);
		if (former.sa_handler == SIG_DFL ||
		    (replace && former.sa_handler != SIG_IGN))
			sigaction(terminating[i], &action, NULL);
	}
}

void wait_for_signal(const sigset_t *set)
{
	while (sigwaitinfo(set, NULL) < 0)
		continue; /* stopped and continued */
}

int wait_for_signal_or_hangup(const sigset_t *set, int fd)
{
	/* A hang-up is reported whether it is asked for or not. */
	struct pollfd polled[] = {
		{.fd = signalfd(-1, set, SFD_CLOEXEC), .events = POLLIN},
		{.fd = fd}};
	int ret;

	if (polled[0].fd < 0)
		return -errno;
	do
		ret = poll(polled, 2, -1);
	while (ret < 0 && errno == EINTR);
	ret = ret < 0 ? -errno : polled[0].revents != 0;
	close(polled[0].fd);
	return ret;
}
