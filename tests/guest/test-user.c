// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers of memory that a process has already: whatever kind it is of,
 * whatever the process does to it afterwards, and what is refused. No test
 * leaves a page pinned, or charged to RLIMIT_MEMLOCK.
 * quick: 6.12 6.1
 * races: memory changes while it is imported
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/loop.h>
#include <portalmem.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"
#include "kmod/pm_importer.h"
#include "kmod/pm_memtype.h"
#include "soft-device.h"

#define PAGE KIB(4)
#define HUGE MIB(2)
#define SIZE MIB(4)

#define USER_UID 1001

/* A request that succeeds as it is. */
static struct portalmem_ioc_import_user request_for(const void *address,
						    size_t size, int mode)
{
	struct portalmem_ioc_import_user request = {
		.fd_flags = (uint32_t)(mode | O_CLOEXEC),
		.address = (uintptr_t)address,
		.size = size,
		.name = "mine",
	};

	return request;
}

/* The dma-buf's descriptor, or a negative errno. */
static int try_import(const void *address, size_t size, int mode)
{
	struct portalmem_ioc_import_user request =
		request_for(address, size, mode);
	int node = guest_open(GUEST_NODE);
	int ret = ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request);

	ret = ret ? -errno : request.fd;
	close(node);
	return ret;
}

static int import(const void *address, size_t size, int mode)
{
	int fd = try_import(address, size, mode);

	ck_assert_msg(fd > 0, "importing: %s", strerror(-fd));
	return fd;
}

/* KiB of the calling process's memory that count against RLIMIT_MEMLOCK. */
static long locked_kib(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[128];
	long kib = -1;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmLck: %ld kB", &kib);
	fclose(file);
	ck_assert_int_ge(kib, 0);
	return kib;
}

/* Pins of all pages of the machine, by whomever. */
static long count_pins(void)
{
	FILE *file;
	char name[64];
	long value, pins = 0;

	guest_put("/proc/sys/vm/stat_refresh", "1");
	file = fopen("/proc/vmstat", "r");
	ck_assert_ptr_nonnull(file);
	while (fscanf(file, "%63s %ld", name, &value) == 2) {
		if (!strcmp(name, "nr_foll_pin_acquired"))
			pins += value;
		if (!strcmp(name, "nr_foll_pin_released"))
			pins -= value;
	}
	fclose(file);
	return pins;
}

/* Pages that others have pinned at a time, as the guest's files do for I/O. */
#define OTHERS 3

static int are_pinned(size_t size)
{
	long more = count_pins() - (long)(size / PAGE);

	return more >= 0 && more <= OTHERS;
}

/* A file may go a moment after who had it last. */
static void assert_pins(size_t size)
{
	for (int i = 0; i < 100 && !are_pinned(size); i++)
		usleep(10000);
	ck_assert_msg(are_pinned(size), "%ld pins instead of %zu", count_pins(),
		      size / PAGE);
}

static void assert_nothing_held(void)
{
	assert_pins(0);
	ck_assert_int_eq(locked_kib(), 0);
}

static void *map_memory(size_t size, int flags, int fd)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	ck_assert_msg(map != MAP_FAILED, "mmap: %s", strerror(errno));
	return map;
}

static char *map_anonymous(size_t size)
{
	return map_memory(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static char *map_shared(size_t size)
{
	return map_memory(size, MAP_SHARED | MAP_ANONYMOUS, -1);
}

/* A memory file, mapped by itself. */
static char *map_memfd(size_t size, unsigned int flags)
{
	int fd = memfd_create("user", MFD_CLOEXEC | flags);
	char *map;

	ck_assert_msg(fd >= 0, "memfd_create: %s", strerror(errno));
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	map = map_memory(size, MAP_SHARED, fd);
	close(fd);
	return map;
}

static char *map_small_memfd(size_t size)
{
	return map_memfd(size, 0);
}

/* At an address and of a kind that huge pages fit into. */
static char *map_transparent_huge(size_t size)
{
	char *room = map_anonymous(size + HUGE);
	char *map = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));

	ck_assert_int_eq(madvise(map, size, MADV_HUGEPAGE), 0);
	return map;
}

