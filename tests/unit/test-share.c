// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/portalmem.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static const int socket_types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

static void make_pair(int type, int pair[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static struct portalmem_buffer *receive(struct portalmem_device *device,
					int socket)
{
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_receive(device, socket, &buffer), 0);
	return buffer;
}

static struct portalmem_buffer *alloc_named(const char *name)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_device();
	struct portalmem_buffer *buffer;

	options.name = name;
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, 3 * PAGE, &options, &buffer), 0);
	portalmem_device_unref(device);
	return buffer;
}

static void write_text(struct portalmem_buffer *buffer, const char *text)
{
	void *address;

	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_WRITE,
					      &address),
			 0);
	strcpy(address, text);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
}

static void assert_text(struct portalmem_buffer *buffer, const char *text)
{
	void *address;

	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ,
					      &address),
			 0);
	ck_assert_str_eq(address, text);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
}

START_TEST(buffer_arrives_with_size_caching_and_name)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_info sent_info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *sent = alloc_named("frame 7"), *received;
	int pair[2];

	ck_assert_int_eq(portalmem_buffer_get_info(sent, &sent_info), 0);

	make_pair(socket_types[_i], pair);
	write_text(sent, "through the portal");
	ck_assert_int_eq(portalmem_buffer_send(sent, pair[0]), 0);
	portalmem_buffer_unref(sent);

	received = receive(NULL, pair[1]);
	assert_text(received, "through the portal");
	ck_assert_uint_eq(portalmem_buffer_get_size(received), 3 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(received),
			 PORTALMEM_CACHING_CACHED);
	ck_assert_int_eq(fcntl(portalmem_buffer_get_fd(received), F_GETFD),
			 FD_CLOEXEC);
	ck_assert_int_eq(portalmem_buffer_get_info(received, &info), 0);
	ck_assert_int_eq(info.caching, sent_info.caching);
	ck_assert_str_eq(info.name, "frame 7");
	portalmem_buffer_unref(received);
	close_pair(pair);
}
END_TEST

START_TEST(buffers_arrive_in_their_order)
{
	static const char *const names[] = {"one", "two", "three"};
	int pair[2];

	make_pair(socket_types[_i], pair);
	for (int i = 0; i < COUNT(names); i++) {
		struct portalmem_buffer *sent = alloc_named(names[i]);

		write_text(sent, names[i]);
		ck_assert_int_eq(portalmem_buffer_send(sent, pair[0]), 0);
		portalmem_buffer_unref(sent);
	}
	for (int i = 0; i < COUNT(names); i++) {
		struct portalmem_buffer *received = receive(NULL, pair[1]);

		assert_text(received, names[i]);
		portalmem_buffer_unref(received);
	}
	close_pair(pair);
}
END_TEST

START_TEST(other_process_sees_the_same_memory)
{
	struct portalmem_buffer *sent = alloc_named("shared");
	int pair[2], status;
	pid_t child;

	make_pair(socket_types[_i], pair);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		struct portalmem_buffer *received;

		close(pair[0]);
		if (portalmem_buffer_receive(NULL, pair[1], &received))
			_exit(1);
		write_text(received, "from the child");
		_exit(0);
	}
	close(pair[1]);
	ck_assert_int_eq(portalmem_buffer_send(sent, pair[0]), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	assert_text(sent, "from the child");
	portalmem_buffer_unref(sent);
	close(pair[0]);
}
END_TEST

START_TEST(received_buffer_can_be_passed_on)
{
	struct portalmem_buffer *first = alloc_named("relay"), *second, *third;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int pair[2];

	make_pair(socket_types[_i], pair);
	ck_assert_int_eq(portalmem_buffer_send(first, pair[0]), 0);
	second = receive(NULL, pair[1]);
	ck_assert_int_eq(portalmem_buffer_send(second, pair[1]), 0);
	third = receive(NULL, pair[0]);
	ck_assert_int_eq(portalmem_buffer_get_info(third, &info), 0);
	ck_assert_str_eq(info.name, "relay");
	portalmem_buffer_unref(first);
	portalmem_buffer_unref(second);
	portalmem_buffer_unref(third);
	close_pair(pair);
}
END_TEST

