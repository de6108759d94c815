/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every dma-buf of the system that this user can see, and who holds it: from
 * the processes' file descriptors and mappings in /proc and, where debugfs may
 * be read, from the kernel's own list.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EXPORTER_ROOM 64
#define BUFFER_NAME_ROOM 64
#define COMMAND_ROOM 64

/* One process that has descriptors or mappings of a buffer. */
struct holder {
	uint64_t inode;
	pid_t pid;
	unsigned int fds;
	uint64_t mapped; /* bytes of its address space */
	char command[COMMAND_ROOM];
};

/* One dma-buf. */
struct dmabuf {
	uint64_t inode;
	/* of one that is seen in mappings alone, as much as is mapped */
	uint64_t size;
	bool size_known;
	char exporter[EXPORTER_ROOM]; /* empty: not known */
	char name[BUFFER_NAME_ROOM];  /* empty: none */
	bool listed;		      /* the kernel's list has it */
	uint64_t references;	      /* open files of it; 0: not known */
	unsigned int attachments;     /* when it is listed */
	bool leaked;		      /* looks so: see census_mark_leaks() */
	const struct holder *holders; /* by process */
	size_t holder_count;
};

struct census {
	struct dmabuf *buffers; /* by inode */
	size_t count;
	struct holder *holders;
	size_t holder_count;
	size_t unreadable; /* processes that this user may not look into */
	bool complete;	   /* the kernel's list was read */
};

/*
 * Take a census of the system whose /proc and /sys are below ROOT ("" for this
 * one). Gives 0 or -errno: -ENOENT without processes to read, -ENOMEM.
 */
int census_take(struct census *census, const char *root);

/*
 * Mark as leaked the buffers that nobody maps and no device is attached to,
 * whose holders, one at least, all use no processor time for MS milliseconds.
 * Waits that long, unless no buffer comes into question. Without the kernel's
 * list nothing is known of devices, and nothing is marked.
 */
void census_mark_leaks(struct census *census, const char *root,
		       unsigned int ms);

/*
 * Does nothing use the buffer, as far as the kernel's list tells? It is leaked
 * when its holders do not work either.
 */
bool dmabuf_may_be_leaked(const struct dmabuf *buffer);

/* Of a process, in clock ticks. */
struct process_times {
	uint64_t used;	  /* processor time */
	uint64_t started; /* after the boot: tells it from a later one */
};

/* False when it cannot be told, such as of a process that has ended. */
bool census_process_times(const char *root, pid_t pid,
			  struct process_times *times);

/* What of the buffer's size falls to each of its holders. */
uint64_t dmabuf_share(const struct dmabuf *buffer);

/* What is odd about the buffer, in a word or two, or "". */
const char *dmabuf_note(const struct dmabuf *buffer);

uint64_t dmabuf_mapped(const struct dmabuf *buffer);

void census_free(struct census *census);

/*
 * The parsers, for their tests: each takes a line or a file's text apart.
 */

/* What /proc/PID/fdinfo tells of a dma-buf; false when it is about another
 * file. */
bool census_parse_fdinfo(const char *text, struct dmabuf *buffer);

/*
 * A line of /proc/PID/maps that maps a dma-buf: its inode and name, with as
 * much of it as the mapping reaches as its size, and how much is MAPPED.
 */
bool census_parse_mapping(const char *line, struct dmabuf *buffer,
			  uint64_t *mapped);

/* A line of the kernel's list that describes a buffer. */
bool census_parse_listed(const char *line, struct dmabuf *buffer);

#endif
