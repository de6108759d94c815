// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fences that a driver attached to our buffers, and buffers that go from
 * process to process with them. vgem stands for the device: its fence signals
 * when told to, and after 10 s by itself, so that a test which hangs is a
 * failure.
 * quick: 6.12
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <portalmem-drm.h>
#include <portalmem.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "devices.h"
#include "guest.h"

/* How long a fence stays unsignalled for who waits, and less than it may. */
#define SIGNAL_AFTER_MS 400
#define AT_LEAST 0.35
/* Emulated machines are slow, but vgem's own limit is later. */
#define AT_MOST 6.0

/* A buffer that vgem has imported. */
struct setup {
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	int vgem;
	uint32_t handle;
};

static struct setup set_up(void)
{
	struct setup setup;
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);

	ck_assert_int_eq(portalmem_device_open(NULL,
					       PORTALMEM_BACKEND_PORTALMEM,
					       &setup.device),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_import(setup.device, fd, &setup.buffer), 0);
	close(fd);
	setup.vgem = devices_open_vgem();
	ck_assert_int_eq(
		portalmem_drm_import(setup.buffer, setup.vgem, &setup.handle),
		0);
	return setup;
}

static void tear_down(struct setup *setup)
{
	ck_assert_int_eq(portalmem_drm_close_handle(setup->vgem, setup->handle),
			 0);
	close(setup->vgem);
	portalmem_buffer_unref(setup->buffer);
	portalmem_device_unref(setup->device);
}

struct later {
	pthread_t thread;
	int vgem;
	uint32_t fence;
};

static void *signal_later(void *arg)
{
	const struct later *later = arg;

	usleep(SIGNAL_AFTER_MS * 1000);
	devices_signal_fence(later->vgem, later->fence);
	return NULL;
}

static void start_later(struct later *later, const struct setup *setup,
			uint32_t fence)
{
	later->vgem = setup->vgem;
	later->fence = fence;
	ck_assert_int_eq(
		pthread_create(&later->thread, NULL, signal_later, later), 0);
}

static void assert_took(double begin, double least)
{
	double took = guest_now() - begin;

	ck_assert_msg(took >= least && took < AT_MOST,
		      "it took %.3f s instead of %.3f to %.3f", took, least,
		      AT_MOST);
}

static const unsigned int flags[] = {PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE,
				     PORTALMEM_SYNC_RDWR};
static const int times[] = {0, 5000, -1};

START_TEST(wait_blocks_until_the_fence_signals)
{
	struct setup setup = set_up();
	struct later later;
	double begin;

	for (int time = 1; time < 3; time++) {
		uint32_t fence = devices_attach_fence(setup.vgem, setup.handle);

		begin = guest_now();
		start_later(&later, &setup, fence);
		ck_assert_int_eq(portalmem_buffer_wait(setup.buffer, flags[_i],
						       times[time]),
				 0);
		assert_took(begin, AT_LEAST);
		pthread_join(later.thread, NULL);
	}
	tear_down(&setup);
}
END_TEST

START_TEST(wait_times_out_as_asked)
{
	struct setup setup = set_up();
	uint32_t fence = devices_attach_fence(setup.vgem, setup.handle);
	double begin = guest_now();

	ck_assert_int_eq(portalmem_buffer_wait(setup.buffer, flags[_i], 0),
			 -ETIMEDOUT);
	assert_took(begin, 0);
	begin = guest_now();
	ck_assert_int_eq(portalmem_buffer_wait(setup.buffer, flags[_i], 300),
			 -ETIMEDOUT);
	assert_took(begin, 0.299);
	devices_signal_fence(setup.vgem, fence);
	ck_assert_int_eq(portalmem_buffer_wait(setup.buffer, flags[_i], 0), 0);
	tear_down(&setup);
}
END_TEST

