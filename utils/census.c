// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "census.h"

#define DMABUF_PATH "/dmabuf:"
#define PATH_ROOM 4096
#define FDINFO_ROOM 4096

/* A buffer seen in one place, before what belongs together is put together. */
struct sighting {
	struct dmabuf buffer;
	struct holder holder; /* pid 0: the kernel's list */
};

struct sightings {
	struct sighting *list;
	size_t count, room;
};

static void copy_text(char *copy, size_t room, const char *text, size_t length)
{
	if (length >= room)
		length = room - 1;
	memcpy(copy, text, length);
	copy[length] = '\0';
}

/*
 * The value of the first line that starts with KEY. The kernel writes the
 * buffer's name last, and a name can have lines of its own that look like
 * values.
 */
static const char *find_value(const char *text, const char *key)
{
	size_t length = strlen(key);
	const char *line = text;

	while (line && strncmp(line, key, length) != 0) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	if (!line)
		return NULL;
	line += length;
	/* Further blanks are the value's own. */
	return *line == '\t' ? line + 1 : line;
}

static bool find_number(const char *text, const char *key, uint64_t *number)
{
	const char *value = find_value(text, key);

	if (!value || !isdigit((unsigned char)*value))
		return false;
	errno = 0;
	*number = strtoull(value, NULL, 10);
	return errno == 0;
}

static void find_text(const char *text, const char *key, char *copy,
		      size_t room)
{
	const char *value = find_value(text, key);

	copy[0] = '\0';
	if (value)
		copy_text(copy, room, value, strcspn(value, "\n"));
}

bool census_parse_fdinfo(const char *text, struct dmabuf *buffer)
{
	uint64_t count;

	memset(buffer, 0, sizeof(*buffer));
	find_text(text, "exp_name:", buffer->exporter,
		  sizeof(buffer->exporter));
	if (!buffer->exporter[0] ||
	    !find_number(text, "size:", &buffer->size) ||
	    !find_number(text, "ino:", &buffer->inode))
		return false;
	buffer->size_known = true;
	find_text(text, "name:", buffer->name, sizeof(buffer->name));
	if (find_number(text, "count:", &count))
		buffer->references = count;
	return true;
}

/* The path of a dma-buf has the kernel's name for it after a colon. */
static void take_name(const char *path, struct dmabuf *buffer)
{
	const char *name = path + strlen(DMABUF_PATH);

	copy_text(buffer->name, sizeof(buffer->name), name,
		  strcspn(name, "\n"));
}

bool census_parse_mapping(const char *line, struct dmabuf *buffer,
			  uint64_t *mapped)
{
	uint64_t start, end, offset, inode;
	int path = 0;

	memset(buffer, 0, sizeof(*buffer));
	if (sscanf(line,
		   "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %*x:%*x %" SCNu64
		   " %n",
		   &start, &end, &offset, &inode, &path) != 4 ||
	    !path || end < start ||
	    strncmp(line + path, DMABUF_PATH, strlen(DMABUF_PATH)) != 0)
		return false;
	take_name(line + path, buffer);
	buffer->inode = inode;
	*mapped = end - start;
	if (__builtin_add_overflow(offset, *mapped, &buffer->size))
		return false;
	return true;
}

/*
 * Does the line look as the kernel writes it? Its numbers have eight digits at
 * least, and so no buffer's name has room for a line that does: names are text
 * of their own choice, and may have lines in them.
 */
static bool is_listing(const char *line)
{
	static const size_t least[] = {8, 8, 8, 8, 1, 8};

	for (size_t i = 0; i < sizeof(least) / sizeof(least[0]); i++) {
		size_t length = strcspn(line, "\t\n");

		if (length < least[i] || line[length] != '\t')
			return false;
		line += length + 1;
	}
	return true;
}

