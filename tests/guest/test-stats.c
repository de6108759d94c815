// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's statistics: exact, whoever allocates, fails, frees and is killed
 * at the same time. Nobody else uses the module meanwhile.
 * quick: 6.12 6.1
 * races: threads allocate and free
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/dma-heap.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "stats.h"

#define PAGE ((size_t)4096)
#define NOBODY 65534

static uint64_t of_system(const char *file)
{
	return stats_read(STATS_SYSTEM, file);
}

/* What is the same whenever nothing is under way. */
static void assert_consistent(const char *folder)
{
	uint64_t live = stats_read(folder, "live_buffers");

	ck_assert_uint_eq(stats_read(folder, "allocations") -
				  stats_read(folder, "frees"),
			  live);
	ck_assert_uint_ge(stats_read(folder, "live_bytes"), live * PAGE);
	ck_assert_uint_ge(stats_read(folder, "peak_bytes"),
			  stats_read(folder, "live_bytes"));
}

/* Files of the killed are closed after they are waited for. */
static void assert_live(const char *folder, uint64_t bytes, uint64_t buffers)
{
	for (int i = 0; i < 500; i++) {
		if (stats_read(folder, "live_bytes") == bytes &&
		    stats_read(folder, "live_buffers") == buffers)
			break;
		usleep(10000);
	}
	ck_assert_uint_eq(stats_read(folder, "live_bytes"), bytes);
	ck_assert_uint_eq(stats_read(folder, "live_buffers"), buffers);
	assert_consistent(folder);
}

START_TEST(a_buffer_is_live_until_it_is_closed)
{
	uint64_t bytes = of_system("live_bytes");
	uint64_t buffers = of_system("live_buffers");
	uint64_t allocations = of_system("allocations");
	uint64_t frees = of_system("frees");
	int fd = guest_alloc(MIB(3) + 1, PORTALMEM_CACHED);
	struct portalmem_ioc_heap heap = guest_heap(GUEST_NODE);

	ck_assert_uint_eq(of_system("live_bytes"), bytes + MIB(3) + PAGE);
	ck_assert_uint_eq(of_system("live_buffers"), buffers + 1);
	ck_assert_uint_eq(of_system("allocations"), allocations + 1);
	ck_assert_uint_eq(of_system("frees"), frees);
	ck_assert_uint_eq(heap.used, of_system("live_bytes"));
	ck_assert_uint_eq(heap.buffers, of_system("live_buffers"));
	close(fd);
	ck_assert_uint_eq(of_system("live_bytes"), bytes);
	ck_assert_uint_eq(of_system("live_buffers"), buffers);
	ck_assert_uint_eq(of_system("allocations"), allocations + 1);
	ck_assert_uint_eq(of_system("frees"), frees + 1);
}
END_TEST

START_TEST(each_heap_counts_its_own)
{
	static const char *const folders[] = {STATS_SYSTEM, STATS_CONTIGUOUS,
					      STATS_USER};
	char *memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t before[3];
	int fds[2];

	for (int i = 0; i < 3; i++)
		before[i] = stats_read(folders[i], "live_bytes");
	fds[0] = guest_alloc_from(GUEST_CONTIGUOUS_NODE,
				  guest_request(4 * PAGE, PORTALMEM_CACHED));
	fds[1] = guest_import(memory, 8 * PAGE, O_RDWR);
	ck_assert_uint_eq(stats_read(folders[0], "live_bytes"), before[0]);
	ck_assert_uint_eq(stats_read(folders[1], "live_bytes"),
			  before[1] + 4 * PAGE);
	ck_assert_uint_eq(stats_read(folders[2], "live_bytes"),
			  before[2] + 8 * PAGE);
	close(fds[0]);
	close(fds[1]);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(stats_read(folders[i], "live_bytes"),
				  before[i]);
		assert_consistent(folders[i]);
	}
}
END_TEST

START_TEST(nodes_of_a_heap_show_the_same)
{
	static const char *const nodes[] = {"portalmem",
					    "portalmem-heap-system",
					    "portalmem-heap-portalmem-wc"};
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);

	for (int i = 0; i < 3; i++) {
		char folder[128];

		snprintf(folder, sizeof(folder), "/sys/class/misc/%s/stats",
			 nodes[i]);
		ck_assert_uint_eq(stats_read(folder, "live_bytes"),
				  of_system("live_bytes"));
		ck_assert_uint_eq(stats_read(folder, "allocations"),
				  of_system("allocations"));
	}
	close(fd);
}
END_TEST

