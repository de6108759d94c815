// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "unit.h"

static char *map(struct portalmem_buffer *buffer, uint64_t offset,
		 uint64_t length, unsigned int flags)
{
	void *address;

	ck_assert_int_eq(
		portalmem_buffer_map(buffer, offset, length, flags, &address),
		0);
	ck_assert_ptr_nonnull(address);
	return address;
}

static void assert_refused(struct portalmem_buffer *buffer, uint64_t offset,
			   uint64_t length, unsigned int flags, int error)
{
	char marker;
	void *address = &marker;

	unit_assert_fails(
		portalmem_buffer_map(buffer, offset, length, flags, &address),
		error);
	ck_assert_ptr_eq(address, &marker);
}

START_TEST(length_zero_maps_to_the_end)
{
	struct portalmem_buffer *buffer = unit_alloc(3 * PAGE);
	char *whole = map(buffer, 0, 0, PORTALMEM_MAP_RDWR);
	char *rest = map(buffer, PAGE, 0, PORTALMEM_MAP_RDWR);

	whole[3 * PAGE - 1] = 'x';
	ck_assert_int_eq(rest[2 * PAGE - 1], 'x');
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(mappings_share_the_memory)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE);
	char *writer = map(buffer, 0, 0, PORTALMEM_MAP_WRITE);
	const char *reader = map(buffer, PAGE, PAGE, PORTALMEM_MAP_READ);

	strcpy(writer + PAGE, "portal");
	ck_assert_str_eq(reader, "portal");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(same_part_is_counted)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE);
	char *first = map(buffer, 0, PAGE, PORTALMEM_MAP_RDWR);
	char *second = map(buffer, 0, PAGE, PORTALMEM_MAP_RDWR);

	ck_assert_ptr_eq(first, second);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, first), 0);
	first[0] = 1;
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, first), 0);
	ck_assert_int_eq(unit_is_mapped(first), 0);
	unit_assert_fails(portalmem_buffer_unmap(buffer, first), EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(whole_and_its_length_are_the_same_part)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE);

	ck_assert_ptr_eq(map(buffer, 0, 0, PORTALMEM_MAP_READ),
			 map(buffer, 0, 2 * PAGE, PORTALMEM_MAP_READ));
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(other_parts_and_flags_are_other_mappings)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE);
	char *maps[] = {
		map(buffer, 0, PAGE, PORTALMEM_MAP_RDWR),
		map(buffer, 0, PAGE, PORTALMEM_MAP_READ),
		map(buffer, 0, 2 * PAGE, PORTALMEM_MAP_RDWR),
		map(buffer, PAGE, PAGE, PORTALMEM_MAP_RDWR),
	};

	for (int i = 0; i < COUNT(maps); i++)
		for (int j = 0; j < i; j++)
			ck_assert_ptr_ne(maps[i], maps[j]);
	/* In another order than they were made. */
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, maps[1]), 0);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, maps[3]), 0);
	ck_assert_int_eq(unit_is_mapped(maps[1]), 0);
	ck_assert_int_eq(unit_is_mapped(maps[3]), 0);
	ck_assert_int_ne(unit_is_mapped(maps[0]), 0);
	ck_assert_int_ne(unit_is_mapped(maps[2]), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const struct {
	uint64_t offset;
	uint64_t length;
} large[] = {
	{0, 2 * 1024 * 1024},	    {0, 0},
	{4096, 4 * 1024 * 1024},    {3 * 1024 * 1024, 2 * 1024 * 1024 + 4096},
	{2 * 1024 * 1024, 5 << 20},
};

START_TEST(large_mappings_lie_as_huge_pages_want)
{
	struct portalmem_buffer *buffer = unit_alloc(8 * HUGE);
	/* So that the next free address is not aligned by chance. */
	char *odd = map(buffer, 0, PAGE, PORTALMEM_MAP_READ);
	char *address = map(buffer, large[_i].offset, large[_i].length,
			    PORTALMEM_MAP_RDWR);

	ck_assert_uint_eq((uintptr_t)address % HUGE, large[_i].offset % HUGE);
	ck_assert_ptr_ne(odd, address);
	address[0] = 1;
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
	ck_assert_int_eq(unit_is_mapped(address), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(place_taken_by_another_thread_is_not_overwritten)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * HUGE);
	char *address;

	mock_fail_mmap_at(2, EEXIST);
	address = map(buffer, 0, 0, PORTALMEM_MAP_RDWR);
	address[2 * HUGE - 1] = 1;
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(no_room_to_choose_a_place_still_maps)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * HUGE);
	char *address;

	mock_fail_mmap_at(1, ENOMEM);
	address = map(buffer, 0, 0, PORTALMEM_MAP_RDWR);
	address[2 * HUGE - 1] = 1;
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(no_address_space_is_enomem)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	mock_fail_mmap_at(1, ENOMEM);
	assert_refused(buffer, 0, 0, PORTALMEM_MAP_READ, ENOMEM);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(last_reference_unmaps)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE);
	char *one = map(buffer, 0, PAGE, PORTALMEM_MAP_READ);
	char *two = map(buffer, 0, 0, PORTALMEM_MAP_RDWR);

	map(buffer, 0, PAGE, PORTALMEM_MAP_READ);
	portalmem_buffer_unref(portalmem_buffer_ref(buffer));
	ck_assert_int_ne(unit_is_mapped(one), 0);
	portalmem_buffer_unref(buffer);
	ck_assert_int_eq(unit_is_mapped(one), 0);
	ck_assert_int_eq(unit_is_mapped(two), 0);
}
END_TEST