bool census_parse_listed(const char *line, struct dmabuf *buffer)
{
	int exporter = 0, exporter_end = 0, name = 0;

	memset(buffer, 0, sizeof(*buffer));
	if (!isdigit((unsigned char)line[0]) || !is_listing(line) ||
	    sscanf(line,
		   "%" SCNu64 " %*8x %*8x %" SCNu64 " %n%*s%n %" SCNu64 " %n",
		   &buffer->size, &buffer->references, &exporter, &exporter_end,
		   &buffer->inode, &name) != 3 ||
	    !exporter_end)
		return false;
	copy_text(buffer->exporter, sizeof(buffer->exporter), line + exporter,
		  (size_t)(exporter_end - exporter));
	if (name && strncmp(line + name, "<none>", 6) != 0)
		copy_text(buffer->name, sizeof(buffer->name), line + name,
			  strcspn(line + name, "\n"));
	buffer->size_known = true;
	buffer->listed = true;
	return true;
}

static struct sighting *add_sighting(struct sightings *all,
				     const struct dmabuf *buffer)
{
	struct sighting *sighting;

	if (all->count == all->room) {
		size_t room = all->room ? all->room * 2 : 256;
		struct sighting *list =
			reallocarray(all->list, room, sizeof(*list));

		if (!list)
			return NULL;
		all->list = list;
		all->room = room;
	}
	sighting = &all->list[all->count++];
	memset(sighting, 0, sizeof(*sighting));
	sighting->buffer = *buffer;
	sighting->holder.inode = buffer->inode;
	return sighting;
}

static FILE *open_file(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static FILE *open_file(const char *format, ...)
{
	char path[PATH_ROOM];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return fopen(path, "re");
}

/* All of a small file as a string; what does not fit is cut off. */
static bool read_text(FILE *file, char *text, size_t room)
{
	size_t length = 0;

	if (file) {
		length = fread(text, 1, room - 1, file);
		fclose(file);
	}
	text[length] = '\0';
	return length > 0;
}

static void read_command(const char *root, struct holder *holder)
{
	read_text(open_file("%s/proc/%d/comm", root, (int)holder->pid),
		  holder->command, sizeof(holder->command));
	holder->command[strcspn(holder->command, "\n")] = '\0';
}

/* Is a descriptor's link that of a dma-buf? Only such an fdinfo is read. */
static bool is_dmabuf_link(int directory, const char *name)
{
	char target[sizeof(DMABUF_PATH)];
	ssize_t length =
		readlinkat(directory, name, target, strlen(DMABUF_PATH));

	return length == (ssize_t)strlen(DMABUF_PATH) &&
	       memcmp(target, DMABUF_PATH, strlen(DMABUF_PATH)) == 0;
}

static int read_descriptor(struct sightings *all, const char *root, pid_t pid,
			   const char *name)
{
	char text[FDINFO_ROOM];
	struct sighting *sighting;
	struct dmabuf buffer;

	/* It may have been closed since. */
	if (!read_text(open_file("%s/proc/%d/fdinfo/%s", root, (int)pid, name),
		       text, sizeof(text)) ||
	    !census_parse_fdinfo(text, &buffer))
		return 0;
	sighting = add_sighting(all, &buffer);
	if (!sighting)
		return -ENOMEM;
	sighting->holder.pid = pid;
	sighting->holder.fds = 1;
	return 0;
}

static DIR *open_process_folder(const char *root, pid_t pid, const char *folder)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/proc/%d/%s", root, (int)pid, folder);
	return opendir(path);
}

static int read_descriptors(struct sightings *all, const char *root, pid_t pid)
{
	DIR *directory = open_process_folder(root, pid, "fd");
	struct dirent *entry;
	int ret = 0;

	if (!directory)
		return -errno;
	while (ret == 0 && (entry = readdir(directory)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    is_dmabuf_link(dirfd(directory), entry->d_name))
			ret = read_descriptor(all, root, pid, entry->d_name);
	}
	closedir(directory);
	return ret;
}

static int read_mappings(struct sightings *all, const char *root, pid_t pid)
{
	FILE *file = open_file("%s/proc/%d/maps", root, (int)pid);
	struct sighting *sighting;
	struct dmabuf buffer;
	uint64_t mapped;
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	if (!file)
		return -errno;
	while (ret == 0 && getline(&line, &room, file) >= 0) {
		if (!census_parse_mapping(line, &buffer, &mapped))
			continue;
		sighting = add_sighting(all, &buffer);
		if (!sighting) {
			ret = -ENOMEM;
			break;
		}
		sighting->holder.pid = pid;
		sighting->holder.mapped = mapped;
	}
	free(line);
	fclose(file);
	return ret;
}

