/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals: a closed pipe is an error like others, and the signals that end a
 * program can be waited for instead of dying of them.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>

void ignore_broken_pipes(void);

/* Undo ignore_broken_pipes(), for a command that is run in our place. */
void restore_broken_pipes(void);

/*
 * Block SIGINT, SIGTERM and SIGHUP and put them into SET, except those that
 * the program was started to ignore (nohup does that).
 */
void block_termination(sigset_t *set);

/*
 * Have HANDLER called when the first of these signals comes, and the usual done
 * at the next: not of those that the program was started to ignore and, unless
 * REPLACE, not of those that have another handler already.
 */
void catch_termination(void (*handler)(int signal), bool replace);

/* Wait until one of SET comes. */
void wait_for_signal(const sigset_t *set);

/*
 * Wait until one of SET comes, or until FD hangs up. Gives whether it was a
 * signal, or a negative errno when that cannot be waited for.
 */
int wait_for_signal_or_hangup(const sigset_t *set, int fd);

#endif