START_TEST(foreign_dmabuf_takes_the_sender_s_word_for_its_name)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *sent, *received;
	int pair[2];

	make_pair(socket_types[_i], pair);
	sent = unit_import_dmabuf(2 * PAGE);
	mock_set_fdinfo("exp_name:\tvgem\nname:\tframe\n");
	ck_assert_int_eq(portalmem_buffer_send(sent, pair[0]), 0);
	/* The receiver has no /proc. */
	mock_set_fdinfo(NULL);
	received = receive(NULL, pair[1]);
	ck_assert_uint_eq(portalmem_buffer_get_size(received), 2 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(received),
			 PORTALMEM_CACHING_UNKNOWN);
	ck_assert_int_eq(portalmem_buffer_get_info(received, &info), 0);
	ck_assert_str_eq(info.name, "frame");
	portalmem_buffer_unref(sent);
	portalmem_buffer_unref(received);
	close_pair(pair);
}
END_TEST

static const struct portalmem_ioc_info info_in;
static const struct portalmem_ioc_info sender_out = {
	.size = 2 * 4096,
	.caching = PORTALMEM_WC,
	.effective = PORTALMEM_WC,
	.name = "wc",
};
static const struct portalmem_ioc_info receiver_out = {
	.size = 2 * 4096,
	.caching = PORTALMEM_WC,
	.effective = PORTALMEM_UC,
	.name = "wc",
};

#define INFO(reply, errnum)                                                  \
	{                                                                    \
		.request = PORTALMEM_IOC_INFO, .on = MOCK_NODE,              \
		.in = &info_in, .in_size = sizeof(info_in),                  \
		.in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),          \
		.in_fd_is = MOCK_BUFFER, .out = &(reply), .error = (errnum), \
	}

static struct portalmem_buffer *known_buffer(struct portalmem_device *device)
{
	static const struct mock_call calls[] = {INFO(sender_out, 0)};
	struct portalmem_buffer *buffer;
	int fd = mock_new_dmabuf(2 * PAGE);

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	close(fd);
	return buffer;
}

START_TEST(caching_is_the_sender_s_word_without_a_node)
{
	static const struct mock_call calls[] = {INFO(sender_out, 0)};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *sent = known_buffer(device), *received;
	int pair[2];

	make_pair(SOCK_STREAM, pair);
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_send(sent, pair[0]), 0);
	received = receive(NULL, pair[1]);
	ck_assert_int_eq(portalmem_buffer_get_caching(received),
			 PORTALMEM_CACHING_WC);
	portalmem_buffer_unref(sent);
	portalmem_buffer_unref(received);
	portalmem_device_unref(device);
	close_pair(pair);
}
END_TEST

START_TEST(caching_is_the_node_s_word_with_one)
{
	static const struct mock_call calls[] = {
		INFO(sender_out, 0),
		INFO(receiver_out, 0),
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *sent = known_buffer(device), *received;
	int pair[2];

	make_pair(SOCK_STREAM, pair);
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_send(sent, pair[0]), 0);
	received = receive(device, pair[1]);
	ck_assert_int_eq(portalmem_buffer_get_caching(received),
			 PORTALMEM_CACHING_UC);
	portalmem_buffer_unref(sent);
	portalmem_buffer_unref(received);
	portalmem_device_unref(device);
	close_pair(pair);
}
END_TEST

START_TEST(receiver_s_credentials_do_not_disturb)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	const int on = 1;
	int pair[2];

	make_pair(socket_types[_i], pair);
	ck_assert_int_eq(
		setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)),
		0);
	/* SO_PASSPIDFD: the kernel adds a descriptor of its own. */
	setsockopt(pair[1], SOL_SOCKET, 76, &on, sizeof(on));
	ck_assert_int_eq(portalmem_buffer_send(buffer, pair[0]), 0);
	portalmem_buffer_unref(receive(NULL, pair[1]));
	portalmem_buffer_unref(buffer);
	close_pair(pair);
}
END_TEST

