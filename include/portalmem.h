/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file portalmem.h
 * libportalmem: memory that processes and devices share without copying.
 *
 * A buffer is a dma-buf file descriptor and what the library knows about it.
 *
 * Rules that hold for every function unless its comment says otherwise:
 *  - functions that return int give 0 (or a count) on success and a negative
 *    errno value on failure; output parameters are written on success only;
 *    portalmem_error_message() then says what failed and what to do;
 *  - sizes and offsets are bytes;
 *  - any function may be called from any thread on any object, at the same
 *    time, as long as the caller holds a reference;
 *  - *_unref() takes NULL and does nothing then; passing NULL where an object
 *    is needed gives -EINVAL;
 *  - the library prints nothing, installs no signal handler, never exits, and
 *    opens every file descriptor close-on-exec.
 */
#ifndef PORTALMEM_H
#define PORTALMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest buffer or heap name, with its terminating NUL. Since 0.1. */
#define PORTALMEM_NAME_MAX 32

/** A place to allocate from: one device node, or a memory file. Since 0.1. */
struct portalmem_device;

/** A buffer that this process holds. Since 0.1. */
struct portalmem_buffer;

/** How the CPU maps a buffer. Since 0.1. */
enum portalmem_caching {
	PORTALMEM_CACHING_DEFAULT = 0, /**< what the device stands for */
	PORTALMEM_CACHING_CACHED = 1,  /**< write-back cached */
	PORTALMEM_CACHING_WC = 2,      /**< write-combined */
	PORTALMEM_CACHING_UC = 3,      /**< uncached */
	PORTALMEM_CACHING_UNKNOWN = 4  /**< not known: a foreign buffer */
};

/** What stands behind a device. Since 0.1. */
enum portalmem_backend {
	PORTALMEM_BACKEND_ANY = 0, /**< the first that opens, in this order */
	PORTALMEM_BACKEND_PORTALMEM = 1, /**< the portalmem kernel module */
	PORTALMEM_BACKEND_DMA_HEAP = 2,	 /**< a kernel DMA heap */
	PORTALMEM_BACKEND_UDMABUF = 3,	 /**< udmabuf over a sealed memfd */
	PORTALMEM_BACKEND_MEMFD = 4 /**< a memfd: processes only, no dma-buf */
};

/** Flags of portalmem_buffer_map(). Since 0.1. */
enum portalmem_map_flags {
	PORTALMEM_MAP_READ = 1,
	PORTALMEM_MAP_WRITE = 2,
	PORTALMEM_MAP_RDWR = 3
};

/** Flags of portalmem_buffer_sync(). Since 0.1. */
enum portalmem_sync_flags {
	PORTALMEM_SYNC_READ = 1,  /**< the CPU reads */
	PORTALMEM_SYNC_WRITE = 2, /**< the CPU writes */
	PORTALMEM_SYNC_RDWR = 3,
	PORTALMEM_SYNC_START = 4, /**< before the CPU touches the bytes */
	PORTALMEM_SYNC_END = 8	  /**< after it, before the device does */
};

/** A part of a buffer. Since 0.1. */
struct portalmem_range {
	uint64_t offset;
	uint64_t length;
};

/** One physically contiguous run of a buffer. Since 0.1. */
struct portalmem_segment {
	uint64_t offset;   /**< its first byte within the buffer */
	uint64_t length;   /**< bytes */
	uint64_t physical; /**< physical address; 0: not for this process */
};

/**
 * What to allocate. Start from PORTALMEM_ALLOC_OPTIONS_INIT, so that programs
 * built today keep their meaning when fields are added. Since 0.1.
 */
struct portalmem_alloc_options {
	size_t struct_size; /**< set by the initializer */
	enum portalmem_caching caching;
	const char *name; /**< at most PORTALMEM_NAME_MAX - 1 bytes, or NULL */
	int node;	  /**< NUMA node that all memory comes from; -1: any */
	/** every physical address is below 1 << address_bits; 0: no limit */
	unsigned int address_bits;
};

