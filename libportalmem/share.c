// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How a buffer travels over a Unix socket: one message of fixed layout that
 * carries one file descriptor.
 *
 * Numbers are little-endian. A version that changes the layout keeps the first
 * 16 bytes, so that a receiver can tell it from garbage.
 *
 * Nothing in a message is believed that the descriptor itself can tell.
 */
#include "config.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "private.h"

#define MESSAGE_MAGIC "PtMb"
#define MESSAGE_VERSION 1

struct message {
	/* The header. */
	char magic[4];
	uint16_t version;
	uint16_t header_length;
	uint32_t total_length;
	uint32_t kind; /* enum pm_kind: a dma-buf or a memfd */
	/* The body of version 1. */
	uint64_t size;
	uint32_t caching;
	uint32_t effective;
	char name[PORTALMEM_NAME_MAX];
};

#define HEADER_LENGTH offsetof(struct message, size)

_Static_assert(HEADER_LENGTH == 16, "");
_Static_assert(sizeof(struct message) == 64, "");

/* The kernel's SCM_MAX_FD: the most descriptors that one message carries. */
#define FDS_MAX 253

/*
 * What a receiver's own socket options may add to the descriptors:
 * credentials, a security label, a time stamp, a pidfd.
 */
#define CONTROL_EXTRA 1024

/* Since Linux 6.5. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* How long the rest of a message may take that a peer sends in pieces. */
#define REST_TIMEOUT_MS 1000

/* What has come with a message besides its bytes. */
struct baggage {
	int fd;		/* the first descriptor, -1 before it comes */
	size_t surplus; /* descriptors after the first, closed already */
	bool cut;	/* some control data did not fit or was withheld */
	bool longer;	/* the packet has more bytes than a message */
};

static int check_socket(int socket, int *type)
{
	socklen_t length = sizeof(int);
	int domain;

	if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length))
		return -errno;
	/* Other sockets drop the descriptor without a word. */
	if (domain != AF_UNIX)
		return -EOPNOTSUPP;
	length = sizeof(int);
	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, type, &length))
		return -errno;
	return 0;
}

static enum pm_kind wire_kind(const struct portalmem_buffer *buffer)
{
	/* Whose node knows it is the receiver's business. */
	return buffer->kind == PM_KIND_MEMFD ? PM_KIND_MEMFD : PM_KIND_DMABUF;
}

static void compose(const struct portalmem_buffer *buffer,
		    const struct portalmem_info *info, struct message *message)
{
	memcpy(message->magic, MESSAGE_MAGIC, sizeof(message->magic));
	message->version = htole16(MESSAGE_VERSION);
	message->header_length = htole16(HEADER_LENGTH);
	message->total_length = htole32(sizeof(*message));
	message->kind = htole32((uint32_t)wire_kind(buffer));
	message->size = htole64(buffer->size);
	message->caching = htole32((uint32_t)info->caching);
	message->effective = htole32((uint32_t)info->effective);
	pm_copy_name(message->name, info->name, PORTALMEM_NAME_MAX);
}

static int send_message(int socket, struct message *message, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	/* A Unix socket takes so short a message whole or not at all. */
	return sendmsg(socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static const char *socket_advice(int error)
{
	switch (error) {
	case -ENOTSOCK:
	case -EOPNOTSUPP:
		return "give a connected Unix socket";
	case -EAGAIN:
		return "try again when poll(2) says so";
	case -EPIPE:
		return "the peer is gone";
	default:
		return NULL;
	}
}

PM_EXPORT int portalmem_buffer_send(struct portalmem_buffer *buffer, int socket)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct message message = {0};
	int ret, type;

	if (!buffer)
		return pm_refuse(-EINVAL, "cannot send a buffer: no buffer was "
					  "given (NULL)");
	ret = check_socket(socket, &type);
	if (!ret) {
		ret = portalmem_buffer_get_info(buffer, &info);
		if (ret)
			return ret;
		compose(buffer, &info, &message);
		pm_buffer_mark_shared(buffer);
		ret = send_message(socket, &message, buffer->fd);
	}
	return ret ? pm_fail(ret, socket_advice(ret),
			     "cannot send a buffer through the file descriptor "
			     "%d",
			     socket)
		   : 0;
}

/* Keep the first descriptor, close the others. */
static void take_fds(const struct cmsghdr *header, struct baggage *baggage)
{
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
		if (baggage->fd < 0 && header->cmsg_type == SCM_RIGHTS) {
			baggage->fd = fd;
			continue;
		}
		close(fd);
		if (header->cmsg_type == SCM_RIGHTS)
			baggage->surplus++;
	}
}

