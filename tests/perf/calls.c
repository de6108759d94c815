// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: calls OPERATION library|raw COUNT
 *
 * Do an operation so often, with the library or with the system calls alone
 * that it takes. Instructions are counted from outside, and those of two counts
 * compared: what is left is the operation's, and what is left of library and
 * raw is the library's own. The kernel is the one of the unit tests, which
 * costs both the same.
 *
 * It fails if sync allocates memory.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/portalmem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "portalmem.h"

#define PAGE 4096
#define SIZE ((size_t)16 * PAGE)

static struct portalmem_device *device;
static struct portalmem_buffer *buffer;
static struct portalmem_pool *pool;
static int node, fd, sockets[2];
static unsigned long allocations;

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Count them on their way to the C library's. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

static void alloc_library(void)
{
	struct portalmem_buffer *made;

	require(!portalmem_buffer_alloc(device, PAGE, NULL, &made), "alloc");
	portalmem_buffer_unref(made);
}

static void alloc_raw(void)
{
	struct portalmem_ioc_alloc alloc = {.size = PAGE,
					    .fd_flags = O_RDWR | O_CLOEXEC};

	require(!ioctl(node, PORTALMEM_IOC_ALLOC, &alloc), "alloc");
	close(alloc.fd);
}

static void map_library(void)
{
	void *address;

	require(!portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
				      &address),
		"map");
	portalmem_buffer_unmap(buffer, address);
}

static void map_raw(void)
{
	void *address =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(address != MAP_FAILED, "map");
	munmap(address, SIZE);
}

static void sync_library(void)
{
	const struct portalmem_range range = {PAGE, PAGE};

	require(!portalmem_buffer_sync(
			buffer, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ,
			&range, 1),
		"sync");
}

static void sync_raw(void)
{
	const struct portalmem_range range = {PAGE, PAGE};
	struct portalmem_ioc_sync sync = {
		.flags = 1, /* DMA_BUF_SYNC_READ | DMA_BUF_SYNC_START */
		.fd = fd,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};

	require(!ioctl(node, PORTALMEM_IOC_SYNC, &sync), "sync");
}

/* The message is taken from the socket in the same way in both cases. */
static void receive(void)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char data[1024];
	struct iovec part = {data, sizeof(data)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int got;

	require(recvmsg(sockets[1], &message, MSG_CMSG_CLOEXEC) > 0, "receive");
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
	close(got);
}

static void send_library(void)
{
	require(!portalmem_buffer_send(buffer, sockets[0]), "send");
	receive();
}

static void send_raw(void)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS}};
	char data[64] = "";
	struct iovec part = {data, sizeof(data)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	struct portalmem_ioc_info info = {.fd = fd};
	socklen_t length = sizeof(int);
	int domain;

	require(!getsockopt(sockets[0], SOL_SOCKET, SO_DOMAIN, &domain,
			    &length),
		"getsockopt");
	require(!ioctl(node, PORTALMEM_IOC_INFO, &info), "info");
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	require(sendmsg(sockets[0], &message, MSG_NOSIGNAL) > 0, "send");
	receive();
}

static void pool_library(void)
{
	struct portalmem_buffer *got;

	require(!portalmem_pool_acquire(pool, 0, &got), "acquire");
	portalmem_buffer_unref(got);
}

/* No system call is what it takes. */
static void pool_raw(void)
{
}

static const struct operation {
	const char *name;
	void (*library)(void);
	void (*raw)(void);
	bool allocates;
} operations[] = {
	{"alloc", alloc_library, alloc_raw, true},
	{"map", map_library, map_raw, true},
	{"sync", sync_library, sync_raw, false},
	{"send", send_library, send_raw, true},
	{"pool", pool_library, pool_raw, false},
};

static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(operations[i].name, name))
			return &operations[i];
	return NULL;
}

static void set_up_raw(void)
{
	struct portalmem_ioc_alloc alloc = {.size = SIZE,
					    .fd_flags = O_RDWR | O_CLOEXEC};

	node = open("/dev/portalmem", O_RDWR | O_CLOEXEC);
	require(!ioctl(node, PORTALMEM_IOC_ALLOC, &alloc), "alloc");
	fd = alloc.fd;
}

static void set_up_library(void)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;

	require(!portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &device),
		"open");
	require(!portalmem_buffer_alloc(device, SIZE, NULL, &buffer), "alloc");
	options.minimum = 2;
	require(!portalmem_pool_create(device, SIZE, &options, &pool), "pool");
}

int main(int argc, char **argv)
{
	const struct operation *operation;
	unsigned long count, before;
	void (*call)(void);

	if (argc != 4 || !(operation = find_operation(argv[1]))) {
		fputs("usage: calls OPERATION library|raw COUNT\n", stderr);
		return 2;
	}
	count = strtoul(argv[3], NULL, 10);
	require(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), "sockets");
	if (strcmp(argv[2], "raw") == 0) {
		set_up_raw();
		call = operation->raw;
	} else {
		set_up_library();
		call = operation->library;
	}
	/* What is done once, such as binding symbols, is done before. */
	call();
	before = allocations;
	for (unsigned long i = 0; i < count; i++)
		call();
	require(operation->allocates || allocations == before,
		"memory was allocated");
	return 0;
}
