/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before every source of the library where it is built for fuzzing: a
 * kernel that has dma-bufs, fences and portalmem nodes, all of them made up.
 */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#include <config.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct fuzz_input;

/* A file of so many bytes that passes for a dma-buf. */
int kernel_new_dmabuf(uint64_t size);

/* A descriptor of one that is always the same. */
int kernel_new_buffer(void);

/* One that passes for a fence which is signalled. */
int kernel_new_fence(void);

/* The input that nodes answer from, and /proc; NULL: nodes are not there. */
extern struct fuzz_input *kernel_answers;

/* What /proc/meminfo says, or NULL: it is this machine's own. */
extern const char *kernel_meminfo;

/* Memory files cannot be made. */
extern bool kernel_has_no_memory;

int kernel_open(const char *path, int flags);
int kernel_ioctl(int fd, unsigned long request, void *argument);
int kernel_statx(int fd, const char *path, int flags, unsigned int mask,
		 struct statx *st);
int kernel_fstatfs(int fd, struct statfs *st);
int kernel_memfd_create(const char *name, unsigned int flags);
FILE *kernel_fopen(const char *path, const char *mode);

#ifndef KERNEL_ITSELF
#define open(path, flags) kernel_open(path, flags)
#define ioctl(fd, request, argument) kernel_ioctl(fd, request, argument)
#define statx(fd, path, flags, mask, st) kernel_statx(fd, path, flags, mask, st)
#define fstatfs(fd, st) kernel_fstatfs(fd, st)
#define memfd_create(name, flags) kernel_memfd_create(name, flags)
#define fopen(path, mode) kernel_fopen(path, mode)
#endif

#endif
