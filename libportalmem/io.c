// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bytes into and out of buffers: to memory of the process, and to files.
 *
 * Files are read and written past the page cache, by O_DIRECT. Where the
 * buffer's mapping can be pinned, the device of the file reaches the buffer
 * itself. Where it cannot, which the kernel says with EFAULT, and where address
 * and file position do not go together, the bytes go through a stage, memory
 * that can be pinned. What is less than a block, at the start or the end, is
 * read as a whole block and written through the page cache, as the file's other
 * bytes in the block are not ours to write. A file system without O_DIRECT, a
 * pipe or a socket is read and written as usual.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

/* One request at most, and so the most bytes between two calls of progress. */
#define REQUEST_MAX ((uint64_t)4 << 20)

#define STAGE_SIZE ((uint64_t)1 << 20)

/* What no file system and no disk asks more than, where statx(2) is silent. */
#define SAFE_ALIGNMENT 4096

/* Of the position: use the file's own. */
#define FILE_POSITION (-1)

/* How the next bytes go. */
enum way {
	WAY_PINNED, /* past the page cache, from or to the mapping itself */
	WAY_STAGED, /* past the page cache, by the stage */
	WAY_PLAIN,  /* as read(2) and write(2) go */
};

struct transfer {
	bool is_save; /* buffer to file, else file to buffer */
	enum portalmem_caching caching;
	char *bytes; /* in the mapping */
	uint64_t length;
	uint64_t done;
	int64_t position; /* or FILE_POSITION */
	uint64_t end;	  /* of the file, for what goes past the page cache */

	int plain;  /* the file */
	int direct; /* the same with O_DIRECT, or -1 */
	int opened; /* which of both is not the caller's, or -1 */
	uint64_t block;
	uint64_t address_block;
	bool can_pin;
	char *stage; /* STAGE_SIZE bytes once they are needed */

	const struct portalmem_io_options *options;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t position_of(const struct transfer *transfer)
{
	return (uint64_t)transfer->position + transfer->done;
}

static uint64_t left_of(const struct transfer *transfer)
{
	return transfer->length - transfer->done;
}

static char *next_of(const struct transfer *transfer)
{
	return transfer->bytes + transfer->done;
}

/* Another open file of the same, whoever has passed it to us. */
static int reopen(int fd, int flags)
{
	char path[64];
	int copy;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	do
		copy = open(path, flags | O_CLOEXEC | O_NOCTTY);
	while (copy < 0 && errno == EINTR);
	return copy;
}

/* False when the file has no direct I/O. */
static bool find_alignment(struct transfer *transfer, int fd)
{
	transfer->block = SAFE_ALIGNMENT;
	transfer->address_block = SAFE_ALIGNMENT;
#ifdef STATX_DIOALIGN
	struct statx status;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) ||
	    !(status.stx_mask & STATX_DIOALIGN))
		return true;
	if (!status.stx_dio_offset_align)
		return false;
	transfer->block = status.stx_dio_offset_align;
	transfer->address_block = status.stx_dio_mem_align;
	if (!transfer->address_block)
		transfer->address_block = transfer->block;
	return STAGE_SIZE % transfer->block == 0;
#else
	(void)fd;
	return true;
#endif
}

static void open_direct(struct transfer *transfer, int fd, int flags)
{
	int mode = flags & O_ACCMODE;

	if (transfer->options->page_cache || !find_alignment(transfer, fd))
		return;
	if (flags & O_DIRECT) {
		transfer->direct = fd;
		transfer->opened = reopen(fd, mode);
		if (transfer->opened >= 0)
			transfer->plain = transfer->opened;
		return;
	}
	transfer->opened = reopen(fd, mode | O_DIRECT);
	transfer->direct = transfer->opened;
}

static int open_file(struct transfer *transfer, int fd)
{
	const int wanted = transfer->is_save ? O_WRONLY : O_RDONLY;
	int flags = fcntl(fd, F_GETFL);
	struct stat status;

	if (flags < 0 || fstat(fd, &status))
		return -errno;
	if ((flags & O_ACCMODE) != O_RDWR && (flags & O_ACCMODE) != wanted)
		return -EBADF;
	transfer->plain = fd;
	if (transfer->position == FILE_POSITION)
		return 0;
	/* Such a file is written at its end, wherever one says. */
	if (transfer->is_save && flags & O_APPEND)
		return -EINVAL;
	transfer->end = UINT64_MAX;
	if (S_ISREG(status.st_mode))
		transfer->end = (uint64_t)status.st_size;
	if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode))
		open_direct(transfer, fd, flags);
	return 0;
}