START_TEST(chunks_come_from_the_pool_or_not)
{
	uint64_t hits, misses, chunks;

	guest_trim();
	hits = of_system("pool_hits");
	misses = of_system("pool_misses");
	close(guest_alloc(MIB(4) + KIB(12), PORTALMEM_CACHED));
	chunks = of_system("pool_misses") - misses;
	/* At least two of 2 MiB, one of 8 KiB and one of 4 KiB. */
	ck_assert_uint_ge(chunks, 4);
	ck_assert_uint_eq(of_system("pool_hits"), hits);
	ck_assert_uint_eq(of_system("pooled_bytes"), MIB(4) + KIB(12));
	ck_assert_uint_eq(guest_heap(GUEST_NODE).pooled,
			  of_system("pooled_bytes"));

	/* Some may be in the worker's hands, which cleans them. */
	sleep(1);
	close(guest_alloc(MIB(4) + KIB(12), PORTALMEM_CACHED));
	ck_assert_uint_eq(of_system("pool_hits"), hits + chunks);
	ck_assert_uint_eq(of_system("pool_misses"), misses + chunks);
	guest_trim();
	ck_assert_uint_eq(of_system("pooled_bytes"), 0);
}
END_TEST

/* Why requests fail: each does so once. */

static int open_node(void)
{
	return guest_open(GUEST_NODE);
}

static void alloc_at(int node, void *request, int error)
{
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, request), -1);
	ck_assert_int_eq(errno, error);
}

static void want(struct portalmem_ioc_alloc request, int error)
{
	int node = open_node();

	alloc_at(node, &request, error);
	close(node);
}

static void want_too_much(void)
{
	want(guest_request(1ULL << 50, PORTALMEM_CACHED), ENOMEM);
}

static void exceed_limit(void)
{
	guest_set_param("limit_mb", "1");
	want(guest_request(MIB(2), PORTALMEM_CACHED), EDQUOT);
	guest_set_param("limit_mb", "0");
}

static void want_nothing(void)
{
	want(guest_request(0, PORTALMEM_CACHED), EINVAL);
}

static void want_nothing_of_dma_heap(void)
{
	struct dma_heap_allocation_data data = {.fd_flags = O_RDWR};
	int node = guest_open(GUEST_HEAP_NODE);

	ck_assert_int_eq(ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data), -1);
	ck_assert_int_eq(errno, EINVAL);
	close(node);
}

static void want_alignment(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(PAGE, PORTALMEM_CACHED);

	request.alignment = PAGE;
	want(request, EOPNOTSUPP);
}

static void want_without_descriptors(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(PAGE, PORTALMEM_CACHED);
	struct rlimit limit, none;
	int node = open_node();

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	alloc_at(node, &request, EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(node);
}

static void want_at_no_address(void)
{
	int node = open_node();

	alloc_at(node, NULL, EFAULT);
	close(node);
}

/* The buffer is made before it turns out that nobody can be told. */
static void want_at_read_only_address(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(PAGE, PORTALMEM_CACHED);
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t allocations = of_system("allocations");
	uint64_t frees = of_system("frees");
	int node = open_node();

	memcpy(memory, &request, sizeof(request));
	ck_assert_int_eq(mprotect(memory, PAGE, PROT_READ), 0);
	alloc_at(node, memory, EFAULT);
	ck_assert_uint_eq(of_system("allocations"), allocations + 1);
	ck_assert_uint_eq(of_system("frees"), frees + 1);
	close(node);
}

static void import(void *memory, size_t size, int error)
{
	struct portalmem_ioc_import_user request = {
		.address = (uintptr_t)memory,
		.size = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int node = open_node();

	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request), -1);
	ck_assert_int_eq(errno, error);
	close(node);
}

