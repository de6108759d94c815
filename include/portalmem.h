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

/** Longest names of a bus and of a device on it, the same way. Since 0.1. */
#define PORTALMEM_BUS_MAX 16
#define PORTALMEM_DEVICE_MAX 64

/** A place to allocate from: one device node, or a memory file. Since 0.1. */
struct portalmem_device;

/** A buffer that this process holds. Since 0.1. */
struct portalmem_buffer;

/** A buffer mapped for a device, until nobody holds this. Since 0.1. */
struct portalmem_attachment;

/** Buffers of one size that are kept for the next user. Since 0.1. */
struct portalmem_pool;

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

/** Who made a buffer. Since 0.1. */
enum portalmem_exporter {
	PORTALMEM_EXPORTER_UNKNOWN = 0,	  /**< nobody can tell */
	PORTALMEM_EXPORTER_PORTALMEM = 1, /**< the portalmem kernel module */
	PORTALMEM_EXPORTER_DMA_HEAP = 2,  /**< a kernel DMA heap */
	PORTALMEM_EXPORTER_UDMABUF = 3,	  /**< udmabuf */
	PORTALMEM_EXPORTER_MEMFD = 4,	  /**< nobody: a memfd, no dma-buf */
	PORTALMEM_EXPORTER_DRM = 5,	  /**< a DRM device, vgem among them */
	PORTALMEM_EXPORTER_V4L2 = 6,	  /**< a video device */
	PORTALMEM_EXPORTER_OTHER = 7	  /**< another driver */
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
	/**
	 * on heaps whose buffers are one segment: its physical address is a
	 * multiple of this power of two, in bytes; 0: of the page size
	 */
	uint64_t alignment;
	/**
	 * of a reserved region: not 0 takes the bytes at region_offset as they
	 * are, without zeroing them
	 */
	int adopt;
	uint64_t region_offset; /**< whole pages; 0 without adopt */
};