static char *map_private_hugetlb(size_t size)
{
	return map_memory(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
}

static char *map_shared_hugetlb(size_t size)
{
	return map_memfd(size, MFD_HUGETLB);
}

static const struct kind {
	const char *name;
	char *(*map)(size_t size);
	unsigned int most_segments;
} kinds[] = {
	{"anonymous", map_anonymous, SIZE / PAGE},
	{"shared", map_shared, SIZE / PAGE},
	{"memfd", map_small_memfd, SIZE / PAGE},
	{"transparent huge pages", map_transparent_huge, SIZE / HUGE},
	{"hugetlb, private", map_private_hugetlb, SIZE / HUGE},
	{"hugetlb, shared", map_shared_hugetlb, SIZE / HUGE},
};
#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

static void reserve_huge_pages(void)
{
	guest_put("/proc/sys/vm/nr_hugepages", "8");
	ck_assert_int_eq(guest_meminfo("HugePages_Free"), 8);
}

/* All are free again, or the kernel would keep some. */
static void release_huge_pages(void)
{
	guest_put("/proc/sys/vm/nr_hugepages", "0");
	ck_assert_int_eq(guest_meminfo("HugePages_Total"), 0);
}

static void assert_info(int fd, const struct kind *kind)
{
	struct portalmem_ioc_info info = guest_info(fd);

	ck_assert_uint_eq(info.size, SIZE);
	ck_assert_uint_eq(info.caching, PORTALMEM_CACHED);
	ck_assert_uint_eq(info.effective, PORTALMEM_CACHED);
	ck_assert_int_eq(info.pid, getpid());
	ck_assert_str_eq(info.heap, "user");
	ck_assert_str_eq(info.name, "mine");
	ck_assert_uint_ge(info.segments, 1);
	ck_assert_msg(info.segments <= kind->most_segments,
		      "%s: %u segments, at most %u are expected", kind->name,
		      info.segments, kind->most_segments);
	printf("# %s: %u segments\n", kind->name, info.segments);
}

/* Each byte belongs to one segment, and no neighbours could be one. */
static void assert_compact(int fd)
{
	static struct portalmem_ioc_segment segments[SIZE / PAGE];
	unsigned int count = guest_segments(fd, segments, SIZE / PAGE);
	uint64_t end = 0;

	for (unsigned int i = 0; i < count; i++) {
		ck_assert_uint_eq(segments[i].offset, end);
		ck_assert_uint_ne(segments[i].physical, 0);
		end += segments[i].length;
		if (i + 1 < count)
			ck_assert_uint_ne(segments[i].physical +
						  segments[i].length,
					  segments[i + 1].physical);
	}
	ck_assert_uint_eq(end, SIZE);
}

/* The first half has not been touched before. */
START_TEST(buffer_and_process_see_each_others_bytes)
{
	const struct kind *kind = &kinds[_i];
	char *own = kind->map(SIZE);
	char *map;
	int fd;

	guest_fill(own + SIZE / 2, SIZE / 2, 1);
	fd = import(own, SIZE, O_RDWR);
	ck_assert_int_eq(locked_kib(), SIZE / 1024);
	assert_pins(SIZE);
	assert_info(fd, kind);
	assert_compact(fd);

	map = guest_map(fd, SIZE);
	guest_assert_zero(map, SIZE / 2);
	guest_assert_filled(map + SIZE / 2, SIZE / 2, 1);
	guest_fill(map, SIZE, 2);
	guest_assert_filled(own, SIZE, 2);
	guest_fill(own, SIZE, 3);
	guest_assert_filled(map, SIZE, 3);

	/* The mapping alone keeps the buffer. */
	close(fd);
	ck_assert_int_eq(locked_kib(), SIZE / 1024);
	guest_fill(map, SIZE, 4);
	munmap(map, SIZE);
	guest_assert_filled(own, SIZE, 4);
	assert_nothing_held();
	munmap(own, SIZE);
}
END_TEST

/* A part in the middle, of two areas of different kinds. */
START_TEST(buffer_spans_areas_and_begins_anywhere)
{
	char *room = map_anonymous(4 * PAGE);
	char *map;
	int fd;

	ck_assert_ptr_eq(mmap(room + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 room + 2 * PAGE);
	guest_fill(room, 4 * PAGE, 5);
	fd = import(room + PAGE, 2 * PAGE, O_RDWR);
	map = guest_map(fd, 2 * PAGE);
	ck_assert_mem_eq(map, room + PAGE, 2 * PAGE);
	memset(map, 0x5a, 2 * PAGE);
	ck_assert_mem_eq(map, room + PAGE, 2 * PAGE);
	ck_assert_int_ne(room[PAGE - 1], 0x5a);
	ck_assert_int_ne(room[3 * PAGE], 0x5a);
	munmap(map, 2 * PAGE);
	close(fd);
	assert_nothing_held();
}
END_TEST

/* A page may be in a buffer, and in several buffers, more than once. */
START_TEST(page_is_imported_as_often_as_wanted)
{
	int memory = memfd_create("twice", MFD_CLOEXEC);
	char *room = map_anonymous(2 * PAGE);
	int fds[2];
	char *map;

	ck_assert_int_eq(ftruncate(memory, PAGE), 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_ptr_eq(mmap(room + i * PAGE, PAGE,
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_FIXED, memory, 0),
				 room + i * PAGE);
	for (int i = 0; i < 2; i++)
		fds[i] = import(room, 2 * PAGE, O_RDWR);
	ck_assert_int_eq(locked_kib(), 16);
	ck_assert_uint_eq(guest_info(fds[0]).segments, 2);
	map = guest_map(fds[0], 2 * PAGE);
	guest_fill(map + PAGE, PAGE, 6);
	guest_assert_filled(map, PAGE, 6);
	close(fds[0]);
	map = guest_map(fds[1], 2 * PAGE);
	guest_assert_filled(map, PAGE, 6);
	close(fds[1]);
	close(memory);
}
END_TEST

START_TEST(buffer_outlives_the_memory_it_was_made_of)
{
	char *own = kinds[_i].map(SIZE);
	char *map;
	int fd;

	guest_fill(own, SIZE, 7);
	fd = import(own, SIZE, O_RDWR);
	ck_assert_int_eq(munmap(own, SIZE), 0);
	ck_assert_int_eq(locked_kib(), SIZE / 1024);
	map = guest_map(fd, SIZE);
	guest_assert_filled(map, SIZE, 7);
	guest_fill(map, SIZE, 8);
	guest_assert_filled(map, SIZE, 8);
	munmap(map, SIZE);
	close(fd);
	assert_nothing_held();
}
END_TEST

/* As with every long-term pin: the process has another page from then on. */
START_TEST(page_that_the_process_gives_up_stays_the_buffers)
{
	char *own = map_anonymous(4 * PAGE);
	char *map;
	int fd;

	guest_fill(own, 4 * PAGE, 9);
	fd = import(own, 4 * PAGE, O_RDWR);
	map = guest_map(fd, 4 * PAGE);
	ck_assert_int_eq(madvise(own + PAGE, PAGE, MADV_DONTNEED), 0);
	guest_assert_zero(own + PAGE, PAGE);
	guest_assert_filled(map, 4 * PAGE, 9);
	own[PAGE] = 1;
	guest_assert_filled(map, 4 * PAGE, 9);
	own[0] = 1;
	ck_assert_int_eq(map[0], 1);
	munmap(map, 4 * PAGE);
	close(fd);
	assert_nothing_held();
}
END_TEST

static void tell(int pipe)
{
	ck_assert_int_eq(write(pipe, "x", 1), 1);
}

static void wait_for(int pipe)
{
	char byte;

	ck_assert_int_eq(read(pipe, &byte, 1), 1);
}

static void assert_ends_well(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

/* A child that tells what it sees of its parent's memory when it is asked. */
static pid_t fork_witness(const char *memory, size_t size, uint32_t seed,
			  int *ask)
{
	int pipes[2];
	pid_t child;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		wait_for(pipes[0]);
		guest_assert_filled(memory, size, seed);
		_exit(0);
	}
	close(pipes[0]);
	*ask = pipes[1];
	return child;
}

/* O_RDONLY, too: the page is shared with the child until somebody writes. */
START_TEST(child_of_before_the_import_keeps_its_own_bytes)
{
	static const int access_modes[] = {O_RDWR, O_RDONLY};
	char *own = map_anonymous(SIZE);
	pid_t child;
	int fd, ask;
	char *map;

	guest_fill(own, SIZE, 10);
	child = fork_witness(own, SIZE, 10, &ask);
	fd = import(own, SIZE, access_modes[_i]);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	guest_assert_filled(map, SIZE, 10);
	guest_fill(own, SIZE, 11);
	guest_assert_filled(map, SIZE, 11);
	tell(ask);
	assert_ends_well(child);
	close(ask);
	munmap(map, SIZE);
	close(fd);
	assert_nothing_held();
}
END_TEST

START_TEST(child_of_after_the_import_gets_a_copy)
{
	static const int access_modes[] = {O_RDWR, O_RDONLY};
	char *own = map_anonymous(SIZE);
	pid_t child;
	int fd, ask;
	char *map;

	guest_fill(own, SIZE, 12);
	fd = import(own, SIZE, access_modes[_i]);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	child = fork_witness(own, SIZE, 12, &ask);
	guest_fill(own, SIZE, 13);
	guest_assert_filled(map, SIZE, 13);
	tell(ask);
	assert_ends_well(child);

	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		guest_assert_filled(own, SIZE, 13);
		guest_fill(own, SIZE, 14);
		ck_assert_int_eq(locked_kib(), 0);
		_exit(0);
	}
	assert_ends_well(child);
	guest_assert_filled(own, SIZE, 13);
	guest_assert_filled(map, SIZE, 13);
	munmap(map, SIZE);
	close(fd);
	close(ask);
	assert_nothing_held();
}
END_TEST

/* Import memory in a child that ends, and give what it sent. */
static struct portalmem_buffer *import_in_child(int mode, uint32_t seed)
{
	struct portalmem_buffer *buffer;
	int sockets[2];
	pid_t child;

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		char *own = map_anonymous(SIZE);
		int fd;

		guest_fill(own, SIZE, seed);
		fd = import(own, SIZE, mode);
		ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
		ck_assert_int_eq(portalmem_buffer_send(buffer, sockets[1]), 0);
		_exit(0);
	}
	ck_assert_int_eq(portalmem_buffer_receive(NULL, sockets[0], &buffer),
			 0);
	assert_ends_well(child);
	close(sockets[0]);
	close(sockets[1]);
	return buffer;
}

START_TEST(buffer_outlives_the_process_it_was_made_by)
{
	struct portalmem_buffer *buffer = import_in_child(O_RDWR, 15);
	void *map;

	ck_assert_int_eq(locked_kib(), 0);
	assert_pins(SIZE);
	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	guest_assert_filled(map, SIZE, 15);
	guest_fill(map, SIZE, 16);
	guest_assert_filled(map, SIZE, 16);
	portalmem_buffer_unref(buffer);
	assert_nothing_held();
}
END_TEST

/* The charge was on an address space that is there no more. */
START_TEST(buffer_outlives_the_program_it_was_made_by)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		int fd = import(map_anonymous(SIZE), SIZE, O_RDWR);

		ck_assert_int_eq(fcntl(fd, F_SETFD, 0), 0);
		execlp("sh", "sh", "-c",
		       "grep -q 'VmLck:.* 0 kB' /proc/$$/status", (char *)NULL);
		_exit(127);
	}
	assert_ends_well(child);
	assert_nothing_held();
}
END_TEST

