// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First half of the main job: allocate a buffer, read a disk into it and send
 * it to the first process that connects.
 *
 *	job-producer FILE SIZE cached|wc SOCKET
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <portalmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20)

static void fail(const char *what, int error)
{
	const char *message = portalmem_error_message();

	fprintf(stderr, "producer: %s: %s\n", what,
		*message ? message : strerror(error));
	exit(EXIT_FAILURE);
}

/* Straight from the disk into the buffer: no copy by the CPU. */
static void read_direct(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		fail(path, errno);
	for (size_t done = 0; done < size;) {
		/* The last, partial page comes with its whole sectors. */
		size_t want = (size - done + 4095) & ~(size_t)4095;
		ssize_t got = read(fd, to + done, want < CHUNK ? want : CHUNK);

		if (got <= 0)
			fail("O_DIRECT read", got ? errno : ENODATA);
		done += (size_t)got;
	}
	close(fd);
}

static void read_bounced(const char *path, char *to, size_t size)
{
	char *bounce = malloc(CHUNK);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);

	if (fd < 0 || direct < 0 || !bounce)
		fail(path, errno);
	if (read(direct, to, 4096) != -1 || errno != EFAULT)
		fail("O_DIRECT into a write-combined mapping is not EFAULT",
		     errno);
	printf("producer: O_DIRECT into it: %s (EFAULT), as documented\n",
	       strerror(EFAULT));
	for (size_t done = 0; done < size;) {
		size_t want = size - done < CHUNK ? size - done : CHUNK;
		ssize_t got = read(fd, bounce, want);

		if (got <= 0)
			fail("read", got ? errno : ENODATA);
		memcpy(to + done, bounce, (size_t)got);
		done += (size_t)got;
	}
	free(bounce);
	close(direct);
	close(fd);
}

static int accept_one(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int fd;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		fail(path, errno);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		fail("accept", errno);
	close(listener);
	return fd;
}

int main(int argc, char **argv)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	size_t size;
	void *map;
	int ret;

	if (argc != 5)
		return 2;
	size = strtoul(argv[2], NULL, 10);
	options.name = "main job";
	options.caching = strcmp(argv[3], "wc") ? PORTALMEM_CACHING_CACHED
						: PORTALMEM_CACHING_WC;
	setvbuf(stdout, NULL, _IOLBF, 0);

	ret = portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM, &device);
	if (ret)
		fail("open", -ret);
	ret = portalmem_buffer_alloc(device, size, &options, &buffer);
	if (ret)
		fail("allocate", -ret);
	ret = portalmem_buffer_get_info(buffer, &info);
	if (ret)
		fail("info", -ret);
	printf("producer: uid %u allocated %llu bytes, %s, in %u segments\n",
	       getuid(), (unsigned long long)info.size,
	       portalmem_caching_name(info.effective), info.segments);

	ret = portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map);
	if (ret)
		fail("map", -ret);
	ret = portalmem_buffer_sync(
		buffer, PORTALMEM_SYNC_START | PORTALMEM_SYNC_WRITE, NULL, 0);
	if (ret)
		fail("sync", -ret);
	if (options.caching == PORTALMEM_CACHING_WC) {
		read_bounced(argv[1], map, size);
		printf("producer: copied %s into it through a bounce buffer\n",
		       argv[1]);
	} else {
		read_direct(argv[1], map, size);
		printf("producer: read %s into it with O_DIRECT\n", argv[1]);
	}
	ret = portalmem_buffer_sync(
		buffer, PORTALMEM_SYNC_END | PORTALMEM_SYNC_WRITE, NULL, 0);
	if (ret)
		fail("sync", -ret);

	ret = portalmem_buffer_send(buffer, accept_one(argv[4]));
	if (ret)
		fail("send", -ret);
	printf("producer: sent it through %s\n", argv[4]);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	return EXIT_SUCCESS;
}
