// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of live buffers in debugfs: what is in a line, and that it is right
 * while buffers come and go.
 * quick: 6.12
 * races: readers of the list and threads that allocate
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "soft-device.h"
#include "stats.h"

#define BUFFERS "/sys/kernel/debug/portalmem/buffers"
#define PAGE ((size_t)4096)
#define LINE 512

static unsigned long inode_of(int fd)
{
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	return (unsigned long)status.st_ino;
}

/* Read the list to its end, in pieces of a size; to be freed. */
static char *read_list(int file, size_t piece)
{
	size_t size = 0, room = MIB(1);
	char *text = malloc(room + 1);

	ck_assert_ptr_nonnull(text);
	for (;;) {
		ssize_t got = read(file, text + size, piece);

		ck_assert_msg(got >= 0, "%s", strerror(errno));
		if (!got)
			break;
		size += (size_t)got;
		ck_assert_uint_le(size + piece, room);
	}
	text[size] = '\0';
	return text;
}

static char *list_now(void)
{
	int file = guest_open_read(BUFFERS);
	char *text = read_list(file, KIB(64));

	close(file);
	return text;
}

/* How many lines of a list are a buffer's; LINE_OUT gets the last one. */
static int count_lines(const char *list, unsigned long inode, char *line_out)
{
	char start[64];
	int count = 0;

	snprintf(start, sizeof(start), "inode=%lu ", inode);
	while (*list) {
		size_t length = strcspn(list, "\n");

		ck_assert_uint_lt(length, LINE);
		ck_assert_int_eq(list[length], '\n');
		if (!strncmp(list, start, strlen(start))) {
			count++;
			if (line_out)
				snprintf(line_out, LINE, "%.*s", (int)length,
					 list);
		}
		list += length + 1;
	}
	return count;
}

static void assert_line_of(int fd, const char *what, int pid, const char *names)
{
	char expected[LINE], line[LINE] = "";
	char *list = list_now();

	ck_assert_int_eq(count_lines(list, inode_of(fd), line), 1);
	snprintf(expected, sizeof(expected), "inode=%lu %s pid=%d %s",
		 inode_of(fd), what, pid, names);
	ck_assert_str_eq(line, expected);
	free(list);
}

/* Fail unless a buffer of this process has such a line. */
static void assert_line(int fd, const char *what, const char *names)
{
	assert_line_of(fd, what, getpid(), names);
}

/* What is the same of most buffers here. */
#define PAGE_UNUSED                                                  \
	"heap=system size=4096 caching=cached access=rw segments=1 " \
	"attachments=0 mappings=0"

START_TEST(a_line_tells_what_a_buffer_is)
{
	struct portalmem_ioc_alloc request = guest_request(1, PORTALMEM_CACHED);
	int fd, node = guest_open(GUEST_CONTIGUOUS_NODE);

	ck_assert_int_eq(prctl(PR_SET_NAME, "tester"), 0);
	strcpy(request.name, "frame");
	fd = guest_alloc_from(GUEST_NODE, request);
	assert_line(fd, PAGE_UNUSED, "comm=tester name=frame");
	close(fd);
	request = guest_request(8 * PAGE, PORTALMEM_WC);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	assert_line(request.fd,
		    "heap=contiguous size=32768 caching=wc access=rw "
		    "segments=1 attachments=0 mappings=0",
		    "comm=tester name=");
	close(request.fd);
	close(node);
}
END_TEST

START_TEST(memory_of_a_process_is_listed_as_such)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = guest_import(memory, PAGE, O_RDONLY);

	ck_assert_int_eq(prctl(PR_SET_NAME, "lender"), 0);
	assert_line(fd,
		    "heap=user size=4096 caching=cached access=ro segments=1 "
		    "attachments=0 mappings=0",
		    "comm=lender name=");
	close(fd);
}
END_TEST