static void become_user(size_t memlock)
{
	struct rlimit limit = {memlock, memlock};

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(USER_UID), 0);
	ck_assert_int_eq(setuid(USER_UID), 0);
}

static int import_by(int node, const void *address, size_t size)
{
	struct portalmem_ioc_import_user request =
		request_for(address, size, O_RDWR);

	return ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request) ? -errno
								: request.fd;
}

START_TEST(user_pins_up_to_the_limit_on_locked_memory)
{
	int node = guest_open(GUEST_NODE);
	char *own = map_anonymous(SIZE);
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		int fd, other;

		become_user(SIZE - PAGE);
		ck_assert_int_eq(import_by(node, own, SIZE), -ENOMEM);
		ck_assert_int_eq(locked_kib(), 0);
		fd = import_by(node, own, SIZE - PAGE);
		ck_assert_int_gt(fd, 0);
		ck_assert_int_eq(locked_kib(), (SIZE - PAGE) / 1024);
		ck_assert_int_eq(import_by(node, own, PAGE), -ENOMEM);
		close(fd);
		ck_assert_int_eq(locked_kib(), 0);

		/* It counts together with what is locked by mlock(). */
		fd = import_by(node, own, SIZE - 2 * PAGE);
		ck_assert_int_gt(fd, 0);
		ck_assert_int_eq(mlock(own, 2 * PAGE), -1);
		ck_assert_int_eq(errno, ENOMEM);
		other = import_by(node, own, PAGE);
		ck_assert_int_gt(other, 0);
		ck_assert_int_eq(mlock(own, PAGE), -1);
		close(fd);
		ck_assert_int_eq(mlock(own, PAGE), 0);
		_exit(0);
	}
	assert_ends_well(child);
	assert_nothing_held();
	close(node);
}
END_TEST