static bool is_stage_needed(const struct transfer *transfer, enum way way)
{
	if (way == WAY_STAGED)
		return true;
	return way == WAY_PLAIN &&
	       transfer->caching != PORTALMEM_CACHING_CACHED;
}

static enum way choose_past_cache(const struct transfer *transfer)
{
	return transfer->can_pin && (uintptr_t)next_of(transfer) %
						    transfer->address_block ==
					    0
		       ? WAY_PINNED
		       : WAY_STAGED;
}

/* How the next bytes go, and how many at most. */
static enum way choose(const struct transfer *transfer, uint64_t *count)
{
	const uint64_t block = transfer->block;
	uint64_t position, left = left_of(transfer), skip;

	*count = smaller(left, REQUEST_MAX);
	if (transfer->direct < 0)
		return WAY_PLAIN;
	position = position_of(transfer);
	skip = position % block;
	if (transfer->is_save) {
		if (skip || left < block) {
			*count = smaller(left, block - skip);
			return WAY_PLAIN;
		}
		*count -= *count % block;
		return choose_past_cache(transfer);
	}
	/* Past its end, a file's last block would be read into the buffer. */
	if (!skip && position < transfer->end &&
	    smaller(left, transfer->end - position) >= block) {
		*count = smaller(*count, transfer->end - position);
		*count -= *count % block;
		return choose_past_cache(transfer);
	}
	return WAY_STAGED;
}

static ssize_t request_once(const struct transfer *transfer, int fd,
			    void *bytes, size_t count, uint64_t position)
{
	if (transfer->position == FILE_POSITION)
		return transfer->is_save ? write(fd, bytes, count)
					 : read(fd, bytes, count);
	return transfer->is_save ? pwrite(fd, bytes, count, (off_t)position)
				 : pread(fd, bytes, count, (off_t)position);
}

static ssize_t request(const struct transfer *transfer, int fd, void *bytes,
		       uint64_t count, uint64_t position)
{
	ssize_t ret;

	do
		ret = request_once(transfer, fd, bytes, (size_t)count,
				   position);
	while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	/* Nothing says what keeps a file from taking bytes. */
	return !ret && transfer->is_save ? -EIO : ret;
}

static int make_stage(struct transfer *transfer)
{
	void *stage;

	if (transfer->stage)
		return 0;
	stage = mmap(NULL, STAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED)
		return -errno;
	transfer->stage = stage;
	return 0;
}

/* COUNT bytes by the stage, for a load with the rest of the blocks around. */
static ssize_t go_staged(struct transfer *transfer, int fd, uint64_t count)
{
	const bool is_direct = fd == transfer->direct;
	uint64_t position = position_of(transfer), skip = 0, whole;
	ssize_t ret = make_stage(transfer);

	if (ret)
		return ret;
	count = smaller(count, STAGE_SIZE);
	if (transfer->is_save) {
		pm_copy_from(transfer->stage, next_of(transfer), (size_t)count,
			     transfer->caching);
		return request(transfer, fd, transfer->stage, count, position);
	}
	whole = count;
	if (is_direct) {
		const uint64_t block = transfer->block;

		skip = position % block;
		whole = smaller((skip + count + block - 1) / block * block,
				STAGE_SIZE);
	}
	ret = request(transfer, fd, transfer->stage, whole, position - skip);
	if (ret <= (ssize_t)skip)
		return ret < 0 ? ret : 0;
	count = smaller(count, (uint64_t)ret - skip);
	pm_copy_to(next_of(transfer), transfer->stage + skip, (size_t)count,
		   transfer->caching);
	return (ssize_t)count;
}