/* A process that has ended meanwhile holds nothing. */
static int read_process(struct census *census, struct sightings *all,
			const char *root, pid_t pid)
{
	int ret = read_descriptors(all, root, pid);

	if (ret == 0)
		ret = read_mappings(all, root, pid);
	if (ret == -EACCES || ret == -EPERM) {
		census->unreadable++;
		return 0;
	}
	return ret == -ENOMEM ? ret : 0;
}

static int read_processes(struct census *census, struct sightings *all,
			  const char *root)
{
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *directory;
	int ret = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/proc", root) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	directory = opendir(path);
	if (!directory)
		return -errno;
	while (ret == 0 && (entry = readdir(directory)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]))
			ret = read_process(census, all, root,
					   (pid_t)atoi(entry->d_name));
	}
	closedir(directory);
	return ret;
}

/* Below each buffer of the list and its attachments, their number follows. */
static void count_attachments(struct sightings *all, const char *line)
{
	unsigned int count;
	int end = 0;

	/* The end of the list has a line that begins the same way. */
	sscanf(line, "Total %u devices attached%n", &count, &end);
	if (all->count && end)
		all->list[all->count - 1].buffer.attachments = count;
}

static int read_list(struct census *census, struct sightings *all,
		     const char *root)
{
	FILE *file = open_file("%s/sys/kernel/debug/dma_buf/bufinfo", root);
	struct dmabuf buffer;
	char *line = NULL;
	size_t room = 0;
	int ret = 0;

	if (!file)
		return 0;
	census->complete = true;
	while (ret == 0 && getline(&line, &room, file) >= 0) {
		if (!census_parse_listed(line, &buffer))
			count_attachments(all, line);
		else if (!add_sighting(all, &buffer))
			ret = -ENOMEM;
	}
	free(line);
	fclose(file);
	return ret;
}

/* By inode, and then by process. */
static int compare_sightings(const void *a, const void *b)
{
	const struct holder *left = &((const struct sighting *)a)->holder;
	const struct holder *right = &((const struct sighting *)b)->holder;

	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

static void merge_buffer(struct dmabuf *buffer, const struct dmabuf *seen)
{
	if (seen->size_known) {
		buffer->size = seen->size;
		buffer->size_known = true;
	} else if (!buffer->size_known && seen->size > buffer->size) {
		buffer->size = seen->size;
	}
	if (seen->exporter[0])
		memcpy(buffer->exporter, seen->exporter,
		       sizeof(buffer->exporter));
	if (seen->name[0])
		memcpy(buffer->name, seen->name, sizeof(buffer->name));
	if (seen->references > buffer->references)
		buffer->references = seen->references;
	if (seen->listed) {
		buffer->listed = true;
		buffer->attachments = seen->attachments;
	}
}

static void merge_holder(struct census *census, struct dmabuf *buffer,
			 const struct holder *seen, const char *root)
{
	struct holder *last = NULL;

	if (!seen->pid)
		return;
	if (buffer->holder_count)
		last = &census->holders[census->holder_count - 1];
	if (!last || last->pid != seen->pid) {
		last = &census->holders[census->holder_count++];
		memset(last, 0, sizeof(*last));
		last->inode = seen->inode;
		last->pid = seen->pid;
		read_command(root, last);
		buffer->holder_count++;
	}
	last->fds += seen->fds;
	last->mapped += seen->mapped;
}

/* Put together what was seen of each buffer, and of each process that holds it.
 */
static int merge(struct census *census, struct sightings *all, const char *root)
{
	struct holder *holders;
	struct dmabuf *buffer = NULL;

	if (all->count == 0)
		return 0;
	census->buffers = calloc(all->count, sizeof(*census->buffers));
	census->holders = calloc(all->count, sizeof(*census->holders));
	if (!census->buffers || !census->holders)
		return -ENOMEM;
	qsort(all->list, all->count, sizeof(*all->list), compare_sightings);
	for (size_t i = 0; i < all->count; i++) {
		const struct sighting *seen = &all->list[i];

		if (!buffer || buffer->inode != seen->buffer.inode) {
			buffer = &census->buffers[census->count++];
			buffer->inode = seen->buffer.inode;
		}
		merge_buffer(buffer, &seen->buffer);
		merge_holder(census, buffer, &seen->holder, root);
	}
	holders = census->holders;
	for (size_t i = 0; i < census->count; i++) {
		census->buffers[i].holders = holders;
		holders += census->buffers[i].holder_count;
	}
	return 0;
}

int census_take(struct census *census, const char *root)
{
	struct sightings all = {0};
	int ret;

	memset(census, 0, sizeof(*census));
	ret = read_list(census, &all, root);
	if (ret == 0)
		ret = read_processes(census, &all, root);
	if (ret == 0)
		ret = merge(census, &all, root);
	free(all.list);
	if (ret)
		census_free(census);
	return ret;
}

void census_free(struct census *census)
{
	free(census->buffers);
	free(census->holders);
	memset(census, 0, sizeof(*census));
}

uint64_t dmabuf_share(const struct dmabuf *buffer)
{
	return buffer->holder_count ? buffer->size / buffer->holder_count : 0;
}

uint64_t dmabuf_mapped(const struct dmabuf *buffer)
{
	uint64_t mapped = 0;

	for (size_t i = 0; i < buffer->holder_count; i++)
		mapped += buffer->holders[i].mapped;
	return mapped;
}

const char *dmabuf_note(const struct dmabuf *buffer)
{
	if (buffer->leaked)
		return "leaked?";
	if (!buffer->holder_count)
		return buffer->attachments ? "device" : "no process";
	return "";
}

bool census_process_times(const char *root, pid_t pid,
			  struct process_times *times)
{
	unsigned long user, system;
	char text[1024];
	const char *rest;

	if (!read_text(open_file("%s/proc/%d/stat", root, (int)pid), text,
		       sizeof(text)))
		return false;
	/* The command's name, in parentheses, can have any character. */
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu "
			    "%lu %*d %*d %*d %*d %*d %*d %" SCNu64,
			    &user, &system, &times->started) != 3)
		return false;
	times->used = (uint64_t)user + system;
	return true;
}

