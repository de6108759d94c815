// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a peer may send instead of a buffer. The message is written out here as
 * bytes, so that these tests also hold the format still.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define HEADER_LENGTH 16
#define ITEM_LENGTH 56
#define MESSAGE_LENGTH (HEADER_LENGTH + ITEM_LENGTH)
#define FDS_MAX 253 /* the most that the kernel takes in one message */

/* Little-endian. */
static const unsigned char good_message[MESSAGE_LENGTH] = {
	/* Magic, version, header and total length, number of items. */
	'P', 't', 'M', 'b', 2, 0, 16, 0, 72, 0, 0, 0, 1, 0, 0, 0,
	/* Size, kind, flags, caching asked for and got, name. */
	0, 16, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
	'p', 'e', 'e', 'r'};

enum place {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_HEADER = 6,
	AT_TOTAL = 8,
	AT_COUNT = 12,
	AT_SIZE = 16,
	AT_KIND = 24,
	AT_FLAGS = 28,
	AT_CACHING = 32,
	AT_EFFECTIVE = 36,
	AT_NAME = 40,
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

/* Send LENGTH bytes and COUNT descriptors. */
static void send_list(const void *bytes, size_t length, const int *fds,
		      size_t count)
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
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	ck_assert_int_eq(sendmsg(pair[0], &msg, MSG_NOSIGNAL), (ssize_t)length);
}

/* Send LENGTH bytes and the same descriptor COUNT times. */
static void send_raw(const void *bytes, size_t length, int fd, size_t count)
{
	int fds[FDS_MAX];

	for (size_t i = 0; i < count; i++)
		fds[i] = fd;
	send_list(bytes, length, fds, count);
}

