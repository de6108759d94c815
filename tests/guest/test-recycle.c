// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory that others have written to is zero when it is handed out again, to a
 * user who has nothing but the nodes: from every heap, in every caching mode,
 * in whole and in partial pages, whichever way it is looked at. RECYCLE_PAGES
 * says after how many pages it is enough.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "soft-device.h"

#define PAGE ((size_t)4096)
#define USER 1008
#define DEVICE "pm_device.0"
#define MOST_NODES 16

/* Those that a process can see a buffer's bytes in. */
enum view {
	MAPPED,
	MAPPED_READ_ONLY,
	BY_A_DEVICE,
	BY_A_DEBUGGER,
	VIEWS
};

static const char *const view_names[] = {
	"mapped",
	"mapped read-only",
	"by a device",
	"by a debugger",
};

static const size_t sizes[] = {
	1,	  PAGE,	      PAGE + 1,	     KIB(20) + 5,   KIB(64),
	KIB(260), MIB(1) - 1, MIB(2) + PAGE, MIB(4) - PAGE, MIB(8),
};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static size_t whole(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

/* In words: the compiler makes the most of it. */
static int is_zero(const void *bytes, size_t size)
{
	const uint64_t *words = bytes;

	for (size_t i = 0; i < size / sizeof(*words); i += 512) {
		uint64_t sum = 0;

		for (size_t j = i; j < i + 512; j++)
			sum |= words[j];
		if (sum)
			return 0;
	}
	return 1;
}

static void assert_zero(const void *bytes, size_t size, enum view view,
			const char *node)
{
	ck_assert_msg(is_zero(bytes, size),
		      "%s: %zu bytes that are not all zero, %s", node, size,
		      view_names[view]);
}

static char room[MIB(8)];

static void look_mapped(int fd, size_t size, enum view view, const char *node)
{
	int access = view == MAPPED ? PROT_READ | PROT_WRITE : PROT_READ;
	char *map = mmap(NULL, size, access, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	if (view == BY_A_DEBUGGER) {
		int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

		ck_assert_int_ge(memory, 0);
		memset(room, 1, size);
		ck_assert_int_eq(
			pread(memory, room, size, (off_t)(uintptr_t)map), size);
		close(memory);
		assert_zero(room, size, view, node);
	} else {
		assert_zero(map, size, view, node);
	}
	munmap(map, size);
}

static void look_by_device(int fd, size_t size, const char *node)
{
	int device = soft_device_open_with(DEVICE, fd, PM_DEVICE_READS);

	memset(room, 1, size);
	soft_device_read(device, 0, room, size);
	close(device);
	assert_zero(room, size, BY_A_DEVICE, node);
}

/* Secrets from end to end, also in the last page's rest. */
static void write_all(int fd, size_t size)
{
	char *map = guest_map(fd, size);

	memset(map, 0xa5, size);
	munmap(map, size);
}

struct tally {
	unsigned long pages;
	unsigned long by_view[VIEWS];
};

static void recycle_once(const char *path, int node, uint32_t caching,
			 size_t size, enum view view, struct tally *tally)
{
	struct portalmem_ioc_alloc request = guest_request(size, caching);

	if (ioctl(node, PORTALMEM_IOC_ALLOC, &request)) {
		/* A region is small, and the other user's, too. */
		ck_assert_int_eq(errno, ENOMEM);
		return;
	}
	size = whole(size);
	if (view == BY_A_DEVICE)
		look_by_device(request.fd, size, path);
	else
		look_mapped(request.fd, size, view, path);
	write_all(request.fd, size);
	close(request.fd);
	tally->pages += size / PAGE;
	tally->by_view[view] += size / PAGE;
}

/* Uncached memory takes a hundred times as long to look at: less of it. */
static int is_too_slow(uint32_t caching, size_t size, enum view view)
{
	return size > KIB(64) &&
	       (caching == PORTALMEM_UC || view == BY_A_DEBUGGER ||
		view == BY_A_DEVICE) &&
	       rand() % 8;
}

static void recycle(const char *const paths[], int count, unsigned long pages,
		    struct tally *tally)
{
	int nodes[MOST_NODES];

	for (int i = 0; i < count; i++)
		nodes[i] = guest_open(paths[i]);
	while (tally->pages < pages) {
		int i = rand() % count;
		uint32_t caching = (uint32_t)rand() % 8;
		size_t size = sizes[(size_t)rand() % SIZES];
		enum view view = (enum view)(rand() % VIEWS);
		struct portalmem_ioc_heap heap = {0};

		caching = caching ? 1 + caching % 2 : PORTALMEM_UC;
		ck_assert_int_eq(ioctl(nodes[i], PORTALMEM_IOC_HEAP, &heap), 0);
		if (!(heap.cachings & 1U << caching) ||
		    is_too_slow(caching, size, view))
			continue;
		/* Moving others' pages away for it is not the matter here. */
		if (heap.features & PORTALMEM_HEAP_CONTIGUOUS &&
		    size > MIB(4) && rand() % 8)
			continue;
		recycle_once(paths[i], nodes[i], caching, size, view, tally);
	}
}

static int find_nodes(const char *paths[MOST_NODES])
{
	static glob_t nodes;
	int count = 0;

	ck_assert_int_eq(glob("/dev/dma_heap/*", 0, NULL, &nodes), 0);
	ck_assert_int_eq(glob(GUEST_NODE, GLOB_APPEND, NULL, &nodes), 0);
	for (size_t i = 0; i < nodes.gl_pathc && count < MOST_NODES; i++)
		if (strcmp(nodes.gl_pathv[i], GUEST_STOCK_NODE) != 0)
			paths[count++] = nodes.gl_pathv[i];
	return count;
}

static void become_user(void)
{
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(USER), 0);
	ck_assert_int_eq(setuid(USER), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* Two users side by side: what one gives back is for the other, too. */
START_TEST(memory_that_others_wrote_to_is_zero)
{
	const char *text = getenv("RECYCLE_PAGES");
	unsigned long pages = text ? strtoul(text, NULL, 0) : 100000;
	const char *paths[MOST_NODES];
	int count = find_nodes(paths);
	double begin = guest_now();

	soft_device_load();
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(chmod(paths[i], 0666), 0);
	ck_assert_int_eq(chmod("/dev/pm_device", 0666), 0);
	for (int user = 0; user < 2; user++) {
		struct tally tally = {0};
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (child)
			continue;
		become_user();
		srand((unsigned int)user + 1);
		recycle(paths, count, pages / 2, &tally);
		printf("# %lu pages of %d nodes were zero:", tally.pages,
		       count);
		for (int i = 0; i < VIEWS; i++)
			printf(" %lu %s%s", tally.by_view[i], view_names[i],
			       i + 1 < VIEWS ? "," : "\n");
		fflush(stdout);
		_exit(0);
	}
	for (int user = 0; user < 2; user++) {
		int status;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	printf("# %lu pages in %.1f s\n", pages, guest_now() - begin);
	ck_assert_int_eq(chmod("/dev/pm_device", 0600), 0);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(chmod(paths[i], 0660), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("recycle");
	TCase *tcase = tcase_create("recycle");

	tcase_set_timeout(tcase, 1100);
	tcase_add_test(tcase, memory_that_others_wrote_to_is_zero);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
