// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

const char *const guest_nodes[] = {GUEST_NODE, GUEST_HEAP_NODE,
				   GUEST_HEAP_WC_NODE, NULL};

int guest_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

int guest_open_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

struct portalmem_ioc_alloc guest_request(uint64_t size, uint32_t caching)
{
	struct portalmem_ioc_alloc request = {
		.size = size,
		.caching = caching,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return request;
}

int guest_alloc(uint64_t size, uint32_t caching)
{
	struct portalmem_ioc_alloc request = guest_request(size, caching);
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_ALLOC, &request),
		      "allocating %llu bytes: %s", (unsigned long long)size,
		      strerror(errno));
	close(node);
	ck_assert_int_gt(request.fd, 0);
	return request.fd;
}

int guest_try(const char *path, struct portalmem_ioc_alloc *request)
{
	int node = guest_open(path);
	int error = ioctl(node, PORTALMEM_IOC_ALLOC, request) ? errno : 0;

	close(node);
	return error;
}

int guest_alloc_from(const char *path, struct portalmem_ioc_alloc request)
{
	int error = guest_try(path, &request);

	ck_assert_msg(!error, "allocating %llu bytes from %s: %s",
		      (unsigned long long)request.size, path, strerror(error));
	return request.fd;
}

int guest_dma_heap_alloc(const char *path, uint64_t size)
{
	struct dma_heap_allocation_data request = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	int node = guest_open(path);

	ck_assert_msg(!ioctl(node, DMA_HEAP_IOCTL_ALLOC, &request),
		      "allocating %llu bytes from %s: %s",
		      (unsigned long long)size, path, strerror(errno));
	close(node);
	return (int)request.fd;
}

int guest_has_stock(void)
{
	return !access(GUEST_STOCK_NODE, F_OK);
}

int guest_alloc_stock(size_t size)
{
	return guest_has_stock() ? guest_dma_heap_alloc(GUEST_STOCK_NODE, size)
				 : -1;
}

void guest_tell_stock(const char *what, long result)
{
	printf("# the system heap's mapping: %s: %s\n", what,
	       result < 0 ? strerror(errno) : "works");
}

int guest_alloc_scattered(uint64_t size, uint32_t caching, int row)
{
	int *single = calloc((size_t)row, sizeof(*single));
	int fd;

	ck_assert_ptr_nonnull(single);
	for (int i = 0; i < row; i++)
		single[i] = guest_alloc(4096, caching);
	for (int i = 0; i < row; i += 2)
		close(single[i]);
	fd = guest_alloc(size, caching);
	for (int i = 1; i < row; i += 2)
		close(single[i]);
	free(single);
	return fd;
}

int guest_import(void *memory, size_t size, int mode)
{
	struct portalmem_ioc_import_user request = {
		.fd_flags = (uint32_t)mode | O_CLOEXEC,
		.address = (uintptr_t)memory,
		.size = size,
	};
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request), "%s",
		      strerror(errno));
	close(node);
	return request.fd;
}

struct portalmem_ioc_heap guest_heap(const char *path)
{
	struct portalmem_ioc_heap heap = {0};
	int node = guest_open(path);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_HEAP, &heap), "%s: %s", path,
		      strerror(errno));
	close(node);
	return heap;
}

uint64_t guest_trim(void)
{
	struct portalmem_ioc_trim trim = {0};
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_TRIM, &trim), "%s",
		      strerror(errno));
	close(node);
	return trim.freed;
}

void guest_set_param(const char *name, const char *value)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/module/portalmem/parameters/%s",
		 name);
	guest_put(path, value);
}

void guest_drop_rawio(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
	data[0].effective &= ~(1u << CAP_SYS_RAWIO);
	ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
}

double guest_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

unsigned int guest_segments(int fd, struct portalmem_ioc_segment *segments,
			    unsigned int most)
{
	struct portalmem_ioc_segments request = {
		.fd = fd,
		.segments = (uintptr_t)segments,
		.count = most,
	};
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_SEGMENTS, &request), "%s",
		      strerror(errno));
	close(node);
	return request.total;
}