/* A message of so many items like the good one's; its length. */
static size_t compose(unsigned char *message, unsigned char count)
{
	const size_t length = HEADER_LENGTH + (size_t)count * ITEM_LENGTH;

	memcpy(message, good_message, HEADER_LENGTH);
	message[AT_COUNT] = count;
	message[AT_TOTAL] = (unsigned char)length;
	message[AT_TOTAL + 1] = (unsigned char)(length >> 8);
	for (size_t i = 0; i < count; i++)
		memcpy(message + HEADER_LENGTH + i * ITEM_LENGTH,
		       good_message + HEADER_LENGTH, ITEM_LENGTH);
	return length;
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
	{AT_MAGIC, 'p', EBADMSG},
	{AT_MAGIC + 3, 0, EBADMSG},
	{AT_VERSION, 0, EPROTO},
	{AT_VERSION, 1, EPROTO},
	{AT_VERSION, 3, EPROTO},
	{AT_VERSION + 1, 1, EPROTO},
	{AT_HEADER, 0, EBADMSG},
	{AT_HEADER, 15, EBADMSG},
	{AT_HEADER + 1, 1, EBADMSG},
	{AT_TOTAL, 0, EBADMSG},
	{AT_TOTAL, 71, EBADMSG},
	{AT_TOTAL, 73, EBADMSG},
	{AT_TOTAL, 128, EBADMSG},
	{AT_TOTAL + 3, 0xff, EBADMSG},
	{AT_COUNT, 0, EBADMSG},
	{AT_COUNT, 2, EBADMSG},
	{AT_COUNT, 33, EBADMSG},
	{AT_COUNT + 3, 0x80, EBADMSG},
	{AT_KIND, 0, EBADMSG},
	{AT_KIND, 1, EBADMSG},
	{AT_KIND, 3, EBADMSG},
	{AT_KIND + 3, 1, EBADMSG},
	{AT_FLAGS, 1, EBADMSG},
	{AT_FLAGS, 2, EBADMSG},
	{AT_FLAGS + 3, 0x80, EBADMSG},
	{AT_SIZE, 1, EBADMSG},
	{AT_SIZE + 1, 0, EBADMSG},
	{AT_SIZE + 1, 32, EBADMSG},
	{AT_SIZE + 7, 0x80, EBADMSG},
	{AT_CACHING, 5, EBADMSG},
	{AT_CACHING + 3, 0x80, EBADMSG},
	{AT_EFFECTIVE, 5, EBADMSG},
	{AT_EFFECTIVE + 3, 0x80, EBADMSG},
	{AT_NAME, '\n', EBADMSG},
	{AT_NAME + 1, 0x1b, EBADMSG},
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

static const size_t short_lengths[] = {1, 4, 15, 16, 17, 32, 71};

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
	message[AT_VERSION] = 3;
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
	send_raw(good_message + 40, MESSAGE_LENGTH - 40, fd, 1);
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

#define BATCH 4
#define LONGEST (HEADER_LENGTH + (PORTALMEM_PARCELS_MAX + 1) * ITEM_LENGTH)

/* Receive a batch from what was sent, expect the refusal, and nothing left
 * open or written. */
static void
assert_batch_refused(const struct portalmem_receive_options *options,
		     size_t room, int error)
{
	struct portalmem_parcel parcels[PORTALMEM_PARCELS_MAX];
	struct portalmem_parcel untouched[PORTALMEM_PARCELS_MAX];
	unsigned int before = pmtest_count_fds();

	memset(parcels, 0x5a, sizeof(parcels));
	memcpy(untouched, parcels, sizeof(parcels));
	unit_assert_fails(
		portalmem_receive(NULL, pair[1], options, parcels, room),
		error);
	ck_assert_mem_eq(parcels, untouched, sizeof(parcels));
	pmtest_assert_no_leaked_fds(before);
}

START_TEST(batch_with_another_number_of_descriptors_is_refused)
{
	static const size_t wrong[] = {0,	  1,  BATCH - 1, BATCH + 1,
				       2 * BATCH, 64, 65,	 FDS_MAX};
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	for (int i = 0; i < COUNT(socket_types); i++) {
		make_pair(socket_types[i]);
		send_raw(message, length, fd, wrong[_i]);
		assert_batch_refused(NULL, PORTALMEM_PARCELS_MAX, EBADMSG);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(batch_with_one_wrong_item_is_refused_as_a_whole)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	/* The size. */
	message[HEADER_LENGTH + (size_t)_i * ITEM_LENGTH] = 1;
	for (int i = 0; i < COUNT(socket_types); i++) {
		make_pair(socket_types[i]);
		send_raw(message, length, fd, BATCH);
		assert_batch_refused(NULL, PORTALMEM_PARCELS_MAX, EBADMSG);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(batch_with_one_wrong_descriptor_is_refused_as_a_whole)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);
	int fds[BATCH];

	for (int i = 0; i < BATCH; i++)
		fds[i] = fd;
	for (int i = 0; i < COUNT(socket_types); i++) {
		make_pair(socket_types[i]);
		fds[_i] = pair[0];
		send_list(message, length, fds, BATCH);
		assert_batch_refused(NULL, PORTALMEM_PARCELS_MAX, EBADMSG);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(batch_above_the_maximum_is_refused)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, PORTALMEM_PARCELS_MAX + 1);
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(socket_types[_i]);
	send_raw(message, length, fd, PORTALMEM_PARCELS_MAX + 1);
	assert_batch_refused(NULL, PORTALMEM_PARCELS_MAX, EBADMSG);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(batch_that_is_cut_short_is_refused)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	for (int i = 0; i < COUNT(socket_types); i++) {
		make_pair(socket_types[i]);
		send_raw(message, length - 1, fd, BATCH);
		ck_assert_int_eq(shutdown(pair[0], SHUT_WR), 0);
		assert_batch_refused(NULL, PORTALMEM_PARCELS_MAX, EBADMSG);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(more_buffers_than_room_are_emsgsize)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	struct portalmem_parcel parcels[BATCH];
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	make_pair(socket_types[_i]);
	send_raw(message, length, fd, BATCH);
	assert_batch_refused(NULL, BATCH - 1, EMSGSIZE);
	send_raw(message, length, fd, BATCH);
	assert_refused(EMSGSIZE);
	/* The place of the next message is known. */
	send_raw(message, length, fd, BATCH);
	ck_assert_int_eq(portalmem_receive(NULL, pair[1], NULL, parcels, BATCH),
			 BATCH);
	for (int i = 0; i < BATCH; i++)
		portalmem_buffer_unref(parcels[i].buffer);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(batch_with_room_for_some_descriptors_is_emfile)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	struct portalmem_parcel parcels[BATCH];
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	for (int room = 0; room < BATCH; room++) {
		make_pair(socket_types[_i]);
		send_raw(message, length, fd, BATCH);
		unit_limit_fds(room);
		unit_assert_fails(
			portalmem_receive(NULL, pair[1], NULL, parcels, BATCH),
			EMFILE);
		unit_limit_fds(-1);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(no_memory_for_one_of_a_batch_closes_all)
{
	unsigned char message[LONGEST];
	const size_t length = compose(message, BATCH);
	struct portalmem_parcel parcels[BATCH];
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	/* The fixture counts the descriptors: counting here allocates. */
	for (unsigned int n = 1; n <= BATCH; n++) {
		make_pair(socket_types[_i]);
		send_raw(message, length, fd, BATCH);
		mock_fail_calloc(n);
		unit_assert_fails(
			portalmem_receive(NULL, pair[1], NULL, parcels, BATCH),
			ENOMEM);
		close_pair();
	}
	close(fd);
}
END_TEST

START_TEST(fence_that_is_no_sync_file_is_refused)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(ENOTTY)};
	unsigned char message[MESSAGE_LENGTH];
	int other = mock_new_fence();
	int fds[] = {new_memfd(PAGE, F_SEAL_SHRINK), -1};

	memcpy(message, good_message, sizeof(message));
	message[AT_FLAGS] = 1;
	make_pair(socket_types[_i]);
	/* A file of a driver, which is asked nothing. */
	fds[1] = pair[0];
	send_list(message, MESSAGE_LENGTH, fds, 2);
	assert_batch_refused(NULL, 1, EBADMSG);
	/* A file of the kernel, but of another kind. */
	fds[1] = other;
	send_list(message, MESSAGE_LENGTH, fds, 2);
	MOCK_EXPECT(calls);
	assert_batch_refused(NULL, 1, EBADMSG);
	close(fds[0]);
	close(other);
	close_pair();
}
END_TEST

START_TEST(fence_in_the_place_of_a_buffer_is_refused)
{
	int fence = mock_new_fence();

	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fence, 1);
	assert_refused(EBADMSG);
	close(fence);
	close_pair();
}
END_TEST

START_TEST(fence_without_a_flag_is_refused)
{
	int fds[] = {new_memfd(PAGE, F_SEAL_SHRINK), mock_new_fence()};

	make_pair(socket_types[_i]);
	send_list(good_message, MESSAGE_LENGTH, fds, 2);
	assert_batch_refused(NULL, 1, EBADMSG);
	close(fds[0]);
	close(fds[1]);
	close_pair();
}
END_TEST

START_TEST(fence_for_who_takes_a_buffer_alone_is_emsgsize)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(0)};
	unsigned char message[MESSAGE_LENGTH];
	int fds[] = {new_memfd(PAGE, F_SEAL_SHRINK), mock_new_fence()};

	memcpy(message, good_message, sizeof(message));
	message[AT_FLAGS] = 1;
	make_pair(socket_types[_i]);
	send_list(message, MESSAGE_LENGTH, fds, 2);
	MOCK_EXPECT(calls);
	assert_refused(EMSGSIZE);
	close(fds[0]);
	close(fds[1]);
	close_pair();
}
END_TEST