static void assert_both_fail(struct portalmem_buffer *buffer, int socket,
			     int error)
{
	char marker;
	struct portalmem_buffer *const untouched = (void *)&marker;
	struct portalmem_buffer *received = untouched;

	unit_assert_fails(portalmem_buffer_send(buffer, socket), error);
	unit_assert_fails(portalmem_buffer_receive(NULL, socket, &received),
			  error);
	ck_assert_ptr_eq(received, untouched);
}

START_TEST(file_that_is_no_socket_is_enotsock)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	assert_both_fail(buffer, portalmem_buffer_get_fd(buffer), ENOTSOCK);
	unit_assert_message_has("Unix socket");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(closed_descriptor_is_ebadf)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	assert_both_fail(buffer, -1, EBADF);
	assert_both_fail(buffer, INT32_MAX, EBADF);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(socket_of_another_family_is_eopnotsupp)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	assert_both_fail(buffer, fd, EOPNOTSUPP);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(unconnected_socket_is_refused_by_the_kernel)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(portalmem_buffer_send(buffer, fd), 0);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(peer_that_closed_is_epipe)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	int pair[2];

	/* SIGPIPE would end the test. */
	signal(SIGPIPE, SIG_DFL);
	make_pair(socket_types[_i], pair);
	close(pair[1]);
	assert_both_fail(buffer, pair[0], EPIPE);
	close(pair[0]);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(datagram_peer_that_closed_is_reported)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	int pair[2];

	make_pair(SOCK_DGRAM, pair);
	close(pair[1]);
	unit_assert_fails(portalmem_buffer_send(buffer, pair[0]), ECONNREFUSED);
	close(pair[0]);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(empty_socket_is_eagain_when_it_does_not_block)
{
	struct portalmem_buffer *buffer;
	int pair[2];

	make_pair(socket_types[_i] | SOCK_NONBLOCK, pair);
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &buffer),
			  EAGAIN);
	close_pair(pair);
}
END_TEST

START_TEST(full_socket_is_eagain_when_it_does_not_block)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	int pair[2], ret, sent = 0;

	make_pair(socket_types[_i] | SOCK_NONBLOCK, pair);
	do
		ret = portalmem_buffer_send(buffer, pair[0]);
	while (!ret && ++sent < 100000);
	ck_assert_int_gt(sent, 0);
	unit_assert_fails(ret, EAGAIN);
	/* Nothing of the message that did not fit has gone through. */
	while (sent--)
		portalmem_buffer_unref(receive(NULL, pair[1]));
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &buffer),
			  EAGAIN);
	close_pair(pair);
	portalmem_buffer_unref(buffer);
}
END_TEST

static void on_alarm(int signal)
{
	(void)signal;
}

START_TEST(signal_ends_the_wait_for_a_message)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	struct portalmem_buffer *buffer;
	int pair[2];

	make_pair(socket_types[_i], pair);
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ualarm(50000, 50000);
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &buffer),
			  EINTR);
	ualarm(0, 0);
	close_pair(pair);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	int pair[2];

	make_pair(SOCK_STREAM, pair);
	unit_assert_fails(portalmem_buffer_send(NULL, pair[0]), EINVAL);
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], NULL),
			  EINVAL);
	close_pair(pair);
}
END_TEST

START_TEST(error_of_the_node_stops_the_sender)
{
	static const struct mock_call calls[] = {INFO(sender_out, EIO)};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *sent = known_buffer(device);
	int pair[2];

	make_pair(SOCK_STREAM, pair);
	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_buffer_send(sent, pair[0]), EIO);
	portalmem_buffer_unref(sent);
	portalmem_device_unref(device);
	close_pair(pair);
}
END_TEST

#define BATCH 5