START_TEST(names_cannot_break_a_line)
{
	struct portalmem_ioc_alloc request = guest_request(1, PORTALMEM_CACHED);
	int fd;

	ck_assert_int_eq(prctl(PR_SET_NAME, "a b\nc=\\"), 0);
	strcpy(request.name, "my frame");
	fd = guest_alloc_from(GUEST_NODE, request);
	assert_line(fd, PAGE_UNUSED,
		    "comm=a\\040b\\012c=\\134 name=my\\040frame");
	/* The kernel lets anything be a name. */
	ck_assert_int_eq(ioctl(fd, DMA_BUF_SET_NAME_B, "\n\\ inode=1 \xc3\xa4"),
			 0);
	assert_line(fd, PAGE_UNUSED,
		    "comm=a\\040b\\012c=\\134 "
		    "name=\\012\\134\\040inode=1\\040\\303\\244");
	close(fd);
}
END_TEST

START_TEST(devices_that_have_it_are_counted)
{
	int fd, device;

	soft_device_load();
	ck_assert_int_eq(prctl(PR_SET_NAME, "tester"), 0);
	fd = guest_alloc(PAGE, PORTALMEM_CACHED);
	device = soft_device_open_with("pm_device.0", fd,
				       PM_DEVICE_READS | PM_DEVICE_WRITES);
	assert_line(fd,
		    "heap=system size=4096 caching=cached access=rw segments=1 "
		    "attachments=1 mappings=1",
		    "comm=tester name=");
	close(device);
	assert_line(fd, PAGE_UNUSED, "comm=tester name=");
	close(fd);
}
END_TEST

START_TEST(an_allocator_that_is_gone_has_no_name)
{
	int pipe_fds[2], fd, status;
	pid_t child;

	ck_assert_int_eq(pipe(pipe_fds), 0);
	/* The descriptor table is one, and so the buffer stays. */
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL,
			       NULL, NULL);
	ck_assert_int_ge(child, 0);
	if (!child) {
		fd = guest_alloc(PAGE, PORTALMEM_CACHED);
		_exit(write(pipe_fds[1], &fd, sizeof(fd)) != sizeof(fd));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(read(pipe_fds[0], &fd, sizeof(fd)), sizeof(fd));
	assert_line_of(fd, PAGE_UNUSED, child, "comm= name=");
	close(fd);
}
END_TEST

START_TEST(all_live_buffers_are_listed_once)
{
	enum {
		MANY = 300
	};
	static int fds[MANY];
	uint64_t live = 0, lines = 0;
	char *list;

	for (int i = 0; i < MANY; i++)
		fds[i] = guest_alloc(PAGE, PORTALMEM_CACHED);
	list = list_now();
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(count_lines(list, inode_of(fds[i]), NULL), 1);
	for (const char *c = list; *c; c++)
		lines += *c == '\n';
	live = stats_read(STATS_SYSTEM, "live_buffers") +
	       stats_read(STATS_CONTIGUOUS, "live_buffers") +
	       stats_read(STATS_USER, "live_buffers");
	ck_assert_uint_eq(lines, live);
	free(list);
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}
END_TEST

START_TEST(a_reader_that_stops_keeps_no_memory)
{
	enum {
		SOME = 60
	};
	uint64_t live = stats_read(STATS_SYSTEM, "live_bytes");
	int file = guest_open_read(BUFFERS);
	int fds[SOME], last;
	char *rest, byte;

	for (int i = 0; i < SOME; i++)
		fds[i] = guest_alloc(PAGE, PORTALMEM_CACHED);
	last = fds[SOME - 1];
	/* The kernel has filled a page by then, and stands somewhere. */
	ck_assert_int_eq(read(file, &byte, 1), 1);
	for (int i = 0; i < SOME - 1; i++)
		close(fds[i]);
	ck_assert_uint_eq(stats_read(STATS_SYSTEM, "live_bytes"), live + PAGE);
	rest = read_list(file, 100);
	ck_assert_int_eq(count_lines(rest + strcspn(rest, "\n") + 1,
				     inode_of(last), NULL),
			 1);
	free(rest);
	close(last);
	/* From the start again: now it is not there. */
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	rest = read_list(file, 100);
	ck_assert_ptr_null(strstr(rest, "heap=system"));
	free(rest);
	close(file);
}
END_TEST

