// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "signals.h"

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
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;
	size_t i;

	sigemptyset(set);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], NULL, &action);
		if (action.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, set, NULL);
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