START_TEST(batch_arrives_in_its_order)
{
	struct portalmem_parcel sent[BATCH], got[PORTALMEM_PARCELS_MAX];
	int pair[2];

	make_pair(socket_types[_i], pair);
	for (int i = 0; i < BATCH; i++) {
		const char name[] = {'a' + (char)i, '\0'};

		sent[i].buffer = alloc_named(name);
		sent[i].fence = -1;
		write_text(sent[i].buffer, name);
	}
	ck_assert_int_eq(portalmem_send(pair[0], sent, BATCH), 0);
	ck_assert_int_eq(portalmem_receive(NULL, pair[1], NULL, got,
					   PORTALMEM_PARCELS_MAX),
			 BATCH);
	for (int i = 0; i < BATCH; i++) {
		struct portalmem_info info = PORTALMEM_INFO_INIT;
		const char name[] = {'a' + (char)i, '\0'};

		assert_text(got[i].buffer, name);
		ck_assert_int_eq(
			portalmem_buffer_get_info(got[i].buffer, &info), 0);
		ck_assert_str_eq(info.name, name);
		ck_assert_int_eq(got[i].fence, -1);
		portalmem_buffer_unref(sent[i].buffer);
		portalmem_buffer_unref(got[i].buffer);
	}
	close_pair(pair);
}
END_TEST

/* Also through the smallest socket buffer that can be set. */
START_TEST(largest_batch_goes_through_whole)
{
	struct portalmem_parcel sent[PORTALMEM_PARCELS_MAX];
	struct portalmem_parcel got[PORTALMEM_PARCELS_MAX];
	struct portalmem_buffer *buffer = alloc_named("again");
	const int least = 1;
	int pair[2], messages = 0;

	for (int i = 0; i < PORTALMEM_PARCELS_MAX; i++)
		sent[i] = (struct portalmem_parcel){.buffer = buffer,
						    .fence = -1};
	make_pair(socket_types[_i] | SOCK_NONBLOCK, pair);
	ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &least,
				    sizeof(least)),
			 0);
	while (!portalmem_send(pair[0], sent, PORTALMEM_PARCELS_MAX))
		messages++;
	ck_assert_int_gt(messages, 0);
	while (messages--) {
		ck_assert_int_eq(portalmem_receive(NULL, pair[1], NULL, got,
						   PORTALMEM_PARCELS_MAX),
				 PORTALMEM_PARCELS_MAX);
		for (int i = 0; i < PORTALMEM_PARCELS_MAX; i++)
			portalmem_buffer_unref(got[i].buffer);
	}
	unit_assert_fails(portalmem_receive(NULL, pair[1], NULL, got,
					    PORTALMEM_PARCELS_MAX),
			  EAGAIN);
	portalmem_buffer_unref(buffer);
	close_pair(pair);
}
END_TEST

static ino_t inode_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return st.st_ino;
}

/* The second of three has one. */
static void send_fence(int socket, int fence)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(0)};
	struct portalmem_buffer *buffer = alloc_named("fenced");
	const struct portalmem_parcel sent[] = {
		{buffer, -1}, {buffer, fence}, {buffer, -1}};

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_send(socket, sent, 3), 0);
	portalmem_buffer_unref(buffer);
}

START_TEST(fence_is_given_to_the_receiver)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(0)};
	struct portalmem_parcel got[3];
	int fence = mock_new_fence();
	int pair[2];

	make_pair(socket_types[_i], pair);
	send_fence(pair[0], fence);
	/* Nobody waits for it here. */
	mock_set_ready(0);
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_receive(NULL, pair[1], NULL, got, 3), 3);
	ck_assert_int_eq(got[0].fence, -1);
	ck_assert_int_eq(got[2].fence, -1);
	ck_assert_uint_eq(inode_of(got[1].fence), inode_of(fence));
	ck_assert_int_eq(fcntl(got[1].fence, F_GETFD), FD_CLOEXEC);
	for (int i = 0; i < 3; i++)
		portalmem_buffer_unref(got[i].buffer);
	close(got[1].fence);
	close(fence);
	close_pair(pair);
}
END_TEST

