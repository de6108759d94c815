// SPDX-License-Identifier: GPL-2.0-or-later
/* udmabuf's buffers in the library, beside ours. */
#include <config.h>

#include <errno.h>
#include <portalmem.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices.h"
#include "guest.h"

#define SIZE MIB(2)

START_TEST(udmabuf_is_imported_mapped_synced_and_passed_on_beside_ours)
{
	struct portalmem_buffer *buffers[2], *received;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_device *device;
	struct portalmem_range range = {4096, 8192};
	int memfd = devices_create_memfd(SIZE);
	int fds[2] = {devices_create_udmabuf(memfd, SIZE),
		      guest_alloc(SIZE, PORTALMEM_CACHED)};
	unsigned char *memory;
	int sockets[2];

	ck_assert_int_ge(fds[0], 0);
	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
	for (unsigned int i = 0; i < 2; i++) {
		void *map, *map_received;

		ck_assert_int_eq(
			portalmem_buffer_import(device, fds[i], &buffers[i]),
			0);
		ck_assert_uint_eq(portalmem_buffer_get_size(buffers[i]), SIZE);
		ck_assert_int_eq(portalmem_buffer_map(buffers[i], 0, 0,
						      PORTALMEM_MAP_RDWR, &map),
				 0);
		ck_assert_int_eq(
			portalmem_buffer_sync(buffers[i],
					      PORTALMEM_SYNC_START |
						      PORTALMEM_SYNC_RDWR,
					      &range, 1),
			0);
		guest_fill(map, SIZE, 40 + i);
		ck_assert_int_eq(
			portalmem_buffer_sync(buffers[i],
					      PORTALMEM_SYNC_END |
						      PORTALMEM_SYNC_RDWR,
					      &range, 1),
			0);
		ck_assert_int_eq(portalmem_buffer_send(buffers[i], sockets[0]),
				 0);
		ck_assert_int_eq(
			portalmem_buffer_receive(device, sockets[1], &received),
			0);
		ck_assert_int_eq(portalmem_buffer_map(received, 0, 0,
						      PORTALMEM_MAP_READ,
						      &map_received),
				 0);
		guest_assert_filled(map_received, SIZE, 40 + i);
		portalmem_buffer_unref(received);
	}

	/* Each is known for what it is. */
	ck_assert_int_eq(portalmem_buffer_get_info(buffers[0], &info), 0);
	ck_assert_str_eq(info.heap, "udmabuf");
	ck_assert_int_eq(portalmem_buffer_get_info(buffers[1], &info), 0);
	ck_assert_str_eq(info.heap, "system");
	ck_assert_uint_ge(info.segments, 1);

	/* What udmabuf exports is the memfd's memory itself. */
	memory = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, memfd, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	guest_assert_filled(memory, SIZE, 40);
	portalmem_buffer_unref(buffers[0]);
	portalmem_buffer_unref(buffers[1]);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(udmabuf_refuses_a_dma_buf_with_ebadfd)
{
	int ours = guest_alloc(SIZE, PORTALMEM_CACHED);

	errno = 0;
	ck_assert_int_eq(devices_create_udmabuf(ours, SIZE), -1);
	ck_assert_int_eq(errno, EBADFD);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("udmabuf");
	TCase *tcase = guest_tcase("udmabuf");

	tcase_add_test(
		tcase,
		udmabuf_is_imported_mapped_synced_and_passed_on_beside_ours);
	tcase_add_test(tcase, udmabuf_refuses_a_dma_buf_with_ebadfd);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
