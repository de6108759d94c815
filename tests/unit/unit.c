// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

static unsigned int fds_before;

static void set_up(void)
{
	if (unit_backend() != PORTALMEM_BACKEND_MEMFD)
		mock_use_real_nodes();
	fds_before = pmtest_count_fds();
	ck_assert_int_eq(unsetenv("PORTALMEM_BACKEND"), 0);
}

static void tear_down(void)
{
	unit_limit_fds(-1);
	mock_assert_done();
	pmtest_assert_no_leaked_fds(fds_before);
}

Suite *unit_suite(const char *name, TCase **tcase)
{
	Suite *suite = suite_create(name);

	*tcase = tcase_create(name);
	tcase_add_checked_fixture(*tcase, set_up, tear_down);
	/* Emulated machines are slow. */
	tcase_set_timeout(*tcase, 60);
	suite_add_tcase(suite, *tcase);
	return suite;
}

const struct unit_sync_flags unit_sync_flags[UNIT_SYNC_FLAGS] = {
	{PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ, 1},
	{PORTALMEM_SYNC_START | PORTALMEM_SYNC_WRITE, 2},
	{PORTALMEM_SYNC_START | PORTALMEM_SYNC_RDWR, 3},
	{PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ, 5},
	{PORTALMEM_SYNC_END | PORTALMEM_SYNC_WRITE, 6},
	{PORTALMEM_SYNC_END | PORTALMEM_SYNC_RDWR, 7},
};

const struct sync_file_info unit_fence_info;

enum portalmem_backend unit_backend(void)
{
	const char *name = getenv("UNIT_BACKEND");
	int backend = PORTALMEM_BACKEND_PORTALMEM;

	if (!name)
		return PORTALMEM_BACKEND_MEMFD;
	while (backend < PORTALMEM_BACKEND_MEMFD &&
	       strcmp(portalmem_backend_name((enum portalmem_backend)backend),
		      name))
		backend++;
	ck_assert_str_eq(
		portalmem_backend_name((enum portalmem_backend)backend), name);
	return (enum portalmem_backend)backend;
}

static struct portalmem_device *open_backend(enum portalmem_backend backend)
{
	struct portalmem_device *device;

	ck_assert_msg(!portalmem_device_open(NULL, backend, &device), "%s",
		      portalmem_error_message());
	return device;
}

struct portalmem_device *unit_open_device(void)
{
	return open_backend(unit_backend());
}

struct portalmem_device *unit_open_memfd(void)
{
	return open_backend(PORTALMEM_BACKEND_MEMFD);
}

/* Takes the reference to the device. */
static struct portalmem_buffer *alloc_from(struct portalmem_device *device,
					   uint64_t size)
{
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_alloc(device, size, NULL, &buffer),
			 0);
	portalmem_device_unref(device);
	return buffer;
}

struct portalmem_buffer *unit_alloc(uint64_t size)
{
	return alloc_from(unit_open_device(), size);
}

struct portalmem_buffer *unit_alloc_memfd(uint64_t size)
{
	return alloc_from(unit_open_memfd(), size);
}

struct portalmem_device *unit_open_portalmem(void)
{
	static const struct portalmem_ioc_version in = {0};
	static const struct portalmem_ioc_version out = {
		.abi = PORTALMEM_ABI_VERSION};
	static const struct mock_call calls[] = {
		{.open = "/dev/portalmem"},
		{.request = PORTALMEM_IOC_VERSION,
		 .on = MOCK_NODE,
		 .in = &in,
		 .in_size = sizeof(in),
		 .out = &out},
	};
	struct portalmem_device *device;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	return device;
}

struct portalmem_device *unit_open_heap(const char *path)
{
	static const struct dma_heap_allocation_data probe = {
		.fd_flags = ~(uint32_t)DMA_HEAP_VALID_FD_FLAGS,
	};
	const struct mock_call calls[] = {
		{.open = path},
		{.request = DMA_HEAP_IOCTL_ALLOC,
		 .on = MOCK_NODE,
		 .in = &probe,
		 .in_size = sizeof(probe),
		 .error = EINVAL},
	};
	struct portalmem_device *device;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_device_open(path, PORTALMEM_BACKEND_DMA_HEAP,
					       &device),
			 0);
	/* The table goes out of scope. */
	mock_expect(NULL, 0);
	return device;
}

struct portalmem_buffer *unit_import_known(void)
{
	static const struct portalmem_ioc_info in = {0};
	static const struct portalmem_ioc_info out = {
		.size = 4 * 4096,
		.effective = PORTALMEM_CACHED,
	};
	static const struct mock_call calls[] = {
		{.request = PORTALMEM_IOC_INFO,
		 .on = MOCK_NODE,
		 .in = &in,
		 .in_size = sizeof(in),
		 .in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),
		 .in_fd_is = MOCK_BUFFER,
		 .out = &out},
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;
	int fd = mock_new_dmabuf(4 * PAGE);

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	portalmem_device_unref(device);
	close(fd);
	mock_expect(NULL, 0);
	return buffer;
}

struct portalmem_buffer *unit_import_dmabuf(uint64_t size)
{
	int fd = mock_new_dmabuf(size);
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	close(fd);
	return buffer;
}

void unit_limit_fds(int count)
{
	static struct rlimit before;
	struct rlimit limit;
	int lowest_free;

	if (!before.rlim_max)
		ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	if (count >= 0) {
		/* The tests leave no gaps in the table. */
		lowest_free = dup(STDERR_FILENO);
		ck_assert_int_ge(lowest_free, 0);
		close(lowest_free);
		limit.rlim_cur = (rlim_t)(lowest_free + count);
	}
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

struct mock_call unit_node_sync(const struct portalmem_ioc_sync *in,
				const struct portalmem_range *ranges, int error)
{
	return (struct mock_call){
		.request = PORTALMEM_IOC_SYNC,
		.on = MOCK_NODE,
		.in = in,
		.in_size = sizeof(*in),
		.in_fd_at = MOCK_AT(struct portalmem_ioc_sync, fd),
		.in_fd_is = MOCK_BUFFER,
		.in_pointer_at = MOCK_AT(struct portalmem_ioc_sync, ranges),
		.pointee = ranges,
		.pointee_size = in->count * sizeof(*ranges),
		.error = error,
	};
}

bool unit_can_run_out(void)
{
	return !getenv("UNIT_NOTHING_RUNS_OUT");
}

bool unit_has_pidfds(void)
{
	return !getenv("UNIT_NO_PIDFDS");
}

int unit_is_mapped(const void *address)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t start, end, wanted = (uintptr_t)address;
	char line[4096];
	int found = 0;

	ck_assert_ptr_nonnull(maps);
	while (!found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) ==
				2 &&
			start <= wanted && wanted < end;
	fclose(maps);
	return found;
}