START_TEST(fence_is_waited_for_when_asked)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(0)};
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct portalmem_parcel got[3];
	int fence = mock_new_fence();
	unsigned int before;
	int pair[2];

	options.wait = 1;
	make_pair(socket_types[_i], pair);
	before = pmtest_count_fds();
	/* Without a signal it is a refusal, and nothing is left. */
	send_fence(pair[0], fence);
	options.timeout_ms = 50;
	mock_set_ready(0);
	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_receive(NULL, pair[1], &options, got, 3),
			  ETIMEDOUT);
	pmtest_assert_no_leaked_fds(before);

	send_fence(pair[0], fence);
	options.timeout_ms = -1;
	mock_set_ready(POLLIN);
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_receive(NULL, pair[1], &options, got, 3), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(got[i].fence, -1);
		portalmem_buffer_unref(got[i].buffer);
	}
	pmtest_assert_no_leaked_fds(before);
	close(fence);
	close_pair(pair);
}
END_TEST

static int accept_once(const struct portalmem_peer *peer, void *data)
{
	struct portalmem_peer *seen = data;

	*seen = *peer;
	return 0;
}

/* A child sends; a datagram is its own, a socket pair that of its maker. */
START_TEST(check_is_given_the_sender)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct portalmem_buffer *buffer = alloc_named("checked");
	const bool packet = socket_types[_i] == SOCK_DGRAM;
	struct portalmem_peer seen = {.pid = -1};
	struct portalmem_parcel parcel;
	const int on = 1;
	int pair[2], status;
	pid_t child;

	options.check = accept_once;
	options.check_data = &seen;
	make_pair(socket_types[_i], pair);
	if (packet)
		ck_assert_int_eq(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED,
					    &on, sizeof(on)),
				 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		status = portalmem_buffer_send(buffer, pair[0]) != 0;
		/* A leak checker looks at the child, too. */
		portalmem_buffer_unref(buffer);
		_exit(status);
	}
	ck_assert_int_eq(portalmem_receive(NULL, pair[1], &options, &parcel, 1),
			 1);
	ck_assert_int_eq(seen.pid, packet ? child : getpid());
	ck_assert_uint_eq(seen.uid, getuid());
	ck_assert_uint_eq(seen.gid, getgid());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	portalmem_buffer_unref(parcel.buffer);
	portalmem_buffer_unref(buffer);
	close_pair(pair);
}
END_TEST

START_TEST(bad_parcels_are_refused)
{
	struct portalmem_buffer *buffer = alloc_named("bad");
	struct portalmem_parcel many[PORTALMEM_PARCELS_MAX + 1];
	int pair[2];

	for (int i = 0; i < COUNT(many); i++)
		many[i] = (struct portalmem_parcel){.buffer = buffer,
						    .fence = -1};
	make_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, pair);
	unit_assert_fails(portalmem_send(pair[0], NULL, 1), EINVAL);
	unit_assert_fails(portalmem_send(pair[0], many, 0), EINVAL);
	unit_assert_fails(portalmem_send(pair[0], many, COUNT(many)), EINVAL);
	unit_assert_fails(portalmem_send(pair[0], many, SIZE_MAX), EINVAL);
	unit_assert_fails(portalmem_send(-1, many, 1), EBADF);
	many[2].buffer = NULL;
	unit_assert_fails(portalmem_send(pair[0], many, 3), EINVAL);
	many[2].buffer = buffer;
	/* No sync_file, not open, no number. */
	many[2].fence = pair[0];
	unit_assert_fails(portalmem_send(pair[0], many, 3), EINVAL);
	many[2].fence = INT32_MAX;
	unit_assert_fails(portalmem_send(pair[0], many, 3), EBADF);
	many[2].fence = -2;
	unit_assert_fails(portalmem_send(pair[0], many, 3), EBADF);
	unit_assert_message_has("parcel 2");
	/* Nothing went out. */
	unit_assert_fails(portalmem_receive(NULL, pair[1], NULL, many, 1),
			  EAGAIN);
	portalmem_buffer_unref(buffer);
	close_pair(pair);
}
END_TEST