START_TEST(who_may_lock_any_memory_is_not_held_to_the_limit)
{
	struct rlimit none = {0, 0};
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
		import(map_anonymous(SIZE), SIZE, O_RDWR);
		ck_assert_int_eq(locked_kib(), SIZE / 1024);
		_exit(0);
	}
	assert_ends_well(child);
	assert_nothing_held();
}
END_TEST

#define ODD_PAGES 1029

/* What cannot be pinned lies between much that can. */
static char *surround(char *middle, size_t size)
{
	char *room = map_anonymous((2 * ODD_PAGES + 1) * PAGE);

	ck_assert_uint_ge(size, PAGE);
	ck_assert_ptr_eq(mremap(middle, PAGE, PAGE,
				MREMAP_MAYMOVE | MREMAP_FIXED,
				room + ODD_PAGES * PAGE),
			 room + ODD_PAGES * PAGE);
	return room;
}

static char *map_hole(void)
{
	char *room = map_anonymous((2 * ODD_PAGES + 1) * PAGE);

	ck_assert_int_eq(munmap(room + ODD_PAGES * PAGE, PAGE), 0);
	return room;
}

static char *map_inaccessible(void)
{
	char *room = map_anonymous((2 * ODD_PAGES + 1) * PAGE);

	ck_assert_int_eq(mprotect(room + ODD_PAGES * PAGE, PAGE, PROT_NONE), 0);
	return room;
}

/* Past the end of a memory file. */
static char *map_nothing(void)
{
	int fd = memfd_create("empty", MFD_CLOEXEC);
	char *map = map_memory(PAGE, MAP_SHARED, fd);

	close(fd);
	return surround(map, PAGE);
}

static char *map_buffer(uint32_t caching)
{
	int fd = guest_alloc(PAGE, caching);
	char *map = guest_map(fd, PAGE);

	close(fd);
	map[0] = 1;
	return map;
}

/* It has pages, which others can pin for a while. */
static char *map_cached_buffer(void)
{
	return surround(map_buffer(PORTALMEM_CACHED), PAGE);
}

static char *map_wc_buffer(void)
{
	return surround(map_buffer(PORTALMEM_WC), PAGE);
}

static char *map_imported(void)
{
	char *own = map_anonymous(PAGE);
	int fd = import(own, PAGE, O_RDWR);
	char *map = guest_map(fd, PAGE);

	close(fd);
	return surround(map, PAGE);
}

/* Where drivers' registers are, or were. */
static char *map_dev_mem(void)
{
#ifdef __x86_64__
	const off_t place = 0xf0000;
#else
	const off_t place = 0;
#endif
	int fd = guest_open("/dev/mem");
	char *map =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, place);

	ck_assert_msg(map != MAP_FAILED, "/dev/mem: %s", strerror(errno));
	close(fd);
	return surround(map, PAGE);
}

/* A loop device is a disk: its pages are those of the block device. */
static char disk[32];
static int disk_fd;

static void make_disk(void)
{
	int control, file = memfd_create("disk", MFD_CLOEXEC);

	guest_modprobe("loop");
	ck_assert_int_eq(ftruncate(file, MIB(8)), 0);
	control = guest_open("/dev/loop-control");
	snprintf(disk, sizeof(disk), "/dev/loop%d",
		 ioctl(control, LOOP_CTL_GET_FREE));
	close(control);
	disk_fd = guest_open(disk);
	ck_assert_msg(!ioctl(disk_fd, LOOP_SET_FD, file), "%s: %s", disk,
		      strerror(errno));
	close(file);
}

static void remove_disk(void)
{
	ck_assert_int_eq(ioctl(disk_fd, LOOP_CLR_FD), 0);
	close(disk_fd);
}

static char *map_disk(void)
{
	char *map = map_memory(PAGE, MAP_SHARED, disk_fd);

	map[0] = 1;
	return surround(map, PAGE);
}

/* The file of this program, as the guest's root has it. */
static char *map_program(void)
{
	int fd = guest_open_read("/proc/self/exe");
	char *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(map[1], 'E');
	close(fd);
	return surround(map, PAGE);
}

static const struct {
	const char *name;
	char *(*map)(void);
	int error[2]; /* with O_RDONLY and with O_RDWR */
} unsuitable[] = {
	{"a hole", map_hole, {EFAULT, EFAULT}},
	{"no access", map_inaccessible, {EFAULT, EFAULT}},
	{"past the end of a file", map_nothing, {EFAULT, EFAULT}},
	{"a cached buffer", map_cached_buffer, {EFAULT, EFAULT}},
	{"a write-combined buffer", map_wc_buffer, {EFAULT, EFAULT}},
	{"an imported buffer", map_imported, {EFAULT, EFAULT}},
	{"/dev/mem", map_dev_mem, {EFAULT, EFAULT}},
	{"a disk", map_disk, {EFAULT, EFAULT}},
	{"a file that can be read", map_program, {EFAULT, EACCES}},
};
#define UNSUITABLE ((int)(sizeof(unsuitable) / sizeof(unsuitable[0])))

/* The pages before it were pinned already, and are let go. */
START_TEST(unsuitable_memory_is_refused_and_nothing_stays_held)
{
	static const int access_modes[] = {O_RDONLY, O_RDWR};
	size_t size = (2 * ODD_PAGES + 1) * PAGE;
	char *room = unsuitable[_i / 2].map();
	/* That of an imported buffer itself. */
	long locked = locked_kib();

	ck_assert_msg(try_import(room, size, access_modes[_i % 2]) ==
			      -unsuitable[_i / 2].error[_i % 2],
		      "%s", unsuitable[_i / 2].name);
	assert_pins((size_t)locked * 1024);
	ck_assert_int_eq(locked_kib(), locked);
	munmap(room, size);
	assert_nothing_held();
}
END_TEST

#define MOUNT_POINT "/tmp/portalmem-user"

