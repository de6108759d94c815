// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers that are taken from a process, or inherited from one. */
#include "config.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define VARIABLE "PORTALMEM_TEST_BUFFER"
#define ENTRY_SIZE (sizeof(VARIABLE) + PORTALMEM_ENV_MAX)
#define NOBODY 65534

static struct portalmem_buffer *alloc_named(const char *name, uint64_t size)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_device();
	struct portalmem_buffer *buffer;

	options.name = name;
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, size, &options, &buffer), 0);
	portalmem_device_unref(device);
	return buffer;
}

static bool has_text(struct portalmem_buffer *buffer, const char *text)
{
	void *address;
	bool same;

	if (portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ, &address))
		return false;
	same = !strcmp(address, text);
	portalmem_buffer_unmap(buffer, address);
	return same;
}

static void write_text(struct portalmem_buffer *buffer, const char *text)
{
	void *address;

	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_WRITE,
					      &address),
			 0);
	strcpy(address, text);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
}

static int open_pidfd(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	ck_assert_int_ge(pidfd, 0);
	return pidfd;
}

struct holder {
	pid_t pid;
	int pidfd;
	int fd; /* of its buffer, in that process */
};

/* A child that has a buffer with its pid as text, and waits to be ended. */
static struct holder start_holder(bool traceable)
{
	struct holder holder;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	holder.pid = fork();
	ck_assert_int_ge(holder.pid, 0);
	if (!holder.pid) {
		struct portalmem_buffer *buffer = alloc_named("held", PAGE);
		int fd = portalmem_buffer_get_fd(buffer);

		write_text(buffer, "held by a child");
		if (!traceable && prctl(PR_SET_DUMPABLE, 0))
			_exit(1);
		if (write(fds[1], &fd, sizeof(fd)) != sizeof(fd))
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(fds[0], &holder.fd, sizeof(holder.fd)),
			 sizeof(holder.fd));
	close(fds[0]);
	close(fds[1]);
	holder.pidfd = open_pidfd(holder.pid);
	return holder;
}

static void end_holder(const struct holder *holder)
{
	ck_assert_int_eq(kill(holder->pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(holder->pid, NULL, 0), holder->pid);
}

START_TEST(buffer_is_taken_from_another_process)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct holder holder = start_holder(true);
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_import_from(NULL, holder.pidfd,
						      holder.fd, &buffer),
			 0);
	ck_assert(has_text(buffer, "held by a child"));
	ck_assert_int_eq(fcntl(portalmem_buffer_get_fd(buffer), F_GETFD),
			 FD_CLOEXEC);
	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_str_eq(info.name, "held");
	/* It outlives the process. */
	end_holder(&holder);
	ck_assert(has_text(buffer, "held by a child"));
	portalmem_buffer_unref(buffer);
	close(holder.pidfd);
}
END_TEST

static void assert_not_taken(int pidfd, int fd, int error)
{
	struct portalmem_buffer *const untouched = (void *)&error;
	struct portalmem_buffer *buffer = untouched;
	unsigned int before = pmtest_count_fds();

	unit_assert_fails(
		portalmem_buffer_import_from(NULL, pidfd, fd, &buffer), error);
	ck_assert_ptr_eq(buffer, untouched);
	pmtest_assert_no_leaked_fds(before);
}

/* What old kernels and some sandboxes say. */
static void lose_system_call(unsigned int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = COUNT(filter),
					   .filter = filter};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