#define PORTALMEM_ALLOC_OPTIONS_INIT                                    \
	{                                                               \
		sizeof(struct portalmem_alloc_options),                 \
			PORTALMEM_CACHING_DEFAULT, NULL, -1, 0, 0, 0, 0 \
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

/** Bits of portalmem_heap_info.features. Since 0.1. */
enum portalmem_heap_features {
	PORTALMEM_HEAP_IS_CONTIGUOUS = 1, /**< every buffer is one segment */
	PORTALMEM_HEAP_IS_REGION = 2,  /**< a reserved region, fixed in size */
	PORTALMEM_HEAP_IS_PINNABLE = 4 /**< cached mappings can be pinned */
};

/**
 * What a heap is, and how much of it is left at this moment. Start from
 * PORTALMEM_HEAP_INFO_INIT. Since 0.1.
 */
struct portalmem_heap_info {
	size_t struct_size;		/**< set by the initializer */
	enum portalmem_caching caching; /**< what the default means here */
	unsigned int cachings; /**< 1 << n: buffers of caching n can be had */
	unsigned int features; /**< enum portalmem_heap_features */
	uint32_t fragments;    /**< free runs of a region, else 0 */
	uint32_t buffers;      /**< live ones */
	uint64_t size;	       /**< of a region; 0: takes from all of memory */
	uint64_t used; /**< by live buffers, and freed ones still pinned */
	/** for buffers now, before what a limit or a memory cgroup forbids */
	uint64_t available;
	uint64_t largest;    /**< single buffer among these */
	uint64_t pooled;     /**< freed, and kept for the next buffers */
	uint64_t limit;	     /**< for all users together; 0: none */
	uint64_t user_limit; /**< for one user; 0: none */
	uint64_t user_used;  /**< by the calling process's user */
	char name[PORTALMEM_NAME_MAX];
};

#define PORTALMEM_HEAP_INFO_INIT                                               \
	{                                                                      \
		sizeof(struct portalmem_heap_info), PORTALMEM_CACHING_UNKNOWN, \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                    \
		{                                                              \
			0                                                      \
		}                                                              \
	}

/** What a device does with a buffer. Since 0.1. */
enum portalmem_direction {
	PORTALMEM_DIRECTION_TO_DEVICE = 1,   /**< it reads */
	PORTALMEM_DIRECTION_FROM_DEVICE = 2, /**< it writes */
	PORTALMEM_DIRECTION_BOTH = 3
};

/**
 * How to map a buffer for a device. Start from PORTALMEM_ATTACH_OPTIONS_INIT.
 * Since 0.1.
 */
struct portalmem_attach_options {
	size_t struct_size; /**< set by the initializer */
	/** all that the device will do with the buffer */
	enum portalmem_direction direction;
	/**
	 * the device reaches addresses below 1 << address_bits, where no driver
	 * of the kernel knows that; 0: what is set, for a PCI device without a
	 * driver 32
	 */
	unsigned int address_bits;
};

#define PORTALMEM_ATTACH_OPTIONS_INIT                    \
	{                                                \
		sizeof(struct portalmem_attach_options), \
			PORTALMEM_DIRECTION_BOTH, 0      \
	}

/** Bits of portalmem_attachment_info.features. Since 0.1. */
enum portalmem_attachment_features {
	PORTALMEM_ATTACHMENT_IS_TRANSLATED = 1, /**< by an IOMMU */
	PORTALMEM_ATTACHMENT_IS_BOUNCED = 2, /**< the device may get copies */
	/** the device sees memory and not the CPU's caches */
	PORTALMEM_ATTACHMENT_IS_SYNCED = 4,
	PORTALMEM_ATTACHMENT_IS_OWN = 8 /**< portalmem exported the buffer */
};

/**
 * What an attachment is. Start from PORTALMEM_ATTACHMENT_INFO_INIT. Since 0.1.
 */
struct portalmem_attachment_info {
	size_t struct_size; /**< set by the initializer */
	enum portalmem_direction direction;
	unsigned int features; /**< enum portalmem_attachment_features */
	uint32_t segments;     /**< runs that the device sees as contiguous */
	unsigned int address_bits;	   /**< how far the device reaches */
	uint64_t size;			   /**< of the buffer */
	char bus[PORTALMEM_BUS_MAX];	   /**< the device's, as in /sys/bus */
	char device[PORTALMEM_DEVICE_MAX]; /**< as in /sys/bus/BUS/devices */
};

#define PORTALMEM_ATTACHMENT_INFO_INIT                             \
	{                                                          \
		sizeof(struct portalmem_attachment_info),          \
			PORTALMEM_DIRECTION_BOTH, 0, 0, 0, 0, {0}, \
		{                                                  \
			0                                          \
		}                                                  \
	}

/** A run of a buffer that a device sees as contiguous. Since 0.1. */
struct portalmem_dma_segment {
	uint64_t offset;  /**< its first byte within the buffer */
	uint64_t length;  /**< bytes */
	uint64_t address; /**< what the device is to be given */
};

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
 * Name of an exporter: "unknown", "portalmem", "dma-heap", "udmabuf", "memfd",
 * "drm", "v4l2" or "other".
 *
 * @return a static string, never NULL.
 * Since 0.1.
 */
const char *portalmem_exporter_name(enum portalmem_exporter exporter);

/**
 * Open a place to allocate from.
 *
 * @param path a node (/dev/portalmem, /dev/dma_heap/NAME, /dev/udmabuf), a
 *        NAME without a slash for the node /dev/dma_heap/NAME, or NULL for the
 *        backend's usual one
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

/** What can be needed of a device's buffers. Since 0.1. */
enum portalmem_needs {
	PORTALMEM_NEED_CONTIGUOUS = 1, /**< every buffer is one segment */
	PORTALMEM_NEED_WC = 2,	       /**< write-combined mappings */
	/** mappings that the kernel can pin: O_DIRECT, io_uring, RDMA */
	PORTALMEM_NEED_PINNABLE = 4,
	PORTALMEM_NEED_SHAREABLE = 8, /**< dma-bufs: devices can use them */
	/* The next two stand for the fields of struct portalmem_constraints. */
	PORTALMEM_NEED_ADDRESS_BITS = 16, /**< memory within a device's reach */
	PORTALMEM_NEED_SIZE = 32	  /**< one buffer of that size */
};

/**
 * What a program needs of its buffers, all of it at once. Start from
 * PORTALMEM_CONSTRAINTS_INIT, which needs nothing. Since 0.1.
 */
struct portalmem_constraints {
	size_t struct_size; /**< set by the initializer */
	/** enum portalmem_needs, the first four */
	unsigned int needs;
	/** every physical address is below 1 << address_bits; 0: no limit */
	unsigned int address_bits;
	uint64_t size; /**< of the largest buffer; 0: not known */
};

#define PORTALMEM_CONSTRAINTS_INIT                             \
	{                                                      \
		sizeof(struct portalmem_constraints), 0, 0, 0, \
	}

/**
 * Open the first place to allocate from that can give what is needed.
 *
 * Tried are, in this order, the portalmem module's heaps, the kernel's DMA
 * heaps, udmabuf and memfd; the heaps of contiguous memory only when that is
 * needed, reserved regions never. Where the environment variable
 * PORTALMEM_BACKEND names a backend, no other is tried.
 *
 * What is needed of single buffers has to be asked for again when they are
 * allocated: PORTALMEM_CACHING_WC for write-combined ones,
 * PORTALMEM_CACHING_CACHED for pinnable ones, and the address bits.
 *
 * @param wanted must have been initialized with
 *        PORTALMEM_CONSTRAINTS_INIT
 * @param devicep the device, released with portalmem_device_unref()
 * @param unmetp which needs (enum portalmem_needs) the device that comes
 *        nearest does not meet, or NULL; written on success, as 0, and with
 *        -EOPNOTSUPP
 * @return 0; -EOPNOTSUPP when no device that can be opened meets all needs,
 *         and the message tells the nearest; -EINVAL for NULL, unknown needs,
 *         more than 64 address bits, constraints that were not initialized, or
 *         an unknown backend in PORTALMEM_BACKEND; -ENODEV when no backend is
 *         there; -EACCES, -EMFILE and the like from open(2); -ENOMEM.
 * Since 0.1.
 */
int portalmem_device_open_for(const struct portalmem_constraints *wanted,
			      struct portalmem_device **devicep,
			      unsigned int *unmetp);

/**
 * Find out whether a device that is open can give what is needed.
 *
 * @param wanted must have been initialized with
 *        PORTALMEM_CONSTRAINTS_INIT
 * @param unmetp which needs (enum portalmem_needs) it does not meet, or NULL;
 *        written on success, as 0, and with -EOPNOTSUPP. What nobody knows is
 *        not met
 * @return 0 when it meets all of them at once; -EOPNOTSUPP when it does not;
 *         -EINVAL for NULL, unknown needs, more than 64 address bits, or
 *         constraints that were not initialized.
 * Since 0.1.
 */
int portalmem_device_check(struct portalmem_device *device,
			   const struct portalmem_constraints *wanted,
			   unsigned int *unmetp);

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
 * Describe the heap that a device allocates from.
 *
 * @param info must have been initialized with PORTALMEM_HEAP_INFO_INIT
 * @return 0; -EINVAL for NULL or when info was not initialized; -EOPNOTSUPP
 *         when nobody can tell: the backend is not portalmem, or the module is
 *         older than this function; errors of the kernel.
 * Since 0.1.
 */
int portalmem_device_get_heap_info(struct portalmem_device *device,
				   struct portalmem_heap_info *info);

/**
 * Give freed memory that the device's heap keeps for the next buffers back to
 * the system: what the caller's memory cgroup paid for, and with CAP_SYS_ADMIN
 * everybody's.
 *
 * @param freedp how many bytes were given back, or NULL
 * @return 0, also when there was nothing; -EINVAL for NULL; -EOPNOTSUPP when
 *         the backend keeps no memory or the module is older than this
 *         function; errors of the kernel.
 * Since 0.1.
 */
int portalmem_device_trim(struct portalmem_device *device, uint64_t *freedp);

/**
 * Allocate a buffer. Its bytes are zero, unless the options adopt what is in a
 * reserved region; that takes CAP_SYS_RAWIO.
 *
 * @param device where from
 * @param size bytes, rounded up to whole pages
 * @param options what kind, or NULL for the device's default and no name
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EINVAL for size 0, an unknown caching, a bad name, a node that is
 *         not there, more than 64 address bits, an alignment that is not a
 *         power of two or below the page size, a region offset without adopt or
 *         outside of the region, adopt with an alignment or address bits, or
 *         options that were not initialized;
 *         -EOPNOTSUPP when the backend or the heap cannot give that caching,
 *         alignment, place or adoption (of a DMA heap other than "system"
 *         nothing is known, it takes the default only); -EPERM for adoption
 *         without CAP_SYS_RAWIO; -EBUSY when a live buffer is there; -EDQUOT
 *         when it is more than a limit on the user or on all users has left;
 *         -ENOMEM when it is more than the machine, the memory cgroup or the
 *         heap has left, in one piece where the heap needs one; -EMFILE,
 *         -ENFILE; -EINTR when killed.
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

/**
 * How to make a buffer of memory that the process has. Start from
 * PORTALMEM_IMPORT_OPTIONS_INIT. Since 0.1.
 */
struct portalmem_import_options {
	size_t struct_size; /**< set by the initializer */
	const char *name; /**< at most PORTALMEM_NAME_MAX - 1 bytes, or NULL */
	int read_only;	  /**< not 0: nobody writes through the buffer */
};

#define PORTALMEM_IMPORT_OPTIONS_INIT                             \
	{                                                         \
		sizeof(struct portalmem_import_options), NULL, 0, \
	}

/**
 * Make a buffer of memory that the process has already: anonymous, shared or
 * huge pages, whoever allocated them, but no pages of files on disks. Both are
 * the same bytes from then on. The pages stay where they are until the buffer
 * is gone, and count against the process's limit on locked memory; munmap(),
 * fork() and exit() do them no harm.
 *
 * @param device where to make it
 * @param address first byte, a multiple of the page size
 * @param size bytes, a multiple of the page size
 * @param options a name, and whether devices and other processes only read; or
 *        NULL for no name, and they write, too
 * @param bufferp the buffer, released with portalmem_buffer_unref(); it is
 *        cached
 * @return 0; -EINVAL for an address or a size that is not at a page, size 0, a
 *         bad name, or options that were not initialized; -EFAULT when a part
 *         of it is not mapped, cannot be read, or cannot be pinned; -EACCES
 *         when a part of it is read-only and the buffer is not; -ENOMEM when
 *         it is more than the limit on locked memory (RLIMIT_MEMLOCK) or the
 *         machine has left; -EOPNOTSUPP when the backend is not portalmem, or
 *         the module is older than this function; -EMFILE, -ENFILE; -EINTR
 *         when killed.
 * Since 0.1.
 */
int portalmem_buffer_import_user(struct portalmem_device *device, void *address,
				 uint64_t size,
				 const struct portalmem_import_options *options,
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
 * Tell who made a buffer, also one that came from somewhere else.
 *
 * @return the exporter; PORTALMEM_EXPORTER_UNKNOWN for NULL, and for foreign
 *         buffers where /proc is not mounted or the kernel does not say. A
 *         driver's own name is in portalmem_info.heap.
 * Since 0.1.
 */
enum portalmem_exporter
portalmem_buffer_get_exporter(const struct portalmem_buffer *buffer);

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
 * CPU access to parts of a buffer that was begun and not ended yet. Start from
 * PORTALMEM_ACCESS_INIT. The fields are the library's. Since 0.1.
 */
struct portalmem_access {
	struct portalmem_buffer *buffer; /**< NULL: none is open */
	uint64_t number;
};

#define PORTALMEM_ACCESS_INIT \
	{                     \
		NULL, 0       \
	}

/**
 * Begin CPU access to parts of a buffer, as portalmem_buffer_sync() does, and
 * remember them, so that portalmem_access_end() ends just that.
 *
 * Any number of accesses can be open, in any threads, as long as no bytes that
 * one of them writes are another's, too; a buffer that is always synced whole
 * counts as whole. Such a conflict is refused at once, also within one thread.
 * What portalmem_buffer_sync() begins does not count here.
 *
 * @param buffer the buffer; it lives until the access is ended
 * @param flags PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE or both
 * @param ranges as of portalmem_buffer_sync(); the array is not used after the
 *        call
 * @param count entries in ranges
 * @param access must have been initialized with PORTALMEM_ACCESS_INIT, and can
 *        be used again once ended
 * @return 0; -EBUSY when a part of the ranges is open to another access, and
 *         one of the two writes, or when access itself is open; -EINVAL for
 *         NULL, bad flags, ranges NULL with a count, or more than 65536 ranges;
 *         -ERANGE when a range is not within the buffer; -ENOMEM; -EINTR when
 *         killed; errors of the kernel. After a failure nothing is open.
 * Since 0.1.
 */
int portalmem_access_begin(struct portalmem_buffer *buffer, unsigned int flags,
			   const struct portalmem_range *ranges, size_t count,
			   struct portalmem_access *access);

/**
 * End the CPU access that portalmem_access_begin() began, in any thread.
 *
 * @param access what portalmem_access_begin() filled in. Of a copy it is known
 *        that it was ended for as long as the caller holds the buffer
 * @return 0; -EINVAL for NULL, and when it is not open: never begun, or ended
 *         already; errors of the kernel, -EINTR when killed, and then it is
 *         still open.
 * Since 0.1.
 */
int portalmem_access_end(struct portalmem_access *access);

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
 *         version of the message; -EMSGSIZE when the message has more than
 *         one buffer, or a fence: portalmem_receive() takes such; -EMFILE;
 *         -ENOMEM; -EOPNOTSUPP when it is not a Unix socket; -EAGAIN, -EINTR
 *         and the like from recvmsg(2). No file descriptor is left open after
 *         a failure.
 * Since 0.1.
 */
int portalmem_buffer_receive(struct portalmem_device *device, int socket,
			     struct portalmem_buffer **bufferp);

/** Most buffers in one message. Since 0.1. */
#define PORTALMEM_PARCELS_MAX 32

/** A buffer as it travels in a message. Since 0.1. */
struct portalmem_parcel {
	struct portalmem_buffer *buffer;
	/** sync_file descriptor that signals when the buffer may be used, or -1
	 */
	int fence;
};

/**
 * Send buffers in one message, which the peer gets as a whole or not at all, as
 * portalmem_buffer_send() does with one.
 *
 * @param socket a connected Unix socket
 * @param parcels the buffers, each with a fence or -1; all stay the caller's
 * @param count how many, 1 to PORTALMEM_PARCELS_MAX
 * @return 0; -EINVAL for NULL, a bad count, or a fence that is not a sync_file;
 *         -EBADF when the socket or a fence is not open; -EOPNOTSUPP when it
 *         is not a Unix socket; -ENOTSOCK, -EPIPE, -EAGAIN, -EINTR,
 *         -ECONNREFUSED, -ECONNRESET, -EMSGSIZE, -ETOOMANYREFS and the like
 *         from sendmsg(2); SIGPIPE is never raised.
 * Since 0.1.
 */
int portalmem_send(int socket, const struct portalmem_parcel *parcels,
		   size_t count);

/** Who sends, on the kernel's word. Since 0.1. */
struct portalmem_peer {
	int32_t pid; /**< 0: a process that has no number here */
	uint32_t uid;
	uint32_t gid;
};

/**
 * How to receive. Start from PORTALMEM_RECEIVE_OPTIONS_INIT. Since 0.1.
 */
struct portalmem_receive_options {
	size_t struct_size; /**< set by the initializer */
	/**
	 * called with the sender and check_data, in the calling thread, before
	 * anything that was sent is looked at; anything but 0 refuses it. NULL:
	 * everybody may send
	 */
	int (*check)(const struct portalmem_peer *peer, void *check_data);
	void *check_data;
	/** not 0: wait for the fences that come and close them */
	int wait;
	/** with wait: milliseconds for all fences together; -1: for ever */
	int timeout_ms;
};

#define PORTALMEM_RECEIVE_OPTIONS_INIT                                       \
	{                                                                    \
		sizeof(struct portalmem_receive_options), NULL, NULL, 0, -1, \
	}

/**
 * Receive the buffers of one message that a peer sent with portalmem_send() or
 * portalmem_buffer_send(). Sizes and kinds are checked against the file
 * descriptors themselves, not believed.
 *
 * Who sends is, on stream and seqpacket sockets, who connected or listened (see
 * SO_PEERCRED in unix(7)), and with a check that refuses it nothing is read. On
 * datagram sockets it is the sender of each message, and a check needs
 * SO_PASSCRED set on the socket before the peer sends; a message that was sent
 * before has no known sender and is refused.
 *
 * @param device as of portalmem_buffer_receive()
 * @param socket a Unix socket; after a failure on a stream, other than
 *        -EMSGSIZE, -ETIMEDOUT, -EAGAIN and -EINTR, close it
 * @param options how, or NULL for everybody's, and fences are given
 * @param parcels where they go: each buffer is released with
 *        portalmem_buffer_unref(), each fence that is not -1 with close(2)
 * @param room how many fit there; PORTALMEM_PARCELS_MAX is enough for any
 *        message
 * @return how many came, at least 1; -EINVAL for NULL, no room, or options that
 *         were not initialized; -EACCES when the check refused the sender, or
 *         it is not known; -EMSGSIZE when there is no room for so many, and
 *         the message is lost; -ETIMEDOUT when a fence did not signal in time,
 *         and the message is lost; -ENOTCONN when there is nobody to check;
 *         -EOPNOTSUPP when it is not a Unix socket, or with a check on a
 *         datagram socket without SO_PASSCRED; -EPIPE, -EBADMSG, -EPROTO,
 *         -EMFILE, -ENOMEM, -EAGAIN, -EINTR and others as of
 *         portalmem_buffer_receive(). No file descriptor is left open after a
 *         failure; files that are of no use here, and whose closing may have to
 *         wait for the peer, are closed by threads, for which the call waits a
 *         second at most.
 * Since 0.1.
 */
int portalmem_receive(struct portalmem_device *device, int socket,
		      const struct portalmem_receive_options *options,
		      struct portalmem_parcel *parcels, size_t room);

/**
 * Import a buffer that another process has, without its doing. It does not
 * learn of it: a pool that it has may hand the buffer out again.
 *
 * @param device as of portalmem_buffer_import()
 * @param pidfd the process, from pidfd_open(2) or SO_PEERPIDFD; a pid alone
 *        could be another process by now
 * @param fd a file descriptor of that process, which keeps it
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EPERM without the right to trace the process (ptrace(2),
 *         PTRACE_MODE_ATTACH_REALCREDS); -ESRCH when it has ended; -EBADF when
 *         pidfd is no pidfd or the process has no such descriptor; -EINVAL for
 *         NULL, or when it is neither a dma-buf nor a memfd that can no longer
 *         shrink; -EOPNOTSUPP when the kernel is older than 5.6; -EMFILE;
 *         -ENOMEM.
 * Since 0.1.
 */
int portalmem_buffer_import_from(struct portalmem_device *device, int pidfd,
				 int fd, struct portalmem_buffer **bufferp);

/**
 * Room for an entry of portalmem_buffer_export_env(), besides the name of its
 * variable. Since 0.1.
 */
#define PORTALMEM_ENV_MAX 160

/**
 * Have a program that is started next inherit a buffer: make a file descriptor
 * that execve(2) keeps, and the environment variable that tells of it. The
 * process's own environment is left as it is.
 *
 * Programs that other threads start while the descriptor is open inherit it,
 * too.
 *
 * @param variable its name, such as "PORTALMEM_BUFFER"
 * @param entry becomes "VARIABLE=...", for the envp of execve(2) or for
 *        putenv(3)
 * @param size of entry, strlen(variable) + PORTALMEM_ENV_MAX or more
 * @return the file descriptor, which the caller closes when the program is
 *         started; -EINVAL for NULL or a bad name; -ERANGE when size is too
 *         small; -EMFILE; errors of the kernel.
 * Since 0.1.
 */
int portalmem_buffer_export_env(struct portalmem_buffer *buffer,
				const char *variable, char *entry, size_t size);

/**
 * Take over the buffer that a variable of the environment tells of. The
 * inherited file descriptor is closed; what the buffer has is close-on-exec.
 *
 * The variable is not believed: the descriptor must be one that was inherited,
 * and the inode and the size of the buffer those that were handed on. So a
 * variable that has reached another process fails, and so does the second call
 * for the same one. Programs with privileges of their own do not see it, see
 * secure_getenv(3).
 *
 * Not to be called for the same variable by two threads at a time.
 *
 * @param device as of portalmem_buffer_import()
 * @param variable its name
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EINVAL for NULL or a bad name; -ENOENT when it is not set;
 *         -EBADMSG when it is not what portalmem_buffer_export_env() writes;
 *         -ESTALE when there is no such descriptor, or it is not the buffer
 *         that was handed on; -EMFILE; -ENOMEM. After a failure the descriptor
 *         is as it was.
 * Since 0.1.
 */
int portalmem_buffer_import_env(struct portalmem_device *device,
				const char *variable,
				struct portalmem_buffer **bufferp);

/**
 * Wait until devices are done with a buffer: until the fences that their
 * drivers attached to it have signalled. That is one system call when they
 * have. Signals neither end nor lengthen it.
 *
 * In an event loop, poll(2) the buffer's file descriptor instead: POLLIN for
 * PORTALMEM_SYNC_READ, POLLOUT for PORTALMEM_SYNC_WRITE.
 *
 * @param flags PORTALMEM_SYNC_READ waits for devices that write,
 *        PORTALMEM_SYNC_WRITE, with or without it, for those that read, too
 * @param timeout_ms milliseconds; 0: do not wait, just ask; -1: for ever
 * @return 0; -ETIMEDOUT when they are not done in that time; -EINVAL for NULL,
 *         bad flags or a bad time; -EOPNOTSUPP for a memfd.
 * Since 0.1.
 */
int portalmem_buffer_wait(struct portalmem_buffer *buffer, unsigned int flags,
			  int timeout_ms);

/**
 * Get what devices still have to do with a buffer, at this moment, as a
 * sync_file: for another API, another process, or portalmem_fence_wait().
 *
 * @param flags as of portalmem_buffer_wait()
 * @param fencep a file descriptor that the caller closes, close-on-exec; it is
 *        signalled already when there is nothing to do
 * @return 0; -EINVAL for NULL or bad flags; -EOPNOTSUPP for a memfd, and when
 *         the kernel is older than 6.0; -ENOMEM; -EMFILE.
 * Since 0.1.
 */
int portalmem_buffer_export_fence(struct portalmem_buffer *buffer,
				  unsigned int flags, int *fencep);

/**
 * Have all who use a buffer wait for a sync_file: portalmem_buffer_wait(), the
 * beginning of CPU access, and drivers that honour the fences of a dma-buf.
 *
 * @param flags what the work does that signals the fence:
 *        PORTALMEM_SYNC_READ, and only who writes waits for it, or
 *        PORTALMEM_SYNC_WRITE, with or without it, and all do
 * @param fence a sync_file's descriptor, which stays the caller's
 * @return 0; -EINVAL for NULL, bad flags, or when it is not a sync_file; -EBADF
 *         when it is not open; -EOPNOTSUPP for a memfd, and when the kernel
 *         is older than 6.0; -ENOMEM.
 * Since 0.1.
 */
int portalmem_buffer_import_fence(struct portalmem_buffer *buffer,
				  unsigned int flags, int fence);

/**
 * Wait for a sync_file, or whatever file becomes readable when work is done.
 * That is one system call when it has signalled; whether the work went well,
 * SYNC_IOC_FILE_INFO tells. Signals neither end nor lengthen it.
 *
 * In an event loop, poll(2) it for POLLIN instead.
 *
 * @param fence stays the caller's
 * @param timeout_ms as of portalmem_buffer_wait()
 * @return 0; -ETIMEDOUT when it did not signal in that time; -EBADF when it is
 *         not open; -EINVAL for a bad time, or when poll(2) reports nothing
 *         but an error.
 * Since 0.1.
 */
int portalmem_fence_wait(int fence, int timeout_ms);

/**
 * Map a buffer for a device that a program drives itself. It takes
 * CAP_SYS_RAWIO, and unless an IOMMU translates the device's addresses, a
 * kernel that is not locked down.
 *
 * The attachment holds the memory on its own: buffer may be given back.
 *
 * @param buffer of a device of the portalmem backend: one that it allocated,
 *        or any dma-buf imported with it
 * @param bus the device's bus, as in /sys/bus: pci, platform or amba
 * @param device the device, as in /sys/bus/BUS/devices
 * @param options how, or NULL for both directions and what the device is known
 *        to reach
 * @param attachmentp the attachment, released with
 *        portalmem_attachment_unref()
 * @return 0; -EINVAL for NULL, a name that is too long, an unknown direction,
 *         more than 64 address bits, or options that were not initialized;
 *         -EOPNOTSUPP when the buffer is a memfd or did not come through the
 *         portalmem backend, the module is older than this function, or the
 *         device does no DMA; -EPERM without the right to it; -ENODEV when
 *         there is no such bus or device; -EBUSY when its driver leaves DMA to
 *         others, or address bits are given for a device whose driver sets
 *         them; -EACCES when the device is to write and the buffer is
 *         read-only; -EIO when the memory is not within the device's reach and
 *         there are no bounce buffers for it;
 *         -ENOMEM; -EMFILE; -ENFILE; -EINTR when killed.
 * Since 0.1.
 */
int portalmem_buffer_attach(struct portalmem_buffer *buffer, const char *bus,
			    const char *device,
			    const struct portalmem_attach_options *options,
			    struct portalmem_attachment **attachmentp);

/**
 * Take up an attachment that another process made and passed on. Who holds it
 * needs no privilege to use it.
 *
 * @param fd stays the caller's: the library keeps a duplicate
 * @param attachmentp the attachment, released with
 *        portalmem_attachment_unref()
 * @return 0; -EINVAL for NULL or when fd is no attachment; -EBADF when fd is
 *         not open; -ENODEV when the device is gone; -EMFILE; -ENOMEM.
 * Since 0.1.
 */
int portalmem_attachment_import(int fd,
				struct portalmem_attachment **attachmentp);

/** Take one more reference. @return its argument. Since 0.1. */
struct portalmem_attachment *
portalmem_attachment_ref(struct portalmem_attachment *attached);

/**
 * Give a reference back; the last one closes the file descriptor. When that was
 * the last copy, the device loses the buffer: it must have stopped using it.
 * Since 0.1.
 */
void portalmem_attachment_unref(struct portalmem_attachment *attached);

/**
 * @return the attachment's file descriptor, owned by the attachment (duplicate
 * it to keep it), or -EINVAL for NULL. poll(2) reports POLLHUP and POLLERR on
 * it when the device is gone. Since 0.1.
 */
int portalmem_attachment_get_fd(const struct portalmem_attachment *attached);

/**
 * Describe an attachment.
 *
 * @param info must have been initialized with PORTALMEM_ATTACHMENT_INFO_INIT
 * @return 0; -EINVAL for NULL or when info was not initialized; -ENODEV when
 *         the device or its driver is gone.
 * Since 0.1.
 */
int portalmem_attachment_get_info(struct portalmem_attachment *attached,
				  struct portalmem_attachment_info *info);

/**
 * Read an attachment's translation table: where the device finds the buffer.
 *
 * The segments are not those of portalmem_buffer_get_segments(): behind an
 * IOMMU several of them can be one here.
 *
 * @param first index of the first segment wanted
 * @param segments where they go, or NULL with count 0
 * @param count room for that many
 * @param totalp how many the attachment has in all, or NULL
 * @return how many were written, fewer than count when the table ends before;
 *         -EINVAL for NULL; -ENODEV when the device or its driver is gone;
 *         -EINTR when killed.
 * Since 0.1.
 */
int portalmem_attachment_get_segments(struct portalmem_attachment *attached,
				      size_t first,
				      struct portalmem_dma_segment *segments,
				      size_t count, size_t *totalp);

/**
 * Begin or end CPU access to parts of a buffer, for this device alone; that is
 * all that it takes when no other device uses them.
 *
 * @param flags as of portalmem_buffer_sync()
 * @param ranges as of portalmem_buffer_sync(); a buffer of another exporter is
 *        always synced whole, for all devices
 * @param count entries in ranges
 * @return 0; -EINVAL for NULL, bad flags, ranges NULL with a count, or more
 *         than 65536 ranges; -ERANGE when a range is not within the buffer, and
 *         then nothing was synced; -ENODEV when the device or its driver is
 *         gone; -ENOMEM; -EINTR when killed.
 * Since 0.1.
 */
int portalmem_attachment_sync(struct portalmem_attachment *attached,
			      unsigned int flags,
			      const struct portalmem_range *ranges,
			      size_t count);

/**
 * How a pool keeps its buffers. Start from PORTALMEM_POOL_OPTIONS_INIT.
 * Since 0.1.
 */
struct portalmem_pool_options {
	size_t struct_size;   /**< set by the initializer */
	unsigned int minimum; /**< buffers that are there from the start */
	unsigned int maximum; /**< most buffers at a time, at least 1 */
	/**
	 * a buffer above the minimum that nobody has used for so many
	 * milliseconds is freed; -1: never
	 */
	int idle_ms;
	/** what kind of buffers, or NULL for the device's default */
	const struct portalmem_alloc_options *alloc;
};

#define PORTALMEM_POOL_OPTIONS_INIT                                       \
	{                                                                 \
		sizeof(struct portalmem_pool_options), 0, 32, 10000, NULL \
	}

/**
 * What a pool has at this moment, and has done. Start from
 * PORTALMEM_POOL_INFO_INIT. Since 0.1.
 */
struct portalmem_pool_info {
	size_t struct_size;    /**< set by the initializer */
	uint64_t size;	       /**< of each buffer */
	unsigned int buffers;  /**< in all; at most the maximum */
	unsigned int acquired; /**< of these, with a user in this process */
	unsigned int idle;     /**< of these, never shared, ready to use */
	/** of these, released here; may be held elsewhere */
	unsigned int shared;
	uint64_t allocated; /**< buffers allocated so far */
	uint64_t reused;    /**< buffers handed out again so far */
	uint64_t dropped;   /**< freed so far: nobody tells who holds them */
	uint64_t trimmed;   /**< freed so far: they were not used */
	uint64_t asked;	    /**< times that the kernel was asked about one */
};

#define PORTALMEM_POOL_INFO_INIT                                               \
	{                                                                      \
		sizeof(struct portalmem_pool_info), 0, 0, 0, 0, 0, 0, 0, 0, 0, \
			0                                                      \
	}

/**
 * Make a pool: buffers of one size, kept mapped and ready, as a pipeline that
 * fills and empties one after the other wants them.
 *
 * A buffer that was used by this process alone is acquired and released without
 * a system call. Once its file descriptor was given away, by
 * portalmem_buffer_get_fd(), portalmem_buffer_send(), an attachment or a fork,
 * it may be held elsewhere after it was released: by a descriptor or a mapping
 * of another process, a message that is under way, a device, or a fence that is
 * not signalled. The pool asks the kernel about it each time then, and passes
 * it over as long as anybody holds it. Where the kernel cannot tell, for a
 * memfd, a buffer that was given away is not used again, but freed when it is
 * released.
 *
 * @param device where from; the pool holds a reference to it
 * @param size of each buffer in bytes, rounded up to whole pages
 * @param options how, or NULL for what PORTALMEM_POOL_OPTIONS_INIT says
 * @param poolp the pool, released with portalmem_pool_unref()
 * @return 0; -EINVAL for NULL, size 0, a maximum of 0 or below the minimum, an
 *         idle time below -1, or options that were not initialized; what
 *         portalmem_buffer_alloc() fails with, also for the minimum; -ENOMEM.
 * Since 0.1.
 */
int portalmem_pool_create(struct portalmem_device *device, uint64_t size,
			  const struct portalmem_pool_options *options,
			  struct portalmem_pool **poolp);

/** Take one more reference. @return its argument. Since 0.1. */
struct portalmem_pool *portalmem_pool_ref(struct portalmem_pool *pool);

/**
 * Give a reference back; the last one frees the buffers that nobody uses. The
 * others stay valid, and are freed when they are released. Since 0.1.
 */
void portalmem_pool_unref(struct portalmem_pool *pool);

/**
 * Take a buffer out of the pool, or a new one while there are fewer than the
 * maximum. It is an ordinary buffer that goes back to its pool with its last
 * reference: portalmem_buffer_unref() releases it. It is mapped, so that
 * portalmem_buffer_map() of all of it, for reading and writing, only looks up
 * the address; what else is still mapped when it is released is unmapped. The
 * bytes of a new buffer are zero, those of another one are as its last user
 * left them.
 *
 * @param timeout_ms how long to wait for a buffer: 0: not at all; -1: as long as
 *        it takes. A release in this process wakes who waits; what others hold
 *        is looked at again every few milliseconds
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EINVAL for NULL or a time below -1; -EAGAIN when there is none
 *         and the time is 0; -ETIMEDOUT; what portalmem_buffer_alloc() and
 *         portalmem_buffer_map() fail with when a new buffer cannot be had.
 * Since 0.1.
 */
int portalmem_pool_acquire(struct portalmem_pool *pool, int timeout_ms,
			   struct portalmem_buffer **bufferp);

/**
 * Free buffers that nobody in this process uses, until the pool has no more
 * than some. Without it, they are freed in portalmem_pool_acquire() and on
 * release when their idle time is over: no thread does it meanwhile.
 *
 * @param keep how many buffers the pool may keep, those in use included; it may
 *        be less than the minimum
 * @return how many buffers were freed; -EINVAL for NULL.
 * Since 0.1.
 */
int portalmem_pool_trim(struct portalmem_pool *pool, unsigned int keep);

/**
 * Tell what a pool has, without a system call.
 *
 * @param info must have been initialized with PORTALMEM_POOL_INFO_INIT
 * @return 0; -EINVAL for NULL or when info was not initialized.
 * Since 0.1.
 */
int portalmem_pool_get_info(struct portalmem_pool *pool,
			    struct portalmem_pool_info *info);

/**
 * Copy bytes out of a buffer, between the beginning and the end of CPU access:
 * what a device has written is seen. From memory that is not cached it goes as
 * fast as the CPU can, by non-temporal loads where it has them.
 *
 * @param offset where in the buffer
 * @param to where the bytes go
 * @param length how many
 * @return 0; -EINVAL for NULL or a part that is not within the buffer; what
 *         portalmem_buffer_map() and portalmem_buffer_sync() fail with.
 * Since 0.1.
 */
int portalmem_buffer_read(struct portalmem_buffer *buffer, uint64_t offset,
			  void *to, size_t length);

/**
 * Copy bytes into a buffer, the same way: a device sees them afterwards.
 *
 * @param offset where in the buffer
 * @param from the bytes
 * @param length how many
 * @return 0; -EINVAL for NULL or a part that is not within the buffer; what
 *         portalmem_buffer_map() and portalmem_buffer_sync() fail with.
 * Since 0.1.
 */
int portalmem_buffer_write(struct portalmem_buffer *buffer, uint64_t offset,
			   const void *from, size_t length);

/**
 * How bytes go between a buffer and a file. Start from
 * PORTALMEM_IO_OPTIONS_INIT. Since 0.1.
 */
struct portalmem_io_options {
	size_t struct_size; /**< set by the initializer */
	/**
	 * called every 4 MiB or sooner, or NULL: done of total bytes are
	 * there; not 0 stops
	 */
	int (*progress)(void *data, uint64_t done, uint64_t total);
	void *data;	/**< for progress */
	int page_cache; /**< not 0: by the page cache, as read(2) does */
};

#define PORTALMEM_IO_OPTIONS_INIT                                  \
	{                                                          \
		sizeof(struct portalmem_io_options), NULL, NULL, 0 \
	}

/**
 * Read a part of a file into a buffer, past the page cache where the file
 * system can do that, and without a copy where the buffer's mapping can be
 * pinned: that is so for cached buffers of the portalmem module and for memfds.
 * It begins and ends CPU access. Neither the address nor the position has to be
 * at a block, but is better.
 *
 * @param offset where in the buffer
 * @param fd a file, open for reading; the library opens it again by itself for
 *        O_DIRECT
 * @param position where in the file; -1: at the file's own position, which
 * moves, as for pipes and sockets, by the page cache
 * @param length bytes, or 0 for all up to the buffer's end
 * @param options how, or NULL
 * @param donep how many bytes were read, also after a failure in between, fewer
 *        than length when the file ends before; or NULL
 * @return 0; -EINVAL for NULL, a part that is not within the buffer, a position
 *         below -1 or too large, or options that were not initialized; -EBADF
 *         when fd is not open for reading; -ECANCELED when progress stopped it;
 *         -EAGAIN, -EISDIR, -EIO, -ESPIPE and the like from read(2); what
 *         portalmem_buffer_map() and portalmem_buffer_sync() fail with.
 * Since 0.1.
 */
int portalmem_buffer_load(struct portalmem_buffer *buffer, uint64_t offset,
			  int fd, int64_t position, uint64_t length,
			  const struct portalmem_io_options *options,
			  uint64_t *donep);

/**
 * Write a part of a buffer to a file, the same way. What is less than a block
 * at the start and the end goes by the page cache. Nothing is synced to the
 * disk: that is fdatasync(2).
 *
 * @param offset where in the buffer
 * @param fd a file, open for writing
 * @param position where in the file; -1: at the file's own position, which
 * moves, as for pipes and sockets, by the page cache; SIGPIPE is as in write(2)
 * @param length bytes, or 0 for all up to the buffer's end
 * @param options how, or NULL
 * @param donep how many bytes were written, also after a failure in between; or
 *        NULL
 * @return 0; -EINVAL for NULL, a part that is not within the buffer, a position
 *         below -1 or too large, a position in a file with O_APPEND, or options
 *         that were not initialized; -EBADF when fd is not open for writing;
 *         -ECANCELED when progress stopped it; -EAGAIN, -EFBIG, -EIO, -ENOSPC,
 *         -EPIPE, -ESPIPE and the like from write(2); what
 *         portalmem_buffer_map() and portalmem_buffer_sync() fail with.
 * Since 0.1.
 */
int portalmem_buffer_save(struct portalmem_buffer *buffer, uint64_t offset,
			  int fd, int64_t position, uint64_t length,
			  const struct portalmem_io_options *options,
			  uint64_t *donep);

#ifdef __cplusplus
}
#endif

#endif /* PORTALMEM_H */