/* Whatever else comes: a refusal or buffers, and no descriptor left open. */
START_TEST(random_changes_leak_nothing)
{
	struct portalmem_parcel parcels[PORTALMEM_PARCELS_MAX];
	unsigned char message[LONGEST];
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);
	unsigned int before, taken = 0;

	srandom((unsigned int)_i);
	make_pair(SOCK_SEQPACKET);
	before = pmtest_count_fds();
	for (int round = 0; round < 500; round++) {
		const unsigned char count = (unsigned char)(1 + random() % 8);
		size_t length = compose(message, count);
		int changes_left = (int)(random() % 3), got;

		while (changes_left--)
			message[(size_t)random() % length] =
				(unsigned char)random();
		if (random() % 8 == 0)
			length = (size_t)random() % (length + 1);
		send_raw(message, length, fd,
			 random() % 8 ? count : (size_t)random() % FDS_MAX);
		got = portalmem_receive(NULL, pair[1], NULL, parcels,
					PORTALMEM_PARCELS_MAX);
		taken += got > 0;
		for (int i = 0; i < got; i++) {
			ck_assert_int_eq(parcels[i].fence, -1);
			portalmem_buffer_unref(parcels[i].buffer);
		}
		pmtest_assert_no_leaked_fds(before);
	}
	/* It was not all refused for one reason. */
	ck_assert_uint_gt(taken, 50);
	ck_assert_uint_lt(taken, 450);
	close(fd);
	close_pair();
}
END_TEST