START_TEST(bad_arguments_of_receive_are_einval)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct portalmem_parcel parcel;
	int pair[2];

	make_pair(SOCK_SEQPACKET | SOCK_NONBLOCK, pair);
	unit_assert_fails(portalmem_receive(NULL, pair[1], NULL, NULL, 1),
			  EINVAL);
	unit_assert_fails(portalmem_receive(NULL, pair[1], NULL, &parcel, 0),
			  EINVAL);
	options.timeout_ms = -2;
	unit_assert_fails(
		portalmem_receive(NULL, pair[1], &options, &parcel, 1), EINVAL);
	options.timeout_ms = 0;
	options.struct_size--;
	unit_assert_fails(
		portalmem_receive(NULL, pair[1], &options, &parcel, 1), EINVAL);
	close_pair(pair);
}
END_TEST

/*
 * What D-Bus and other protocols do: they pass a file descriptor of ours by
 * themselves, with no message of the library.
 */
START_TEST(plain_descriptor_makes_a_buffer)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (char[]){"h"}, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	struct portalmem_buffer *sent = alloc_named("plain"), *received;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int fd = portalmem_buffer_get_fd(sent);
	int pair[2];

	make_pair(socket_types[_i], pair);
	write_text(sent, "without a message");
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(pair[0], &msg, 0), 1);
	portalmem_buffer_unref(sent);

	ck_assert_int_eq(recvmsg(pair[1], &msg, MSG_CMSG_CLOEXEC), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &received), 0);
	close(fd);
	assert_text(received, "without a message");
	ck_assert_uint_eq(portalmem_buffer_get_size(received), 3 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_info(received, &info), 0);
	ck_assert_str_eq(info.name, "plain");
	portalmem_buffer_unref(received);
	close_pair(pair);
}
END_TEST

static Suite *share_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("share", &tc);
	const int types = COUNT(socket_types);

	tcase_add_loop_test(tc, buffer_arrives_with_size_caching_and_name, 0,
			    types);
	tcase_add_loop_test(tc, buffers_arrive_in_their_order, 0, types);
	tcase_add_loop_test(tc, other_process_sees_the_same_memory, 0, types);
	tcase_add_loop_test(tc, received_buffer_can_be_passed_on, 0, types);
	tcase_add_loop_test(tc,
			    foreign_dmabuf_takes_the_sender_s_word_for_its_name,
			    0, types);
	tcase_add_test(tc, caching_is_the_sender_s_word_without_a_node);
	tcase_add_test(tc, caching_is_the_node_s_word_with_one);
	tcase_add_loop_test(tc, receiver_s_credentials_do_not_disturb, 0,
			    types);
	tcase_add_test(tc, file_that_is_no_socket_is_enotsock);
	tcase_add_test(tc, closed_descriptor_is_ebadf);
	tcase_add_test(tc, socket_of_another_family_is_eopnotsupp);
	tcase_add_test(tc, unconnected_socket_is_refused_by_the_kernel);
	/* Streams and packets with a connection. */
	tcase_add_loop_test(tc, peer_that_closed_is_epipe, 0, 2);
	tcase_add_test(tc, datagram_peer_that_closed_is_reported);
	tcase_add_loop_test(tc, empty_socket_is_eagain_when_it_does_not_block,
			    0, types);
	tcase_add_loop_test(tc, full_socket_is_eagain_when_it_does_not_block, 0,
			    types);
	tcase_add_loop_test(tc, signal_ends_the_wait_for_a_message, 0, types);
	tcase_add_test(tc, null_arguments_are_einval);
	tcase_add_test(tc, error_of_the_node_stops_the_sender);
	tcase_add_loop_test(tc, batch_arrives_in_its_order, 0, types);
	tcase_add_loop_test(tc, largest_batch_goes_through_whole, 0, types);
	tcase_add_loop_test(tc, fence_is_given_to_the_receiver, 0, types);
	tcase_add_loop_test(tc, fence_is_waited_for_when_asked, 0, types);
	tcase_add_loop_test(tc, check_is_given_the_sender, 0, types);
	tcase_add_test(tc, bad_parcels_are_refused);
	tcase_add_test(tc, bad_arguments_of_receive_are_einval);
	tcase_add_loop_test(tc, plain_descriptor_makes_a_buffer, 0, types);
	return suite;
}

PMTEST_MAIN(share_suite)