#define PORTALMEM_ALLOC_OPTIONS_INIT                           \
	{                                                      \
		sizeof(struct portalmem_alloc_options),        \
			PORTALMEM_CACHING_DEFAULT, NULL, -1, 0 \
	}

/**
 * What a buffer is. Start from PORTALMEM_INFO_INIT. Since 0.1.
 */
struct portalmem_info {
	size_t struct_size;		  /**< set by the initializer */
	uint64_t size;			  /**< bytes, whole pages */
	enum portalmem_caching caching;	  /**< asked for */
	enum portalmem_caching effective; /**< got */
	uint32_t segments;    /**< physically contiguous runs; 0: not known */
	uint32_t attachments; /**< devices attached now */
	int32_t pid;	      /**< allocating process; 0: not known */
	uint64_t inode; /**< the same number for the same buffer everywhere */
	char heap[PORTALMEM_NAME_MAX]; /**< or exporter; empty: not known */
	char name[PORTALMEM_NAME_MAX]; /**< empty: none */
};

#define PORTALMEM_INFO_INIT                                                  \
	{                                                                    \
		sizeof(struct portalmem_info), 0, PORTALMEM_CACHING_UNKNOWN, \
			PORTALMEM_CACHING_UNKNOWN, 0, 0, 0, 0, {0},          \
		{                                                            \
			0                                                    \
		}                                                            \
	}

/**
 * Version of the library in use, as "MAJOR.MINOR.PATCH".
 *
 * @return a static string, never NULL.
 * Since 0.1.
 */
const char *portalmem_version(void);

/**
 * What the calling thread's last failed call tripped over, on one line: which
 * call on which node, the reason, and what to do.
 *
 * @return a string that belongs to the library and is valid until the next
 *         libportalmem call of the same thread; "" when nothing failed yet.
 * Since 0.1.
 */
const char *portalmem_error_message(void);

/**
 * Name of a caching mode: "default", "cached", "wc", "uc" or "unknown".
 *
 * @return a static string, never NULL.
 * Since 0.1.
 */
const char *portalmem_caching_name(enum portalmem_caching caching);

/**
 * Name of a backend: "any", "portalmem", "dma-heap", "udmabuf" or "memfd".
 *
 * @return a static string, never NULL.
 * Since 0.1.
 */
const char *portalmem_backend_name(enum portalmem_backend backend);

/**
 * Open a place to allocate from.
 *
 * @param path a node (/dev/portalmem, /dev/dma_heap/NAME, /dev/udmabuf), or
 *        NULL for the backend's usual one
 * @param backend which backend to use, or PORTALMEM_BACKEND_ANY: with a path,
 *        what the node answers to; without, what the environment variable
 *        PORTALMEM_BACKEND names, else the first of the list that opens
 * @param devicep the device, released with portalmem_device_unref()
 * @return 0; -EINVAL for an unknown backend, also one that PORTALMEM_BACKEND
 *         names, or a path with PORTALMEM_BACKEND_MEMFD; -ENODEV when no
 *         backend is there; -EOPNOTSUPP when the node does not speak the
 *         backend's protocol; -EACCES, -ENOENT, -EMFILE and the like from
 *         open(2); -ENOMEM.
 * Since 0.1.
 */
int portalmem_device_open(const char *path, enum portalmem_backend backend,
			  struct portalmem_device **devicep);

/** Take one more reference. @return its argument. Since 0.1. */
struct portalmem_device *portalmem_device_ref(struct portalmem_device *device);

/**
 * Give a reference back; the last one closes the node. Buffers hold a
 * reference to the device that they came from. Since 0.1.
 */
void portalmem_device_unref(struct portalmem_device *device);

/** @return the backend in use, PORTALMEM_BACKEND_ANY for NULL. Since 0.1. */
enum portalmem_backend
portalmem_device_get_backend(const struct portalmem_device *device);

/**
 * @return the node's path, owned by the device; "" for a memfd device; NULL
 * for NULL. Since 0.1.
 */
const char *portalmem_device_get_path(const struct portalmem_device *device);