/* Buffers come and go and are looked at, all at once. */

#define CHURNERS 3
#define READERS 2
#define LASTING 50
#define SECONDS 2

static atomic_int finished;

static void *churn(void *data)
{
	unsigned int seed = (unsigned int)(uintptr_t)data;
	int fds[16];

	for (int i = 0; i < 16; i++)
		fds[i] = -1;
	while (!atomic_load(&finished)) {
		int *fd = &fds[(size_t)rand_r(&seed) % 16];

		close(*fd);
		*fd = guest_alloc(PAGE, PORTALMEM_CACHED);
	}
	for (int i = 0; i < 16; i++)
		close(fds[i]);
	return NULL;
}

struct reader {
	pthread_t thread;
	const unsigned long *lasting;
	size_t piece;
	unsigned int lists;
};

static void *look(void *data)
{
	struct reader *reader = data;

	while (!atomic_load(&finished)) {
		int file = guest_open_read(BUFFERS);
		char *list = read_list(file, reader->piece);

		close(file);
		for (int i = 0; i < LASTING; i++)
			ck_assert_int_eq(
				count_lines(list, reader->lasting[i], NULL), 1);
		free(list);
		reader->lists++;
	}
	return NULL;
}

START_TEST(what_lasts_is_listed_once_while_others_come_and_go)
{
	struct reader readers[READERS] = {{.piece = KIB(64)}, {.piece = 300}};
	unsigned long lasting[LASTING];
	pthread_t churners[CHURNERS];
	int fds[LASTING];

	for (int i = 0; i < LASTING; i++) {
		fds[i] = guest_alloc(PAGE, PORTALMEM_CACHED);
		lasting[i] = inode_of(fds[i]);
	}
	for (int i = 0; i < CHURNERS; i++)
		ck_assert_int_eq(pthread_create(&churners[i], NULL, churn,
						(void *)(uintptr_t)(i + 1)),
				 0);
	for (int i = 0; i < READERS; i++) {
		readers[i].lasting = lasting;
		ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, look,
						&readers[i]),
				 0);
	}
	sleep(SECONDS);
	atomic_store(&finished, 1);
	for (int i = 0; i < CHURNERS; i++)
		pthread_join(churners[i], NULL);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		ck_assert_uint_gt(readers[i].lists, 0);
		printf("# %u lists\n", readers[i].lists);
	}
	for (int i = 0; i < LASTING; i++)
		close(fds[i]);
}
END_TEST

/* The folder above is root's alone until somebody opens it to all. */
START_TEST(only_root_reads_it)
{
	struct stat status;

	ck_assert_int_eq(stat(BUFFERS, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0400);
	ck_assert_int_eq(chmod("/sys/kernel/debug", 0755), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(65534), 0);
	ck_assert_int_eq(setuid(65534), 0);
	ck_assert_int_eq(access("/sys/kernel/debug/portalmem", F_OK), 0);
	ck_assert_int_eq(open(BUFFERS, O_RDONLY), -1);
	ck_assert_int_eq(errno, EACCES);
}
END_TEST

static void close_debugfs(void)
{
	ck_assert_int_eq(chmod("/sys/kernel/debug", 0700), 0);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("buffer-list");
	TCase *tcase = guest_tcase("buffer-list");

	tcase_add_unchecked_fixture(tcase, NULL, close_debugfs);
	tcase_add_test(tcase, a_line_tells_what_a_buffer_is);
	tcase_add_test(tcase, memory_of_a_process_is_listed_as_such);
	tcase_add_test(tcase, names_cannot_break_a_line);
	tcase_add_test(tcase, devices_that_have_it_are_counted);
	tcase_add_test(tcase, an_allocator_that_is_gone_has_no_name);
	tcase_add_test(tcase, all_live_buffers_are_listed_once);
	tcase_add_test(tcase, a_reader_that_stops_keeps_no_memory);
	tcase_add_test(tcase,
		       what_lasts_is_listed_once_while_others_come_and_go);
	tcase_add_test(tcase, only_root_reads_it);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