static const unsigned int bad_flags[] = {0, 4, 7, 0x80000000, ~0U};

START_TEST(bad_flags_are_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	assert_refused(buffer, 0, 0, bad_flags[_i], EINVAL);
	unit_assert_message_has("flags");
	portalmem_buffer_unref(buffer);
}
END_TEST

static const struct {
	uint64_t offset;
	uint64_t length;
} outside[] = {
	{1, 0},
	{100, 100},
	{3 * 4096, 0},
	{3 * 4096, 1},
	{4 * 4096, 0},
	{0, 3 * 4096 + 1},
	{4096, 2 * 4096 + 1},
	{4096, UINT64_MAX - 4095},
	{4096, UINT64_MAX},
	{UINT64_MAX - 4095, 4096},
	{UINT64_MAX - 4095, 0},
};

START_TEST(part_outside_the_buffer_is_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(3 * PAGE);

	assert_refused(buffer, outside[_i].offset, outside[_i].length,
		       PORTALMEM_MAP_READ, EINVAL);
	unit_assert_message_has("offset");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	assert_refused(NULL, 0, 0, PORTALMEM_MAP_READ, EINVAL);
	unit_assert_fails(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ, NULL),
		EINVAL);
	unit_assert_fails(portalmem_buffer_unmap(NULL, buffer), EINVAL);
	unit_assert_fails(portalmem_buffer_unmap(buffer, NULL), EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(address_of_another_buffer_is_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE);
	struct portalmem_buffer *other = unit_alloc(PAGE);
	char *address = map(buffer, 0, 0, PORTALMEM_MAP_READ);

	unit_assert_fails(portalmem_buffer_unmap(other, address), EINVAL);
	unit_assert_fails(portalmem_buffer_unmap(buffer, address + PAGE),
			  EINVAL);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
	portalmem_buffer_unref(buffer);
	portalmem_buffer_unref(other);
}
END_TEST

/* Can the kernel write there for the process? */
static int is_writable(char *address)
{
	ssize_t got;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	got = read(ends[0], address, 1);
	ck_assert(got == 1 || (got == -1 && errno == EFAULT));
	close(ends[0]);
	close(ends[1]);
	return got == 1;
}

