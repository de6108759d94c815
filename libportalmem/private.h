/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library's sources share. Nothing here leaves the library, except
 * what error.h declares for the other libraries.
 *
 * Functions return 0 or a negative errno value. Those that also leave a text
 * for portalmem_error_message() say so; the others leave that to the caller,
 * who knows whether the failure is the caller's last word.
 */
#ifndef LIBPORTALMEM_PRIVATE_H
#define LIBPORTALMEM_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

#include "error.h"
#include "portalmem.h"

#define PM_ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* A set of enum portalmem_caching. */
#define PM_CACHING_BIT(caching) (1U << (caching))

/* What a buffer's file descriptor is, and so which calls it answers. */
enum pm_kind {
	PM_KIND_DMABUF = 1,    /* of any exporter, not known to a node */
	PM_KIND_MEMFD = 2,     /* shared between processes, not with devices */
	PM_KIND_PORTALMEM = 3, /* a dma-buf that its buffer's node knows */
};

/* What portalmem_buffer_alloc() wants of a backend, checked already. */
struct pm_request {
	uint64_t size; /* whole pages */
	enum portalmem_caching caching;
	const char *name;	   /* "" when there is none */
	int node;		   /* -1 for any */
	unsigned int address_bits; /* 0 for no limit */
	uint64_t alignment;	   /* 0 for the page size */
	bool adopt;		   /* take the region's bytes as they are */
	uint64_t region_offset;	   /* where, with adopt */
};

/* What portalmem_buffer_import_user() wants of a backend, checked already. */
struct pm_user_memory {
	void *address;
	uint64_t size;
	bool read_only;
	const char *name; /* "" when there is none */
};

/* What a backend gave: the caller owns the descriptor. */
struct pm_grant {
	int fd;
	enum pm_kind kind;
	enum portalmem_caching effective;
};

struct pm_backend {
	enum portalmem_backend id;
	const char *name;
	const char *path;      /* usual node, NULL when there is none */
	const char *missing;   /* what to do when the node is not there */
	unsigned int cachings; /* PM_CACHING_BIT()s that alloc takes */
	bool places;	       /* has a say in where memory is */

	/*
	 * Does the device answer to this backend's protocol? 0, or -EOPNOTSUPP,
	 * or why it could not be asked. Allocates nothing.
	 */
	int (*probe)(const struct portalmem_device *device);

	/* Leaves a text on failure. */
	int (*alloc)(const struct portalmem_device *device,
		     const struct pm_request *request, struct pm_grant *grant);

	/* Leaves a text on failure. NULL where that cannot be done. */
	int (*import_user)(const struct portalmem_device *device,
			   const struct pm_user_memory *memory,
			   struct pm_grant *grant);

	/*
	 * Which of the needs (enum portalmem_needs) the device's buffers do
	 * not meet, all of them asked for at once. The size is that of whole
	 * pages.
	 */
	unsigned int (*unmet)(const struct portalmem_device *device,
			      const struct portalmem_constraints *constraints);

	/* NULL for both where there is no heap that could be asked. */
	int (*heap_info)(const struct portalmem_device *device,
			 struct portalmem_heap_info *info);
	int (*trim)(const struct portalmem_device *device, uint64_t *freed);
};

extern const struct pm_backend pm_backend_portalmem;
extern const struct pm_backend pm_backend_dmaheap;
extern const struct pm_backend pm_backend_udmabuf;
extern const struct pm_backend pm_backend_memfd;

struct portalmem_device {
	atomic_uint refs;
	const struct pm_backend *backend;
	int fd; /* -1 for a backend without a node */
	/*
	 * The struct of the buffer that was freed last, for the next one:
	 * malloc() and free() take more instructions than all else of an
	 * allocation.
	 */
	_Atomic(struct portalmem_buffer *) spare;
	char path[];
};

/* One live mmap() of a buffer. */
struct pm_map {
	struct pm_map *next;
	uint64_t offset;
	uint64_t length;
	unsigned int flags;
	size_t count; /* portalmem_buffer_map() calls not undone yet */
	void *address;
};

/* An access that was begun and not ended. */
struct pm_access {
	struct pm_access *next;
	uint64_t number;
	unsigned int flags; /* PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE */
	bool is_ending;	    /* somebody is at it */
	size_t count;
	struct portalmem_range ranges[]; /* by offset, none of them empty */
};

struct portalmem_buffer {
	/* Guards the maps and accesses. It stays when the rest is used again. */
	pthread_mutex_t lock;

	atomic_uint refs;
	struct portalmem_device *device; /* NULL when imported without one */
	enum pm_kind kind;
	int fd;
	uint64_t size;
	enum portalmem_caching caching;
	enum portalmem_caching effective;
	int32_t pid;		       /* 0 when not known */
	char name[PORTALMEM_NAME_MAX]; /* used where the kernel keeps none */
	struct pm_map *maps;
	struct pm_map first_map; /* free while its address is NULL */
	struct pm_access *accesses;
	uint64_t accesses_begun; /* ever */

