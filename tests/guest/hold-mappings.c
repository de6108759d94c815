// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process for a debugger: it maps a buffer of each caching mode, prints a
 * line "MODE ADDRESS" for each, waits for a line on its input, and prints what
 * the second word of each is by then.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <portalmem.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST PORTALMEM_CACHING_CACHED
#define LAST PORTALMEM_CACHING_UC

static void check(int ret)
{
	if (!ret)
		return;
	fprintf(stderr, "%s\n", portalmem_error_message());
	exit(1);
}

static volatile uint32_t *map(struct portalmem_device *device,
			      enum portalmem_caching caching)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_buffer *buffer;
	void *address;

	options.caching = caching;
	check(portalmem_buffer_alloc(device, 8192, &options, &buffer));
	check(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &address));
	return address;
}

int main(void)
{
	volatile uint32_t *words[LAST + 1];
	struct portalmem_device *device;

	check(portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM,
				    &device));
	for (enum portalmem_caching mode = FIRST; mode <= LAST; mode++) {
		words[mode] = map(device, mode);
		words[mode][0] = 0xc0ffee00 + mode;
		printf("%s 0x%" PRIxPTR "\n", portalmem_caching_name(mode),
		       (uintptr_t)words[mode]);
	}
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	for (enum portalmem_caching mode = FIRST; mode <= LAST; mode++)
		printf("%s 0x%08" PRIx32 "\n", portalmem_caching_name(mode),
		       words[mode][1]);
	return 0;
}