static char *memory_of(int protection)
{
	char *memory = mmap(NULL, 4 * PAGE, protection,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

static void import_nothing(void)
{
	import(memory_of(PROT_READ | PROT_WRITE), 0, EINVAL);
}

static void import_read_only(void)
{
	import(memory_of(PROT_READ), PAGE, EACCES);
}

static void import_unreadable(void)
{
	import(memory_of(PROT_NONE), PAGE, EFAULT);
}

static void import_beyond_memlock(void)
{
	struct portalmem_ioc_import_user request = {
		.address = (uintptr_t)memory_of(PROT_READ | PROT_WRITE),
		.size = 4 * PAGE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	struct rlimit limit = {PAGE, PAGE};
	int node = open_node();
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || setgroups(0, NULL) ||
		    setgid(NOBODY) || setuid(NOBODY))
			_exit(1);
		if (ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request) != -1 ||
		    errno != ENOMEM)
			_exit(2);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(node);
}

static const struct {
	void (*cause)(void);
	const char *folder;
	const char *reason;
} failures[] = {
	{want_too_much, STATS_SYSTEM, "failures_nomem"},
	{exceed_limit, STATS_SYSTEM, "failures_limit"},
	{want_nothing, STATS_SYSTEM, "failures_invalid"},
	{want_nothing_of_dma_heap, STATS_SYSTEM, "failures_invalid"},
	{want_alignment, STATS_SYSTEM, "failures_unsupported"},
	{want_without_descriptors, STATS_SYSTEM, "failures_files"},
	{want_at_no_address, STATS_SYSTEM, "failures_fault"},
	{want_at_read_only_address, STATS_SYSTEM, "failures_fault"},
	{import_nothing, STATS_USER, "failures_invalid"},
	{import_read_only, STATS_USER, "failures_denied"},
	{import_unreadable, STATS_USER, "failures_fault"},
	{import_beyond_memlock, STATS_USER, "failures_limit"},
};

START_TEST(a_failure_is_counted_once_and_by_its_reason)
{
	struct stats_failures before = stats_failures_now(failures[_i].folder);

	failures[_i].cause();
	stats_assert_one_more(&before, failures[_i].reason);
	assert_consistent(failures[_i].folder);
}
END_TEST

START_TEST(who_is_killed_while_it_allocates_is_counted)
{
	uint64_t bytes = of_system("live_bytes");
	uint64_t buffers = of_system("live_buffers");
	uint64_t before = of_system("failures_interrupted");

	/* It may be hit between two allocations. */
	for (int round = 0; round < 50; round++) {
		struct portalmem_ioc_alloc request =
			guest_request(MIB(400), PORTALMEM_UC);
		pid_t child = fork();
		int status;

		ck_assert_int_ge(child, 0);
		while (!child) {
			int node = open(GUEST_NODE, O_RDWR);

			request.fd = 0;
			request.effective = 0;
			request.segments = 0;
			if (!ioctl(node, PORTALMEM_IOC_ALLOC, &request))
				close(request.fd);
			close(node);
		}
		usleep(20000);
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		if (of_system("failures_interrupted") > before)
			break;
	}
	ck_assert_uint_eq(of_system("failures_interrupted"), before + 1);
	assert_live(STATS_SYSTEM, bytes, buffers);
}
END_TEST

/* A new peak has to be above the last one, which may be all memory there is. */
static void begin_anew(void)
{
	guest_shell("rmmod portalmem && insmod \"$PORTALMEM_MODULE\"");
}

START_TEST(the_peak_is_the_most_that_was_live)
{
	uint64_t live = of_system("live_bytes");
	uint64_t more = of_system("peak_bytes") - live + PAGE;
	int fd = guest_alloc(more, PORTALMEM_CACHED), other;

	ck_assert_uint_eq(of_system("peak_bytes"), live + more);
	other = guest_alloc(MIB(1), PORTALMEM_CACHED);
	ck_assert_uint_eq(of_system("peak_bytes"), live + more + MIB(1));
	close(fd);
	close(other);
	/* What is not more than ever changes nothing. */
	close(guest_alloc(more, PORTALMEM_CACHED));
	ck_assert_uint_eq(of_system("peak_bytes"), live + more + MIB(1));
	ck_assert_uint_eq(of_system("live_bytes"), live);
}
END_TEST

/*
 * Many at once. Each worker knows what it did; a request of each kind that
 * fails is among it.
 */

#define WORKERS 8
#define ROUNDS 200
#define HELD 8
#define MOST_PAGES 8

struct deeds {
	uint64_t allocations;
	uint64_t frees;
	uint64_t invalid;
	uint64_t nomem;
	uint64_t unsupported;
};

/* What all workers have at a time, and the most of it, by their own account. */
static struct {
	uint64_t live;
	uint64_t peak;
} * known;

struct holding {
	int fd;
	size_t size;
};

static void note_peak(uint64_t live)
{
	uint64_t peak = __atomic_load_n(&known->peak, __ATOMIC_SEQ_CST);

	while (live > peak &&
	       !__atomic_compare_exchange_n(&known->peak, &peak, live, 0,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static void let_go(struct holding *holding, struct deeds *deeds)
{
	if (holding->fd < 0)
		return;
	/* Before it is true, so that what is known was live. */
	__atomic_sub_fetch(&known->live, holding->size, __ATOMIC_SEQ_CST);
	close(holding->fd);
	holding->fd = -1;
	deeds->frees++;
}

static int take(int node, struct holding *holding, size_t size, uint32_t mode,
		struct deeds *deeds)
{
	struct portalmem_ioc_alloc request = guest_request(size, mode);

	if (ioctl(node, PORTALMEM_IOC_ALLOC, &request))
		return -1;
	deeds->allocations++;
	holding->fd = request.fd;
	holding->size = size;
	/* After it is true. */
	note_peak(__atomic_add_fetch(&known->live, size, __ATOMIC_SEQ_CST));
	return 0;
}

static int refuse(int node, struct portalmem_ioc_alloc request, int error)
{
	return ioctl(node, PORTALMEM_IOC_ALLOC, &request) == -1 &&
			       errno == error
		       ? 0
		       : -1;
}

/* 0, or -1 when something went as it should not. */
static int work(unsigned int seed, int rounds, struct deeds *deeds)
{
	struct holding held[HELD];
	int node = open(GUEST_NODE, O_RDWR | O_CLOEXEC);
	int ret = 0;

	for (int i = 0; i < HELD; i++)
		held[i].fd = -1;
	for (int round = 0; !ret && round < rounds; round++) {
		struct portalmem_ioc_alloc request =
			guest_request(PAGE, PORTALMEM_CACHED);
		struct holding *holding = &held[(size_t)rand_r(&seed) % HELD];
		size_t size = ((size_t)rand_r(&seed) % MOST_PAGES + 1) * PAGE;
		uint32_t mode = rand_r(&seed) % 8 ? PORTALMEM_CACHED
						  : PORTALMEM_WC;

		switch (rand_r(&seed) % 8) {
		case 0:
			request.size = 0;
			ret = refuse(node, request, EINVAL);
			deeds->invalid++;
			break;
		case 1:
			request.size = 1ULL << 50;
			ret = refuse(node, request, ENOMEM);
			deeds->nomem++;
			break;
		case 2:
			request.alignment = PAGE;
			ret = refuse(node, request, EOPNOTSUPP);
			deeds->unsupported++;
			break;
		default:
			let_go(holding, deeds);
			ret = take(node, holding, size, mode, deeds);
		}
	}
	for (int i = 0; i < HELD; i++)
		let_go(&held[i], deeds);
	close(node);
	return ret;
}

struct worker {
	pthread_t thread;
	unsigned int seed;
	int ret;
	struct deeds deeds;
};

static void *run_worker(void *data)
{
	struct worker *worker = data;

	worker->ret = work(worker->seed, ROUNDS, &worker->deeds);
	return NULL;
}

static void set_up_known(void)
{
	known = mmap(NULL, sizeof(*known), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(known, MAP_FAILED);
}

START_TEST(counters_are_exact_with_many_threads)
{
	static const char *const names[] = {
		"allocations", "frees", "failures_invalid", "failures_nomem",
		"failures_unsupported"};
	uint64_t before[5], done[5] = {0};
	uint64_t bytes = of_system("live_bytes");
	uint64_t buffers = of_system("live_buffers");
	struct worker workers[WORKERS] = {0};

	set_up_known();
	for (int i = 0; i < 5; i++)
		before[i] = of_system(names[i]);
	for (int i = 0; i < WORKERS; i++) {
		workers[i].seed = (unsigned int)i + 1;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL,
						run_worker, &workers[i]),
				 0);
	}
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
		ck_assert_int_eq(workers[i].ret, 0);
		done[0] += workers[i].deeds.allocations;
		done[1] += workers[i].deeds.frees;
		done[2] += workers[i].deeds.invalid;
		done[3] += workers[i].deeds.nomem;
		done[4] += workers[i].deeds.unsupported;
	}
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_gt(done[i], 0);
		ck_assert_msg(of_system(names[i]) - before[i] == done[i],
			      "%s: %" PRIu64 " more instead of %" PRIu64,
			      names[i], of_system(names[i]) - before[i],
			      done[i]);
	}
	ck_assert_uint_gt(known->peak, 0);
	ck_assert_uint_ge(of_system("peak_bytes"), bytes + known->peak);
	assert_live(STATS_SYSTEM, bytes, buffers);
}
END_TEST

/* More than ever before, by all together: each takes its part and waits. */
static void take_part_of_peak(int node, size_t size, int told, int wait)
{
	struct portalmem_ioc_alloc request =
		guest_request(size, PORTALMEM_CACHED);
	char byte = 0;

	if (ioctl(node, PORTALMEM_IOC_ALLOC, &request) ||
	    write(told, &byte, 1) != 1)
		_exit(1);
	/* The others' end is the sign. */
	_exit(read(wait, &byte, 1) == 0 ? 0 : 2);
}

START_TEST(a_peak_that_many_reach_together_is_exact)
{
	uint64_t live = of_system("live_bytes");
	uint64_t buffers = of_system("live_buffers");
	uint64_t part =
		(of_system("peak_bytes") - live) / WORKERS / PAGE * PAGE + PAGE;
	int told[2], wait_for[2], status;
	pid_t children[WORKERS];
	char byte;

	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(wait_for), 0);
	for (int i = 0; i < WORKERS; i++) {
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		if (!children[i]) {
			close(wait_for[1]);
			take_part_of_peak(guest_open(GUEST_NODE), part, told[1],
					  wait_for[0]);
		}
	}
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(read(told[0], &byte, 1), 1);
	ck_assert_uint_eq(of_system("live_bytes"), live + WORKERS * part);
	ck_assert_uint_eq(of_system("peak_bytes"), live + WORKERS * part);
	close(wait_for[1]);
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert_int_eq(status, 0);
	}
	assert_live(STATS_SYSTEM, live, buffers);
}
END_TEST