static void take_baggage(struct msghdr *msg, struct baggage *baggage)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(msg); header;
	     header = CMSG_NXTHDR(msg, header))
		/* A pidfd comes where the caller set SO_PASSPIDFD. */
		if (header->cmsg_level == SOL_SOCKET &&
		    (header->cmsg_type == SCM_RIGHTS ||
		     header->cmsg_type == SCM_PIDFD))
			take_fds(header, baggage);
	if (msg->msg_flags & MSG_CTRUNC)
		baggage->cut = true;
	if (msg->msg_flags & MSG_TRUNC)
		baggage->longer = true;
}

/* One recvmsg(2): how many bytes have come, or a negative errno. */
static ssize_t receive_some(int socket, void *bytes, size_t length,
			    struct baggage *baggage)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int)) + CONTROL_EXTRA];
	} control;
	struct iovec iov = {.iov_base = bytes, .iov_len = length};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);

	if (got < 0)
		return -errno;
	take_baggage(&msg, baggage);
	return got;
}

/*
 * The message has begun and the socket has nothing for the moment: giving up
 * now would lose what has come. 0 when it is worth trying again.
 */
static int wait_for_rest(int socket)
{
	struct pollfd poller = {.fd = socket, .events = POLLIN};
	int ret = poll(&poller, 1, REST_TIMEOUT_MS);

	if (ret < 0)
		return errno == EINTR ? 0 : -errno;
	return ret ? 0 : -EBADMSG;
}

/* Read a stream until GOT is LENGTH bytes of the message. */
static int receive_up_to(int socket, struct message *message, size_t *got,
			 size_t length, struct baggage *baggage)
{
	while (*got < length) {
		ssize_t ret = receive_some(socket, (char *)message + *got,
					   length - *got, baggage);

		if (!ret)
			return *got ? -EBADMSG : -EPIPE;
		if (ret > 0) {
			*got += (size_t)ret;
			continue;
		}
		if (!*got || (ret != -EAGAIN && ret != -EINTR))
			return (int)ret;
		if (ret == -EAGAIN) {
			ret = wait_for_rest(socket);
			if (ret)
				return (int)ret;
		}
	}
	return 0;
}

static int check_header(const struct message *message)
{
	if (memcmp(message->magic, MESSAGE_MAGIC, sizeof(message->magic)))
		return -EBADMSG;
	if (le16toh(message->version) != MESSAGE_VERSION)
		return -EPROTO;
	if (le16toh(message->header_length) != HEADER_LENGTH ||
	    le32toh(message->total_length) != sizeof(*message))
		return -EBADMSG;
	return 0;
}

static int receive_stream(int socket, struct message *message,
			  struct baggage *baggage)
{
	size_t got = 0;
	int ret;

	/* What follows the header is only known once that is read. */
	ret = receive_up_to(socket, message, &got, HEADER_LENGTH, baggage);
	if (ret)
		return ret;
	ret = check_header(message);
	if (ret)
		return ret;
	return receive_up_to(socket, message, &got, sizeof(*message), baggage);
}

static int receive_packet(int socket, int type, struct message *message,
			  struct baggage *baggage)
{
	ssize_t got = receive_some(socket, message, sizeof(*message), baggage);
	int ret;

	if (got < 0)
		return (int)got;
	if (!got && type == SOCK_SEQPACKET && baggage->fd < 0)
		return -EPIPE;
	if ((size_t)got < HEADER_LENGTH)
		return -EBADMSG;
	ret = check_header(message);
	if (ret)
		return ret;
	return (size_t)got < sizeof(*message) || baggage->longer ? -EBADMSG : 0;
}

