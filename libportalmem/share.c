// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How buffers travel over a Unix socket: one message of fixed layout, a header
 * and an item for each buffer, that carries the file descriptors of the
 * buffers and of their fences, in the items' order.
 *
 * Numbers are little-endian. A version that changes the layout keeps the
 * header, so that a receiver can tell it from garbage.
 *
 * Nothing in a message is believed that the descriptors themselves can tell.
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
#define MESSAGE_VERSION 2

struct header {
	char magic[4];
	uint16_t version;
	uint16_t header_length;
	uint32_t total_length;
	uint32_t count; /* of items */
};

struct item {
	uint64_t size;
	uint32_t kind; /* enum pm_kind: a dma-buf or a memfd */
	uint32_t flags;
	uint32_t caching;
	uint32_t effective;
	char name[PORTALMEM_NAME_MAX];
};

/* Bits of flags. */
#define ITEM_HAS_FENCE 1

struct message {
	struct header header;
	struct item items[PORTALMEM_PARCELS_MAX];
};

_Static_assert(sizeof(struct header) == 16, "");
_Static_assert(sizeof(struct item) == 56, "");
_Static_assert(offsetof(struct message, items) == 16, "");

/*
 * A stream takes up to half of its send buffer as one piece, and so the
 * longest message whole or not at all. That is with the smallest buffer which
 * SO_SNDBUF can set.
 */
_Static_assert(sizeof(struct message) <= 4608 / 2 - 64, "");

/* The kernel's SCM_MAX_FD: the most descriptors that one message carries. */
#define FDS_MAX 253

/* The most that one of ours has. */
#define OUR_FDS_MAX ((size_t)2 * PORTALMEM_PARCELS_MAX)

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
	int fds[OUR_FDS_MAX]; /* -1 once they belong to somebody else */
	size_t count;
	size_t surplus;	     /* descriptors after those, closed already */
	bool cut;	     /* some control data did not fit or was withheld */
	bool longer;	     /* the packet has more bytes than a message */
	struct ucred sender; /* pid 0: not known */
};

/* What a receiver asks for. */
struct receiver {
	int socket;
	int type;
	const struct portalmem_receive_options *options;
	size_t room;
};

/* TYPE may be NULL. */
static int check_socket(int socket, int *type)
{
	socklen_t length = sizeof(int);
	int domain;

	if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &length))
		return -errno;
	/* Other sockets drop the descriptor without a word. */
	if (domain != AF_UNIX)
		return -EOPNOTSUPP;
	if (!type)
		return 0;
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

static size_t message_length(size_t count)
{
	return sizeof(struct header) + count * sizeof(struct item);
}

static int compose_item(const struct portalmem_parcel *parcel,
			struct item *item)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int ret = pm_buffer_describe(parcel->buffer, &info);

	if (ret)
		return pm_fail(ret, NULL, "cannot describe a buffer");
	item->size = htole64(parcel->buffer->size);
	item->kind = htole32((uint32_t)wire_kind(parcel->buffer));
	item->flags = htole32(parcel->fence >= 0 ? ITEM_HAS_FENCE : 0);
	item->caching = htole32((uint32_t)info.caching);
	item->effective = htole32((uint32_t)info.effective);
	pm_copy_name(item->name, info.name, PORTALMEM_NAME_MAX);
	return 0;
}

static int compose(const struct portalmem_parcel *parcels, size_t count,
		   struct message *message)
{
	struct header *header = &message->header;