/* Processor time in clock ticks; UINT64_MAX when it cannot be told. */
static uint64_t processor_time(const char *root, pid_t pid)
{
	struct process_times times;

	return census_process_times(root, pid, &times) ? times.used
						       : UINT64_MAX;
}

bool dmabuf_may_be_leaked(const struct dmabuf *buffer)
{
	return buffer->listed && buffer->holder_count &&
	       buffer->attachments == 0 && dmabuf_mapped(buffer) == 0;
}

static void wait_ms(unsigned int ms)
{
	struct timespec left = {.tv_sec = ms / 1000,
				.tv_nsec = (long)(ms % 1000) * 1000000};

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static bool all_idle(const struct census *census, const struct dmabuf *buffer,
		     const uint64_t *before, const char *root)
{
	const struct holder *holder = buffer->holders;

	for (size_t i = 0; i < buffer->holder_count; i++, holder++) {
		uint64_t then = before[holder - census->holders];

		if (then == UINT64_MAX ||
		    processor_time(root, holder->pid) != then)
			return false;
	}
	return true;
}

void census_mark_leaks(struct census *census, const char *root, unsigned int ms)
{
	uint64_t *before;
	bool any = false;

	if (census->holder_count == 0)
		return;
	before = calloc(census->holder_count, sizeof(*before));
	if (!before)
		return;
	for (size_t i = 0; i < census->count; i++) {
		const struct dmabuf *buffer = &census->buffers[i];

		if (!dmabuf_may_be_leaked(buffer))
			continue;
		any = true;
		for (size_t j = 0; j < buffer->holder_count; j++)
			before[buffer->holders + j - census->holders] =
				processor_time(root, buffer->holders[j].pid);
	}
	if (any)
		wait_ms(ms);
	for (size_t i = 0; any && i < census->count; i++) {
		struct dmabuf *buffer = &census->buffers[i];

		buffer->leaked = dmabuf_may_be_leaked(buffer) &&
				 all_idle(census, buffer, before, root);
	}
	free(before);
}