static int check_body(const struct message *message)
{
	if (le32toh(message->caching) > PORTALMEM_CACHING_UNKNOWN ||
	    le32toh(message->effective) > PORTALMEM_CACHING_UNKNOWN)
		return -EBADMSG;
	if (strnlen(message->name, PORTALMEM_NAME_MAX) == PORTALMEM_NAME_MAX ||
	    pm_has_control_characters(message->name))
		return -EBADMSG;
	return 0;
}

static int check_baggage(int socket, const struct baggage *baggage)
{
	int copy;

	if (baggage->fd >= 0)
		return baggage->surplus || baggage->cut ? -EBADMSG : 0;
	/* The kernel withholds descriptors that do not fit in the table. */
	if (baggage->cut) {
		copy = pm_fd_duplicate(socket);
		if (copy < 0)
			return copy;
		close(copy);
	}
	return -EBADMSG;
}

static int receive_message(int socket, struct message *message,
			   struct baggage *baggage)
{
	int ret, type;

	ret = check_socket(socket, &type);
	if (ret)
		return ret;
	ret = type == SOCK_STREAM
		      ? receive_stream(socket, message, baggage)
		      : receive_packet(socket, type, message, baggage);
	if (ret)
		return ret;
	ret = check_body(message);
	if (ret)
		return ret;
	return check_baggage(socket, baggage);
}

/* Is the buffer what the message says? Then take the sender's word for what
 * nobody else can tell. */
static int check_buffer(struct portalmem_buffer *buffer,
			const struct message *message)
{
	if (le32toh(message->kind) != (uint32_t)wire_kind(buffer) ||
	    le64toh(message->size) != buffer->size)
		return -EBADMSG;
	if (pm_buffer_is_known(buffer))
		return 0;
	buffer->caching = (enum portalmem_caching)le32toh(message->caching);
	if (buffer->effective == PORTALMEM_CACHING_UNKNOWN)
		buffer->effective =
			(enum portalmem_caching)le32toh(message->effective);
	if (!buffer->name[0])
		pm_copy_name(buffer->name, message->name, PORTALMEM_NAME_MAX);
	return 0;
}

static int explain_receive(int socket, int error)
{
	if (error == -EBADMSG)
		return pm_refuse(error,
				 "cannot receive a buffer: what came through "
				 "the file descriptor %d is not a whole, true "
				 "message with one buffer; close the socket",
				 socket);
	if (error == -EPROTO)
		return pm_refuse(error,
				 "cannot receive a buffer: the peer sends "
				 "another version of the message; use the same "
				 "libportalmem on both sides");
	if (error == -EPIPE)
		return pm_refuse(error, "cannot receive a buffer: the peer "
					"closed the socket before it sent one");
	return pm_fail(error, socket_advice(error),
		       "cannot receive a buffer through the file descriptor %d",
		       socket);
}

PM_EXPORT int portalmem_buffer_receive(struct portalmem_device *device,
				       int socket,
				       struct portalmem_buffer **bufferp)
{
	struct baggage baggage = {.fd = -1};
	struct portalmem_buffer *buffer;
	struct message message;
	int ret;

	if (!bufferp)
		return pm_refuse(-EINVAL, "cannot receive a buffer: no place "
					  "for the result was given (NULL)");
	ret = receive_message(socket, &message, &baggage);
	if (ret)
		goto close_fd;
	ret = pm_buffer_adopt(device, baggage.fd, &buffer);
	if (ret) {
		/* A file of another kind is the message's fault. */
		if (ret == -EINVAL)
			ret = -EBADMSG;
		goto close_fd;
	}
	/* The descriptor is the buffer's now. */
	ret = check_buffer(buffer, &message);
	if (ret) {
		portalmem_buffer_unref(buffer);
		return explain_receive(socket, ret);
	}
	*bufferp = buffer;
	return 0;

close_fd:
	if (baggage.fd >= 0)
		close(baggage.fd);
	return explain_receive(socket, ret);
}
