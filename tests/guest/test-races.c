// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernels: debug kcsan
 * races: threads that do everything at once with a few buffers
 *
 * Threads that share a node, buffers, a mapping and an attachment call all that
 * the module has, while its parameters change and the device comes and goes.
 * Each call succeeds or says why it could not, and nothing is left behind. It
 * is for kernels that look for data races, for locks and for uses of freed
 * memory.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"
#include "kmod/pm_importer.h"
#include "soft-device.h"

#define THREADS 4
#define SECONDS 60
#define SIZE KIB(64)
#define STATS "/sys/class/misc/portalmem/stats"
#define PARAMETERS "/sys/module/portalmem/parameters/"

/* What all threads work on. */
static int node, buffers[3], attachment;
static char *map;

static atomic_bool over;
static atomic_uint wrong; /* an errno that has no place here */

static int result_of(long value)
{
	return value < 0 ? errno : 0;
}

static int call(int fd, unsigned long request, void *argument)
{
	return result_of(ioctl(fd, request, argument));
}

static int any_buffer(unsigned int *seed)
{
	return buffers[(unsigned int)rand_r(seed) % 3];
}

static int call_alloc(unsigned int *seed)
{
	uint32_t cachings[] = {PORTALMEM_CACHED, PORTALMEM_WC, PORTALMEM_UC};
	struct portalmem_ioc_alloc request =
		guest_request(KIB(4) << (unsigned int)rand_r(seed) % 9,
			      cachings[(unsigned int)rand_r(seed) % 3]);
	int error;

	strcpy(request.name, "races");
	error = call(node, PORTALMEM_IOC_ALLOC, &request);
	if (!error)
		close(request.fd);
	return error;
}

static int call_alloc_run(unsigned int *seed)
{
	struct portalmem_ioc_alloc request =
		guest_request(KIB(128), PORTALMEM_CACHED);
	int contiguous = open(GUEST_CONTIGUOUS_NODE, O_RDWR | O_CLOEXEC);
	int error = call(contiguous, PORTALMEM_IOC_ALLOC, &request);

	(void)seed;
	if (!error)
		close(request.fd);
	close(contiguous);
	return error;
}

static int call_import(unsigned int *seed)
{
	struct portalmem_ioc_import_user request = {
		.fd_flags = O_RDWR | O_CLOEXEC,
		.size = SIZE,
	};
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	(void)seed;
	if (memory == MAP_FAILED)
		return errno;
	request.address = (uintptr_t)memory;
	error = call(node, PORTALMEM_IOC_IMPORT_USER, &request);
	if (!error)
		close(request.fd);
	munmap(memory, SIZE);
	return error;
}

static int call_questions(unsigned int *seed)
{
	struct portalmem_ioc_info info = {.fd = any_buffer(seed)};
	struct portalmem_ioc_holders holders = {.fd = any_buffer(seed)};
	struct portalmem_ioc_heap heap = {0};
	struct portalmem_ioc_segment entries[4];
	struct portalmem_ioc_segments segments = {
		.fd = any_buffer(seed),
		.segments = (uintptr_t)entries,
		.count = 4,
	};
	int error = call(node, PORTALMEM_IOC_INFO, &info);

	error = error ? error : call(node, PORTALMEM_IOC_HOLDERS, &holders);
	error = error ? error : call(node, PORTALMEM_IOC_HEAP, &heap);
	return error ? error : call(node, PORTALMEM_IOC_SEGMENTS, &segments);
}

static int sync_range(int fd, int buffer, unsigned int *seed)
{
	const struct portalmem_ioc_range range = {KIB(4), KIB(8)};
	struct portalmem_ioc_sync sync = {
		.flags = DMA_BUF_SYNC_RW |
			 (rand_r(seed) & 1 ? DMA_BUF_SYNC_START
					   : DMA_BUF_SYNC_END),
		.fd = buffer,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};

	return call(fd, PORTALMEM_IOC_SYNC, &sync);
}

static int call_sync(unsigned int *seed)
{
	return sync_range(node, any_buffer(seed), seed);
}

static int call_shared_attachment(unsigned int *seed)
{
	struct portalmem_ioc_attachment info = {0};
	int error = sync_range(attachment, -1, seed);

	return error ? error
		     : call(attachment, PORTALMEM_IOC_ATTACHMENT, &info);
}

static int call_attach(unsigned int *seed)
{
	struct portalmem_ioc_attach request =
		attachment_request(any_buffer(seed), "platform", "pm_device.0");
	int error = call(node, PORTALMEM_IOC_ATTACH, &request);

	if (error)
		return error;
	error = sync_range(request.fd, -1, seed);
	close(request.fd);
	return error;
}

static int call_map(unsigned int *seed)
{
	char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			 any_buffer(seed), 0);
	size_t offset = (unsigned int)rand_r(seed) % SIZE;

	if (own == MAP_FAILED)
		return errno;
	*(volatile char *)(own + offset) = 1;
	munmap(own, SIZE);
	*(volatile char *)(map + offset) = 2;
	return result_of(madvise(map, SIZE, MADV_DONTNEED));
}

static int call_vmap(unsigned int *seed)
{
	struct pm_importer request = {.fd = any_buffer(seed)};
	struct pm_importer_word word = {0};
	int importer = open("/dev/pm_importer", O_RDWR | O_CLOEXEC);
	int error = call(importer, PM_IMPORTER_IOC, &request);

	error = error ? error : call(importer, PM_IMPORTER_WORD_IOC, &word);
	close(importer);
	return error;
}