START_TEST(mapping_for_reading_cannot_be_written)
{
	struct portalmem_buffer *buffer = unit_alloc(3 * PAGE);
	char *writer = map(buffer, PAGE, PAGE, PORTALMEM_MAP_RDWR);
	char *reader = map(buffer, PAGE, PAGE, PORTALMEM_MAP_READ);

	writer[7] = 'x';
	ck_assert_int_eq(reader[7], 'x');
	ck_assert_int_eq(is_writable(reader), 0);
	ck_assert_int_eq(is_writable(writer), 1);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(mapping_of_a_part_ends_with_it)
{
	struct portalmem_buffer *buffer = unit_alloc(4 * PAGE);
	/* Of a part in the middle, and again of one page of it. */
	char *part = map(buffer, PAGE, 2 * PAGE, PORTALMEM_MAP_RDWR);
	char *page = map(buffer, 2 * PAGE, PAGE, PORTALMEM_MAP_READ);
	char *whole = map(buffer, 0, 0, PORTALMEM_MAP_RDWR);

	memset(part, 'p', 2 * PAGE);
	ck_assert_int_eq(whole[PAGE - 1], 0);
	ck_assert_int_eq(whole[PAGE], 'p');
	ck_assert_int_eq(whole[3 * PAGE - 1], 'p');
	ck_assert_int_eq(whole[3 * PAGE], 0);
	ck_assert_int_eq(page[PAGE - 1], 'p');
	/* The others stay when one of them goes. */
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, part), 0);
	ck_assert_int_eq(page[0], 'p');
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(read_only_descriptor_is_eacces)
{
	/* A dma-buf cannot be opened again with another access mode. */
	struct portalmem_buffer *buffer = unit_alloc_memfd(PAGE);
	struct portalmem_buffer *read_only;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d",
		 portalmem_buffer_get_fd(buffer));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &read_only), 0);
	assert_refused(read_only, 0, 0, PORTALMEM_MAP_RDWR, EACCES);
	assert_refused(read_only, 0, 0, PORTALMEM_MAP_WRITE, EACCES);
	unit_assert_message_has("file descriptor that allows it");
	map(read_only, 0, 0, PORTALMEM_MAP_READ);
	portalmem_buffer_unref(read_only);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

START_TEST(memfd_sealed_against_writing_is_eacces)
{
	struct portalmem_buffer *buffer;
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_eq(ftruncate(fd, (off_t)PAGE), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE),
			 0);
	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	assert_refused(buffer, 0, 0, PORTALMEM_MAP_RDWR, EACCES);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

START_TEST(no_memory_is_enomem)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	/* The first mapping takes none. */
	map(buffer, 0, 0, PORTALMEM_MAP_RDWR);
	mock_fail_calloc(1);
	assert_refused(buffer, 0, 0, PORTALMEM_MAP_READ, ENOMEM);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(foreign_dmabuf_is_mapped)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(4 * HUGE);
	char *address = map(buffer, HUGE / 2, 0, PORTALMEM_MAP_RDWR);

	ck_assert_uint_eq((uintptr_t)address % HUGE, HUGE / 2);
	address[0] = 1;
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *map_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("map", &tc);

	tcase_add_test(tc, length_zero_maps_to_the_end);
	tcase_add_test(tc, mappings_share_the_memory);
	tcase_add_test(tc, same_part_is_counted);
	tcase_add_test(tc, whole_and_its_length_are_the_same_part);
	tcase_add_test(tc, other_parts_and_flags_are_other_mappings);
	tcase_add_loop_test(tc, large_mappings_lie_as_huge_pages_want, 0,
			    COUNT(large));
	tcase_add_test(tc, place_taken_by_another_thread_is_not_overwritten);
	tcase_add_test(tc, no_room_to_choose_a_place_still_maps);
	tcase_add_test(tc, no_address_space_is_enomem);
	tcase_add_test(tc, last_reference_unmaps);
	tcase_add_loop_test(tc, bad_flags_are_einval, 0, COUNT(bad_flags));
	tcase_add_loop_test(tc, part_outside_the_buffer_is_einval, 0,
			    COUNT(outside));
	tcase_add_test(tc, null_arguments_are_einval);
	tcase_add_test(tc, address_of_another_buffer_is_einval);
	tcase_add_test(tc, mapping_for_reading_cannot_be_written);
	tcase_add_test(tc, mapping_of_a_part_ends_with_it);
	tcase_add_test(tc, read_only_descriptor_is_eacces);
	tcase_add_test(tc, memfd_sealed_against_writing_is_eacces);
	unit_add_shortage_test(tc, no_memory_is_enomem);
	tcase_add_test(tc, foreign_dmabuf_is_mapped);
	return suite;
}

PMTEST_MAIN(map_suite)