/* By writing through a mapping, the process has the page for itself. */
START_TEST(file_on_a_disk_is_refused_and_a_private_copy_is_not)
{
	static const int access_modes[] = {O_RDONLY, O_RDWR};
	char command[128], *map;
	int file, fd;

	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s", disk);
	guest_shell(command);
	guest_modprobe("ext4");
	ck_assert_int_eq(mkdir(MOUNT_POINT, 0700), 0);
	ck_assert_msg(!mount(disk, MOUNT_POINT, "ext4", 0, NULL), "mount: %s",
		      strerror(errno));
	file = open(MOUNT_POINT "/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, SIZE), 0);

	map = map_memory(SIZE, MAP_SHARED, file);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(try_import(map, SIZE, access_modes[i]),
				 -EFAULT);
		guest_fill(map, SIZE, 17);
	}
	munmap(map, SIZE);

	for (int i = 0; i < 2; i++) {
		char *own = map_memory(SIZE, MAP_PRIVATE, file);

		fd = import(own, SIZE, access_modes[i]);
		map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
		guest_assert_filled(map, SIZE, 17);
		/* Never stale: the process's writes are the buffer's. */
		guest_fill(own, SIZE, 18);
		guest_assert_filled(map, SIZE, 18);
		munmap(map, SIZE);
		munmap(own, SIZE);
		close(fd);
	}
	map = map_memory(SIZE, MAP_SHARED, file);
	guest_assert_filled(map, SIZE, 17);
	munmap(map, SIZE);
	close(file);
	ck_assert_int_eq(umount(MOUNT_POINT), 0);
	ck_assert_int_eq(rmdir(MOUNT_POINT), 0);
	assert_nothing_held();
}
END_TEST

/* With O_RDONLY on every kind of memory, before it was ever written to. */
START_TEST(read_only_buffer_follows_what_the_process_writes)
{
	char *own = kinds[_i].map(SIZE);
	int fd = import(own, SIZE, O_RDONLY);
	char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	guest_assert_zero(map, SIZE);
	guest_fill(own, SIZE, 19);
	guest_assert_filled(map, SIZE, 19);
	munmap(map, SIZE);
	close(fd);
	munmap(own, SIZE);
	assert_nothing_held();
}
END_TEST

static void forward_to_importer(int file, int fd)
{
	struct pm_importer request = {.fd = fd};

	ck_assert_msg(!ioctl(file, PM_IMPORTER_IOC, &request), "%s",
		      strerror(errno));
}