/**
 * Allocate a buffer. Its bytes are zero.
 *
 * @param device where from
 * @param size bytes, rounded up to whole pages
 * @param options what kind, or NULL for the device's default and no name
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EINVAL for size 0, an unknown caching, a bad name, a node that is
 *         not there, more than 64 address bits or options that were not
 *         initialized; -EOPNOTSUPP when the backend cannot give that caching
 *         or place memory at all (of a DMA heap other than "system" nothing is
 * known, it takes the default only); -ENOMEM when it is more than the machine,
 * the memory cgroup or a limit has left; -EMFILE, -ENFILE; -EINTR when killed.
 * Since 0.1.
 */
int portalmem_buffer_alloc(struct portalmem_device *device, uint64_t size,
			   const struct portalmem_alloc_options *options,
			   struct portalmem_buffer **bufferp);

/**
 * Take up a buffer that came from somewhere else: any dma-buf of any
 * exporter, or a sealed memfd of a libportalmem peer.
 *
 * @param device node to ask about the buffer, or NULL: without one, or for a
 *        foreign dma-buf, ranged sync covers the whole buffer and what cannot
 *        be known is reported as unknown
 * @param fd stays the caller's: the library keeps a duplicate
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EBADF when fd is not open; -EINVAL when it is neither a dma-buf
 *         nor a memfd that can no longer shrink; -EMFILE; -ENOMEM.
 * Since 0.1.
 */
int portalmem_buffer_import(struct portalmem_device *device, int fd,
			    struct portalmem_buffer **bufferp);

/** Take one more reference. @return its argument. Since 0.1. */
struct portalmem_buffer *portalmem_buffer_ref(struct portalmem_buffer *buffer);

/**
 * Give a reference back; the last one unmaps what is still mapped and closes
 * the file descriptor. The memory lives on while any process or device holds
 * it. Since 0.1.
 */
void portalmem_buffer_unref(struct portalmem_buffer *buffer);

/**
 * @return the buffer's file descriptor, owned by the buffer (duplicate it to
 * keep it), or -EINVAL for NULL. Since 0.1.
 */
int portalmem_buffer_get_fd(const struct portalmem_buffer *buffer);

/** @return the size, whole pages; 0 for NULL. Since 0.1. */
uint64_t portalmem_buffer_get_size(const struct portalmem_buffer *buffer);

/**
 * @return the caching the CPU really has, PORTALMEM_CACHING_UNKNOWN for NULL
 * and for foreign buffers. Since 0.1.
 */
enum portalmem_caching
portalmem_buffer_get_caching(const struct portalmem_buffer *buffer);

/**
 * Map a buffer, or a part of it, into the process. Mapping the same part with
 * the same flags again gives the same address and is counted. Mappings of
 * 2 MiB and more are placed so that the kernel can use huge pages.
 *
 * @param buffer the buffer
 * @param offset first byte, a multiple of the page size
 * @param length bytes, or 0 for all up to the end
 * @param flags PORTALMEM_MAP_READ, PORTALMEM_MAP_WRITE or both
 * @param addressp first byte; valid until portalmem_buffer_unmap() was called
 *        as often as this function
 * @return 0; -EINVAL for no or unknown flags, an unaligned offset or a range
 *         that is not within the buffer; -EACCES when the file descriptor's
 *         access mode forbids it; -ENOMEM.
 * Since 0.1.
 */
int portalmem_buffer_map(struct portalmem_buffer *buffer, uint64_t offset,
			 uint64_t length, unsigned int flags, void **addressp);

/**
 * Undo one portalmem_buffer_map().
 *
 * @param address what portalmem_buffer_map() gave
 * @return 0; -EINVAL when nothing of this buffer is mapped there.
 * Since 0.1.
 */
int portalmem_buffer_unmap(struct portalmem_buffer *buffer, void *address);

