// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <check.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace.h"

/* <sys/ptrace.h> and <linux/ptrace.h> do not go together. */
extern long ptrace(int request, ...);

/* A call that nothing else makes: with these arguments it does nothing. */
#define MARK SYS_getpgid
#define MARK_ARGUMENT 0x6d61726b

void trace_mark(void)
{
	syscall(MARK, (long)MARK_ARGUMENT);
}

static void run_child(void (*body)(void))
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(100);
	raise(SIGSTOP);
	body();
	/* What runs at exit would not like to be traced. */
	_exit(0);
}

static int wait_for(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

/* The child enters a system call. */
static void note(struct trace *trace, int *marks,
		 const struct ptrace_syscall_info *info)
{
	if (info->entry.nr == MARK && info->entry.args[0] == MARK_ARGUMENT) {
		++*marks;
		return;
	}
	if (*marks != 1)
		return;
	if (trace->count < TRACE_MAX)
		trace->numbers[trace->count] = (long)info->entry.nr;
	trace->count++;
}

static void look(pid_t child, struct trace *trace, int *marks)
{
	struct ptrace_syscall_info info = {0};

	ck_assert_int_gt(ptrace(PTRACE_GET_SYSCALL_INFO, child,
				(void *)sizeof(info), &info),
			 0);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		note(trace, marks, &info);
}

struct trace trace_run(void (*body)(void))
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	struct trace trace = {0};
	int marks = 0, status, signal = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child)
		run_child(body);
	status = wait_for(child);
	ck_assert_msg(WIFSTOPPED(status), "the child cannot be traced");
	ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, child, NULL,
				(void *)(uintptr_t)options),
			 0);
	for (;;) {
		ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL,
					(void *)(uintptr_t)signal),
				 0);
		status = wait_for(child);
		if (!WIFSTOPPED(status))
			break;
		signal = WSTOPSIG(status);
		if (signal == (SIGTRAP | 0x80)) {
			look(child, &trace, &marks);
			signal = 0;
		}
	}
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status),
		      "the traced child failed: 0x%x", (unsigned int)status);
	ck_assert_int_eq(marks, 2);
	return trace;
}
