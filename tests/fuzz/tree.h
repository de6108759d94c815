/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A /proc and a /sys that are made up, below TREE_ROOT. They come as one text:
 * each line "@PATH" begins a file, whose bytes are the lines up to the next one.
 */
#ifndef TREE_H
#define TREE_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define TREE_ROOT "/tree"

/* DATA stays with the caller until the next call. */
void tree_set(const uint8_t *data, size_t size);

/* Open directories that were not closed. */
int tree_open_directories(void);

FILE *tree_fopen(const char *path);
DIR *tree_opendir(const char *path);
struct dirent *tree_readdir(DIR *directory);
int tree_closedir(DIR *directory);
int tree_dirfd(DIR *directory);
ssize_t tree_readlinkat(int directory, const char *name, char *to, size_t room);
int tree_scandir(const char *path, struct dirent ***list,
		 int (*filter)(const struct dirent *),
		 int (*compare)(const struct dirent **,
				const struct dirent **));

#endif