START_TEST(device_that_reads_holds_up_writers_alone)
{
	struct setup setup = set_up();
	uint32_t fence = devices_attach_read_fence(setup.vgem, setup.handle);
	int reads, writes;

	ck_assert_int_eq(
		portalmem_buffer_wait(setup.buffer, PORTALMEM_SYNC_READ, 0), 0);
	ck_assert_int_eq(
		portalmem_buffer_wait(setup.buffer, PORTALMEM_SYNC_WRITE, 0),
		-ETIMEDOUT);
	ck_assert_int_eq(
		portalmem_buffer_wait(setup.buffer, PORTALMEM_SYNC_RDWR, 0),
		-ETIMEDOUT);
	ck_assert_int_eq(portalmem_buffer_export_fence(
				 setup.buffer, PORTALMEM_SYNC_READ, &reads),
			 0);
	ck_assert_int_eq(portalmem_buffer_export_fence(
				 setup.buffer, PORTALMEM_SYNC_WRITE, &writes),
			 0);
	ck_assert_int_eq(portalmem_fence_wait(reads, 0), 0);
	ck_assert_int_eq(portalmem_fence_wait(writes, 0), -ETIMEDOUT);
	devices_signal_fence(setup.vgem, fence);
	ck_assert_int_eq(portalmem_fence_wait(writes, -1), 0);
	close(reads);
	close(writes);
	tear_down(&setup);
}
END_TEST

