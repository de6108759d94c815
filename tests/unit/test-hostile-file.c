// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A peer may send a file of a file system that it runs itself (FUSE), and leave
 * every question of the kernel about that file without an answer. Who is given
 * such a file refuses it, and neither asking what it is nor closing it keeps
 * him waiting. The file is called like a dma-buf in /proc, too.
 *
 * The library has own threads for that.
 *
 * It takes /dev/fuse and the right to mount, as root or in a user namespace;
 * where these are not to be had, nothing is tested.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

/* Above the root of the peer's namespace, which is not mounted over. */
#define FILE_PATH "/../dmabuf:"
#define FILE_LINK "/dmabuf:"

#define FILE_NODE 2

/* What the library may take at most for one call, in seconds. */
#define PATIENCE 5

/* The peer, and its file in this process. */
static pid_t peer;
static int hostile = -1;

/*
 * What the peer does. It says how far it came by its exit status, and nothing
 * by the test's means: it is a process of its own.
 */

static void peer_needs(bool done, int step)
{
	if (!done)
		_exit(step);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		_exit(20);
	close(fd);
}

/* Mounts are this process's own from here on, as root or as root of its own. */
static void peer_enter_namespace(void)
{
	char map[64];
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWNS)) {
		peer_needs(!unshare(CLONE_NEWUSER | CLONE_NEWNS), 10);
		write_file("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_file("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		write_file("/proc/self/gid_map", map);
	}
	peer_needs(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 11);
}

static void peer_reply(int fuse, const struct fuse_in_header *request,
		       int error, const void *body, size_t size)
{
	char bytes[512];
	struct fuse_out_header *header = (struct fuse_out_header *)bytes;

	header->len = (uint32_t)(sizeof(*header) + size);
	header->error = error;
	header->unique = request->unique;
	if (size)
		memcpy(bytes + sizeof(*header), body, size);
	peer_needs(write(fuse, bytes, header->len) == (ssize_t)header->len, 12);
}

static void peer_reply_init(int fuse, const struct fuse_in_header *request)
{
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = 4096,
	};

	peer_reply(fuse, request, 0, &init, sizeof(init));
}

static void peer_reply_lookup(int fuse, const struct fuse_in_header *request)
{
	const struct fuse_entry_out entry = {
		.nodeid = FILE_NODE,
		.attr = {.ino = FILE_NODE,
			 .mode = S_IFREG | 0600,
			 .nlink = 1,
			 .size = 4096},
	};

	peer_reply(fuse, request, 0, &entry, sizeof(entry));
}

static void peer_reply_open(int fuse, const struct fuse_in_header *request)
{
	const struct fuse_open_out open = {.fh = 1};

	peer_reply(fuse, request, 0, &open, sizeof(open));
}

/* Serve the peer itself, up to its own close(2), and then nobody. */
static void peer_serve(int fuse)
{
	union {
		struct fuse_in_header header;
		char bytes[FUSE_MIN_READ_BUFFER * 2];
	} request;

	do {
		peer_needs(read(fuse, &request, sizeof(request)) > 0, 13);
		switch (request.header.opcode) {
		case FUSE_INIT:
			peer_reply_init(fuse, &request.header);
			break;
		case FUSE_LOOKUP:
			peer_reply_lookup(fuse, &request.header);
			break;
		case FUSE_OPEN:
			peer_reply_open(fuse, &request.header);
			break;
		case FUSE_FLUSH:
			peer_reply(fuse, &request.header, 0, NULL, 0);
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
			break;
		default:
			peer_reply(fuse, &request.header, -ENOSYS, NULL, 0);
		}
	} while (request.header.opcode != FUSE_FLUSH);
	for (;;)
		pause();
}

static void peer_mount(int fuse)
{
	char options[128];

	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fuse, getuid(),
		 getgid());
	peer_needs(
		!mount("hostile", "/", "fuse", MS_NOSUID | MS_NODEV, options),
		14);
}

/* COUNT descriptors with LENGTH bytes. */
static bool send_fds(int socket, const void *bytes, size_t length,
		     const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes,
			    .iov_len = length};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) == (ssize_t)length;
}

/*
 * Another process than the one that serves: it may have to wait for that, also
 * at its end, but the end of that one ends all waiting.
 */
static void peer_open_and_send(int fuse, int socket)
{
	int file;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(fuse);
	file = open(FILE_PATH, O_RDWR | O_CLOEXEC);
	peer_needs(file >= 0, 17);
	peer_needs(send_fds(socket, "x", 1, &file, 1), 18);
	close(file);
	peer_needs(send(socket, "y", 1, MSG_NOSIGNAL) == 1, 19);
	_exit(0);
}

static void peer_run(int socket)
{
	pid_t opener;
	int fuse;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The mock looks at open(2) only. */
	fuse = openat(AT_FDCWD, "/dev/fuse", O_RDWR | O_CLOEXEC);
	peer_needs(fuse >= 0, 15);
	peer_enter_namespace();
	peer_mount(fuse);
	/* Nobody waits for the other one. */
	signal(SIGCHLD, SIG_IGN);
	opener = fork();
	peer_needs(opener >= 0, 16);
	if (!opener)
		peer_open_and_send(fuse, socket);
	close(socket);
	peer_serve(fuse);
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1 ||
	    !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* False where no such file can be had, and *STATUS is the peer's. */
static bool start_peer(int *status)
{
	int pair[2];
	char byte;
	bool done;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return false;
	peer = fork();
	if (!peer) {
		close(pair[0]);
		peer_run(pair[1]);
	}
	close(pair[1]);
	hostile = receive_fd(pair[0]);
	done = hostile >= 0 && recv(pair[0], &byte, 1, 0) == 1;
	close(pair[0]);
	if (!done) {
		/* It may have done its part, and serve the one that has not. */
		kill(peer, SIGKILL);
		waitpid(peer, status, 0);
	}
	return done;
}

/* Its file system ends with it, and so does all waiting. */
static void stop_peer(void)
{
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	close(hostile);
}

static time_t started;

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static void set_up(void)
{
	int status;

	ck_assert(start_peer(&status));
	started = now();
}

static void tear_down(void)
{
	time_t took = now() - started;

	stop_peer();
	ck_assert_int_le(took, PATIENCE);
}

/* Only now is the test known to be about what it says. */
START_TEST(file_is_called_like_a_dmabuf)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", hostile);
	ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
	ck_assert_str_eq(target, FILE_LINK);
}
END_TEST