/* The next bytes: how many went, 0 at the file's end, or a negative errno. */
static ssize_t go(struct transfer *transfer)
{
	for (;;) {
		uint64_t count;
		enum way way = choose(transfer, &count);
		int fd = way == WAY_PLAIN ? transfer->plain : transfer->direct;
		ssize_t ret;

		if (is_stage_needed(transfer, way))
			ret = go_staged(transfer, fd, count);
		else
			ret = request(transfer, fd, next_of(transfer), count,
				      position_of(transfer));
		if (way == WAY_PINNED && ret == -EFAULT)
			transfer->can_pin = false;
		else if (way != WAY_PLAIN && ret == -EINVAL)
			transfer->direct = -1;
		else
			return ret;
	}
}

static int go_on(struct transfer *transfer)
{
	const struct portalmem_io_options *options = transfer->options;

	while (transfer->done < transfer->length) {
		ssize_t ret = go(transfer);

		if (ret <= 0)
			return (int)ret;
		transfer->done += (uint64_t)ret;
		if (options->progress &&
		    options->progress(options->data, transfer->done,
				      transfer->length) &&
		    transfer->done < transfer->length)
			return -ECANCELED;
	}
	return 0;
}

static unsigned int map_flags(bool is_save)
{
	return is_save ? PORTALMEM_MAP_READ : PORTALMEM_MAP_RDWR;
}

static unsigned int sync_flags(bool reads)
{
	return reads ? PORTALMEM_SYNC_READ : PORTALMEM_SYNC_WRITE;
}

/* A part of a buffer that the CPU has access to meanwhile. */
struct access {
	struct portalmem_range range;
	unsigned int flags;
	void *map;
	char *bytes;
};

/* Leaves a text on failure. */
static int begin(struct portalmem_buffer *buffer, uint64_t offset,
		 uint64_t length, bool reads, struct access *access)
{
	int ret;

	access->range.offset = offset;
	access->range.length = length;
	access->flags = sync_flags(reads);
	ret = pm_buffer_map_part(buffer, offset, length, map_flags(reads),
				 &access->map, &access->bytes);
	if (ret)
		return ret;
	ret = portalmem_buffer_sync(buffer,
				    PORTALMEM_SYNC_START | access->flags,
				    &access->range, 1);
	if (ret)
		portalmem_buffer_unmap(buffer, access->map);
	return ret;
}

static int end(struct portalmem_buffer *buffer, const struct access *access)
{
	int ret = portalmem_buffer_sync(
		buffer, PORTALMEM_SYNC_END | access->flags, &access->range, 1);

	portalmem_buffer_unmap(buffer, access->map);
	return ret;
}

static int check_part(const struct portalmem_buffer *buffer, const char *what,
		      uint64_t offset, uint64_t length)
{
	if (offset > buffer->size || length > buffer->size - offset)
		return pm_refuse(-EINVAL,
				 "cannot %s a buffer: offset %llu, length %llu "
				 "is not within its %llu bytes",
				 what, (unsigned long long)offset,
				 (unsigned long long)length,
				 (unsigned long long)buffer->size);
	return 0;
}

static int check_transfer(const char *what, int64_t position, uint64_t length,
			  const struct portalmem_io_options *options)
{
	if (options->struct_size != sizeof(*options))
		return pm_refuse(-EINVAL,
				 "cannot %s a buffer: the options were not "
				 "initialized; start from "
				 "PORTALMEM_IO_OPTIONS_INIT",
				 what);
	if (position < FILE_POSITION ||
	    (position != FILE_POSITION &&
	     length > (uint64_t)(INT64_MAX - position)))
		return pm_refuse(-EINVAL,
				 "cannot %s a buffer: %llu bytes at %lld are "
				 "in no file; give a position of 0 or more, or "
				 "-1 for the file's own",
				 what, (unsigned long long)length,
				 (long long)position);
	return 0;
}

/* With the part of the buffer mapped. */
static int do_transfer(struct transfer *transfer, int fd)
{
	int ret = open_file(transfer, fd);

	if (!ret)
		ret = go_on(transfer);
	if (transfer->stage)
		munmap(transfer->stage, STAGE_SIZE);
	if (transfer->opened >= 0)
		close(transfer->opened);
	return ret;
}