	memcpy(header->magic, MESSAGE_MAGIC, sizeof(header->magic));
	header->version = htole16(MESSAGE_VERSION);
	header->header_length = htole16(sizeof(*header));
	header->total_length = htole32((uint32_t)message_length(count));
	header->count = htole32((uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		int ret = compose_item(&parcels[i], &message->items[i]);

		if (ret)
			return ret;
	}
	return 0;
}

static size_t list_fds(const struct portalmem_parcel *parcels, size_t count,
		       int *fds)
{
	size_t listed = 0;

	for (size_t i = 0; i < count; i++) {
		pm_buffer_mark_shared(parcels[i].buffer);
		fds[listed++] = parcels[i].buffer->fd;
		if (parcels[i].fence >= 0)
			fds[listed++] = parcels[i].fence;
	}
	return listed;
}

static int send_message(int socket, struct message *message, size_t length,
			const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(OUR_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = message, .iov_len = length};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	/* What pads it goes to the kernel, too. */
	memset(&control, 0, msg.msg_controllen);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(header), fds, count * sizeof(int));
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

static int check_parcel(const struct portalmem_parcel *parcel, size_t index)
{
	int ret;

	if (!parcel->buffer)
		return pm_refuse(-EINVAL,
				 "cannot send buffers: the parcel %zu has no "
				 "buffer (NULL)",
				 index);
	if (parcel->fence == -1)
		return 0;
	ret = pm_check_fence(parcel->fence);
	return ret ? pm_fail(ret,
			     "give the fd of a sync_file, or -1 for no fence",
			     "cannot send the file descriptor %d as the fence "
			     "of the parcel %zu",
			     parcel->fence, index)
		   : 0;
}

static int check_parcels(const struct portalmem_parcel *parcels, size_t count)
{
	int ret = 0;

	if (!parcels)
		return pm_refuse(-EINVAL, "cannot send buffers: no parcels "
					  "were given (NULL)");
	if (!count || count > PORTALMEM_PARCELS_MAX)
		return pm_refuse(-EINVAL,
				 "cannot send %zu buffers in one message; give "
				 "1 to %d",
				 count, PORTALMEM_PARCELS_MAX);
	for (size_t i = 0; i < count && !ret; i++)
		ret = check_parcel(&parcels[i], i);
	return ret;
}

PM_EXPORT int portalmem_send(int socket, const struct portalmem_parcel *parcels,
			     size_t count)
{
	struct message message; /* as much of it as is used is composed */
	int fds[OUR_FDS_MAX];
	int ret;

	ret = check_parcels(parcels, count);
	if (ret)
		return ret;
	ret = check_socket(socket, NULL);
	if (!ret) {
		ret = compose(parcels, count, &message);
		if (ret)
			return ret;
		ret = send_message(socket, &message, message_length(count), fds,
				   list_fds(parcels, count, fds));
	}
	return ret ? pm_fail(ret, socket_advice(ret),
			     "cannot send a buffer through the file descriptor "
			     "%d",
			     socket)
		   : 0;
}

PM_EXPORT int portalmem_buffer_send(struct portalmem_buffer *buffer, int socket)
{
	const struct portalmem_parcel parcel = {.buffer = buffer, .fence = -1};

	if (!buffer)
		return pm_refuse(-EINVAL, "cannot send a buffer: no buffer was "
					  "given (NULL)");
	return portalmem_send(socket, &parcel, 1);
}

/* Keep what one of our messages can have, close the others. */
static void take_fds(const struct cmsghdr *header, struct baggage *baggage)
{
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	size_t kept = OUR_FDS_MAX - baggage->count;
	int fds[FDS_MAX];

	if (count > FDS_MAX)
		count = FDS_MAX;
	if (kept > count)
		kept = count;
	memcpy(fds, CMSG_DATA(header), count * sizeof(int));
	memcpy(baggage->fds + baggage->count, fds, kept * sizeof(int));
	baggage->count += kept;
	baggage->surplus += count - kept;
	pm_close_unknown(fds + kept, count - kept);
}

/* It is the kernel's own: the caller set SO_PASSPIDFD. */
static void drop_pidfd(const struct cmsghdr *header)
{
	int fd;

	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	close(fd);
}

static void take_control(const struct cmsghdr *header, struct baggage *baggage)
{
	if (header->cmsg_level != SOL_SOCKET)
		return;
	switch (header->cmsg_type) {
	case SCM_RIGHTS:
		take_fds(header, baggage);
		break;
	case SCM_PIDFD:
		drop_pidfd(header);
		break;
	case SCM_CREDENTIALS:
		memcpy(&baggage->sender, CMSG_DATA(header),
		       sizeof(baggage->sender));
		break;
	}
}

static void take_baggage(struct msghdr *msg, struct baggage *baggage)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(msg); header;
	     header = CMSG_NXTHDR(msg, header))
		take_control(header, baggage);
	if (msg->msg_flags & MSG_CTRUNC)
		baggage->cut = true;
	if (msg->msg_flags & MSG_TRUNC)
		baggage->longer = true;
}