START_TEST(import_refuses_it)
{
	struct portalmem_buffer *buffer;

	unit_assert_fails(portalmem_buffer_import(NULL, hostile, &buffer),
			  EINVAL);
}
END_TEST

START_TEST(import_from_a_process_refuses_it)
{
	struct portalmem_buffer *buffer;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	ck_assert_int_ge(pidfd, 0);
	unit_assert_fails(
		portalmem_buffer_import_from(NULL, pidfd, hostile, &buffer),
		EINVAL);
	close(pidfd);
}
END_TEST

START_TEST(import_from_the_environment_refuses_it)
{
	struct portalmem_buffer *buffer;
	char text[64];

	snprintf(text, sizeof(text), "1:%d:4096:1:2:0:0:", hostile);
	ck_assert_int_eq(setenv("BUFFER", text, 1), 0);
	ck_assert_int_eq(fcntl(hostile, F_SETFD, 0), 0);
	unit_assert_fails(portalmem_buffer_import_env(NULL, "BUFFER", &buffer),
			  ESTALE);
}
END_TEST

START_TEST(fence_that_is_it_is_refused)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	const struct portalmem_parcel parcel = {buffer, hostile};
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	unit_assert_fails(portalmem_buffer_import_fence(
				  buffer, PORTALMEM_SYNC_WRITE, hostile),
			  EINVAL);
	unit_assert_fails(portalmem_send(pair[0], &parcel, 1), EINVAL);
	close(pair[0]);
	close(pair[1]);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(attachment_that_is_it_is_refused)
{
	struct portalmem_attachment *attached;

	unit_assert_fails(portalmem_attachment_import(hostile, &attached),
			  EINVAL);
}
END_TEST

/* A message with one buffer, and as many files as the test says. */
#define MESSAGE_LENGTH 72
#define AT_FLAGS 28

static const unsigned char message[MESSAGE_LENGTH] = {
	'P', 't', 'M', 'b', 2, 0, 16, 0, 72, 0, 0, 0, 1, 0, 0, 0,
	0,   16,  0,   0,   0, 0, 0,  0, 1,  0, 0, 0, 0, 0, 0, 0,
};

static void send_message(int socket, bool fence, size_t hostile_files)
{
	unsigned char bytes[MESSAGE_LENGTH];
	int fds[8], count = 0;

	memcpy(bytes, message, sizeof(bytes));
	bytes[AT_FLAGS] = fence;
	if (fence)
		fds[count++] = mock_new_dmabuf(PAGE);
	while (hostile_files--)
		fds[count++] = hostile;
	ck_assert(send_fds(socket, bytes, sizeof(bytes), fds, (size_t)count));
	if (fence)
		close(fds[0]);
}

static const struct {
	bool fence; /* the message has a good buffer, and this is its fence */
	size_t files;
} messages[] = {{false, 1}, {false, 8}, {true, 1}, {true, 5}};

START_TEST(message_with_it_is_refused)
{
	struct portalmem_parcel parcel = {NULL, -7};
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	send_message(pair[0], messages[_i].fence, messages[_i].files);
	unit_assert_fails(portalmem_receive(NULL, pair[1], NULL, &parcel, 1),
			  EBADMSG);
	ck_assert_ptr_null(parcel.buffer);
	ck_assert_int_eq(parcel.fence, -7);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* The text is for who reads the log. */
static bool is_possible(void)
{
	int status = 0;

	if (getenv("UNIT_NO_MOUNTS")) {
		printf("1..0 # SKIP not with this tool\n");
		return false;
	}
	if (start_peer(&status)) {
		stop_peer();
		return true;
	}
	printf("1..0 # SKIP no file system of a process (FUSE) can be "
	       "mounted: step %d failed\n",
	       WEXITSTATUS(status));
	return false;
}

static Suite *hostile_file_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("hostile-file", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 4 * PATIENCE);
	tcase_add_test(tc, file_is_called_like_a_dmabuf);
	tcase_add_test(tc, import_refuses_it);
	if (unit_has_pidfds())
		tcase_add_test(tc, import_from_a_process_refuses_it);
	tcase_add_test(tc, import_from_the_environment_refuses_it);
	tcase_add_test(tc, fence_that_is_it_is_refused);
	tcase_add_test(tc, attachment_that_is_it_is_refused);
	tcase_add_loop_test(tc, message_with_it_is_refused, 0, COUNT(messages));
	return suite;
}

int main(void)
{
	static const pmtest_suite_fn suites[] = {hostile_file_suite};

	/* Where it has to be possible, trying it is part of the tests. */
	if (!getenv("UNIT_MUST_MOUNT") && !is_possible())
		return EXIT_SUCCESS;
	return pmtest_main(suites, COUNT(suites));
}