	/*
	 * Somebody besides the library may hold the file: set for good, by
	 * pm_buffer_mark_shared().
	 */
	atomic_bool shared;

	/* Of a buffer of a pool; guarded by the pool while it is there. */
	struct portalmem_pool *pool; /* NULL: of none */
	struct portalmem_buffer *next;
	struct portalmem_buffer *previous;
	uint64_t released_ms;
	unsigned int forks; /* its process alone has it since that one */
	int fdinfo;	    /* open while the kernel is asked there, or -1 */
};

struct portalmem_attachment {
	atomic_uint refs;
	int fd;
	uint64_t size; /* of the buffer */
};

/* device.c: what the functions that open devices share */

/* What PORTALMEM_BACKEND asks for. Leaves a text on failure. */
int pm_backend_from_environment(enum portalmem_backend *backend);

/* Open the node at PATH, NULL for none, for that backend. */
int pm_device_open(const char *path, const struct pm_backend *backend,
		   struct portalmem_device **devicep);

/* Leave a text about the ERROR of that, and return it. */
int pm_explain_open(const char *path, const struct pm_backend *backend,
		    int error);

/* Does the error say that this backend is not here, and nothing more? */
bool pm_is_absence(int error);

/* Does the error say nothing about the backend, but about the process? */
bool pm_is_shortage(int error);

/* close.c */

/*
 * Close files that came from somebody else, and that may be anything: never for
 * long. Entries below 0 are left out, and what FDS holds afterwards is nothing.
 */
void pm_close_unknown(int *fds, size_t count);

/* fd.c: what the kernel says about a file descriptor */

/* ioctl(2), repeated when a signal interrupts it. */
int pm_ioctl(int fd, unsigned long request, void *argument);

/* open(2) read-write and close-on-exec. */
int pm_open(const char *path);

int pm_fd_duplicate(int fd);

/*
 * Is it a file of the kernel's own, of no file system that could be mounted,
 * such as a dma-buf, a fence or an attachment? Nothing that is asked of such a
 * file waits for a process or a network. Of another one, only what this
 * function asks does not; no when that cannot be told.
 */
bool pm_fd_is_anonymous(int fd);

/* Is it a dma-buf or a memfd that cannot shrink? -EINVAL otherwise. */
int pm_fd_kind(int fd, enum pm_kind *kind);

/* Size in bytes; -EINVAL for an empty file. */
int pm_fd_size(int fd, enum pm_kind kind, uint64_t *size);

/*
 * Exporter and name of a dma-buf from /proc, both PORTALMEM_NAME_MAX bytes
 * long; only the name for a memfd.
 */
int pm_fd_describe_dmabuf(int fd, char *exporter, char *name);
int pm_fd_describe_memfd(int fd, char *name);

/*
 * References to a dma-buf from /proc: one of every descriptor, mapping and
 * importer. *FDINFO stays open for the next time; it is -1 the first time. 0
 * when /proc does not tell.
 */
unsigned int pm_fd_count_references(int fd, int *fdinfo);

/* Have all fences of a dma-buf been signalled? */
bool pm_fd_is_signalled(int fd);

int pm_dmabuf_set_name(int fd, const char *name);

/* Read a small text file, as much as there is room for. */
int pm_read_text(const char *path, char *text, size_t size);

/* A memfd of that size whose size cannot change, or a negative errno. */
int pm_memfd_create(const char *name, uint64_t size);

/* Have its memory now: what is missing would be a SIGBUS later. */
int pm_memfd_fill(int fd, uint64_t size);

/* util.c: small things without a home of their own */

uint64_t pm_page_size(void);
/*
 * More than the machine has left? The kernel would rather kill a process than
 * refuse memory to a file or a DMA heap.
 */
bool pm_more_than_memory(uint64_t size);
bool pm_has_control_characters(const char *text);

/* Copy at most ROOM - 1 bytes, control characters as '?'. */
void pm_copy_text(char *to, size_t room, const char *from, size_t length);

/* The same into a field of PORTALMEM_NAME_MAX bytes. Most have no name. */
static inline void pm_copy_name(char *to, const char *from, size_t length)
{
	if (!length || !*from)
		memset(to, 0, PORTALMEM_NAME_MAX);
	else
		pm_copy_text(to, PORTALMEM_NAME_MAX, from, length);
}

/* sync.c: what the calls for buffers and for attachments share */

/*
 * Check the arguments of a sync of WHAT, which has SIZE bytes. Leaves a text on
 * failure.
 */
int pm_check_sync(const char *what, uint64_t size, unsigned int flags,
		  const struct portalmem_range *ranges, size_t count);

/* Flags of portalmem_buffer_sync() as DMA_BUF_SYNC_*. */
unsigned int pm_sync_flags_to_uapi(unsigned int flags);

/* Sync what was checked before; no ranges stand for the whole buffer. */
int pm_buffer_do_sync(const struct portalmem_buffer *buffer, unsigned int flags,
		      const struct portalmem_range *ranges, size_t count);