static void drop_baggage(struct baggage *baggage)
{
	pm_close_unknown(baggage->fds, baggage->count);
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

static int check_header(const struct header *header)
{
	uint32_t count = le32toh(header->count);

	if (memcmp(header->magic, MESSAGE_MAGIC, sizeof(header->magic)))
		return -EBADMSG;
	if (le16toh(header->version) != MESSAGE_VERSION)
		return -EPROTO;
	if (le16toh(header->header_length) != sizeof(*header) || !count ||
	    count > PORTALMEM_PARCELS_MAX ||
	    le32toh(header->total_length) != message_length(count))
		return -EBADMSG;
	return 0;
}

static int ask(const struct receiver *receiver, const struct ucred *peer)
{
	const struct portalmem_receive_options *options = receiver->options;
	const struct portalmem_peer shown = {
		.pid = peer->pid, .uid = peer->uid, .gid = peer->gid};

	return options->check(&shown, options->check_data) ? -EACCES : 0;
}

/* The one peer of a connection is asked about before anything is read. */
static int check_connected_peer(const struct receiver *receiver)
{
	socklen_t length = sizeof(struct ucred);
	struct ucred peer;

	if (getsockopt(receiver->socket, SOL_SOCKET, SO_PEERCRED, &peer,
		       &length))
		return -errno;
	/* What the kernel says of a socket without a peer. */
	if (peer.uid == (uid_t)-1)
		return -ENOTCONN;
	return ask(receiver, &peer);
}

/*
 * Anybody may send to a datagram socket: each message is asked about. The
 * kernel remembers who sent it only when it was told to before that.
 */
static int check_packet_sender(const struct receiver *receiver,
			       const struct baggage *baggage)
{
	if (!baggage->sender.pid)
		return -EACCES;
	return ask(receiver, &baggage->sender);
}

static int check_passes_credentials(int socket)
{
	socklen_t length = sizeof(int);
	int on;

	if (getsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, &length))
		return -errno;
	return on ? 0 : -EOPNOTSUPP;
}

static int receive_stream(int socket, struct message *message,
			  struct baggage *baggage)
{
	size_t got = 0;
	int ret;

	/* What follows the header is only known once that is read. */
	ret = receive_up_to(socket, message, &got, sizeof(message->header),
			    baggage);
	if (ret)
		return ret;
	ret = check_header(&message->header);
	if (ret)
		return ret;
	return receive_up_to(socket, message, &got,
			     le32toh(message->header.total_length), baggage);
}

static int receive_packet(const struct receiver *receiver,
			  struct message *message, struct baggage *baggage)
{
	ssize_t got = receive_some(receiver->socket, message, sizeof(*message),
				   baggage);
	int ret;

	if (got < 0)
		return (int)got;
	if (!got && receiver->type == SOCK_SEQPACKET && !baggage->count &&
	    !baggage->surplus)
		return -EPIPE;
	if (receiver->options->check && receiver->type == SOCK_DGRAM) {
		ret = check_packet_sender(receiver, baggage);
		if (ret)
			return ret;
	}
	if ((size_t)got < sizeof(message->header))
		return -EBADMSG;
	ret = check_header(&message->header);
	if (ret)
		return ret;
	return (size_t)got != le32toh(message->header.total_length) ||
			       baggage->longer
		       ? -EBADMSG
		       : 0;
}

static int check_item(const struct item *item)
{
	if (le32toh(item->caching) > PORTALMEM_CACHING_UNKNOWN ||
	    le32toh(item->effective) > PORTALMEM_CACHING_UNKNOWN ||
	    le32toh(item->flags) & ~(uint32_t)ITEM_HAS_FENCE)
		return -EBADMSG;
	if (strnlen(item->name, PORTALMEM_NAME_MAX) == PORTALMEM_NAME_MAX ||
	    pm_has_control_characters(item->name))
		return -EBADMSG;
	return 0;
}

static int check_baggage(int socket, const struct baggage *baggage,
			 size_t wanted)
{
	int copy;

	if (baggage->count >= wanted)
		return baggage->count > wanted || baggage->surplus ||
				       baggage->cut
			       ? -EBADMSG
			       : 0;
	/* The kernel withholds descriptors that do not fit in the table. */
	if (baggage->cut) {
		copy = pm_fd_duplicate(socket);
		if (copy < 0)
			return copy;
		close(copy);
	}
	return -EBADMSG;
}

static bool has_fence(const struct item *item)
{
	return le32toh(item->flags) & ITEM_HAS_FENCE;
}

static int check_items(const struct message *message, size_t *fences)
{
	*fences = 0;
	for (size_t i = 0; i < le32toh(message->header.count); i++) {
		int ret = check_item(&message->items[i]);

		if (ret)
			return ret;
		*fences += has_fence(&message->items[i]);
	}
	return 0;
}

