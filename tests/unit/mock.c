// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The functions below stand before the C library's in the order in which the
 * dynamic linker looks. Built with the same config.h, this file and the library
 * agree on their names where 64-bit offsets give them others.
 */
#undef _FORTIFY_SOURCE
#include "config.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "mock.h"

/* Largest argument of an expected ioctl. */
#define ARGUMENT_MAX 512

#define FAKES_MAX 64

#define DMA_BUF_MAGIC_NUMBER 0x444d4142

/* A memfd that plays a part, known by its inode. */
static struct fake {
	dev_t device;
	ino_t inode;
	enum mock_target part;
} fakes[FAKES_MAX];
static size_t fakes_count;

static const struct mock_call *expected;
static size_t expected_count;
static size_t expected_next;

static bool real_nodes;
static const struct mock_kernel *kernel;
static const char *fdinfo;
static unsigned int calloc_countdown;
static int memfd_create_error;
static unsigned int memfd_flag_unknown;
static unsigned int mmap_countdown;
static int mmap_error;
static int fallocate_error;
static int statx_error;
static short ready_events = POLLIN | POLLOUT;
static atomic_uint polls;

void mock_expect(const struct mock_call *calls, size_t count)
{
	mock_assert_done();
	expected = calls;
	expected_count = count;
	expected_next = 0;
}

void mock_assert_done(void)
{
	ck_assert_msg(expected_next == expected_count,
		      "%zu of %zu expected calls came", expected_next,
		      expected_count);
}

void mock_use_kernel(const struct mock_kernel *answers)
{
	kernel = answers;
}

void mock_use_real_nodes(void)
{
	real_nodes = true;
}

void mock_set_fdinfo(const char *text)
{
	fdinfo = text;
}

void mock_fail_calloc(unsigned int n)
{
	calloc_countdown = n;
}

void mock_fail_memfd_create(int error)
{
	memfd_create_error = error;
}

void mock_fail_memfd_flag(unsigned int flag)
{
	memfd_create_error = 0;
	memfd_flag_unknown = flag;
}

void mock_fail_mmap_at(unsigned int n, int error)
{
	mmap_countdown = n;
	mmap_error = error;
}

void mock_fail_fallocate_once(int error)
{
	fallocate_error = error;
}

void mock_fail_statx(int error)
{
	statx_error = error;
}

static int real_memfd(const char *name, unsigned int flags)
{
	return (int)syscall(SYS_memfd_create, name, flags);
}

static int real_statx(int fd, const char *path, int flags, unsigned int mask,
		      struct statx *st)
{
	return (int)syscall(SYS_statx, fd, path, flags, mask, st);
}

static int new_fake(enum mock_target part, uint64_t size)
{
	int fd = real_memfd("mock", MFD_CLOEXEC);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_lt(fakes_count, FAKES_MAX);
	fakes[fakes_count].device = st.st_dev;
	fakes[fakes_count].inode = st.st_ino;
	fakes[fakes_count].part = part;
	fakes_count++;
	return fd;
}

int mock_new_dmabuf(uint64_t size)
{
	return new_fake(MOCK_BUFFER, size);
}

int mock_new_attachment(void)
{
	return new_fake(MOCK_ATTACHMENT, 0);
}

int mock_new_fence(void)
{
	return new_fake(MOCK_FENCE, 0);
}

void mock_set_ready(short events)
{
	ready_events = events;
}

unsigned int mock_count_polls(void)
{
	return atomic_load(&polls);
}

int mock_new_node(void)
{
	return new_fake(MOCK_NODE, 0);
}

/* Asks nobody: the file may be one of a process that does not answer. */
static bool is_fake(int fd, enum mock_target part)
{
	struct statx st;

	if (real_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO,
		       &st))
		return false;
	for (size_t i = 0; i < fakes_count; i++)
		if (fakes[i].device ==
			    makedev(st.stx_dev_major, st.stx_dev_minor) &&
		    fakes[i].inode == st.stx_ino && fakes[i].part == part)
			return true;
	return false;
}