/* info.c: all but the inode, without a text on failure */
int pm_buffer_describe(const struct portalmem_buffer *buffer,
		       struct portalmem_info *info);

/* buffer.c */

/*
 * Make a buffer of FD, which becomes the buffer's on success only. Leaves a
 * text on failure.
 */
int pm_buffer_adopt(struct portalmem_device *device, int fd,
		    struct portalmem_buffer **bufferp);

/* Free what a device keeps for the next buffer. */
void pm_buffer_free_spare(struct portalmem_device *device);

/*
 * Every function that lets a buffer's file out of the library, to a caller, a
 * peer or a driver, or gives it a fence, calls this before: a pool hands out a
 * buffer that is not marked without asking the kernel who holds it.
 */
static inline void pm_buffer_mark_shared(const struct portalmem_buffer *buffer)
{
	/* No buffer is made const; the reference counter orders this. */
	atomic_store_explicit(
		&((struct portalmem_buffer *)(uintptr_t)buffer)->shared, true,
		memory_order_relaxed);
}

/* Nobody holds the buffer any more. */
void pm_buffer_free(struct portalmem_buffer *buffer);

/* pool.c */

/* Nobody in this process holds the buffer any more: it goes to its pool. */
void pm_pool_take_back(struct portalmem_buffer *buffer);

/* Does the portalmem node that the buffer came from answer for it? */
static inline bool pm_buffer_is_known(const struct portalmem_buffer *buffer)
{
	return buffer->kind == PM_KIND_PORTALMEM;
}

/* share.c */

/*
 * Take another process's word for what nobody else can tell of a buffer.
 * EFFECTIVE and CACHING are checked already.
 */
void pm_buffer_believe(struct portalmem_buffer *buffer,
		       enum portalmem_caching caching,
		       enum portalmem_caching effective, const char *name);

/* fence.c */

/* Is it a sync_file? -EINVAL otherwise. */
int pm_check_fence(int fd);

/* A moment that many milliseconds from now; -1, which never comes, for -1. */
int64_t pm_deadline_after(int timeout_ms);

/* Milliseconds up to then, rounded up, 0 when it is over. */
int pm_deadline_left(int64_t deadline);

/*
 * Wait until poll(2) reports one of EVENTS, however many signals come; with one
 * system call when that is so already. -ETIMEDOUT; -EINVAL when all that it
 * reports is an error.
 */
int pm_wait(int fd, short events, int timeout_ms);

/* explain.c */

/*
 * Leave a text about the ERROR that a portalmem node gave to REQUEST, and
 * return it.
 */
int pm_explain_alloc(const struct portalmem_device *device,
		     const struct pm_request *request, int error);

/* The same for a buffer that was to be attached to DEVICE on BUS. */
int pm_explain_attach(const char *bus, const char *device,
		      const struct portalmem_attach_options *options,
		      int error);

/* The same for memory that it did not make a buffer of. */
int pm_explain_import_user(const struct portalmem_device *device,
			   const struct pm_user_memory *memory, int error);

/* map.c */

/* Unmap everything, whatever the counts: nobody holds the buffer any more. */
void pm_buffer_unmap_all(struct portalmem_buffer *buffer);

/*
 * The same, but keep the mapping of all for reading and writing, with a count of
 * 1. False when it is not there any more.
 */
bool pm_buffer_unmap_parts(struct portalmem_buffer *buffer);

/*
 * Have a part mapped: by a mapping that covers it already and is counted once
 * more, or by a new one of its pages. *MAPP is for portalmem_buffer_unmap(),
 * *BYTESP is the part's first byte. Leaves a text on failure.
 */
int pm_buffer_map_part(struct portalmem_buffer *buffer, uint64_t offset,
		       uint64_t length, unsigned int flags, void **mapp,
		       char **bytesp);

/* copy.c */

/* Copy out of a mapping that is cached like this. */
void pm_copy_from(void *to, const void *from, size_t length,
		  enum portalmem_caching caching);

/* Copy into one. */
void pm_copy_to(void *to, const void *from, size_t length,
		enum portalmem_caching caching);

/* backend-portalmem.c: the ioctls of the portalmem node */

/* Fill INFO, all but the inode; -EXDEV when another exporter made FD. */
int pm_portalmem_info(const struct portalmem_device *device, int fd,
		      struct portalmem_info *info);

/* Read *COUNT segments from FIRST on; *COUNT becomes how many there were. */
int pm_portalmem_segments(const struct portalmem_device *device, int fd,
			  uint32_t first, struct portalmem_segment *segments,
			  uint32_t *count, uint32_t *total);

/*
 * Does anybody hold FD besides this process's OWN references? 1, 0 or a
 * negative errno.
 */
int pm_portalmem_is_held(const struct portalmem_device *device, int fd,
			 unsigned int own);

/*
 * FLAGS are DMA_BUF_SYNC_*. NODE_FD is that of an open node; or that of an
 * attachment, and then FD is -1.
 */
int pm_portalmem_sync(int node_fd, int fd, unsigned int flags,
		      const struct portalmem_range *ranges, size_t count);

#endif
