/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stand-in for the kernel, stated as data.
 *
 * A test program that links this file has its open(2) of device nodes, its
 * ioctl(2) and its poll(2) of them answered from a table of the calls that must
 * come, in their order, with the arguments that they must have. A call that is
 * not the table's next one fails the test, and so does one that never comes.
 * All else goes to the real kernel. The library is the real, shared one.
 *
 * Nodes and dma-bufs are memfds here, so that they can be mapped, duplicated,
 * sent and measured; fstatfs(2) calls the dma-bufs by their name.
 */
#ifndef MOCK_H
#define MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a file descriptor must be. */
enum mock_target {
	MOCK_NODE,	 /* what open(2) of a node gave */
	MOCK_BUFFER,	 /* a dma-buf */
	MOCK_MEMFD,	 /* a memfd that can neither shrink nor grow */
	MOCK_ATTACHMENT, /* of a buffer to a device */
	MOCK_FENCE,	 /* a sync_file */
};

/* Where a field is, for the members below that are 0 for "there is none". */
#define MOCK_AT(type, field) (offsetof(type, field) + 1)

struct mock_call {
	const char *open;      /* path of open(2); NULL: this is an ioctl */
	short poll;	       /* or these events, for which poll(2) waits */
	int poll_timeout;      /* above 0: waits no longer than that */
	short poll_revents;    /* what it finds; 0: the time is over */
	unsigned long request; /* of ioctl(2) */
	enum mock_target on;   /* what the ioctl is called on */

	/*
	 * The argument on entry, byte for byte, but for the fields named here,
	 * which hold what changes from run to run: they are checked on their
	 * own and then compared as zero.
	 */
	const void *in;
	size_t in_size;
	size_t in_fd_at; /* a file descriptor that is in_fd_is */
	enum mock_target in_fd_is;
	size_t in_pointer_at; /* 64 bits: the address of pointee */
	const void *pointee;
	size_t pointee_size;
	/* In each so many bytes of pointee, a descriptor that is in_fd_is. */
	size_t pointee_fd_at;
	size_t pointee_stride;
	const char *in_text; /* the argument is this text instead */

	/* The reply. */
	int error;		 /* errno of a failure, 0: success */
	const void *out;	 /* the argument afterwards, in_size bytes */
	const void *out_pointee; /* what its pointer leads to, then */
	uint64_t new_buffer;	 /* size of a dma-buf that the call makes */
	bool new_attachment;	 /* the call makes one */
	bool new_fence;		 /* the call makes one */
	size_t new_fd_at;	 /* where its fd goes; 0: it is the result */
};

/* State the calls that must come from now on. */
void mock_expect(const struct mock_call *calls, size_t count);
#define MOCK_EXPECT(calls) \
	mock_expect((calls), sizeof(calls) / sizeof((calls)[0]))

/*
 * Or have them answered by these, in any order and from any thread; NULL: by
 * tables again. They return what the call does, or a negative errno.
 */
struct mock_kernel {
	int (*open)(const char *path);
	int (*ioctl)(enum mock_target on, unsigned long request,
		     void *argument);
	short (*ready)(void); /* what poll(2) finds on a node at the moment */
};
void mock_use_kernel(const struct mock_kernel *kernel);

/* Is it one of ours? */
bool mock_is(int fd, enum mock_target part);

/* Fail the test unless all calls of the table came. */
void mock_assert_done(void);

/*
 * Let the kernel answer, where no call is expected: for the tests that run on
 * every backend.
 */
void mock_use_real_nodes(void);

/* A dma-buf of another exporter. */
int mock_new_dmabuf(uint64_t size);

/* An attachment that another process made. */
int mock_new_attachment(void);

/* A sync_file. */
int mock_new_fence(void);

/*
 * What poll(2) reports of dma-bufs and sync_files, of what it is asked for: at
 * first POLLIN and POLLOUT. Without any, it takes its time.
 */
void mock_set_ready(short events);

/* How often it was called for these until now. */
unsigned int mock_count_polls(void);

/* Something that passes for an open node, for DRM devices and the like. */
int mock_new_node(void);

/* What /proc says of every dma-buf; NULL, as at first: it cannot be read. */
void mock_set_fdinfo(const char *text);

/* Forbid statx(2), as a sandbox may: it fails so, or with 0 not any more. */
void mock_fail_statx(int error);

/* Let the N-th calloc() from now on fail, 1 being the next. */
void mock_fail_calloc(unsigned int n);

/* Let memfd_create(2) fail so, or with 0 succeed again. */
void mock_fail_memfd_create(int error);

/* Be a kernel that does not know this flag of memfd_create(2). */
void mock_fail_memfd_flag(unsigned int flag);

/* Let the N-th mmap(2) from now on fail so, 1 being the next. */
void mock_fail_mmap_at(unsigned int n, int error);

/* Let the next fallocate(2) fail so. */
void mock_fail_fallocate_once(int error);

#endif