START_TEST(nothing_stays_live_of_processes_that_are_killed)
{
	uint64_t bytes = of_system("live_bytes");
	uint64_t buffers = of_system("live_buffers");
	uint64_t allocations = of_system("allocations");
	unsigned int seed = 1;

	set_up_known();
	for (int round = 0; round < 5; round++) {
		pid_t children[WORKERS];

		for (int i = 0; i < WORKERS; i++) {
			struct deeds deeds = {0};

			children[i] = fork();
			ck_assert_int_ge(children[i], 0);
			if (!children[i])
				_exit(work((unsigned int)(round * 100 + i),
					   1 << 20, &deeds));
		}
		for (int i = 0; i < WORKERS; i++) {
			int status;

			usleep((unsigned int)rand_r(&seed) % 10000);
			/* Meanwhile it is read, too. */
			ck_assert_uint_ge(of_system("allocations"),
					  allocations);
			ck_assert_int_eq(kill(children[i], SIGKILL), 0);
			ck_assert_int_eq(waitpid(children[i], &status, 0),
					 children[i]);
			ck_assert(WIFSIGNALED(status));
		}
	}
	ck_assert_uint_gt(of_system("allocations"), allocations);
	assert_live(STATS_SYSTEM, bytes, buffers);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).buffers, buffers);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("stats");
	TCase *peak = guest_tcase("peak"), *tcase = guest_tcase("stats");

	tcase_add_unchecked_fixture(peak, begin_anew, NULL);
	tcase_add_test(peak, the_peak_is_the_most_that_was_live);
	tcase_add_test(peak, a_peak_that_many_reach_together_is_exact);
	suite_add_tcase(suite, peak);
	tcase_add_test(tcase, a_buffer_is_live_until_it_is_closed);
	tcase_add_test(tcase, each_heap_counts_its_own);
	tcase_add_test(tcase, nodes_of_a_heap_show_the_same);
	tcase_add_test(tcase, chunks_come_from_the_pool_or_not);
	tcase_add_loop_test(tcase, a_failure_is_counted_once_and_by_its_reason,
			    0, sizeof(failures) / sizeof(failures[0]));
	tcase_add_test(tcase, who_is_killed_while_it_allocates_is_counted);
	tcase_add_test(tcase, counters_are_exact_with_many_threads);
	tcase_add_test(tcase, nothing_stays_live_of_processes_that_are_killed);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
