// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A core dump of a process with mapped buffers: a cached one is in it as that
 * of any file is; of a write-combined one there is the address only, as of a
 * device's memory.
 */
#include <config.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define PATTERN "/proc/sys/kernel/core_pattern"
#define USES_PID "/proc/sys/kernel/core_uses_pid"
#define CORE "/tmp/portalmem-core"

/* A huge page and some small ones. */
#define SIZE (MIB(2) + KIB(64))

static char old_pattern[256], old_uses_pid[16];

static void get(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(text, (int)size, file));
	fclose(file);
}

static void divert_cores(void)
{
	get(PATTERN, old_pattern, sizeof(old_pattern));
	get(USES_PID, old_uses_pid, sizeof(old_uses_pid));
	guest_put(PATTERN, CORE);
	guest_put(USES_PID, "0");
}

static void restore_cores(void)
{
	guest_put(PATTERN, old_pattern);
	guest_put(USES_PID, old_uses_pid);
	unlink(CORE);
}

/* Die in a child that dumps its anonymous and its shared memory. */
static void dump_core(void)
{
	static const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		int filter = open("/proc/self/coredump_filter", O_WRONLY);

		if (write(filter, "0xb", 3) != 3 ||
		    setrlimit(RLIMIT_CORE, &unlimited))
			_exit(1);
		signal(SIGQUIT, SIG_DFL);
		raise(SIGQUIT);
		_exit(2);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFSIGNALED(status) && WCOREDUMP(status),
		      "no core was dumped, status %#x", status);
}

static const char *map_core(void)
{
	int fd = open(CORE, O_RDONLY | O_CLOEXEC);
	struct stat state;
	const char *core;

	ck_assert_msg(fd >= 0, "%s: %s", CORE, strerror(errno));
	ck_assert_int_eq(fstat(fd, &state), 0);
	core = mmap(NULL, (size_t)state.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(core, MAP_FAILED);
	ck_assert_mem_eq(core, ELFMAG, SELFMAG);
	return core;
}

/* What the core says of the memory at an address of the dead process. */
static const Elf64_Phdr *find_segment(const char *core, const void *address)
{
	const Elf64_Ehdr *header = (const void *)core;
	const Elf64_Phdr *segments = (const void *)(core + header->e_phoff);

	for (unsigned int i = 0; i < header->e_phnum; i++)
		if (segments[i].p_type == PT_LOAD &&
		    segments[i].p_vaddr == (uintptr_t)address)
			return &segments[i];
	ck_abort_msg("the core has no segment for %p", address);
}

START_TEST(core_has_cached_bytes_and_no_write_combined_ones)
{
	char *cached = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE);
	char *wc = guest_map(guest_alloc(SIZE, PORTALMEM_WC), SIZE);
	const Elf64_Phdr *segment;
	const char *core;

	guest_fill(cached, SIZE, 51);
	guest_fill(wc, SIZE, 52);
	dump_core();

	core = map_core();
	segment = find_segment(core, cached);
	ck_assert_uint_eq(segment->p_filesz, SIZE);
	guest_assert_filled(core + segment->p_offset, SIZE, 51);
	segment = find_segment(core, wc);
	ck_assert_uint_eq(segment->p_filesz, 0);
	ck_assert_uint_eq(segment->p_memsz, SIZE);
	/* The dump took nothing from anybody. */
	guest_assert_filled(cached, SIZE, 51);
	guest_assert_filled(wc, SIZE, 52);
}
END_TEST

START_TEST(cached_bytes_can_be_kept_out_of_a_core)
{
	char *cached = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE);

	guest_fill(cached, SIZE, 53);
	ck_assert_int_eq(madvise(cached, SIZE, MADV_DONTDUMP), 0);
	dump_core();
	ck_assert_uint_eq(find_segment(map_core(), cached)->p_filesz, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("coredump");
	TCase *tcase = guest_tcase("coredump");

	tcase_add_unchecked_fixture(tcase, divert_cores, restore_cores);
	tcase_add_test(tcase, core_has_cached_bytes_and_no_write_combined_ones);
	tcase_add_test(tcase, cached_bytes_can_be_kept_out_of_a_core);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
