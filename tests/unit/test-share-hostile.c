// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a peer may send instead of a buffer. The message is written out here as
 * bytes, so that these tests also hold the format still.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define MESSAGE_LENGTH 64
#define FDS_MAX 253 /* the most that the kernel takes in one message */

/* Little-endian: magic, version, header and total length, kind, size, caching
 * asked for and got, name. */
static const unsigned char good_message[MESSAGE_LENGTH] = {
	'P', 't', 'M', 'b', 1, 0, 16, 0, 64, 0, 0, 0, 2, 0, 0,	 0,   0,   16,
	0,   0,	  0,   0,   0, 0, 0,  0, 0,  0, 1, 0, 0, 0, 'p', 'e', 'e', 'r',
};

enum place {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_HEADER = 6,
	AT_TOTAL = 8,
	AT_KIND = 12,
	AT_SIZE = 16,
	AT_CACHING = 24,
	AT_EFFECTIVE = 28,
	AT_NAME = 32,
};

static const int socket_types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

static int pair[2];

static void make_pair(int type)
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static int new_memfd(uint64_t size, int seals)
{
	int fd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Send LENGTH bytes and the same descriptor COUNT times. */
static void send_raw(const void *bytes, size_t length, int fd, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes,
			    .iov_len = length};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (count) {
		struct cmsghdr *header;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			memcpy(CMSG_DATA(header) + i * sizeof(int), &fd,
			       sizeof(int));
	}
	ck_assert_int_eq(sendmsg(pair[0], &msg, MSG_NOSIGNAL), (ssize_t)length);
}

/* Receive from what was sent, expect the refusal and nothing left open. */
static void assert_refused(int error)
{
	char marker;
	struct portalmem_buffer *const untouched = (void *)&marker;
	struct portalmem_buffer *buffer = untouched;
	unsigned int before = pmtest_count_fds();

	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &buffer),
			  error);
	ck_assert_ptr_eq(buffer, untouched);
	pmtest_assert_no_leaked_fds(before);
}

START_TEST(message_as_written_here_is_accepted)
{
	struct portalmem_buffer *buffer;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	ck_assert_int_eq(portalmem_buffer_receive(NULL, pair[1], &buffer), 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), PAGE);
	portalmem_buffer_unref(buffer);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(message_is_sent_as_written_here)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();
	unsigned char bytes[MESSAGE_LENGTH + 1];
	struct portalmem_buffer *buffer;

	make_pair(socket_types[_i]);
	options.name = "peer";
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, PAGE, &options, &buffer), 0);
	ck_assert_int_eq(portalmem_buffer_send(buffer, pair[0]), 0);
	/* Without room for it, the kernel closes the descriptor. */
	ck_assert_int_eq(recv(pair[1], bytes, sizeof(bytes), 0),
			 MESSAGE_LENGTH);
	ck_assert_mem_eq(bytes, good_message, MESSAGE_LENGTH);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	close_pair();
}
END_TEST

static const struct {
	size_t at;
	unsigned char byte;
	int error;
} changes[] = {
	{AT_MAGIC, 'p', EBADMSG},     {AT_MAGIC + 3, 0, EBADMSG},
	{AT_VERSION, 0, EPROTO},      {AT_VERSION, 2, EPROTO},
	{AT_VERSION + 1, 1, EPROTO},  {AT_HEADER, 0, EBADMSG},
	{AT_HEADER, 15, EBADMSG},     {AT_HEADER + 1, 1, EBADMSG},
	{AT_TOTAL, 0, EBADMSG},	      {AT_TOTAL, 63, EBADMSG},
	{AT_TOTAL, 65, EBADMSG},      {AT_TOTAL + 3, 0xff, EBADMSG},
	{AT_KIND, 0, EBADMSG},	      {AT_KIND, 1, EBADMSG},
	{AT_KIND, 3, EBADMSG},	      {AT_KIND + 3, 1, EBADMSG},
	{AT_SIZE, 1, EBADMSG},	      {AT_SIZE + 1, 0, EBADMSG},
	{AT_SIZE + 1, 32, EBADMSG},   {AT_SIZE + 7, 0x80, EBADMSG},
	{AT_CACHING, 5, EBADMSG},     {AT_CACHING + 3, 0x80, EBADMSG},
	{AT_EFFECTIVE, 5, EBADMSG},   {AT_EFFECTIVE + 3, 0x80, EBADMSG},
	{AT_NAME, '\n', EBADMSG},     {AT_NAME + 1, 0x1b, EBADMSG},
	{AT_NAME + 2, 0x7f, EBADMSG},
};