struct portalmem_ioc_info guest_info(int fd)
{
	struct portalmem_ioc_info info = {.fd = fd};
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_INFO, &info), "%s",
		      strerror(errno));
	close(node);
	return info;
}

void *guest_map(int fd, size_t size)
{
	void *address =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ck_assert_msg(address != MAP_FAILED, "mmap: %s", strerror(errno));
	return address;
}

unsigned int guest_count_buffers(void)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "r");
	unsigned int count = 0;
	int found = 0;
	char line[512];

	ck_assert_msg(file != NULL, "bufinfo: %s", strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Total %u objects", &count) == 1)
			found = 1;
	fclose(file);
	ck_assert_msg(found, "bufinfo has no total");
	return count;
}

long guest_meminfo(const char *field)
{
	FILE *file = fopen("/proc/meminfo", "r");
	size_t length = strlen(field);
	char line[256];
	long value = -1;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, length) && line[length] == ':')
			value = strtol(line + length + 1, NULL, 10);
	fclose(file);
	ck_assert_msg(value >= 0, "no %s in meminfo", field);
	return value;
}

long guest_count_oom_kills(void)
{
	FILE *file = fopen("/proc/vmstat", "r");
	char line[128];
	long count = -1;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "oom_kill %ld", &count);
	fclose(file);
	ck_assert_int_ge(count, 0);
	return count;
}

void guest_press(size_t size)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				    -1, 0);

		_exit(memory == MAP_FAILED);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

int guest_unload(void)
{
	return (int)syscall(SYS_delete_module, "portalmem", O_NONBLOCK);
}

void guest_load(void)
{
	const char *build = getenv("PORTALMEM_BUILDDIR");
	struct utsname system;
	char path[PATH_MAX];
	int fd;

	ck_assert_msg(build != NULL, "PORTALMEM_BUILDDIR is not set");
	ck_assert_int_eq(uname(&system), 0);
	snprintf(path, sizeof(path), "%s/kmod/%s/portalmem.ko", build,
		 system.release);
	fd = guest_open_read(path);
	ck_assert_msg(!syscall(SYS_finit_module, fd, "", 0), "loading: %s",
		      strerror(errno));
	close(fd);
}

void guest_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_msg(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		      "%s: %s", path, strerror(errno));
	close(fd);
}

/* Free pages of all zones, those in the CPUs' own lists included. */
static long count_free_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	char line[256];
	long sum = 0, n;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %ld", &n) == 1 ||
		    sscanf(line, " count: %ld", &n) == 1)
			sum += n;
	fclose(file);
	return sum;
}

static void shrink_slabs(void)
{
	glob_t paths;

	ck_assert_int_eq(glob("/sys/kernel/slab/*/shrink", 0, NULL, &paths), 0);
	for (size_t i = 0; i < paths.gl_pathc; i++)
		guest_put(paths.gl_pathv[i], "1");
	globfree(&paths);
}

int guest_time_factor(void)
{
	const char *factor = getenv("PORTALMEM_TIME_FACTOR");

	return factor ? atoi(factor) : 1;
}

long guest_free_kib(void)
{
	/* A kernel that watches its memory keeps books, which come and go. */
	int factor = guest_time_factor(), tries = 50 / factor;
	long last = 0;

	/* Some of it is freed by deferred work, a while later. */
	for (int i = 0; i < tries; i++) {
		long now;

		guest_put("/proc/sys/vm/drop_caches", "3");
		shrink_slabs();
		guest_put("/proc/sys/vm/stat_refresh", "1");
		now = count_free_pages() * (sysconf(_SC_PAGESIZE) / 1024);
		if (i > 2 && labs(now - last) <= 64 * factor)
			return now;
		last = now;
		usleep(100000);
	}
	return last;
}