static int check_peer_before(const struct receiver *receiver)
{
	if (!receiver->options->check)
		return 0;
	if (receiver->type == SOCK_DGRAM)
		return check_passes_credentials(receiver->socket);
	return check_connected_peer(receiver);
}

static int receive_message(struct receiver *receiver, struct message *message,
			   struct baggage *baggage)
{
	size_t fences;
	int ret;

	ret = check_socket(receiver->socket, &receiver->type);
	if (ret)
		return ret;
	ret = check_peer_before(receiver);
	if (ret)
		return ret;
	ret = receiver->type == SOCK_STREAM
		      ? receive_stream(receiver->socket, message, baggage)
		      : receive_packet(receiver, message, baggage);
	if (ret)
		return ret;
	ret = check_items(message, &fences);
	if (ret)
		return ret;
	return check_baggage(receiver->socket, baggage,
			     le32toh(message->header.count) + fences);
}

void pm_buffer_believe(struct portalmem_buffer *buffer,
		       enum portalmem_caching caching,
		       enum portalmem_caching effective, const char *name)
{
	if (pm_buffer_is_known(buffer))
		return;
	buffer->caching = caching;
	if (buffer->effective == PORTALMEM_CACHING_UNKNOWN)
		buffer->effective = effective;
	if (!buffer->name[0])
		pm_copy_name(buffer->name, name, PORTALMEM_NAME_MAX);
}

/* Is the buffer what the message says? Then take the sender's word for what
 * nobody else can tell. */
static int check_buffer(struct portalmem_buffer *buffer,
			const struct item *item)
{
	if (le32toh(item->kind) != (uint32_t)wire_kind(buffer) ||
	    le64toh(item->size) != buffer->size)
		return -EBADMSG;
	pm_buffer_believe(
		buffer, (enum portalmem_caching)le32toh(item->caching),
		(enum portalmem_caching)le32toh(item->effective), item->name);
	return 0;
}

/* FD is of the baggage, which gives it up with success: it is -1 then. */
static int unpack_buffer(struct portalmem_device *device,
			 const struct item *item, int *fd,
			 struct portalmem_parcel *parcel)
{
	int ret = pm_buffer_adopt(device, *fd, &parcel->buffer);

	/* A file of another kind is the message's fault. */
	if (ret)
		return ret == -EINVAL ? -EBADMSG : ret;
	*fd = -1;
	return check_buffer(parcel->buffer, item);
}

static int unpack_fence(int *fd, struct portalmem_parcel *parcel)
{
	int ret = pm_check_fence(*fd);

	if (ret)
		return ret == -EINVAL ? -EBADMSG : ret;
	parcel->fence = *fd;
	*fd = -1;
	return 0;
}

/* What is in PARCELS afterwards is the caller's, also when this fails. */
static int unpack(struct portalmem_device *device,
		  const struct message *message, struct baggage *baggage,
		  struct portalmem_parcel *parcels)
{
	int *fd = baggage->fds;