/* By its own descriptor, and by the file of an importer that can be written. */
static void assert_not_writable(int fd)
{
	char *map;

	errno = 0;
	ck_assert_ptr_eq(
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		MAP_FAILED);
	ck_assert_int_eq(errno, EACCES);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	errno = 0;
	ck_assert_int_eq(mprotect(map, PAGE, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(errno, EACCES);
	munmap(map, PAGE);
}

START_TEST(nobody_writes_to_a_read_only_buffer)
{
	char *own = map_anonymous(PAGE);
	int memory = guest_open("/proc/self/mem");
	char byte = 1;
	int fd, file;
	char *map;

	own[0] = 'r';
	ck_assert_int_eq(mprotect(own, PAGE, PROT_READ), 0);
	fd = import(own, PAGE, O_RDONLY);
	assert_not_writable(fd);

	guest_load_test_module("pm_importer");
	file = guest_open("/dev/pm_importer");
	forward_to_importer(file, fd);
	assert_not_writable(file);

	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_int_eq(pwrite(memory, &byte, 1, (off_t)(uintptr_t)map), -1);
	ck_assert_int_eq(pread(memory, &byte, 1, (off_t)(uintptr_t)map), 1);
	ck_assert_int_eq(byte, 'r');
	munmap(map, PAGE);
	close(file);
	close(memory);
	close(fd);
	assert_nothing_held();
}
END_TEST

/* The attachment, or a negative errno. */
static int attach(int fd, uint32_t direction)
{
	struct portalmem_ioc_attach request =
		attachment_request(fd, "platform", "pm_device.0");
	int error;

	request.direction = direction;
	error = attachment_try(&request);
	return error ? -error : request.fd;
}

START_TEST(devices_only_read_a_read_only_buffer)
{
	struct pm_importer_entry entry = {0};
	char *own = map_anonymous(SIZE);
	int fd = import(own, SIZE, O_RDONLY);
	int file, attachment;

	soft_device_load();
	guest_load_test_module("pm_importer");
	ck_assert_int_eq(attach(fd, PORTALMEM_FROM_DEVICE), -EACCES);
	ck_assert_int_eq(attach(fd, PORTALMEM_BIDIRECTIONAL), -EACCES);
	attachment = attach(fd, PORTALMEM_TO_DEVICE);
	ck_assert_int_gt(attachment, 0);
	ck_assert_uint_eq(guest_info(fd).attachments, 1);

	/* Any importer of the kernel's, too. */
	file = guest_open("/dev/pm_importer");
	forward_to_importer(file, fd);
	errno = 0;
	ck_assert_int_eq(ioctl(file, PM_IMPORTER_ENTRY_IOC, &entry), -1);
	ck_assert_int_eq(errno, EACCES);
	close(file);
	close(attachment);
	close(fd);
	assert_nothing_held();
}
END_TEST

START_TEST(importers_kernel_mapping_is_as_writable_as_the_buffer)
{
	static const int access_modes[] = {O_RDONLY, O_RDWR};
	char *own = map_anonymous(2 * PAGE);
	struct pm_memtype_vmap vmap = {
		.fd = import(own, 2 * PAGE, access_modes[_i])};
	int memtype;

	guest_load_test_module("pm_memtype");
	memtype = guest_open("/dev/pm_memtype");
	ck_assert_int_eq(ioctl(memtype, PM_MEMTYPE_IOC_VMAP, &vmap), 0);
	ck_assert_uint_eq(vmap.writable, _i ? 2 : 0);
	ck_assert_uint_eq(vmap.types, 1U << PM_MEMTYPE_WB);
	close(memtype);
	close(vmap.fd);
}
END_TEST

/* Memory of which the process has written the last half. */
static char *protect(char *map)
{
	guest_fill(map + SIZE / 2, SIZE / 2, 20);
	ck_assert_int_eq(mprotect(map, SIZE, PROT_READ), 0);
	return map;
}

START_TEST(read_only_memory_makes_a_read_only_buffer)
{
	char *own = protect(kinds[_i].map(SIZE)) + SIZE / 2;
	int fd;
	char *map;

	ck_assert_int_eq(try_import(own, SIZE / 2, O_RDWR), -EACCES);
	fd = import(own, SIZE / 2, O_RDONLY);
	map = mmap(NULL, SIZE / 2, PROT_READ, MAP_SHARED, fd, 0);
	guest_assert_filled(map, SIZE / 2, 20);
	ck_assert_int_eq(mprotect(own, SIZE / 2, PROT_READ | PROT_WRITE), 0);
	guest_fill(own, SIZE / 2, 21);
	guest_assert_filled(map, SIZE / 2, 21);
	munmap(map, SIZE / 2);
	munmap(own - SIZE / 2, SIZE);
	close(fd);
	assert_nothing_held();
}
END_TEST

/* Before 6.2 the kernel has no way to give it a page of its own for that. */
START_TEST(untouched_read_only_memory_is_followed_or_refused)
{
	char *own =
		mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = try_import(own, SIZE, O_RDONLY);
	char *map;

	printf("# untouched private memory that is read-only: %s\n",
	       fd < 0 ? strerror(-fd) : "works");
	if (fd < 0) {
		ck_assert_int_eq(fd, -EFAULT);
	} else {
		map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
		guest_assert_zero(map, SIZE);
		ck_assert_int_eq(mprotect(own, SIZE, PROT_READ | PROT_WRITE),
				 0);
		guest_fill(own, SIZE, 22);
		guest_assert_filled(map, SIZE, 22);
		munmap(map, SIZE);
		close(fd);
	}
	assert_nothing_held();
}
END_TEST

/* Where each page of a mapping is. */
static void read_frames(const char *map, uint64_t *frames)
{
	int fd = guest_open_read("/proc/self/pagemap");

	ck_assert_int_eq(
		pread(fd, frames, SIZE / PAGE * sizeof(*frames),
		      (off_t)((uintptr_t)map / PAGE * sizeof(*frames))),
		SIZE / PAGE * sizeof(*frames));
	for (size_t i = 0; i < SIZE / PAGE; i++)
		frames[i] &= (1ULL << 55) - 1;
	close(fd);
}

static void assert_in_segments(int fd, const uint64_t *frames)
{
	static struct portalmem_ioc_segment segments[SIZE / PAGE];
	unsigned int count = guest_segments(fd, segments, SIZE / PAGE);

	for (unsigned int i = 0; i < count; i++)
		for (uint64_t at = 0; at < segments[i].length; at += PAGE)
			ck_assert_uint_eq(
				frames[(segments[i].offset + at) / PAGE],
				(segments[i].physical + at) / PAGE);
}

static int compare_frames(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* How many different pages a mapping has. */
static unsigned int count_frames(const char *map)
{
	static uint64_t frames[SIZE / PAGE];
	unsigned int count = 1;

	read_frames(map, frames);
	qsort(frames, SIZE / PAGE, sizeof(frames[0]), compare_frames);
	for (size_t i = 1; i < SIZE / PAGE; i++)
		count += frames[i] != frames[i - 1];
	return count;
}

#define KSM "/sys/kernel/mm/ksm"

static long count_ksm_scans(void)
{
	FILE *file = fopen(KSM "/full_scans", "r");
	long count;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld", &count), 1);
	fclose(file);
	return count;
}

static void wait_for_ksm(void)
{
	long until = count_ksm_scans() + 3;

	for (int i = 0; i < 1000 && count_ksm_scans() < until; i++)
		usleep(10000);
	ck_assert_int_ge(count_ksm_scans(), until);
}

/* Memory of which all pages have the same bytes, and so are few pages. */
static char *map_merged(void)
{
	char *own = map_anonymous(SIZE);

	ck_assert_int_eq(madvise(own, SIZE, MADV_NOHUGEPAGE), 0);
	memset(own, 0x33, SIZE);
	ck_assert_uint_eq(count_frames(own), SIZE / PAGE);
	ck_assert_int_eq(madvise(own, SIZE, MADV_MERGEABLE), 0);
	guest_put(KSM "/pages_to_scan", "20000");
	guest_put(KSM "/sleep_millisecs", "0");
	guest_put(KSM "/run", "1");
	wait_for_ksm();
	ck_assert_uint_lt(count_frames(own), SIZE / PAGE / 4);
	return own;
}

START_TEST(pages_are_not_merged_moved_or_paged_out)
{
	static uint64_t frames[SIZE / PAGE], after[SIZE / PAGE];
	static const int access_modes[] = {O_RDWR, O_RDONLY};
	char *own = map_merged();
	int fd = import(own, SIZE, access_modes[_i]);
	char *map;

	ck_assert_uint_eq(count_frames(own), SIZE / PAGE);
	read_frames(own, frames);
	assert_in_segments(fd, frames);
	wait_for_ksm();
	guest_put(KSM "/run", "2");
	guest_put("/proc/sys/vm/compact_memory", "1");
	ck_assert_int_eq(madvise(own, SIZE, MADV_PAGEOUT), 0);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	guest_fill(own, SIZE, 23);
	guest_assert_filled(map, SIZE, 23);
	read_frames(own, after);
	ck_assert_mem_eq(after, frames, sizeof(after));
	munmap(map, SIZE);
	close(fd);
	munmap(own, SIZE);
	assert_nothing_held();
}
END_TEST

/* Each is one fault in a request that succeeds otherwise. */
static const struct {
	const char *what;
	struct portalmem_ioc_import_user change;
	int error;
} bad[] = {
	{"flags", {.flags = 1}, EINVAL},
	{"fd", {.fd = 1}, EINVAL},
	{"segments", {.segments = 1}, EINVAL},
	{"O_WRONLY", {.fd_flags = O_WRONLY}, EINVAL},
	{"two access modes", {.fd_flags = O_ACCMODE}, EINVAL},
	{"O_NONBLOCK", {.fd_flags = O_NONBLOCK}, EINVAL},
	{"an address in a page", {.address = 8}, EINVAL},
	{"a part of a page", {.size = 8}, EINVAL},
	{"a name with a line end", {.name = "a\nb"}, EINVAL},
	{"a name without an end",
	 {.name = "0123456789abcdef0123456789abcdef"},
	 EINVAL},
};
#define BAD ((int)(sizeof(bad) / sizeof(bad[0])))

static int try_request(struct portalmem_ioc_import_user *request, size_t size)
{
	unsigned long number =
		_IOC(_IOC_READ | _IOC_WRITE, PORTALMEM_IOC_MAGIC, 0x0A, size);
	int node = guest_open(GUEST_NODE);
	int ret = ioctl(node, number, request) ? -errno : 0;

	close(node);
	return ret;
}

START_TEST(bad_request_is_refused_before_anything_is_done)
{
	char *own = map_anonymous(2 * PAGE);
	struct portalmem_ioc_import_user request =
		request_for(own, PAGE, O_RDONLY);
	struct portalmem_ioc_import_user before;

	request.flags |= bad[_i].change.flags;
	request.fd |= bad[_i].change.fd;
	request.segments |= bad[_i].change.segments;
	request.fd_flags |= bad[_i].change.fd_flags;
	request.address += bad[_i].change.address;
	request.size += bad[_i].change.size;
	if (bad[_i].change.name[0])
		memcpy(request.name, bad[_i].change.name, sizeof(request.name));
	before = request;
	ck_assert_msg(try_request(&request, sizeof(request)) == -bad[_i].error,
		      "%s", bad[_i].what);
	ck_assert_mem_eq(&request, &before, sizeof(request));
	assert_nothing_held();
}
END_TEST

/* Nothing is counted either, whatever the size. */
START_TEST(range_outside_of_the_address_space_is_refused)
{
	static const struct {
		uint64_t address;
		uint64_t size;
		int error;
	} ranges[] = {
		{0, 0, EINVAL},
		{0, 4096, EFAULT},
		{0x10000, (uint64_t)0 - 4096, EFAULT},
		{0x10000, (uint64_t)0 - 0x10000, EFAULT},
		{(uint64_t)0 - 4096, 4096, EFAULT},
		{(uint64_t)0 - 4096, 8192, EFAULT},
		{(uint64_t)1 << 63, 4096, EFAULT},
		{0xffff888000000000, 4096, EFAULT},
		/* All of it, of which almost nothing is mapped. */
		{0x10000, ((uint64_t)1 << 46), EFAULT},
	};
	struct portalmem_ioc_import_user request = {
		.fd_flags = O_RDWR,
		.address = ranges[_i].address,
		.size = ranges[_i].size,
	};

	ck_assert_int_eq(try_request(&request, sizeof(request)),
			 -ranges[_i].error);
	assert_nothing_held();
}
END_TEST

START_TEST(structure_may_be_longer_if_zero_and_shorter_by_the_name)
{
	struct {
		struct portalmem_ioc_import_user known;
		uint64_t more;
	} request;
	char *own = map_anonymous(PAGE);

	request.known = request_for(own, PAGE, O_RDWR);
	request.more = 0;
	ck_assert_int_eq(try_request(&request.known, sizeof(request)), 0);
	ck_assert_str_eq(guest_info(request.known.fd).name, "mine");
	close(request.known.fd);

	request.known = request_for(own, PAGE, O_RDWR);
	request.more = 1;
	ck_assert_int_eq(try_request(&request.known, sizeof(request)), -E2BIG);

	request.known = request_for(own, PAGE, O_RDWR);
	ck_assert_int_eq(
		try_request(&request.known,
			    offsetof(struct portalmem_ioc_import_user, name)),
		0);
	ck_assert_str_eq(guest_info(request.known.fd).name, "");
	close(request.known.fd);

	request.known = request_for(own, PAGE, O_RDWR);
	ck_assert_int_eq(try_request(&request.known,
				     offsetof(struct portalmem_ioc_import_user,
					      segments)),
			 -EINVAL);
	ck_assert_int_eq(try_request(NULL, sizeof(request.known)), -EFAULT);
	assert_nothing_held();
}
END_TEST

START_TEST(what_cannot_be_told_to_the_caller_is_undone)
{
	char *own = map_anonymous(2 * PAGE);
	struct portalmem_ioc_import_user *request = (void *)own;
	unsigned int before = pmtest_count_fds();

	*request = request_for(own + PAGE, PAGE, O_RDWR);
	ck_assert_int_eq(mprotect(own, PAGE, PROT_READ), 0);
	ck_assert_int_eq(try_request(request, sizeof(*request)), -EFAULT);
	ck_assert_uint_eq(pmtest_count_fds(), before);
	assert_nothing_held();
}
END_TEST

/* 64 MiB over and over again, so that much is pinned of little. */
#define LONG_SIZE ((size_t)1 << 30)
#define LONG_MEMORY MIB(64)

static char *map_long(void)
{
	int fd = memfd_create("long", MFD_CLOEXEC);
	char *room = mmap(NULL, LONG_SIZE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED || ftruncate(fd, LONG_MEMORY))
		return NULL;
	for (size_t at = 0; at < LONG_SIZE; at += LONG_MEMORY)
		if (mmap(room + at, LONG_MEMORY, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return NULL;
	close(fd);
	return room;
}

START_TEST(long_import_ends_at_once_when_the_process_is_killed)
{
	double begin = guest_now(), longest = 0;
	char *own = map_long();
	int fd, status;

	ck_assert_ptr_nonnull(own);
	fd = import(own, LONG_SIZE, O_RDWR);
	assert_pins(LONG_SIZE);
	printf("# 1 GiB of small pages: mapped and imported in %.3f s\n",
	       guest_now() - begin);
	begin = guest_now();
	close(fd);
	printf("# given back in %.3f s\n", guest_now() - begin);

	for (unsigned int round = 1; round <= 5; round++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		/* No assertions: its message could be half a one. */
		while (!child)
			close(try_import(own, LONG_SIZE, O_RDWR));
		usleep(30000 * round);
		begin = guest_now();
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status));
		if (guest_now() - begin > longest)
			longest = guest_now() - begin;
		assert_nothing_held();
	}
	printf("# gone %.3f s after SIGKILL at the latest\n", longest);
	ck_assert(longest < 1);
	munmap(own, LONG_SIZE);
}
END_TEST

static atomic_int stop;

/* Takes a part of the memory away and puts new memory there. */
static void *disturb(void *address)
{
	char *own = address;

	while (!stop) {
		munmap(own + SIZE / 4, SIZE / 2);
		mmap(own + SIZE / 4, SIZE / 2, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		madvise(own, SIZE / 8, MADV_DONTNEED);
		mprotect(own + SIZE / 8, SIZE / 8, PROT_NONE);
		mprotect(own + SIZE / 8, SIZE / 8, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

START_TEST(memory_that_changes_meanwhile_is_imported_or_refused)
{
	char *own = map_anonymous(SIZE);
	double end = guest_now() + 1;
	int done = 0, refused = 0;
	pthread_t thread;

	stop = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, disturb, own), 0);
	while (guest_now() < end) {
		int fd = try_import(own, SIZE, done % 2 ? O_RDWR : O_RDONLY);

		if (fd > 0) {
			done++;
			close(fd);
		} else {
			refused++;
			ck_assert_int_eq(fd, -EFAULT);
		}
	}
	stop = 1;
	pthread_join(thread, NULL);
	printf("# %d imports, and %d refused\n", done, refused);
	ck_assert_int_gt(done, 0);
	munmap(own, SIZE);
	assert_nothing_held();
}
END_TEST

/* A process that exits gives its own memory back; an import does not keep it. */
START_TEST(memory_is_free_again_after_the_last_close)
{
	struct portalmem_buffer *buffer;
	long before = guest_free_kib();

	buffer = import_in_child(O_RDWR, 24);
	ck_assert_int_lt(guest_free_kib(), before - (long)(SIZE / 1024) / 2);
	portalmem_buffer_unref(buffer);
	ck_assert_int_gt(guest_free_kib(), before - 1024);
	assert_nothing_held();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("user");
	TCase *tcase = guest_tcase("user");
	TCase *huge = guest_tcase("kinds");
	TCase *disks = guest_tcase("disk");

	tcase_add_unchecked_fixture(huge, reserve_huge_pages,
				    release_huge_pages);
	tcase_add_loop_test(huge, buffer_and_process_see_each_others_bytes, 0,
			    KINDS);
	tcase_add_loop_test(huge, buffer_outlives_the_memory_it_was_made_of, 0,
			    KINDS);
	tcase_add_loop_test(huge,
			    read_only_buffer_follows_what_the_process_writes, 0,
			    KINDS);
	tcase_add_loop_test(huge, read_only_memory_makes_a_read_only_buffer, 0,
			    KINDS);
	suite_add_tcase(suite, huge);

	tcase_add_unchecked_fixture(disks, make_disk, remove_disk);
	tcase_add_loop_test(disks,
			    unsuitable_memory_is_refused_and_nothing_stays_held,
			    0, 2 * UNSUITABLE);
#ifdef __x86_64__
	/* An arm64 guest has no mkfs.ext4 that runs there. */
	tcase_add_test(disks,
		       file_on_a_disk_is_refused_and_a_private_copy_is_not);
#endif
	suite_add_tcase(suite, disks);

	tcase_add_test(tcase, buffer_spans_areas_and_begins_anywhere);
	tcase_add_test(tcase, page_is_imported_as_often_as_wanted);
	tcase_add_test(tcase, page_that_the_process_gives_up_stays_the_buffers);
	tcase_add_loop_test(
		tcase, child_of_before_the_import_keeps_its_own_bytes, 0, 2);
	tcase_add_loop_test(tcase, child_of_after_the_import_gets_a_copy, 0, 2);
	tcase_add_test(tcase, buffer_outlives_the_process_it_was_made_by);
	tcase_add_test(tcase, buffer_outlives_the_program_it_was_made_by);
	tcase_add_test(tcase, user_pins_up_to_the_limit_on_locked_memory);
	tcase_add_test(tcase, who_may_lock_any_memory_is_not_held_to_the_limit);
	tcase_add_test(tcase, nobody_writes_to_a_read_only_buffer);
	tcase_add_test(tcase, devices_only_read_a_read_only_buffer);
	tcase_add_loop_test(
		tcase, importers_kernel_mapping_is_as_writable_as_the_buffer, 0,
		2);
	tcase_add_test(tcase,
		       untouched_read_only_memory_is_followed_or_refused);
	tcase_add_loop_test(tcase, pages_are_not_merged_moved_or_paged_out, 0,
			    2);
	tcase_add_loop_test(
		tcase, bad_request_is_refused_before_anything_is_done, 0, BAD);
	tcase_add_loop_test(
		tcase, range_outside_of_the_address_space_is_refused, 0, 9);
	tcase_add_test(tcase,
		       structure_may_be_longer_if_zero_and_shorter_by_the_name);
	tcase_add_test(tcase, what_cannot_be_told_to_the_caller_is_undone);
	tcase_add_test(tcase,
		       long_import_ends_at_once_when_the_process_is_killed);
	tcase_add_test(tcase,
		       memory_that_changes_meanwhile_is_imported_or_refused);
	tcase_add_test(tcase, memory_is_free_again_after_the_last_close);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
