// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define FILES_MAX 128
#define DIRECTORIES_MAX 4
#define PATH_MOST 200

static struct {
	char path[PATH_MOST]; /* begins with a slash */
	const uint8_t *bytes;
	size_t size;
} files[FILES_MAX];
static size_t file_count;

/* What a DIR stands for. */
static struct directory {
	bool is_open;
	char path[PATH_MOST]; /* ends with a slash */
	size_t next;
	struct dirent entry;
} directories[DIRECTORIES_MAX];

static void add_file(const uint8_t *path, size_t length)
{
	if (length > PATH_MOST - 2)
		length = PATH_MOST - 2;
	files[file_count].path[0] = '/';
	memcpy(files[file_count].path + 1, path, length);
	files[file_count].path[length + 1] = '\0';
	files[file_count].bytes = path + length;
	files[file_count].size = 0;
	file_count++;
}

void tree_set(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = size ? data + size : data;

	file_count = 0;
	memset(directories, 0, sizeof(directories));
	while (at < end) {
		const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
		const uint8_t *next = line_end ? line_end + 1 : end;

		if (*at == '@' && file_count < FILES_MAX) {
			add_file(at + 1, (size_t)((line_end ? line_end : end) -
						  at - 1));
			files[file_count - 1].bytes = next;
		} else if (file_count) {
			files[file_count - 1].size += (size_t)(next - at);
		}
		at = next;
	}
}

int tree_open_directories(void)
{
	int count = 0;

	for (int i = 0; i < DIRECTORIES_MAX; i++)
		count += directories[i].is_open;
	return count;
}

/* The path below the root, or NULL. */
static const char *below_root(const char *path)
{
	size_t length = strlen(TREE_ROOT);

	return strncmp(path, TREE_ROOT, length) == 0 ? path + length : NULL;
}

static int find_file(const char *path)
{
	for (size_t i = 0; path && i < file_count; i++)
		if (strcmp(files[i].path, path) == 0)
			return (int)i;
	errno = ENOENT;
	return -1;
}

FILE *tree_fopen(const char *path)
{
	int i = find_file(below_root(path));

	if (i < 0)
		return NULL;
	return fmemopen((void *)(uintptr_t)files[i].bytes, files[i].size, "r");
}

/* The name of what FILE has in FOLDER, which ends with a slash; its length. */
static size_t name_within(size_t file, const char *folder)
{
	size_t length = strlen(folder);

	if (strncmp(files[file].path, folder, length) != 0)
		return 0;
	return strcspn(files[file].path + length, "/");
}

/* Is that name the one of a file before, too? */
static bool was_there(size_t file, const char *folder)
{
	size_t length = name_within(file, folder);
	const char *name = files[file].path + strlen(folder);

	for (size_t i = 0; i < file; i++)
		if (name_within(i, folder) == length &&
		    memcmp(files[i].path + strlen(folder), name, length) == 0)
			return true;
	return false;
}

DIR *tree_opendir(const char *path)
{
	struct directory *directory = NULL;
	const char *below = below_root(path);

	for (int i = 0; i < DIRECTORIES_MAX && !directory; i++)
		if (!directories[i].is_open)
			directory = &directories[i];
	if (!below || !directory) {
		errno = below ? EMFILE : ENOENT;
		return NULL;
	}
	snprintf(directory->path, PATH_MOST, "%.*s/", PATH_MOST - 2, below);
	for (size_t i = 0; i < file_count; i++) {
		if (name_within(i, directory->path)) {
			directory->is_open = true;
			directory->next = 0;
			return (DIR *)directory;
		}
	}
	errno = ENOENT;
	return NULL;
}

struct dirent *tree_readdir(DIR *handle)
{
	struct directory *directory = (struct directory *)handle;

	for (; directory->next < file_count; directory->next++) {
		size_t i = directory->next;
		size_t length = name_within(i, directory->path);

		if (!length || was_there(i, directory->path))
			continue;
		if (length > sizeof(directory->entry.d_name) - 1)
			length = sizeof(directory->entry.d_name) - 1;
		memcpy(directory->entry.d_name,
		       files[i].path + strlen(directory->path), length);
		directory->entry.d_name[length] = '\0';
		directory->next++;
		return &directory->entry;
	}
	return NULL;
}

int tree_closedir(DIR *handle)
{
	((struct directory *)handle)->is_open = false;
	return 0;
}

int tree_dirfd(DIR *handle)
{
	return (int)((struct directory *)handle - directories);
}

ssize_t tree_readlinkat(int directory, const char *name, char *to, size_t room)
{
	char path[2 * PATH_MOST];
	int i;

	snprintf(path, sizeof(path), "%s%s", directories[directory].path, name);
	i = find_file(path);
	if (i < 0)
		return -1;
	if (room > files[i].size)
		room = files[i].size;
	memcpy(to, files[i].bytes, room);
	return (ssize_t)room;
}

typedef int (*compare_fn)(const void *, const void *);

int tree_scandir(const char *path, struct dirent ***list,
		 int (*filter)(const struct dirent *),
		 int (*compare)(const struct dirent **, const struct dirent **))
{
	DIR *directory = tree_opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!directory)
		return -1;
	*list = calloc(FILES_MAX, sizeof(**list));
	while ((entry = tree_readdir(directory)) != NULL) {
		if (filter && !filter(entry))
			continue;
		(*list)[count] = malloc(sizeof(*entry));
		memcpy((*list)[count++], entry, sizeof(*entry));
	}
	tree_closedir(directory);
	if (compare)
		qsort(*list, (size_t)count, sizeof(**list),
		      (compare_fn)(void *)compare);
	return count;
}