START_TEST(message_with_one_wrong_field_is_refused)
{
	unsigned char message[MESSAGE_LENGTH];
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	memcpy(message, good_message, sizeof(message));
	message[changes[_i].at] = changes[_i].byte;
	for (int i = 0; i < COUNT(socket_types); i++) {
		make_pair(socket_types[i]);
		send_raw(message, MESSAGE_LENGTH, fd, 1);
		assert_refused(changes[_i].error);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(name_without_an_end_is_refused)
{
	unsigned char message[MESSAGE_LENGTH];
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	memcpy(message, good_message, sizeof(message));
	memset(message + AT_NAME, 'x', PORTALMEM_NAME_MAX);
	make_pair(socket_types[_i]);
	send_raw(message, MESSAGE_LENGTH, fd, 1);
	assert_refused(EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

static const size_t short_lengths[] = {1, 4, 15, 16, 17, 32, 63};

START_TEST(truncated_packet_is_refused)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(SOCK_SEQPACKET);
	send_raw(good_message, short_lengths[_i], fd, 1);
	assert_refused(EBADMSG);
	close_pair();
	make_pair(SOCK_DGRAM);
	send_raw(good_message, short_lengths[_i], fd, 1);
	assert_refused(EBADMSG);
	close_pair();
	close(fd);
}
END_TEST

START_TEST(stream_that_ends_in_a_message_is_refused)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(SOCK_STREAM);
	send_raw(good_message, short_lengths[_i], fd, 1);
	ck_assert_int_eq(shutdown(pair[0], SHUT_WR), 0);
	assert_refused(EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(stream_that_stalls_in_a_message_is_refused)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(SOCK_STREAM | SOCK_NONBLOCK);
	send_raw(good_message, short_lengths[_i], fd, 1);
	assert_refused(EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(empty_packet_is_refused)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(SOCK_DGRAM);
	send_raw("", 0, -1, 0);
	assert_refused(EBADMSG);
	send_raw("", 0, fd, 1);
	assert_refused(EBADMSG);
	close_pair();
	make_pair(SOCK_SEQPACKET);
	send_raw("", 0, fd, 1);
	assert_refused(EBADMSG);
	close_pair();
	close(fd);
}
END_TEST

START_TEST(longer_packet_is_refused)
{
	unsigned char message[2 * MESSAGE_LENGTH] = {0};
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	memcpy(message, good_message, MESSAGE_LENGTH);
	make_pair(SOCK_SEQPACKET);
	send_raw(message, MESSAGE_LENGTH + 1, fd, 1);
	assert_refused(EBADMSG);
	close_pair();
	make_pair(SOCK_DGRAM);
	send_raw(message, sizeof(message), fd, 1);
	assert_refused(EBADMSG);
	close_pair();
	close(fd);
}
END_TEST

START_TEST(longer_packet_of_another_version_is_eproto)
{
	unsigned char message[2 * MESSAGE_LENGTH] = {0};
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	memcpy(message, good_message, MESSAGE_LENGTH);
	message[AT_VERSION] = 2;
	message[AT_TOTAL] = 128;
	make_pair(SOCK_SEQPACKET);
	send_raw(message, sizeof(message), fd, 1);
	assert_refused(EPROTO);
	close_pair();
	close(fd);
}
END_TEST

START_TEST(no_descriptor_is_refused)
{
	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, -1, 0);
	assert_refused(EBADMSG);
	close_pair();
}
END_TEST

static const size_t many[] = {2, 3, 64, FDS_MAX};

START_TEST(many_descriptors_are_refused_and_closed)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	for (int i = 0; i < COUNT(socket_types); i++) {
		make_pair(socket_types[i]);
		send_raw(good_message, MESSAGE_LENGTH, fd, many[_i]);
		assert_refused(EBADMSG);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(descriptors_in_several_pieces_are_refused_and_closed)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(SOCK_STREAM);
	send_raw(good_message, 20, fd, 1);
	send_raw(good_message + 20, 20, fd, 2);
	send_raw(good_message + 40, 24, fd, 1);
	assert_refused(EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(message_in_pieces_is_put_together)
{
	struct portalmem_buffer *buffer;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(SOCK_STREAM);
	for (size_t at = 0; at < MESSAGE_LENGTH; at++)
		send_raw(good_message + at, 1, fd, at == (size_t)_i);
	ck_assert_int_eq(portalmem_buffer_receive(NULL, pair[1], &buffer), 0);
	portalmem_buffer_unref(buffer);
	close(fd);
	close_pair();
}
END_TEST

static void *send_the_rest(void *unused)
{
	(void)unused;
	usleep(100000);
	send_raw(good_message + 30, MESSAGE_LENGTH - 30, -1, 0);
	return NULL;
}

START_TEST(rest_of_a_message_is_waited_for)
{
	struct portalmem_buffer *buffer;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);
	pthread_t thread;

	make_pair(SOCK_STREAM | SOCK_NONBLOCK);
	send_raw(good_message, 30, fd, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, send_the_rest, NULL), 0);
	ck_assert_int_eq(portalmem_buffer_receive(NULL, pair[1], &buffer), 0);
	pthread_join(thread, NULL);
	portalmem_buffer_unref(buffer);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(memfd_that_can_shrink_is_refused)
{
	int fd = new_memfd(PAGE, F_SEAL_GROW);

	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	assert_refused(EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(other_file_is_refused)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fds[0], 1);
	assert_refused(EBADMSG);
	/* The socket itself. */
	send_raw(good_message, MESSAGE_LENGTH, pair[1], 1);
	assert_refused(EBADMSG);
	close(fds[0]);
	close(fds[1]);
	close_pair();
}
END_TEST

START_TEST(memfd_that_poses_as_a_dmabuf_is_refused)
{
	unsigned char message[MESSAGE_LENGTH];
	int memfd = new_memfd(PAGE, F_SEAL_SHRINK);
	int dmabuf = mock_new_dmabuf(PAGE);

	memcpy(message, good_message, sizeof(message));
	make_pair(socket_types[_i]);
	/* A dma-buf that poses as a memfd. */
	send_raw(message, MESSAGE_LENGTH, dmabuf, 1);
	assert_refused(EBADMSG);
	message[AT_KIND] = 1;
	send_raw(message, MESSAGE_LENGTH, memfd, 1);
	assert_refused(EBADMSG);
	close(memfd);
	close(dmabuf);
	close_pair();
}
END_TEST

static const uint64_t other_sizes[] = {1, 4096, 1 << 20};

START_TEST(buffer_of_another_size_is_refused)
{
	unsigned char message[MESSAGE_LENGTH];
	int fd = new_memfd(2 * other_sizes[_i] + PAGE, F_SEAL_SHRINK);

	memcpy(message, good_message, sizeof(message));
	make_pair(SOCK_STREAM);
	send_raw(message, MESSAGE_LENGTH, fd, 1);
	assert_refused(EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(no_room_for_the_descriptor_is_emfile)
{
	char marker;
	struct portalmem_buffer *buffer = (void *)&marker;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	unit_limit_fds(0);
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &buffer),
			  EMFILE);
	unit_limit_fds(-1);
	ck_assert_ptr_eq(buffer, &marker);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(room_for_the_first_of_many_only_is_refused_and_closed)
{
	char marker;
	struct portalmem_buffer *buffer = (void *)&marker;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fd, 9);
	unit_limit_fds(1);
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &buffer),
			  EBADMSG);
	unit_limit_fds(-1);
	ck_assert_ptr_eq(buffer, &marker);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(no_memory_closes_the_descriptor)
{
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	mock_fail_calloc(1);
	/* The fixture counts the descriptors: counting here allocates. */
	{
		struct portalmem_buffer *buffer;

		unit_assert_fails(
			portalmem_buffer_receive(NULL, pair[1], &buffer),
			ENOMEM);
	}
	close(fd);
	close_pair();
}
END_TEST

static Suite *hostile_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("share-hostile", &tc);
	const int types = COUNT(socket_types);

	tcase_add_loop_test(tc, message_as_written_here_is_accepted, 0, types);
	tcase_add_loop_test(tc, message_is_sent_as_written_here, 0, types);
	tcase_add_loop_test(tc, message_with_one_wrong_field_is_refused, 0,
			    COUNT(changes));
	tcase_add_loop_test(tc, name_without_an_end_is_refused, 0, types);
	tcase_add_loop_test(tc, truncated_packet_is_refused, 0,
			    COUNT(short_lengths));
	tcase_add_loop_test(tc, stream_that_ends_in_a_message_is_refused, 0,
			    COUNT(short_lengths));
	tcase_add_loop_test(tc, stream_that_stalls_in_a_message_is_refused, 0,
			    2);
	tcase_add_test(tc, empty_packet_is_refused);
	tcase_add_test(tc, longer_packet_is_refused);
	tcase_add_test(tc, longer_packet_of_another_version_is_eproto);
	tcase_add_loop_test(tc, no_descriptor_is_refused, 0, types);
	tcase_add_loop_test(tc, many_descriptors_are_refused_and_closed, 0,
			    COUNT(many));
	tcase_add_test(tc,
		       descriptors_in_several_pieces_are_refused_and_closed);
	tcase_add_loop_test(tc, message_in_pieces_is_put_together, 0,
			    MESSAGE_LENGTH);
	tcase_add_test(tc, rest_of_a_message_is_waited_for);
	tcase_add_loop_test(tc, memfd_that_can_shrink_is_refused, 0, types);
	tcase_add_loop_test(tc, other_file_is_refused, 0, types);
	tcase_add_loop_test(tc, memfd_that_poses_as_a_dmabuf_is_refused, 0,
			    types);
	tcase_add_loop_test(tc, buffer_of_another_size_is_refused, 0,
			    COUNT(other_sizes));
	unit_add_shortage_loop_test(tc, no_room_for_the_descriptor_is_emfile, 0,
				    types);
	unit_add_shortage_loop_test(
		tc, room_for_the_first_of_many_only_is_refused_and_closed, 0,
		types);
	unit_add_shortage_loop_test(tc, no_memory_closes_the_descriptor, 0,
				    types);
	return suite;
}

PMTEST_MAIN(hostile_suite)
