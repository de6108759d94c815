/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests share that run as root in a guest with the module loaded.
 * Functions fail the running test instead of returning an error.
 */
#ifndef GUEST_H
#define GUEST_H

#include <linux/portalmem.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/pmtest.h"

#define GUEST_NODE "/dev/portalmem"
#define GUEST_HEAP_NODE "/dev/dma_heap/portalmem"
#define GUEST_HEAP_WC_NODE "/dev/dma_heap/portalmem-wc"
#define GUEST_STOCK_NODE "/dev/dma_heap/system"
#define GUEST_CONTIGUOUS_NODE "/dev/dma_heap/portalmem-contiguous"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* All nodes of the module, NULL at the end. */
extern const char *const guest_nodes[];

/* Open a file for reading and writing. */
int guest_open(const char *path);

/* Open a file for reading. */
int guest_open_read(const char *path);

/* A request that succeeds as it is. */
struct portalmem_ioc_alloc guest_request(uint64_t size, uint32_t caching);

/* Allocate from /dev/portalmem and give the dma-buf's descriptor. */
int guest_alloc(uint64_t size, uint32_t caching);

/* Allocate from a node; 0, and then REQUEST holds the answer, or an errno. */
int guest_try(const char *node, struct portalmem_ioc_alloc *request);

/* Allocate from a node as requested and give the dma-buf's descriptor. */
int guest_alloc_from(const char *node, struct portalmem_ioc_alloc request);

/* Allocate by the ioctl of the kernel's DMA heaps. */
int guest_dma_heap_alloc(const char *node, uint64_t size);

/* Has this kernel its own system heap, to compare with? Debian's 6.1 has not. */
int guest_has_stock(void);

/* Allocate from the kernel's own system heap; -1 where there is none. */
int guest_alloc_stock(size_t size);

/* Print what a mapping of that heap said: a RESULT below 0 is an error in
 * errno. */
void guest_tell_stock(const char *what, long result);

/*
 * Allocate while every other page of a row of so many is taken, so that the
 * buffer has more than one segment.
 */
int guest_alloc_scattered(uint64_t size, uint32_t caching, int row);

/* Make a buffer of memory of this process; O_RDONLY or O_RDWR. */
int guest_import(void *memory, size_t size, int mode);

/* Describe the heap behind a node. */
struct portalmem_ioc_heap guest_heap(const char *node);

/* Give back what the module pools; bytes. */
uint64_t guest_trim(void);

/* Write a word to a file of sysfs, procfs or the like. */
void guest_put(const char *path, const char *text);

/* Set a parameter of the module. */
void guest_set_param(const char *name, const char *value);

/* Give up CAP_SYS_RAWIO for the rest of the test. */
void guest_drop_rawio(void);

/* Seconds of a clock that only goes forward. */
double guest_now(void);

/* Describe a buffer. */
struct portalmem_ioc_info guest_info(int fd);

/* Up to MOST segments of a buffer, with physical addresses; how many it has. */
unsigned int guest_segments(int fd, struct portalmem_ioc_segment *segments,
			    unsigned int most);

/* Map a whole buffer shared, for reading and writing. */
void *guest_map(int fd, size_t size);

/* Number of dma-bufs in the kernel, from debugfs. */
unsigned int guest_count_buffers(void);

/* A field of /proc/meminfo in KiB. */
long guest_meminfo(const char *field);

/* How often the kernel has killed for memory. */
long guest_count_oom_kills(void);

/* Take SIZE bytes of anonymous memory and give them back, in a child. */
void guest_press(size_t size);

/* Unload the module; -1 with errno when that is refused. */
int guest_unload(void);

/* Load it again, without parameters. */
void guest_load(void);

/* How many times as long as on a stock kernel things may take on this one. */
int guest_time_factor(void);

/* Free memory in KiB, after all caches gave up theirs: comparable over time. */
long guest_free_kib(void);

/* Fill with a pattern that differs from page to page and from seed to seed. */
void guest_fill(void *to, size_t size, uint32_t seed);

/* Fail unless all bytes are what guest_fill() wrote. */
void guest_assert_filled(const void *from, size_t size, uint32_t seed);

/* Fail unless all bytes are zero. */
void guest_assert_zero(const void *from, size_t size);

#define GUEST_CGROUPS "/sys/fs/cgroup"

/* Make a cgroup with a limit of memory, and remove it when it is empty. */
void guest_make_group(const char *group, const char *limit);
void guest_remove_group(const char *group);

/* Run BODY in a child within a cgroup, which is empty again afterwards. */
void guest_run_in_group(const char *group, void (*body)(void));

/* Write to a file of a cgroup. */
void guest_group_put(const char *group, const char *file, const char *text);

/* The number in the line of a cgroup's file that begins with FIELD. */
uint64_t guest_group_get(const char *group, const char *file,
			 const char *field);

/* Run a shell command that succeeds. */
void guest_shell(const char *command);

/* Load a module of the kernel by name. */
void guest_modprobe(const char *name);

/* The disk of --scratch-disk. */
const char *guest_scratch_disk(void);

/* Where guest_mount_ext4() mounts an empty ext4 of that whole disk. */
#define GUEST_EXT4 "/tmp/portalmem-ext4"

void guest_mount_ext4(void);
void guest_unmount_ext4(void);

/* Load a module that the build left in a folder, unless it is loaded. */
void guest_load_built_module(const char *folder, const char *name);

/* The same for a test module. */
void guest_load_test_module(const char *name);

/* A test case with time enough for an emulated machine. */
TCase *guest_tcase(const char *name);

#endif
