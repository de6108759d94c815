// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stddef.h>

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