void guest_fill(void *to, size_t size, uint32_t seed)
{
	uint32_t *word = to;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		word[i] = seed + (uint32_t)i * 2654435761u;
}

void guest_assert_filled(const void *from, size_t size, uint32_t seed)
{
	const uint32_t *word = from;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		if (word[i] != seed + (uint32_t)i * 2654435761u)
			ck_abort_msg("wrong bytes at offset %zu", i * 4);
}

void guest_assert_zero(const void *from, size_t size)
{
	const unsigned char *byte = from;

	for (size_t i = 0; i < size; i++)
		if (byte[i])
			ck_abort_msg("byte %zu is not zero", i);
}

static void run(const char *program, const char *argument)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		execlp(program, program, argument, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!status, "%s %s failed", program, argument);
}

void guest_group_put(const char *group, const char *file, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), GUEST_CGROUPS "/%s/%s", group, file);
	guest_put(path, text);
}

uint64_t guest_group_get(const char *group, const char *file, const char *field)
{
	char path[PATH_MAX], line[128];
	uint64_t value = UINT64_MAX;
	FILE *stream;

	snprintf(path, sizeof(path), GUEST_CGROUPS "/%s/%s", group, file);
	stream = fopen(path, "r");
	ck_assert_msg(stream != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), stream))
		if (!strncmp(line, field, strlen(field)))
			value = strtoull(line + strlen(field), NULL, 10);
	fclose(stream);
	ck_assert_msg(value != UINT64_MAX, "%s has no %s", path, field);
	return value;
}

void guest_make_group(const char *group, const char *limit)
{
	char path[PATH_MAX];

	guest_put(GUEST_CGROUPS "/cgroup.subtree_control", "+memory");
	snprintf(path, sizeof(path), GUEST_CGROUPS "/%s", group);
	ck_assert_msg(!mkdir(path, 0755), "%s: %s", path, strerror(errno));
	guest_group_put(group, "memory.max", limit);
}

void guest_remove_group(const char *group)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), GUEST_CGROUPS "/%s", group);
	ck_assert_msg(!rmdir(path), "%s: %s", path, strerror(errno));
}

void guest_run_in_group(const char *group, void (*body)(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		guest_group_put(group, "cgroup.procs", "0");
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

void guest_shell(const char *command)
{
	ck_assert_msg(!system(command), "failed: %s", command);
}

void guest_modprobe(const char *name)
{
	run("modprobe", name);
}

const char *guest_scratch_disk(void)
{
	const char *disk = getenv("PORTALMEM_SCRATCH_DISK");

	ck_assert_msg(disk != NULL, "PORTALMEM_SCRATCH_DISK is not set");
	return disk;
}

void guest_mount_ext4(void)
{
	char command[128];

	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s",
		 guest_scratch_disk());
	guest_shell(command);
	guest_modprobe("ext4");
	ck_assert_int_eq(mkdir(GUEST_EXT4, 0700), 0);
	ck_assert_msg(!mount(guest_scratch_disk(), GUEST_EXT4, "ext4", 0, NULL),
		      "mount: %s", strerror(errno));
}

void guest_unmount_ext4(void)
{
	ck_assert_int_eq(umount(GUEST_EXT4), 0);
	ck_assert_int_eq(rmdir(GUEST_EXT4), 0);
}

void guest_load_built_module(const char *folder, const char *name)
{
	const char *build = getenv("PORTALMEM_BUILDDIR");
	struct utsname system;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (!access(path, F_OK))
		return;
	ck_assert_msg(build != NULL, "PORTALMEM_BUILDDIR is not set");
	ck_assert_int_eq(uname(&system), 0);
	snprintf(path, sizeof(path), "%s/%s/%s/%s.ko", build, folder,
		 system.release, name);
	run("insmod", path);
}

void guest_load_test_module(const char *name)
{
	guest_load_built_module("tests/guest/kmod", name);
}

TCase *guest_tcase(const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 200);
	return tcase;
}
