/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before every source of the command where it is built for fuzzing: it
 * prints into memory, reads a made-up /proc and /sys, and where it would end or
 * do something to this machine, it leaves.
 */
#ifndef FUZZ_COMMAND_H
#define FUZZ_COMMAND_H

#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "leave.h"
#include "tree.h"

extern FILE *fuzz_stderr, *fuzz_stdout;

#ifndef COMMAND_ITSELF
#undef stdout
#undef stderr
#define stdout fuzz_stdout
#define stderr fuzz_stderr
#define printf(...) fprintf(fuzz_stdout, __VA_ARGS__)
#define puts(text) fprintf(fuzz_stdout, "%s\n", text)
#define putchar(c) fputc(c, fuzz_stdout)
#define exit(status) fuzz_leave(status)

#define fopen(path, mode) tree_fopen(path)
#define opendir(path) tree_opendir(path)
#define readdir(directory) tree_readdir(directory)
#define closedir(directory) tree_closedir(directory)
#define dirfd(directory) tree_dirfd(directory)
#define readlinkat(directory, name, to, room) \
	tree_readlinkat(directory, name, to, room)
#define scandir(path, list, filter, compare) \
	tree_scandir(path, list, filter, compare)

#define EFFECT (fuzz_leave(FUZZ_EFFECT), 0)
#define open(...) EFFECT
#define mkostemp(...) EFFECT
#define memfd_create(...) EFFECT
#define tmpfile(...) (EFFECT, (FILE *)NULL)
#define socket(...) EFFECT
#define socketpair(...) EFFECT
#define signalfd(...) EFFECT
#define sigwaitinfo(...) EFFECT
#define sigprocmask(...) 0
#define sigaction(...) 0
#define poll(...) EFFECT
#define nanosleep(...) 0
#define clock_nanosleep(...) EFFECT
#define fork(...) EFFECT
#define execvp(...) EFFECT
#define execlp(...) EFFECT
#define posix_spawnp(...) EFFECT
#define pthread_create(...) EFFECT
#define sched_setaffinity(...) EFFECT
#define setrlimit(...) EFFECT
#define setenv(...) EFFECT
#define unlink(...) EFFECT
#define rename(...) EFFECT
#define umask(...) EFFECT
#define syscall(...) EFFECT
#endif

#endif