	for (size_t i = 0; i < le32toh(message->header.count); i++) {
		const struct item *item = &message->items[i];
		int ret = unpack_buffer(device, item, fd++, &parcels[i]);

		if (!ret && has_fence(item))
			ret = unpack_fence(fd++, &parcels[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static void drop_fence(struct portalmem_parcel *parcel)
{
	if (parcel->fence >= 0)
		close(parcel->fence);
	parcel->fence = -1;
}

static void drop_parcels(struct portalmem_parcel *parcels)
{
	for (size_t i = 0; i < PORTALMEM_PARCELS_MAX; i++) {
		drop_fence(&parcels[i]);
		portalmem_buffer_unref(parcels[i].buffer);
	}
}

/* Wait for all fences, with one limit for all of them together. */
static int wait_for_fences(const struct portalmem_receive_options *options,
			   struct portalmem_parcel *parcels, size_t count)
{
	int64_t deadline = pm_deadline_after(options->timeout_ms);
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++) {
		if (parcels[i].fence < 0)
			continue;
		ret = pm_wait(parcels[i].fence, POLLIN,
			      pm_deadline_left(deadline));
		drop_fence(&parcels[i]);
	}
	return ret;
}

static int explain_receive(int socket, int error)
{
	switch (error) {
	case -EBADMSG:
		return pm_refuse(error,
				 "cannot receive a buffer: what came through "
				 "the file descriptor %d is not a whole, true "
				 "message with buffers; close the socket",
				 socket);
	case -EPROTO:
		return pm_refuse(error,
				 "cannot receive a buffer: the peer sends "
				 "another version of the message; use the same "
				 "libportalmem on both sides");
	case -EPIPE:
		return pm_refuse(error, "cannot receive a buffer: the peer "
					"closed the socket before it sent one");
	case -EACCES:
		return pm_refuse(error,
				 "cannot receive a buffer through the file "
				 "descriptor %d: its sender was refused, or is "
				 "not known; close the socket",
				 socket);
	case -EMSGSIZE:
		return pm_refuse(
			error,
			"cannot receive a buffer: the message has more "
			"buffers or fences than there is room for; "
			"call portalmem_receive() with room for %d",
			PORTALMEM_PARCELS_MAX);
	case -ETIMEDOUT:
		return pm_refuse(error, "cannot receive a buffer: its fence "
					"did not signal in time; wait longer, "
					"or take the fence");
	default:
		return pm_fail(error, socket_advice(error),
			       "cannot receive a buffer through the file "
			       "descriptor %d",
			       socket);
	}
}

/* How many parcels came, or a negative errno and a text. */
static int receive_parcels(struct portalmem_device *device,
			   struct receiver *receiver,
			   struct portalmem_parcel *parcels)
{
	struct portalmem_parcel come[PORTALMEM_PARCELS_MAX];
	struct baggage baggage = {0};
	struct message message;
	size_t count = 0;
	int ret;

	for (size_t i = 0; i < PORTALMEM_PARCELS_MAX; i++)
		come[i] = (struct portalmem_parcel){.fence = -1};
	ret = receive_message(receiver, &message, &baggage);
	if (!ret) {
		count = le32toh(message.header.count);
		ret = count > receiver->room ? -EMSGSIZE : 0;
	}
	if (!ret)
		ret = unpack(device, &message, &baggage, come);
	if (!ret && receiver->options->wait)
		ret = wait_for_fences(receiver->options, come, count);
	drop_baggage(&baggage);
	if (ret) {
		drop_parcels(come);
		return ret;
	}
	memcpy(parcels, come, count * sizeof(*parcels));
	return (int)count;
}

static int
check_receive_options(const struct portalmem_receive_options *options)
{
	if (options->struct_size != sizeof(*options))
		return pm_refuse(-EINVAL,
				 "cannot receive buffers: the options were not "
				 "initialized; start from "
				 "PORTALMEM_RECEIVE_OPTIONS_INIT");
	if (options->timeout_ms < -1)
		return pm_refuse(-EINVAL,
				 "cannot receive buffers: %d ms are no time to "
				 "wait; give 0 or more, or -1 for ever",
				 options->timeout_ms);
	return 0;
}

static const struct portalmem_receive_options default_options =
	PORTALMEM_RECEIVE_OPTIONS_INIT;

PM_EXPORT int portalmem_receive(struct portalmem_device *device, int socket,
				const struct portalmem_receive_options *options,
				struct portalmem_parcel *parcels, size_t room)
{
	struct receiver receiver = {
		.socket = socket,
		.options = options ? options : &default_options,
		.room = room,
	};
	int ret;

	if (!parcels || !room)
		return pm_refuse(-EINVAL, "cannot receive buffers: no place "
					  "for them was given (NULL or 0)");
	ret = check_receive_options(receiver.options);
	if (ret)
		return ret;
	ret = receive_parcels(device, &receiver, parcels);
	return ret < 0 ? explain_receive(socket, ret) : ret;
}

PM_EXPORT int portalmem_buffer_receive(struct portalmem_device *device,
				       int socket,
				       struct portalmem_buffer **bufferp)
{
	struct portalmem_parcel parcel;
	int ret;

	if (!bufferp)
		return pm_refuse(-EINVAL, "cannot receive a buffer: no place "
					  "for the result was given (NULL)");
	ret = portalmem_receive(device, socket, NULL, &parcel, 1);
	if (ret < 0)
		return ret;
	if (parcel.fence >= 0) {
		/* Without its fence, it would be used too early. */
		drop_fence(&parcel);
		portalmem_buffer_unref(parcel.buffer);
		return explain_receive(socket, -EMSGSIZE);
	}
	*bufferp = parcel.buffer;
	return 0;
}
