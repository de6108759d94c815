// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile peer: any bytes and any files through any kind of Unix socket. What
 * is received is what was sent, what is refused leaves no file behind, and what
 * was received arrives once more as it is.
 *
 * Input: how (HOW_*), room, number of files, the kind of each, then the bytes.
 */
#include "kernel.h"

#include <endian.h>
#include <string.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "portalmem.h"

#define FILES_MAX 24
#define BYTES_MAX 4096
#define PAGE 4096

/* Bits of how. The lowest two tell the socket's type. */
#define HOW_TYPE 3
#define HOW_ONE 4     /* by portalmem_buffer_receive() */
#define HOW_WAIT 8    /* for the fences */
#define HOW_CHECK 16  /* who sends */
#define HOW_REFUSE 32 /* and be against it */
#define HOW_PIECES 64 /* the bytes come in two pieces */
#define HOW_MEND 128  /* the header is right */

/* Made once; a peer sends copies. */
static int kinds[10];
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int new_memfd(uint64_t size, int seals)
{
	int fd = memfd_create("sent", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, (off_t)size) &&
		   !fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void make_files(void)
{
	const int whole = F_SEAL_SHRINK | F_SEAL_GROW;
	int pipes[2];

	if (kinds[0])
		return;
	FUZZ_CHECK(!pipe2(pipes, O_CLOEXEC));
	kinds[0] = new_memfd(PAGE, whole);
	kinds[1] = new_memfd(3 * PAGE, whole);
	kinds[2] = new_memfd(PAGE, F_SEAL_GROW);
	kinds[3] = new_memfd(0, whole);
	kinds[4] = kernel_new_dmabuf(2 * PAGE);
	kinds[5] = kernel_new_dmabuf(0);
	kinds[6] = kernel_new_fence();
	kinds[7] = open("/dev/null", O_RDWR | O_CLOEXEC);
	kinds[8] = pipes[0];
	kinds[9] = open("/proc", O_RDONLY | O_CLOEXEC);
}

/* Everything of the header that a peer gets right without knowing more. */
static void mend_header(uint8_t *bytes, size_t size)
{
	const uint16_t version = htole16(2), length = htole16(16);
	uint32_t total = htole32((uint32_t)size), count;

	if (size < 16 + 56)
		return;
	count = htole32((uint32_t)((size - 16) / 56));
	memcpy(bytes, "PtMb", 4);
	memcpy(bytes + 4, &version, 2);
	memcpy(bytes + 6, &length, 2);
	memcpy(bytes + 8, &total, 4);
	memcpy(bytes + 12, &count, 4);
}

static void send_piece(int socket, const uint8_t *bytes, size_t size,
		       const int *fds, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FILES_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes,
			    .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *header;

	if (count) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		header = CMSG_FIRSTHDR(&msg);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, count * sizeof(int));
	}
	sendmsg(socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void send_input(int socket, uint8_t how, struct fuzz_input *input)
{
	size_t count = fuzz_byte(input) % (FILES_MAX + 1), size, first;
	uint8_t bytes[BYTES_MAX];
	int fds[FILES_MAX];

	for (size_t i = 0; i < count; i++)
		fds[i] = kinds[fuzz_byte(input) % KINDS];
	size = input->left < BYTES_MAX ? input->left : BYTES_MAX;
	fuzz_bytes(input, bytes, size);
	if (how & HOW_MEND)
		mend_header(bytes, size);
	first = how & HOW_PIECES ? size / 2 : size;
	send_piece(socket, bytes, first, fds, count);
	if (first < size)
		send_piece(socket, bytes + first, size - first, NULL, 0);
	shutdown(socket, SHUT_WR);
}

static int judge(const struct portalmem_peer *peer, void *data)
{
	FUZZ_CHECK(peer->pid == getpid() && peer->uid == getuid());
	return *(uint8_t *)data & HOW_REFUSE;
}

static int receive(int socket, uint8_t how, size_t room,
		   struct portalmem_parcel *parcels)
{
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	int ret;

	if (how & HOW_ONE) {
		parcels[0].fence = -1;
		ret = portalmem_buffer_receive(NULL, socket,
					       &parcels[0].buffer);
		return ret ? ret : 1;
	}
	options.wait = how & HOW_WAIT;
	options.timeout_ms = 0;
	if (how & HOW_CHECK) {
		options.check = judge;
		options.check_data = &how;
	}
	return portalmem_receive(NULL, socket, &options, parcels, room);
}

static void describe(const struct portalmem_parcel *parcel,
		     struct portalmem_info *info)
{
	*info = (struct portalmem_info)PORTALMEM_INFO_INIT;
	FUZZ_CHECK(!portalmem_buffer_get_info(parcel->buffer, info));
	FUZZ_CHECK(info->size && info->size % PAGE == 0);
	FUZZ_CHECK(strnlen(info->name, sizeof(info->name)) <
		   sizeof(info->name));
	FUZZ_CHECK(fuzz_is_line(info->name));
	FUZZ_CHECK(info->caching <= PORTALMEM_CACHING_UNKNOWN);
	FUZZ_CHECK(info->effective <= PORTALMEM_CACHING_UNKNOWN);
}

static void drop(struct portalmem_parcel *parcels, int count)
{
	for (int i = 0; i < count; i++) {
		portalmem_buffer_unref(parcels[i].buffer);
		if (parcels[i].fence >= 0)
			close(parcels[i].fence);
	}
}

/* What was believed of a peer arrives at the next one as it is. */
static void check_round_trip(struct portalmem_parcel *parcels, int count)
{
	struct portalmem_parcel again[PORTALMEM_PARCELS_MAX];
	struct portalmem_info sent, got;
	int sockets[2];

	FUZZ_CHECK(
		!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	FUZZ_CHECK(!portalmem_send(sockets[0], parcels, (size_t)count));
	FUZZ_CHECK(portalmem_receive(NULL, sockets[1], NULL, again,
				     PORTALMEM_PARCELS_MAX) == count);
	for (int i = 0; i < count; i++) {
		describe(&parcels[i], &sent);
		describe(&again[i], &got);
		FUZZ_CHECK(sent.size == got.size);
		FUZZ_CHECK(sent.caching == got.caching);
		FUZZ_CHECK(sent.effective == got.effective);
		FUZZ_CHECK(strcmp(sent.name, got.name) == 0);
		FUZZ_CHECK((parcels[i].fence < 0) == (again[i].fence < 0));
	}
	drop(again, count);
	close(sockets[0]);
	close(sockets[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM,
				    SOCK_STREAM};
	struct fuzz_input input = {.bytes = data, .left = size};
	struct portalmem_parcel parcels[PORTALMEM_PARCELS_MAX];
	uint8_t how = fuzz_byte(&input);
	size_t room = fuzz_byte(&input) % PORTALMEM_PARCELS_MAX + 1;
	const int on = 1;
	int sockets[2], count, before;

	make_files();
	before = fuzz_free_fd();
	FUZZ_CHECK(!socketpair(
		AF_UNIX, types[how & HOW_TYPE] | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, sockets));
	if (how & HOW_CHECK)
		setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &on,
			   sizeof(on));
	send_input(sockets[0], how, &input);
	count = receive(sockets[1], how, room, parcels);
	close(sockets[0]);
	close(sockets[1]);
	if (count < 0) {
		FUZZ_CHECK(fuzz_is_line(portalmem_error_message()) &&
			   *portalmem_error_message());
	} else {
		FUZZ_CHECK(count && (size_t)count <= room);
		FUZZ_CHECK(~how & HOW_REFUSE || ~how & HOW_CHECK ||
			   how & HOW_ONE);
		check_round_trip(parcels, count);
		drop(parcels, count);
	}
	FUZZ_CHECK(fuzz_free_fd() == before);
	return 0;
}
