// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "example.h"
#include "guest.h"

void example_load(void)
{
	guest_load_built_module("examples/kernel", EXAMPLE_MODULE);
}

void example_unload(void)
{
	syscall(SYS_delete_module, EXAMPLE_MODULE, O_NONBLOCK);
}

make example_request(const char *heap, uint64_t size)
{
	make request = {.size = size, .seed = 1};

	snprintf(request.heap, sizeof(request.heap), "%s", heap);
	return request;
}

int example_try_make(make *request)
{
	int node = guest_open(EXAMPLE_NODE);
	int error = ioctl(node, PORTALMEM_EXAMPLE_IOC_MAKE, request) ? errno
								     : 0;

	close(node);
	return error;
}

int example_make(make request)
{
	int error = example_try_make(&request);

	ck_assert_msg(!error, "%s: %s", request.heap, strerror(error));
	return request.fd;
}

static int try_look(look *request)
{
	int node = guest_open(EXAMPLE_NODE);
	int error = ioctl(node, PORTALMEM_EXAMPLE_IOC_LOOK, request) ? errno
								     : 0;

	close(node);
	return error;
}

look example_look(look request)
{
	int error = try_look(&request);

	ck_assert_msg(!error, "%s", strerror(error));
	return request;
}

int example_look_error(look request)
{
	return try_look(&request);
}

uint64_t example_sum(const void *from, size_t size)
{
	const uint32_t *word = from;
	uint64_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		sum += word[i];
	return sum;
}