/* Any that a kernel would know a call for. */
static bool is_any_fake(int fd, enum mock_target *part)
{
	static const enum mock_target parts[] = {MOCK_NODE, MOCK_BUFFER,
						 MOCK_ATTACHMENT, MOCK_FENCE};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		*part = parts[i];
		if (is_fake(fd, *part))
			return true;
	}
	return false;
}

bool mock_is(int fd, enum mock_target part)
{
	return is_fake(fd, part);
}

static bool is_target(int fd, enum mock_target target)
{
	const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;

	if (target != MOCK_MEMFD)
		return is_fake(fd, target);
	return (fcntl(fd, F_GET_SEALS) & wanted) == wanted;
}

static const struct mock_call *next_call(const char *what)
{
	ck_assert_msg(expected_next < expected_count,
		      "%s, but no further call is expected", what);
	return &expected[expected_next++];
}

/* What a function of the kernel's answered, as a system call gives it. */
static int result_of(int ret)
{
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

static int real_open(const char *path, int flags, mode_t mode)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int open_node(const char *path, int flags)
{
	const struct mock_call *call = next_call(path);

	ck_assert_msg(call->open != NULL, "open of %s instead of another call",
		      path);
	ck_assert_str_eq(path, call->open);
	ck_assert_int_eq(flags, O_RDWR | O_CLOEXEC);
	if (call->error) {
		errno = call->error;
		return -1;
	}
	return mock_new_node();
}

static int open_fdinfo(void)
{
	int fd;

	if (!fdinfo) {
		errno = ENOENT;
		return -1;
	}
	fd = real_memfd("fdinfo", MFD_CLOEXEC);
	ck_assert_int_eq(write(fd, fdinfo, strlen(fdinfo)),
			 (ssize_t)strlen(fdinfo));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int do_open(const char *path, int flags, mode_t mode)
{
	static const char fdinfo_dir[] = "/proc/thread-self/fdinfo/";
	int fd;

	if (!strncmp(path, "/dev/", 5) && strncmp(path, "/dev/null", 9) &&
	    kernel)
		return result_of(kernel->open(path));
	if (!strncmp(path, "/dev/", 5) && strncmp(path, "/dev/null", 9) &&
	    !(real_nodes && expected_next == expected_count))
		return open_node(path, flags);
	if (!strncmp(path, fdinfo_dir, strlen(fdinfo_dir))) {
		fd = atoi(path + strlen(fdinfo_dir));
		if (is_fake(fd, MOCK_BUFFER))
			return open_fdinfo();
	}
	return real_open(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return do_open(path, flags, mode);
}

static int (*real_fstatfs)(int, struct statfs *);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);

/* Before there are threads, or earlier when somebody is in need of them. */
__attribute__((constructor)) static void find_real(void)
{
	real_fstatfs = dlsym(RTLD_NEXT, "fstatfs");
	real_fallocate = dlsym(RTLD_NEXT, "fallocate");
	real_poll = dlsym(RTLD_NEXT, "poll");
	real_mmap = dlsym(RTLD_NEXT, "mmap");
}

int fstatfs(int fd, struct statfs *fs)
{
	if (is_fake(fd, MOCK_BUFFER)) {
		memset(fs, 0, sizeof(*fs));
		fs->f_type = DMA_BUF_MAGIC_NUMBER;
		return 0;
	}
	if (is_fake(fd, MOCK_FENCE)) {
		memset(fs, 0, sizeof(*fs));
		fs->f_type = ANON_INODE_FS_MAGIC;
		return 0;
	}
	if (!real_fstatfs)
		find_real();
	return real_fstatfs(fd, fs);
}

#ifdef SYS_fcntl64
#define SYS_FCNTL SYS_fcntl64
#else
#define SYS_FCNTL SYS_fcntl
#endif

/* A dma-buf has no seals; a memfd that plays one has. */
int fcntl(int fd, int command, ...)
{
	va_list args;
	void *argument;

	if (command == F_GET_SEALS && is_fake(fd, MOCK_BUFFER)) {
		errno = EINVAL;
		return -1;
	}
	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	return (int)syscall(SYS_FCNTL, fd, command, argument);
}

/*
 * Files of the kernel's own have no type. With a prototype of its own: the C
 * library's says that the path is never NULL.
 */
int mock_statx(int fd, const char *path, int flags, unsigned int mask,
	       struct statx *st) __asm__("statx");

int mock_statx(int fd, const char *path, int flags, unsigned int mask,
	       struct statx *st)
{
	int ret;

	if (statx_error) {
		errno = statx_error;
		return -1;
	}
	ret = real_statx(fd, path, flags, mask, st);
	if (!ret && !*path &&
	    (is_fake(fd, MOCK_BUFFER) || is_fake(fd, MOCK_FENCE) ||
	     is_fake(fd, MOCK_ATTACHMENT)))
		st->stx_mode &= (uint16_t)~S_IFMT;
	return ret;
}

int memfd_create(const char *name, unsigned int flags)
{
	if (memfd_create_error) {
		errno = memfd_create_error;
		return -1;
	}
	if (flags & memfd_flag_unknown) {
		errno = EINVAL;
		return -1;
	}
	return real_memfd(name, flags);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (fallocate_error) {
		errno = fallocate_error;
		fallocate_error = 0;
		return -1;
	}
	if (!real_fallocate)
		find_real();
	return real_fallocate(fd, mode, offset, length);
}

/* The thread sanitizer needs these two before a program's code can run. */
#ifndef __SANITIZE_THREAD__
void *mmap(void *address, size_t length, int prot, int flags, int fd,
	   off_t offset)
{
	if (mmap_countdown && !--mmap_countdown) {
		errno = mmap_error;
		return MAP_FAILED;
	}
	if (!real_mmap)
		find_real();
	return real_mmap(address, length, prot, flags, fd, offset);
}

void *calloc(size_t count, size_t size)
{
	size_t bytes;
	void *memory;

	if ((calloc_countdown && !--calloc_countdown) ||
	    __builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	memory = malloc(bytes);
	/* With memset() a compiler makes a call of calloc() out of this. */
	if (memory)
		explicit_bzero(memory, bytes);
	return memory;
}
#endif

/* Take the field out of the argument for the comparison. */
static void check_fd_at(const struct mock_call *call, unsigned char *field)
{
	int fd;

	memcpy(&fd, field, sizeof(fd));
	memset(field, 0, sizeof(fd));
	ck_assert_msg(is_target(fd, call->in_fd_is),
		      "ioctl 0x%lx has a wrong file descriptor in it",
		      call->request);
}

static void check_pointee(const struct mock_call *call, unsigned char *argument)
{
	unsigned char *field = argument + call->in_pointer_at - 1;
	unsigned char copy[ARGUMENT_MAX];
	const unsigned char *pointee;
	uint64_t address;

	memcpy(&address, field, sizeof(address));
	memset(field, 0, sizeof(address));
	pointee = (const unsigned char *)(uintptr_t)address;
	if (call->pointee_fd_at) {
		ck_assert_uint_le(call->pointee_size, sizeof(copy));
		memcpy(copy, pointee, call->pointee_size);
		for (size_t at = call->pointee_fd_at - 1;
		     at < call->pointee_size; at += call->pointee_stride)
			check_fd_at(call, copy + at);
		pointee = copy;
	}
	ck_assert_mem_eq(pointee, call->pointee, call->pointee_size);
}

static void check_argument(const struct mock_call *call, const void *argument)
{
	unsigned char copy[ARGUMENT_MAX];

	if (call->in_text) {
		ck_assert_str_eq(argument, call->in_text);
		return;
	}
	ck_assert_uint_le(call->in_size, sizeof(copy));
	memcpy(copy, argument, call->in_size);
	if (call->in_fd_at)
		check_fd_at(call, copy + call->in_fd_at - 1);
	if (call->in_pointer_at)
		check_pointee(call, copy);
	ck_assert_mem_eq(copy, call->in, call->in_size);
}

static int reply(const struct mock_call *call, unsigned char *argument)
{
	uint64_t address;
	int fd;

	if (call->error) {
		errno = call->error;
		return -1;
	}
	if (call->out_pointee) {
		memcpy(&address, argument + call->in_pointer_at - 1,
		       sizeof(address));
		memcpy((void *)(uintptr_t)address, call->out_pointee,
		       call->pointee_size);
	}
	if (call->out)
		memcpy(argument, call->out, call->in_size);
	if (!call->new_buffer && !call->new_attachment && !call->new_fence)
		return 0;
	fd = call->new_attachment ? mock_new_attachment()
	     : call->new_fence	  ? mock_new_fence()
				  : mock_new_dmabuf(call->new_buffer);
	if (!call->new_fd_at)
		return fd;
	memcpy(argument + call->new_fd_at - 1, &fd, sizeof(fd));
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct mock_call *call;
	enum mock_target on;
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (!is_any_fake(fd, &on))
		return (int)syscall(SYS_ioctl, fd, request, argument);
	if (kernel)
		return result_of(kernel->ioctl(on, request, argument));
	call = next_call("ioctl");
	ck_assert_msg(!call->open, "ioctl 0x%lx instead of open of %s", request,
		      call->open);
	ck_assert_msg(!call->poll, "ioctl 0x%lx instead of poll", request);
	/* Some C libraries widen a request of 32 bits with its sign. */
	ck_assert_uint_eq((uint32_t)request, (uint32_t)call->request);
	ck_assert_msg(is_target(fd, call->on), "ioctl 0x%lx on a wrong file",
		      request);
	check_argument(call, argument);
	return reply(call, argument);
}

/* Buffers and fences are as ready as mock_set_ready() said. */
static int poll_ready(struct pollfd *fds, int timeout)
{
	atomic_fetch_add(&polls, 1);
	fds->revents = fds->events & ready_events;
	return fds->revents ? 1 : real_poll(NULL, 0, timeout);
}

/* The kernel is asked every millisecond until the time is over. */
static int poll_kernel(struct pollfd *fds, int timeout)
{
	while (!(fds->revents =
			 (short)(kernel->ready() & (fds->events | POLLERR)))) {
		if (!timeout)
			return 0;
		real_poll(NULL, 0, 1);
		if (timeout > 0)
			timeout--;
	}
	return 1;
}

/* With a prototype of its own: the C library's says that nothing is read. */
int mock_poll(struct pollfd *fds, nfds_t count, int timeout) __asm__("poll");

int mock_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	const struct mock_call *call;

	if (count == 1 &&
	    (is_fake(fds->fd, MOCK_BUFFER) || is_fake(fds->fd, MOCK_FENCE)))
		return poll_ready(fds, timeout);
	if (count != 1 || !is_fake(fds->fd, MOCK_NODE))
		return real_poll(fds, count, timeout);
	if (kernel)
		return poll_kernel(fds, timeout);
	call = next_call("poll");
	ck_assert_int_eq(fds->events, call->poll);
	if (call->poll_timeout > 0) {
		ck_assert_int_gt(timeout, 0);
		ck_assert_int_le(timeout, call->poll_timeout);
	} else {
		ck_assert_int_eq(timeout, call->poll_timeout);
	}
	if (call->error) {
		errno = call->error;
		return -1;
	}
	fds->revents = call->poll_revents;
	return call->poll_revents != 0;
}
