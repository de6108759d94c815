// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
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

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_int_eq(write(fd, text, strlen(text)), strlen(text));
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
		put(paths.gl_pathv[i], "1");
	globfree(&paths);
}

long guest_free_kib(void)
{
	long last = 0;

	/* Some of it is freed by deferred work, a while later. */
	for (int i = 0; i < 50; i++) {
		long now;

		put("/proc/sys/vm/drop_caches", "3");
		shrink_slabs();
		put("/proc/sys/vm/stat_refresh", "1");
		now = count_free_pages() * (sysconf(_SC_PAGESIZE) / 1024);
		if (i > 2 && labs(now - last) <= 64)
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

void guest_modprobe(const char *name)
{
	run("modprobe", name);
}

void guest_load_test_module(const char *name)
{
	const char *build = getenv("PORTALMEM_BUILDDIR");
	struct utsname system;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (!access(path, F_OK))
		return;
	ck_assert_msg(build != NULL, "PORTALMEM_BUILDDIR is not set");
	ck_assert_int_eq(uname(&system), 0);
	snprintf(path, sizeof(path), "%s/tests/guest/kmod/%s/%s.ko", build,
		 system.release, name);
	run("insmod", path);
}

TCase *guest_tcase(const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	return tcase;
}