START_TEST(kernel_that_cannot_take_is_eopnotsupp)
{
	struct portalmem_buffer *buffer = alloc_named("own", PAGE);
	int pidfd = open_pidfd(getpid());

	lose_system_call(SYS_pidfd_getfd);
	assert_not_taken(pidfd, portalmem_buffer_get_fd(buffer), EOPNOTSUPP);
	unit_assert_message_has("Linux 5.6");
	close(pidfd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(what_cannot_be_taken_is_refused)
{
	struct holder holder = start_holder(true);
	int memfd = memfd_create("unsealed", MFD_CLOEXEC);

	unit_assert_fails(portalmem_buffer_import_from(NULL, holder.pidfd,
						       holder.fd, NULL),
			  EINVAL);
	/* Not open, here or there; no pidfd. */
	assert_not_taken(-1, holder.fd, EBADF);
	assert_not_taken(holder.pidfd, -1, EBADF);
	assert_not_taken(holder.pidfd, INT32_MAX, EBADF);
	assert_not_taken(memfd, holder.fd, EBADF);
	end_holder(&holder);
	assert_not_taken(holder.pidfd, holder.fd, ESRCH);
	close(holder.pidfd);
	/* A file that could be cut short under a mapping: our own. */
	holder.pidfd = open_pidfd(getpid());
	assert_not_taken(holder.pidfd, memfd, EINVAL);
	close(holder.pidfd);
	close(memfd);
}
END_TEST

START_TEST(process_that_may_not_be_traced_is_eperm)
{
	struct holder holder = start_holder(false);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		struct portalmem_buffer *buffer;

		/* Root may trace everybody. */
		if (!geteuid() && setuid(NOBODY))
			_exit(1);
		_exit(portalmem_buffer_import_from(NULL, holder.pidfd,
						   holder.fd,
						   &buffer) != -EPERM ||
		      !strstr(portalmem_error_message(), "trace"));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	end_holder(&holder);
	close(holder.pidfd);
}
END_TEST

START_TEST(no_room_for_a_taken_buffer_leaks_nothing)
{
	struct holder holder = start_holder(true);
	struct portalmem_buffer *buffer;

	unit_limit_fds(0);
	unit_assert_fails(portalmem_buffer_import_from(NULL, holder.pidfd,
						       holder.fd, &buffer),
			  EMFILE);
	unit_limit_fds(-1);
	mock_fail_calloc(1);
	unit_assert_fails(portalmem_buffer_import_from(NULL, holder.pidfd,
						       holder.fd, &buffer),
			  ENOMEM);
	end_holder(&holder);
	close(holder.pidfd);
}
END_TEST

/* The environment of this process with the buffer in it. */
static int hand_on(struct portalmem_buffer *buffer)
{
	static char entry[ENTRY_SIZE];
	int fd = portalmem_buffer_export_env(buffer, VARIABLE, entry,
					     sizeof(entry));

	ck_assert_int_ge(fd, 3);
	ck_assert_int_eq(putenv(entry), 0);
	return fd;
}

START_TEST(inherited_buffer_is_taken_over)
{
	struct portalmem_buffer *sent = alloc_named("a:b = c", 2 * PAGE);
	struct portalmem_info sent_info = PORTALMEM_INFO_INIT;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *got;
	int fd;

	ck_assert_int_eq(portalmem_buffer_get_info(sent, &sent_info), 0);
	write_text(sent, "inherited");
	fd = hand_on(sent);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	portalmem_buffer_unref(sent);

	ck_assert_int_eq(portalmem_buffer_import_env(NULL, VARIABLE, &got), 0);
	ck_assert(has_text(got, "inherited"));
	ck_assert_uint_eq(portalmem_buffer_get_size(got), 2 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_info(got, &info), 0);
	ck_assert_str_eq(info.name, "a:b = c");
	ck_assert_int_eq(info.caching, sent_info.caching);
	ck_assert_int_eq(info.effective, PORTALMEM_CACHING_CACHED);
	ck_assert_int_eq(fcntl(portalmem_buffer_get_fd(got), F_GETFD),
			 FD_CLOEXEC);
	/* What was inherited goes no further. */
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	portalmem_buffer_unref(got);
}
END_TEST

static void assert_not_inherited(int error)
{
	struct portalmem_buffer *const untouched = (void *)&error;
	struct portalmem_buffer *buffer = untouched;
	unsigned int before = pmtest_count_fds();

	unit_assert_fails(portalmem_buffer_import_env(NULL, VARIABLE, &buffer),
			  error);
	ck_assert_ptr_eq(buffer, untouched);
	pmtest_assert_no_leaked_fds(before);
}

START_TEST(second_take_is_estale)
{
	struct portalmem_buffer *sent = alloc_named("once", PAGE), *got;
	int fd = hand_on(sent);

	ck_assert_int_eq(portalmem_buffer_import_env(NULL, VARIABLE, &got), 0);
	assert_not_inherited(ESTALE);
	/* Nor does it take what a library opened for the same buffer there. */
	ck_assert_int_eq(
		fcntl(portalmem_buffer_get_fd(got), F_DUPFD_CLOEXEC, fd), fd);
	assert_not_inherited(ESTALE);
	close(fd);
	portalmem_buffer_unref(got);
	portalmem_buffer_unref(sent);
}
END_TEST

START_TEST(variable_of_another_process_is_estale)
{
	struct portalmem_buffer *sent = alloc_named("stale", PAGE);
	struct portalmem_buffer *other = alloc_named("stale", PAGE);
	int fd = hand_on(sent);

	/* The same kind, size and name, but another buffer. */
	ck_assert_int_eq(dup2(portalmem_buffer_get_fd(other), fd), fd);
	assert_not_inherited(ESTALE);
	close(fd);
	assert_not_inherited(ESTALE);
	portalmem_buffer_unref(other);
	portalmem_buffer_unref(sent);
}
END_TEST

/* What a forged variable may say of this file. */
static void forge(int fd, const char *size, uint64_t inode_offset)
{
	char text[256];
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	snprintf(text, sizeof(text), "1:%d:%s:%ju:%ju:0:1:forged", fd, size,
		 (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + inode_offset);
	ck_assert_int_eq(setenv(VARIABLE, text, 1), 0);
}

START_TEST(forged_variable_is_estale)
{
	struct portalmem_buffer *buffer = alloc_named("true", PAGE), *got;
	int fd = fcntl(portalmem_buffer_get_fd(buffer), F_DUPFD, 3);
	int fds[2], unsealed;

	forge(fd, "8192", 0);
	assert_not_inherited(ESTALE);
	forge(fd, "4096", 1);
	assert_not_inherited(ESTALE);
	/* It is still there, and the truth is believed. */
	forge(fd, "4096", 0);
	ck_assert_int_eq(portalmem_buffer_import_env(NULL, VARIABLE, &got), 0);
	portalmem_buffer_unref(got);

	/* Files that are no buffers. */
	ck_assert_int_eq(pipe(fds), 0);
	forge(fds[0], "4096", 0);
	assert_not_inherited(ESTALE);
	unsealed = memfd_create("unsealed", 0);
	ck_assert_int_eq(ftruncate(unsealed, 4096), 0);
	forge(unsealed, "4096", 0);
	assert_not_inherited(ESTALE);
	close(unsealed);
	close(fds[0]);
	close(fds[1]);
	portalmem_buffer_unref(buffer);
}
END_TEST

/* %d is a descriptor that would do, %s the rest of what is true of it. */
static const char *const malformed[] = {
	"",
	":",
	"1",
	"1:",
	"1:%d",
	"1:%d:",
	"2:%d:%s:0:1:name",
	"0:%d:%s:0:1:name",
	":%d:%s:0:1:name",
	" 1:%d:%s:0:1:name",
	"+1:%d:%s:0:1:name",
	"1:-1:%2$s:0:1:name",
	"1: %d:%s:0:1:name",
	"1:0x%x:%s:0:1:name",
	"1:4294967299:%2$s:0:1:name",
	"1:18446744073709551619:%2$s:0:1:name",
	"1:%d:1%s000000000000000000:0:1:name",
	"1:%d:%s:5:1:name",
	"1:%d:%s:0:5:name",
	"1:%d:%s:0:-1:name",
	"1:%d:%s:0:1",
	"1:%d:%s:0:1:a\nname",
	"1:%d:%s:0:1:a name that has more bytes than any",
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

START_TEST(malformed_variable_is_ebadmsg)
{
	struct portalmem_buffer *buffer = alloc_named("good", PAGE), *got;
	char text[256], rest[128];
	struct stat st;
	int fd = fcntl(portalmem_buffer_get_fd(buffer), F_DUPFD, 3);

	ck_assert_int_eq(fstat(fd, &st), 0);
	snprintf(rest, sizeof(rest), "4096:%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	snprintf(text, sizeof(text), malformed[_i], fd, rest);
	ck_assert_int_eq(setenv(VARIABLE, text, 1), 0);
	assert_not_inherited(EBADMSG);
	/* So is one with nothing wrong taken. */
	snprintf(text, sizeof(text), "1:%d:%s:0:1:name", fd, rest);
	ck_assert_int_eq(setenv(VARIABLE, text, 1), 0);
	ck_assert_int_eq(portalmem_buffer_import_env(NULL, VARIABLE, &got), 0);
	portalmem_buffer_unref(got);
	portalmem_buffer_unref(buffer);
}
END_TEST

#pragma GCC diagnostic pop

START_TEST(no_variable_is_enoent)
{
	ck_assert_int_eq(unsetenv(VARIABLE), 0);
	assert_not_inherited(ENOENT);
}
END_TEST

START_TEST(failure_leaves_what_was_inherited)
{
	struct portalmem_buffer *sent = alloc_named("still", PAGE), *got;
	char entry[ENTRY_SIZE];
	int fd = hand_on(sent);

	unit_limit_fds(0);
	unit_assert_fails(
		portalmem_buffer_export_env(sent, VARIABLE, entry, ENTRY_SIZE),
		EMFILE);
	unit_assert_fails(portalmem_buffer_import_env(NULL, VARIABLE, &got),
			  EMFILE);
	unit_limit_fds(-1);
	mock_fail_calloc(1);
	unit_assert_fails(portalmem_buffer_import_env(NULL, VARIABLE, &got),
			  ENOMEM);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(portalmem_buffer_import_env(NULL, VARIABLE, &got), 0);
	portalmem_buffer_unref(got);
	portalmem_buffer_unref(sent);
}
END_TEST

/* exec(2) keeps the descriptor and the variable, and no other of ours. */
START_TEST(program_that_is_started_inherits)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(PAGE);
	char entry[ENTRY_SIZE];
	char shell[] = "sh", option[] = "-c";
	/* A memfd can be read. Its number is the second field. */
	char script[] = "IFS=:; set -- $" VARIABLE "; read -r text <&$2; "
			"test \"$text\" = 'read by sh'";
	char *const argv[] = {shell, option, script, NULL};
	char *const envp[] = {entry, NULL};
	int fd, status;
	pid_t child;

	write_text(buffer, "read by sh\n");
	fd = portalmem_buffer_export_env(buffer, VARIABLE, entry,
					 sizeof(entry));
	ck_assert_int_ge(fd, 3);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		execve("/bin/sh", argv, envp);
		_exit(127);
	}
	close(fd);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	static const char *const bad[] = {NULL, "", "=", "A=B"};
	struct portalmem_buffer *buffer =
		alloc_named("a name of the longest length ye", PAGE);
	char entry[ENTRY_SIZE];
	int fd;

	for (int i = 0; i < COUNT(bad); i++) {
		unit_assert_fails(portalmem_buffer_export_env(
					  buffer, bad[i], entry, ENTRY_SIZE),
				  EINVAL);
		unit_assert_fails(portalmem_buffer_import_env(
					  NULL, bad[i],
					  &(struct portalmem_buffer *){NULL}),
				  EINVAL);
	}
	unit_assert_fails(
		portalmem_buffer_export_env(NULL, VARIABLE, entry, ENTRY_SIZE),
		EINVAL);
	unit_assert_fails(
		portalmem_buffer_export_env(buffer, VARIABLE, NULL, ENTRY_SIZE),
		EINVAL);
	unit_assert_fails(portalmem_buffer_import_env(NULL, VARIABLE, NULL),
			  EINVAL);
	unit_assert_fails(
		portalmem_buffer_export_env(buffer, VARIABLE, entry, 0),
		ERANGE);
	unit_assert_fails(
		portalmem_buffer_export_env(buffer, VARIABLE, entry, 40),
		ERANGE);
	fd = portalmem_buffer_export_env(buffer, VARIABLE, entry, ENTRY_SIZE);
	ck_assert_int_ge(fd, 3);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *handover_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("handover", &tc);

	if (unit_has_pidfds()) {
		tcase_add_test(tc, buffer_is_taken_from_another_process);
		tcase_add_test(tc, kernel_that_cannot_take_is_eopnotsupp);
		tcase_add_test(tc, what_cannot_be_taken_is_refused);
		tcase_add_test(tc, process_that_may_not_be_traced_is_eperm);
	}
	unit_add_shortage_test(tc, no_room_for_a_taken_buffer_leaks_nothing);
	tcase_add_test(tc, inherited_buffer_is_taken_over);
	tcase_add_test(tc, second_take_is_estale);
	tcase_add_test(tc, variable_of_another_process_is_estale);
	tcase_add_test(tc, forged_variable_is_estale);
	tcase_add_loop_test(tc, malformed_variable_is_ebadmsg, 0,
			    COUNT(malformed));
	tcase_add_test(tc, no_variable_is_enoent);
	unit_add_shortage_test(tc, failure_leaves_what_was_inherited);
	tcase_add_test(tc, program_that_is_started_inherits);
	tcase_add_test(tc, bad_arguments_are_refused);
	return suite;
}

PMTEST_MAIN(handover_suite)
