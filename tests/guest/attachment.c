// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"

#define RACE_SECONDS 1.5

#define START_READ (DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)
#define END_WRITE (DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE)

struct portalmem_ioc_attach attachment_request(int buffer, const char *bus,
					       const char *device)
{
	struct portalmem_ioc_attach request = {
		.direction = PORTALMEM_BIDIRECTIONAL,
		.buffer = buffer,
		.fd_flags = O_CLOEXEC,
	};

	snprintf(request.bus, sizeof(request.bus), "%s", bus);
	snprintf(request.device, sizeof(request.device), "%s", device);
	return request;
}

int attachment_try(struct portalmem_ioc_attach *request)
{
	int node = guest_open(GUEST_NODE);
	int error = ioctl(node, PORTALMEM_IOC_ATTACH, request) ? errno : 0;

	close(node);
	return error;
}

int attachment_open(int buffer, const char *bus, const char *device)
{
	struct portalmem_ioc_attach request =
		attachment_request(buffer, bus, device);
	int error = attachment_try(&request);

	ck_assert_msg(!error, "attaching to %s %s: %s", bus, device,
		      strerror(error));
	return request.fd;
}

struct portalmem_ioc_attachment attachment_info(int attachment)
{
	struct portalmem_ioc_attachment info = {0};

	ck_assert_msg(!ioctl(attachment, PORTALMEM_IOC_ATTACHMENT, &info), "%s",
		      strerror(errno));
	return info;
}

unsigned int attachment_segments(int attachment,
				 struct portalmem_ioc_dma_segment *segments,
				 unsigned int most)
{
	struct portalmem_ioc_dma_segments table = {
		.segments = (uintptr_t)segments,
		.count = most,
	};

	ck_assert_msg(!ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table),
		      "%s", strerror(errno));
	return table.total;
}

int attachment_sync(int attachment, uint32_t flags, uint64_t offset,
		    uint64_t length)
{
	const struct portalmem_ioc_range range = {offset, length};
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = -1,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};

	return ioctl(attachment, PORTALMEM_IOC_SYNC, &sync) ? errno : 0;
}

static void assert_says_enodev(int attachment, unsigned long request,
			       void *argument)
{
	errno = 0;
	ck_assert_int_eq(ioctl(attachment, request, argument), -1);
	ck_assert_int_eq(errno, ENODEV);
}

void attachment_assert_gone(int attachment)
{
	struct pollfd polled = {.fd = attachment, .events = POLLIN};
	struct portalmem_ioc_attachment info = {0};
	struct portalmem_ioc_dma_segments table = {0};

	assert_says_enodev(attachment, PORTALMEM_IOC_ATTACHMENT, &info);
	assert_says_enodev(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table);
	ck_assert_int_eq(attachment_sync(attachment, START_READ, 0, 1), ENODEV);
	ck_assert_int_eq(poll(&polled, 1, 0), 1);
	ck_assert_int_eq(polled.revents, POLLHUP | POLLERR);
}

long attachment_module_users(void)
{
	FILE *file = fopen("/sys/module/portalmem/refcnt", "re");
	long users;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld", &users), 1);
	fclose(file);
	return users;
}

/* What the threads of a race share. */
struct race {
	atomic_bool over;
	atomic_uint attached;
	atomic_uint gone;
	atomic_uint wrong; /* an errno that has no place here */
	const char *bus;
	const char *device;
	int node;
	int buffer;
	int shared; /* an attachment that all of them use */
};

static void note(struct race *race, int error)
{
	if (error == ENODEV)
		atomic_fetch_add(&race->gone, 1);
	else if (error)
		atomic_store(&race->wrong, (unsigned int)error);
}

static void use(struct race *race, int attachment)
{
	struct portalmem_ioc_dma_segment segments[8];
	struct portalmem_ioc_dma_segments table = {
		.segments = (uintptr_t)segments, .count = 8};
	struct portalmem_ioc_attachment info = {0};
	struct pollfd polled = {.fd = attachment};

	note(race, attachment_sync(attachment, END_WRITE, 0, 65536));
	note(race,
	     ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table) ? errno : 0);
	note(race, attachment_sync(attachment, START_READ, 4096, 65536));
	note(race,
	     ioctl(attachment, PORTALMEM_IOC_ATTACHMENT, &info) ? errno : 0);
	poll(&polled, 1, 0);
}

/* On Arm a device without a driver does no DMA. */
static bool is_expected(int error)
{
	return error == ENODEV || error == EOPNOTSUPP;
}

static void *attach_and_use(void *argument)
{
	struct race *race = argument;

	while (!atomic_load(&race->over)) {
		struct portalmem_ioc_attach request = attachment_request(
			race->buffer, race->bus, race->device);

		use(race, race->shared);
		if (ioctl(race->node, PORTALMEM_IOC_ATTACH, &request)) {
			if (!is_expected(errno))
				note(race, errno);
			continue;
		}
		atomic_fetch_add(&race->attached, 1);
		use(race, request.fd);
		close(request.fd);
	}
	return NULL;
}

void attachment_race(const char *bus, const char *device, void (*go)(void),
		     void (*come)(void))
{
	struct race race = {
		.bus = bus,
		.device = device,
		.node = guest_open(GUEST_NODE),
		/* Bounce buffers have little room on some machines. */
		.buffer = guest_alloc(KIB(128), PORTALMEM_CACHED),
	};
	long users = attachment_module_users();
	double end = guest_now() + RACE_SECONDS;
	unsigned int rounds = 0;
	pthread_t threads[3];

	race.shared = attachment_open(race.buffer, bus, device);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL,
						attach_and_use, &race),
				 0);
	do {
		go();
		come();
		rounds++;
		usleep(2000);
	} while (guest_now() < end);
	atomic_store(&race.over, true);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	attachment_assert_gone(race.shared);
	close(race.shared);
	ck_assert_msg(!race.wrong, "%s", strerror((int)race.wrong));
	ck_assert_uint_eq(guest_info(race.buffer).attachments, 0);
	ck_assert_int_eq(attachment_module_users(), users);
	/* Else it was no race. */
	ck_assert_uint_gt(race.attached, 2);
	ck_assert_uint_gt(race.gone, 0);
	ck_assert_uint_gt(rounds, 2);
	close(race.node);
}