static int read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = result_of(fd);

	if (error)
		return error;
	while (read(fd, text, sizeof(text)) > 0)
		;
	close(fd);
	return 0;
}

static int call_lists(unsigned int *seed)
{
	char path[64];
	int error;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d",
		 rand_r(seed) & 1 ? any_buffer(seed) : attachment);
	error = read_file(path);
	return error ? error : read_file("/sys/kernel/debug/portalmem/buffers");
}

static int call_statistics(unsigned int *seed)
{
	DIR *dir = opendir(STATS);
	struct dirent *entry;
	int error = 0;

	(void)seed;
	while (!error && (entry = readdir(dir))) {
		char path[sizeof(STATS) + 1 + sizeof(entry->d_name)];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), STATS "/%s", entry->d_name);
		error = read_file(path);
	}
	closedir(dir);
	return error;
}

static int call_trim(unsigned int *seed)
{
	struct portalmem_ioc_trim trim = {0};

	(void)seed;
	return call(node, PORTALMEM_IOC_TRIM, &trim);
}

static int call_name(unsigned int *seed)
{
	char name[] = "name-0";

	name[5] += (char)(rand_r(seed) & 1);
	return call(any_buffer(seed), DMA_BUF_SET_NAME_A, name);
}

static struct {
	const char *name;
	const char *values[2];
	char before[32];
} parameters[] = {
	{.name = "pool_limit_mb", .values = {"0", "64"}},
	{.name = "pool_idle_s", .values = {"0", "30"}},
	{.name = "pinnable", .values = {"N", "Y"}},
	{.name = "contiguous_limit_mb", .values = {"100", "200"}},
};
#define COUNT (sizeof(parameters) / sizeof(parameters[0]))

static int call_parameters(unsigned int *seed)
{
	unsigned int i = (unsigned int)rand_r(seed) % COUNT;
	const char *value = parameters[i].values[rand_r(seed) & 1];
	char path[80];
	int fd, error;

	snprintf(path, sizeof(path), PARAMETERS "%s", parameters[i].name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	error = result_of(write(fd, value, strlen(value)));
	close(fd);
	return error;
}

static void save_parameters(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		char path[80];
		FILE *file;

		snprintf(path, sizeof(path), PARAMETERS "%s",
			 parameters[i].name);
		file = fopen(path, "re");
		ck_assert_ptr_nonnull(file);
		ck_assert_int_eq(fscanf(file, "%31s", parameters[i].before), 1);
		fclose(file);
	}
}

static void restore_parameters(void)
{
	for (size_t i = 0; i < COUNT; i++)
		guest_set_param(parameters[i].name, parameters[i].before);
}

static int call_plug(unsigned int *seed)
{
	int fd = open(PM_DEVICE_PRESENT, O_WRONLY | O_CLOEXEC);
	int error = result_of(write(fd, rand_r(seed) & 1 ? "2" : "3", 1));

	close(fd);
	return error;
}

/* The first ones are called most. */
static int (*const calls[])(unsigned int *seed) = {
	call_alloc,
	call_alloc,
	call_alloc,
	call_questions,
	call_sync,
	call_attach,
	call_shared_attachment,
	call_map,
	call_vmap,
	call_lists,
	call_statistics,
	call_import,
	call_alloc_run,
	call_trim,
	call_name,
	call_parameters,
	call_plug,
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* The device may be away, and memory short for a moment. */
static bool is_expected(int error)
{
	return !error || error == ENODEV || error == ENOMEM;
}

static void *call_all(void *argument)
{
	unsigned int *seed = argument;
	unsigned int *done = calloc(1, sizeof(*done));

	while (!atomic_load(&over) && done) {
		int error = calls[(unsigned int)rand_r(seed) % CALLS](seed);

		if (!is_expected(error))
			atomic_store(&wrong, (unsigned int)error);
		++*done;
	}
	return done;
}

static void set_up_shared(void)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert(memory != MAP_FAILED);
	guest_load_test_module("pm_importer");
	soft_device_load();
	node = guest_open(GUEST_NODE);
	buffers[0] = guest_alloc(SIZE, PORTALMEM_CACHED);
	buffers[1] = guest_alloc(SIZE, PORTALMEM_WC);
	buffers[2] = guest_import(memory, SIZE, O_RDWR);
	attachment = attachment_open(buffers[0], "platform", "pm_device.0");
	map = guest_map(buffers[0], SIZE);
}

START_TEST(all_calls_at_once)
{
	unsigned int seeds[THREADS], done = 0, alive = guest_count_buffers();
	uint64_t used = guest_heap(GUEST_NODE).used;
	pthread_t threads[THREADS];

	save_parameters();
	set_up_shared();
	for (unsigned int i = 0; i < THREADS; i++) {
		seeds[i] = i + 1;
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, call_all, &seeds[i]),
			0);
	}
	sleep(SECONDS);
	atomic_store(&over, true);
	for (int i = 0; i < THREADS; i++) {
		void *own;

		ck_assert_int_eq(pthread_join(threads[i], &own), 0);
		done += *(unsigned int *)own;
		free(own);
	}
	printf("# %u calls by %d threads\n", done, THREADS);
	ck_assert_msg(!wrong, "%s", strerror((int)wrong));
	ck_assert_uint_gt(done, 100);
	munmap(map, SIZE);
	close(attachment);
	for (int i = 0; i < 3; i++)
		close(buffers[i]);
	close(node);
	soft_device_set_present(3);
	restore_parameters();
	ck_assert_uint_eq(guest_count_buffers(), alive);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).used, used);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("races");
	TCase *tcase = guest_tcase("races");

	tcase_add_test(tcase, all_calls_at_once);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