static int explain(const struct transfer *transfer, const char *what, int fd,
		   int error)
{
	if (error == -ECANCELED)
		return pm_refuse(error,
				 "stopped to %s a buffer after %llu bytes: the "
				 "caller said so",
				 what, (unsigned long long)transfer->done);
	if (error == -EINVAL && transfer->is_save)
		return pm_fail(
			error, "give a file without O_APPEND, or position -1",
			"cannot %s a buffer, file descriptor %d", what, fd);
	if (error == -ESPIPE)
		return pm_fail(error, "give position -1 for pipes and sockets",
			       "cannot %s a buffer, file descriptor %d", what,
			       fd);
	return pm_fail(error, NULL,
		       "cannot %s a buffer, file descriptor %d, after %llu "
		       "bytes",
		       what, fd, (unsigned long long)transfer->done);
}

static int move(struct portalmem_buffer *buffer, uint64_t offset, int fd,
		int64_t position, uint64_t length,
		const struct portalmem_io_options *options, uint64_t *donep,
		bool is_save)
{
	static const struct portalmem_io_options usual =
		PORTALMEM_IO_OPTIONS_INIT;
	const char *what = is_save ? "save" : "load";
	struct transfer transfer = {
		.is_save = is_save,
		.position = position,
		.direct = -1,
		.opened = -1,
		.can_pin = true,
		.options = options ? options : &usual,
	};
	struct access access;
	int ret, ret_end;

	if (!buffer)
		return pm_refuse(-EINVAL,
				 "cannot %s a buffer: no buffer was given "
				 "(NULL)",
				 what);
	ret = check_part(buffer, what, offset, length);
	if (ret)
		return ret;
	if (!length)
		length = buffer->size - offset;
	ret = check_transfer(what, position, length, transfer.options);
	if (ret)
		return ret;
	if (length) {
		ret = begin(buffer, offset, length, is_save, &access);
		if (ret)
			return ret;
		transfer.caching = buffer->effective;
		transfer.bytes = access.bytes;
		transfer.length = length;
		ret = do_transfer(&transfer, fd);
		ret_end = end(buffer, &access);
		if (!ret && ret_end)
			return ret_end;
	}
	if (donep)
		*donep = transfer.done;
	return ret ? explain(&transfer, what, fd, ret) : 0;
}

PM_EXPORT int portalmem_buffer_load(struct portalmem_buffer *buffer,
				    uint64_t offset, int fd, int64_t position,
				    uint64_t length,
				    const struct portalmem_io_options *options,
				    uint64_t *donep)
{
	return move(buffer, offset, fd, position, length, options, donep,
		    false);
}

PM_EXPORT int portalmem_buffer_save(struct portalmem_buffer *buffer,
				    uint64_t offset, int fd, int64_t position,
				    uint64_t length,
				    const struct portalmem_io_options *options,
				    uint64_t *donep)
{
	return move(buffer, offset, fd, position, length, options, donep, true);
}

PM_EXPORT int portalmem_buffer_read(struct portalmem_buffer *buffer,
				    uint64_t offset, void *to, size_t length)
{
	struct access access;
	int ret;

	if (!buffer || (length && !to))
		return pm_refuse(-EINVAL, "cannot read a buffer: no buffer or "
					  "no place for its bytes was given "
					  "(NULL)");
	ret = check_part(buffer, "read", offset, length);
	if (ret || !length)
		return ret;
	ret = begin(buffer, offset, length, true, &access);
	if (ret)
		return ret;
	pm_copy_from(to, access.bytes, length, buffer->effective);
	return end(buffer, &access);
}

PM_EXPORT int portalmem_buffer_write(struct portalmem_buffer *buffer,
				     uint64_t offset, const void *from,
				     size_t length)
{
	struct access access;
	int ret;

	if (!buffer || (length && !from))
		return pm_refuse(-EINVAL, "cannot write a buffer: no buffer or "
					  "no bytes were given (NULL)");
	ret = check_part(buffer, "write", offset, length);
	if (ret || !length)
		return ret;
	ret = begin(buffer, offset, length, false, &access);
	if (ret)
		return ret;
	pm_copy_to(access.bytes, from, length, buffer->effective);
	return end(buffer, &access);
}