static unsigned int asked;

static int refuse(const struct portalmem_peer *peer, void *data)
{
	(void)data;
	ck_assert_int_eq(peer->pid, getpid());
	ck_assert_uint_eq(peer->uid, getuid());
	ck_assert_uint_eq(peer->gid, getgid());
	asked++;
	return 1;
}

static void pass_credentials(void)
{
	const int on = 1;

	ck_assert_int_eq(
		setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)),
		0);
}

START_TEST(refused_peer_is_eacces)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	options.check = refuse;
	make_pair(socket_types[_i]);
	pass_credentials();
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	assert_batch_refused(&options, 1, EACCES);
	ck_assert_uint_eq(asked, 1);
	/* It is not told what was wrong with its message. */
	send_raw("?", 1, fd, 1);
	assert_batch_refused(&options, 1, EACCES);
	ck_assert_uint_eq(asked, 2);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(nothing_is_read_from_a_refused_connection)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct portalmem_buffer *buffer;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	options.check = refuse;
	make_pair(socket_types[_i]);
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	assert_batch_refused(&options, 1, EACCES);
	ck_assert_int_eq(portalmem_buffer_receive(NULL, pair[1], &buffer), 0);
	portalmem_buffer_unref(buffer);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(datagram_s_sender_cannot_be_checked_without_passcred)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	int fd = new_memfd(PAGE, F_SEAL_SHRINK);

	options.check = refuse;
	make_pair(SOCK_DGRAM);
	send_raw(good_message, MESSAGE_LENGTH, fd, 1);
	assert_batch_refused(&options, 1, EOPNOTSUPP);
	/* Nobody remembers who sent it. */
	pass_credentials();
	assert_batch_refused(&options, 1, EACCES);
	ck_assert_uint_eq(asked, 0);
	close(fd);
	close_pair();
}
END_TEST

START_TEST(socket_without_a_peer_is_enotconn)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;

	options.check = refuse;
	pair[0] = -1;
	pair[1] = socket(AF_UNIX, socket_types[_i] | SOCK_CLOEXEC, 0);
	assert_batch_refused(&options, 1, ENOTCONN);
	ck_assert_uint_eq(asked, 0);
	close(pair[1]);
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
	tcase_add_loop_test(
		tc, batch_with_another_number_of_descriptors_is_refused, 0, 8);
	tcase_add_loop_test(tc, batch_with_one_wrong_item_is_refused_as_a_whole,
			    0, BATCH);
	tcase_add_loop_test(
		tc, batch_with_one_wrong_descriptor_is_refused_as_a_whole, 0,
		BATCH);
	tcase_add_loop_test(tc, batch_above_the_maximum_is_refused, 0, types);
	tcase_add_test(tc, batch_that_is_cut_short_is_refused);
	tcase_add_loop_test(tc, more_buffers_than_room_are_emsgsize, 0, types);
	unit_add_shortage_loop_test(
		tc, batch_with_room_for_some_descriptors_is_emfile, 0, types);
	unit_add_shortage_loop_test(tc, no_memory_for_one_of_a_batch_closes_all,
				    0, types);
	tcase_add_loop_test(tc, fence_that_is_no_sync_file_is_refused, 0,
			    types);
	tcase_add_loop_test(tc, fence_in_the_place_of_a_buffer_is_refused, 0,
			    types);
	tcase_add_loop_test(tc, fence_without_a_flag_is_refused, 0, types);
	tcase_add_loop_test(tc, fence_for_who_takes_a_buffer_alone_is_emsgsize,
			    0, types);
	tcase_add_loop_test(tc, random_changes_leak_nothing, 0, 4);
	tcase_add_loop_test(tc, refused_peer_is_eacces, 0, types);
	/* Streams and packets with a connection. */
	tcase_add_loop_test(tc, nothing_is_read_from_a_refused_connection, 0,
			    2);
	tcase_add_test(tc,
		       datagram_s_sender_cannot_be_checked_without_passcred);
	tcase_add_loop_test(tc, socket_without_a_peer_is_enotconn, 0, 2);
	return suite;
}

PMTEST_MAIN(hostile_suite)