/**
 * Begin or end CPU access to parts of a buffer that a device uses too.
 * Beginning waits for the fences that devices attached to the buffer.
 *
 * @param buffer the buffer
 * @param flags PORTALMEM_SYNC_START or PORTALMEM_SYNC_END, with
 *        PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE or both
 * @param ranges the parts, in any order, or NULL with count 0 for the whole
 *        buffer; with an array and count 0 nothing is synced; buffers of other
 * exporters, and all buffers when the portalmem node is not open, are always
 * synced whole
 * @param count entries in ranges
 * @return 0; -EINVAL for bad flags, for ranges NULL with a count, or for more
 *         than 65536 ranges; -ERANGE when a range is not within the buffer,
 *         and then nothing was synced; -ENOMEM; -EINTR when killed.
 * Since 0.1.
 */
int portalmem_buffer_sync(struct portalmem_buffer *buffer, unsigned int flags,
			  const struct portalmem_range *ranges, size_t count);

/**
 * Describe a buffer.
 *
 * @param info must have been initialized with PORTALMEM_INFO_INIT
 * @return 0; -EINVAL when info was not initialized; errors of the kernel.
 * Since 0.1.
 */
int portalmem_buffer_get_info(struct portalmem_buffer *buffer,
			      struct portalmem_info *info);

/**
 * Read a buffer's translation table: the physically contiguous runs that it is
 * made of, in order.
 *
 * Physical addresses are given to processes with CAP_SYS_RAWIO, unless the
 * kernel is locked down. They are not DMA addresses.
 *
 * @param first index of the first segment wanted
 * @param segments where they go, or NULL with count 0
 * @param count room for that many
 * @param totalp how many the buffer has in all, or NULL
 * @return how many were written, fewer than count when the table ends before;
 *         -EINVAL for NULL; -EOPNOTSUPP when nobody knows the buffer's
 *         segments: it is foreign, or no portalmem node was given for it;
 *         -EINTR when killed; errors of the kernel.
 * Since 0.1.
 */
int portalmem_buffer_get_segments(struct portalmem_buffer *buffer, size_t first,
				  struct portalmem_segment *segments,
				  size_t count, size_t *totalp);

/**
 * Name a buffer for inspection; other processes see it too.
 *
 * @param name at most PORTALMEM_NAME_MAX - 1 bytes without control
 *        characters; "" takes the name away
 * @return 0; -EINVAL for a bad name; -ENAMETOOLONG; -EOPNOTSUPP when the
 *         buffer is not a dma-buf; -ENOMEM.
 * Since 0.1.
 */
int portalmem_buffer_set_name(struct portalmem_buffer *buffer,
			      const char *name);

/**
 * Send a buffer to the process at the other end of a connected Unix socket
 * (stream, seqpacket or datagram), with its size, caching and name. Blocks as
 * the socket does.
 *
 * @return 0; -EINVAL for NULL; -EOPNOTSUPP when it is not a Unix socket;
 *         -ENOTSOCK, -EPIPE,
 *         -EAGAIN, -EINTR, -ECONNREFUSED, -ECONNRESET, -EMSGSIZE and the like
 *         from sendmsg(2); SIGPIPE is never raised.
 * Since 0.1.
 */
int portalmem_buffer_send(struct portalmem_buffer *buffer, int socket);

/**
 * Receive one buffer that a peer sent with portalmem_buffer_send(). Size and
 * kind are checked against the file descriptor itself, not believed.
 *
 * @param device node to ask about the buffer, or NULL (see
 *        portalmem_buffer_import()), and then its caching is the sender's word
 * @param socket a connected Unix socket; after a failure on a stream, close it
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EPIPE when the peer closed before a message; -EBADMSG for a
 *         truncated or malformed message, a missing or surplus file
 *         descriptor, or a size that is not the buffer's; -EPROTO for another
 *         version of the message; -EMFILE; -ENOMEM; -EOPNOTSUPP when it is not
 *         a Unix socket; -EAGAIN, -EINTR and the like from recvmsg(2). No
 *         file descriptor is left open after a failure.
 * Since 0.1.
 */
int portalmem_buffer_receive(struct portalmem_device *device, int socket,
			     struct portalmem_buffer **bufferp);

#ifdef __cplusplus
}
#endif

#endif /* PORTALMEM_H */