START_TEST(exported_fence_signals_with_the_device)
{
	struct setup setup = set_up();
	struct later later;
	int idle, fence;
	double begin;
	uint32_t attached;

	/* Nothing to wait for: it is signalled from the beginning. */
	ck_assert_int_eq(
		portalmem_buffer_export_fence(setup.buffer, flags[_i], &idle),
		0);
	attached = devices_attach_fence(setup.vgem, setup.handle);
	ck_assert_int_eq(
		portalmem_buffer_export_fence(setup.buffer, flags[_i], &fence),
		0);
	ck_assert_int_eq(fcntl(fence, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(portalmem_fence_wait(idle, 0), 0);
	ck_assert_int_eq(portalmem_fence_wait(fence, 0), -ETIMEDOUT);
	begin = guest_now();
	ck_assert_int_eq(portalmem_fence_wait(fence, 300), -ETIMEDOUT);
	assert_took(begin, 0.299);
	begin = guest_now();
	start_later(&later, &setup, attached);
	ck_assert_int_eq(portalmem_fence_wait(fence, -1), 0);
	assert_took(begin, AT_LEAST);
	pthread_join(later.thread, NULL);
	close(idle);
	close(fence);
	tear_down(&setup);
}
END_TEST

/* The one buffer's device holds up who uses the other. */
START_TEST(imported_fence_is_waited_for)
{
	struct setup setup = set_up();
	struct portalmem_buffer *other;
	struct later later;
	int fence, fd = guest_alloc(MIB(1), PORTALMEM_WC);
	uint32_t attached = devices_attach_fence(setup.vgem, setup.handle);
	double begin;

	ck_assert_int_eq(portalmem_buffer_import(setup.device, fd, &other), 0);
	close(fd);
	ck_assert_int_eq(portalmem_buffer_export_fence(
				 setup.buffer, PORTALMEM_SYNC_RDWR, &fence),
			 0);
	ck_assert_int_eq(portalmem_buffer_wait(other, PORTALMEM_SYNC_RDWR, 0),
			 0);
	ck_assert_int_eq(portalmem_buffer_import_fence(
				 other, PORTALMEM_SYNC_WRITE, fence),
			 0);
	close(fence);
	ck_assert_int_eq(portalmem_buffer_wait(other, PORTALMEM_SYNC_READ, 0),
			 -ETIMEDOUT);
	begin = guest_now();
	start_later(&later, &setup, attached);
	if (_i)
		ck_assert_int_eq(
			portalmem_buffer_wait(other, PORTALMEM_SYNC_READ, -1),
			0);
	else
		ck_assert_int_eq(
			portalmem_buffer_sync(other,
					      PORTALMEM_SYNC_START |
						      PORTALMEM_SYNC_READ,
					      NULL, 0),
			0);
	assert_took(begin, AT_LEAST);
	pthread_join(later.thread, NULL);
	portalmem_buffer_unref(other);
	tear_down(&setup);
}
END_TEST

START_TEST(imported_read_holds_up_writers_alone)
{
	struct setup setup = set_up();
	struct portalmem_buffer *other;
	int fence, fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	uint32_t attached = devices_attach_fence(setup.vgem, setup.handle);

	ck_assert_int_eq(portalmem_buffer_import(setup.device, fd, &other), 0);
	close(fd);
	ck_assert_int_eq(portalmem_buffer_export_fence(
				 setup.buffer, PORTALMEM_SYNC_READ, &fence),
			 0);
	ck_assert_int_eq(portalmem_buffer_import_fence(
				 other, PORTALMEM_SYNC_READ, fence),
			 0);
	close(fence);
	ck_assert_int_eq(portalmem_buffer_wait(other, PORTALMEM_SYNC_READ, 0),
			 0);
	ck_assert_int_eq(portalmem_buffer_wait(other, PORTALMEM_SYNC_WRITE, 0),
			 -ETIMEDOUT);
	devices_signal_fence(setup.vgem, attached);
	ck_assert_int_eq(portalmem_buffer_wait(other, PORTALMEM_SYNC_WRITE, -1),
			 0);
	portalmem_buffer_unref(other);
	tear_down(&setup);
}
END_TEST

START_TEST(other_files_of_the_kernel_are_no_fences)
{
	struct setup setup = set_up();
	int fd = portalmem_buffer_get_fd(setup.buffer);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	ck_assert_int_ge(pidfd, 0);
	ck_assert_int_eq(portalmem_buffer_import_fence(setup.buffer,
						       PORTALMEM_SYNC_READ, fd),
			 -EINVAL);
	ck_assert_int_eq(portalmem_buffer_import_fence(
				 setup.buffer, PORTALMEM_SYNC_READ, pidfd),
			 -EINVAL);
	close(pidfd);
	tear_down(&setup);
}
END_TEST

struct call {
	struct portalmem_buffer *buffer; /* NULL: wait for the fence alone */
	int fence;
	int timeout_ms;
	int expected;
};

static int do_call(const struct call *call)
{
	if (call->buffer)
		return portalmem_buffer_wait(call->buffer, PORTALMEM_SYNC_RDWR,
					     call->timeout_ms);
	return portalmem_fence_wait(call->fence, call->timeout_ms);
}

/* The marks between which system calls are counted. */
static void mark(void)
{
	syscall(SYS_getppid);
}

/* The number of a system call that the child enters, -1 at its return. */
static long next_call(pid_t child)
{
	struct ptrace_syscall_info info;
	int status;

	ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSTOPPED(status) &&
			      WSTOPSIG(status) == (SIGTRAP | 0x80),
		      "status 0x%x instead of a system call", status);
	ck_assert_int_gt(ptrace((enum __ptrace_request)0x420e, child,
				sizeof(info), &info),
			 0);
	return info.op == PTRACE_SYSCALL_INFO_ENTRY ? (long)info.entry.nr : -1;
}

/* What strace would show of the call, made in a child. */
static unsigned int count_system_calls(const struct call *call)
{
	unsigned int count = 0;
	pid_t child = fork();
	int status;
	long nr;

	ck_assert_int_ge(child, 0);
	if (!child) {
		int ret;

		/* What the first call alone costs, the linker's for one. */
		do_call(call);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(2);
		mark();
		ret = do_call(call);
		mark();
		_exit(ret != call->expected);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(
		ptrace(PTRACE_SETOPTIONS, child, NULL,
		       (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)),
		0);
	while (next_call(child) != SYS_getppid)
		;
	while ((nr = next_call(child)) != SYS_getppid)
		count += nr >= 0;
	ck_assert_int_eq(ptrace(PTRACE_DETACH, child, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	return count;
}

START_TEST(signalled_fence_costs_one_system_call)
{
	struct setup setup = set_up();
	uint32_t attached = devices_attach_fence(setup.vgem, setup.handle);
	struct call wait_buffer = {.buffer = setup.buffer, .fence = -1};
	struct call wait_fence = {.timeout_ms = 1, .expected = -ETIMEDOUT};

	ck_assert_int_eq(portalmem_buffer_export_fence(setup.buffer,
						       PORTALMEM_SYNC_RDWR,
						       &wait_fence.fence),
			 0);
	/* The count tells more than one: this looks, and then waits. */
	ck_assert_uint_ge(count_system_calls(&wait_fence), 2);
	devices_signal_fence(setup.vgem, attached);
	wait_fence.expected = 0;
	for (unsigned int i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		wait_buffer.timeout_ms = times[i];
		wait_fence.timeout_ms = times[i];
		ck_assert_uint_eq(count_system_calls(&wait_buffer), 1);
		ck_assert_uint_eq(count_system_calls(&wait_fence), 1);
	}
	close(wait_fence.fence);
	tear_down(&setup);
}
END_TEST

/* The buffer, and what its device still has to do with it, in one message. */
static void send_with_fence(const struct setup *setup, int socket)
{
	struct portalmem_parcel parcel = {.buffer = setup->buffer};

	ck_assert_int_eq(portalmem_buffer_export_fence(setup->buffer,
						       PORTALMEM_SYNC_RDWR,
						       &parcel.fence),
			 0);
	ck_assert_int_eq(portalmem_send(socket, &parcel, 1), 0);
	close(parcel.fence);
}

START_TEST(fence_of_a_message_is_given_to_the_receiver)
{
	struct setup setup = set_up();
	uint32_t attached = devices_attach_fence(setup.vgem, setup.handle);
	struct portalmem_parcel parcel;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	send_with_fence(&setup, pair[0]);
	ck_assert_int_eq(
		portalmem_receive(setup.device, pair[1], NULL, &parcel, 1), 1);
	ck_assert_int_eq(portalmem_fence_wait(parcel.fence, 0), -ETIMEDOUT);
	devices_signal_fence(setup.vgem, attached);
	ck_assert_int_eq(portalmem_fence_wait(parcel.fence, -1), 0);
	close(parcel.fence);
	portalmem_buffer_unref(parcel.buffer);
	close(pair[0]);
	close(pair[1]);
	tear_down(&setup);
}
END_TEST

START_TEST(fence_of_a_message_is_waited_for_when_asked)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct setup setup = set_up();
	uint32_t attached = devices_attach_fence(setup.vgem, setup.handle);
	struct portalmem_parcel parcel;
	struct later later;
	unsigned int before;
	int pair[2];
	double begin;

	options.wait = 1;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	before = pmtest_count_fds();
	send_with_fence(&setup, pair[0]);
	begin = guest_now();
	options.timeout_ms = 300;
	ck_assert_int_eq(
		portalmem_receive(setup.device, pair[1], &options, &parcel, 1),
		-ETIMEDOUT);
	assert_took(begin, 0.299);
	pmtest_assert_no_leaked_fds(before);

	send_with_fence(&setup, pair[0]);
	begin = guest_now();
	options.timeout_ms = -1;
	start_later(&later, &setup, attached);
	ck_assert_int_eq(
		portalmem_receive(setup.device, pair[1], &options, &parcel, 1),
		1);
	assert_took(begin, AT_LEAST);
	ck_assert_int_eq(parcel.fence, -1);
	pthread_join(later.thread, NULL);
	portalmem_buffer_unref(parcel.buffer);
	pmtest_assert_no_leaked_fds(before);
	close(pair[0]);
	close(pair[1]);
	tear_down(&setup);
}
END_TEST

/* All kinds that there are, and a fence with every second. */
START_TEST(largest_batch_arrives_with_its_fences)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					 PORTALMEM_UC};
	struct portalmem_parcel sent[PORTALMEM_PARCELS_MAX];
	struct portalmem_parcel got[PORTALMEM_PARCELS_MAX];
	struct setup setup = set_up();
	uint32_t attached = devices_attach_fence(setup.vgem, setup.handle);
	int pair[2];

	for (int i = 0; i < PORTALMEM_PARCELS_MAX; i++) {
		int fd = guest_alloc(KIB(4) * (size_t)(i + 1), modes[i % 3]);

		ck_assert_int_eq(portalmem_buffer_import(setup.device, fd,
							 &sent[i].buffer),
				 0);
		close(fd);
		sent[i].fence = -1;
		if (i % 2)
			ck_assert_int_eq(portalmem_buffer_export_fence(
						 setup.buffer,
						 PORTALMEM_SYNC_RDWR,
						 &sent[i].fence),
					 0);
	}
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(portalmem_send(pair[0], sent, PORTALMEM_PARCELS_MAX),
			 0);
	ck_assert_int_eq(portalmem_receive(setup.device, pair[1], NULL, got,
					   PORTALMEM_PARCELS_MAX),
			 PORTALMEM_PARCELS_MAX);
	devices_signal_fence(setup.vgem, attached);
	for (int i = 0; i < PORTALMEM_PARCELS_MAX; i++) {
		struct portalmem_info ours = PORTALMEM_INFO_INIT;
		struct portalmem_info theirs = PORTALMEM_INFO_INIT;

		ck_assert_int_eq(
			portalmem_buffer_get_info(sent[i].buffer, &ours), 0);
		ck_assert_int_eq(
			portalmem_buffer_get_info(got[i].buffer, &theirs), 0);
		ck_assert_uint_eq(ours.inode, theirs.inode);
		ck_assert_uint_eq(ours.size, theirs.size);
		ck_assert_int_eq(ours.effective, theirs.effective);
		ck_assert_int_eq(got[i].fence >= 0, i % 2);
		if (i % 2) {
			ck_assert_int_eq(portalmem_fence_wait(got[i].fence, -1),
					 0);
			close(sent[i].fence);
			close(got[i].fence);
		}
		portalmem_buffer_unref(sent[i].buffer);
		portalmem_buffer_unref(got[i].buffer);
	}
	close(pair[0]);
	close(pair[1]);
	tear_down(&setup);
}
END_TEST

START_TEST(dmabuf_is_taken_from_another_process)
{
	struct setup setup = set_up();
	struct portalmem_info ours = PORTALMEM_INFO_INIT;
	struct portalmem_info theirs = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *taken;
	pid_t child = fork();
	int pidfd;

	ck_assert_int_ge(child, 0);
	if (!child)
		for (;;)
			pause();
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	ck_assert_int_ge(pidfd, 0);
	ck_assert_int_eq(portalmem_buffer_import_from(
				 setup.device, pidfd,
				 portalmem_buffer_get_fd(setup.buffer), &taken),
			 0);
	ck_assert_int_eq(portalmem_buffer_get_info(setup.buffer, &ours), 0);
	ck_assert_int_eq(portalmem_buffer_get_info(taken, &theirs), 0);
	ck_assert_uint_eq(ours.inode, theirs.inode);
	portalmem_buffer_unref(taken);
	/* The node of a device is not a buffer. */
	ck_assert_int_eq(portalmem_buffer_import_from(setup.device, pidfd,
						      setup.vgem, &taken),
			 -EINVAL);
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(pidfd);
	tear_down(&setup);
}
END_TEST

#define VARIABLE "PORTALMEM_TEST_BUFFER"

START_TEST(dmabuf_is_inherited)
{
	static char entry[sizeof(VARIABLE) + PORTALMEM_ENV_MAX];
	struct setup setup = set_up();
	struct portalmem_info ours = PORTALMEM_INFO_INIT;
	struct portalmem_info theirs = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *got;
	int other = guest_alloc(MIB(1), PORTALMEM_CACHED);
	int fd = portalmem_buffer_export_env(setup.buffer, VARIABLE, entry,
					     sizeof(entry));

	ck_assert_int_ge(fd, 3);
	ck_assert_int_eq(putenv(entry), 0);
	ck_assert_int_eq(
		portalmem_buffer_import_env(setup.device, VARIABLE, &got), 0);
	ck_assert_int_eq(portalmem_buffer_get_info(setup.buffer, &ours), 0);
	ck_assert_int_eq(portalmem_buffer_get_info(got, &theirs), 0);
	ck_assert_uint_eq(ours.inode, theirs.inode);
	ck_assert_int_eq(theirs.effective, PORTALMEM_CACHING_CACHED);
	portalmem_buffer_unref(got);
	/* Another dma-buf of the same heap and size at the same number. */
	ck_assert_int_eq(dup2(other, fd), fd);
	ck_assert_int_eq(
		portalmem_buffer_import_env(setup.device, VARIABLE, &got),
		-ESTALE);
	close(fd);
	close(other);
	tear_down(&setup);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fence");
	TCase *tcase = guest_tcase("fence");

	tcase_add_loop_test(tcase, wait_blocks_until_the_fence_signals, 0, 3);
	tcase_add_loop_test(tcase, wait_times_out_as_asked, 0, 3);
	tcase_add_test(tcase, device_that_reads_holds_up_writers_alone);
	tcase_add_loop_test(tcase, exported_fence_signals_with_the_device, 0,
			    3);
	tcase_add_loop_test(tcase, imported_fence_is_waited_for, 0, 2);
	tcase_add_test(tcase, imported_read_holds_up_writers_alone);
	tcase_add_test(tcase, other_files_of_the_kernel_are_no_fences);
	tcase_add_test(tcase, signalled_fence_costs_one_system_call);
	tcase_add_test(tcase, fence_of_a_message_is_given_to_the_receiver);
	tcase_add_test(tcase, fence_of_a_message_is_waited_for_when_asked);
	tcase_add_test(tcase, largest_batch_arrives_with_its_fences);
	tcase_add_test(tcase, dmabuf_is_taken_from_another_process);
	tcase_add_test(tcase, dmabuf_is_inherited);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
