// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second half of the main job: receive the buffer, look at its bytes by three
 * roads, and print their SHA-256.
 *
 *	job-consumer SOCKET SIZE VGEM-NODE
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <portalmem-drm.h>
#include <portalmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what, int error)
{
	const char *message = portalmem_error_message();

	fprintf(stderr, "consumer: %s: %s\n", what,
		*message ? message : strerror(error));
	exit(EXIT_FAILURE);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail(path, errno);
	return fd;
}

static void print_sum(const char *road, const void *bytes, size_t size)
{
	char sum[65] = "";
	char command[256];
	int from_sum;
	FILE *pipe_to;
	char path[] = "/tmp/sum-XXXXXX";

	/* sha256sum writes to a file, so that neither end can block. */
	from_sum = mkstemp(path);
	if (from_sum < 0)
		fail(path, errno);
	snprintf(command, sizeof(command), "sha256sum >%s", path);
	pipe_to = popen(command, "w");
	if (!pipe_to || fwrite(bytes, 1, size, pipe_to) != size ||
	    pclose(pipe_to))
		fail("sha256sum", errno);
	if (pread(from_sum, sum, 64, 0) != 64)
		fail("sha256sum", errno);
	close(from_sum);
	unlink(path);
	printf("%s %s\n", sum, road);
}

static void sum_buffer(const char *road, struct portalmem_buffer *buffer,
		       size_t size)
{
	void *map;
	int ret;

	ret = portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ, &map);
	if (ret)
		fail("map", -ret);
	ret = portalmem_buffer_sync(
		buffer, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ, NULL, 0);
	if (ret)
		fail("sync", -ret);
	print_sum(road, map, size);
	ret = portalmem_buffer_sync(
		buffer, PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ, NULL, 0);
	if (ret)
		fail("sync", -ret);
	portalmem_buffer_unmap(buffer, map);
}

int main(int argc, char **argv)
{
	struct portalmem_buffer *buffer, *exported;
	uint32_t handle;
	size_t size;
	int drm, ret;
	void *plain;

	if (argc != 4)
		return 2;
	size = strtoul(argv[2], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);

	ret = portalmem_buffer_receive(NULL, connect_to(argv[1]), &buffer);
	if (ret)
		fail("receive", -ret);
	printf("consumer: uid %u received %llu bytes, %s\n", getuid(),
	       (unsigned long long)portalmem_buffer_get_size(buffer),
	       portalmem_caching_name(portalmem_buffer_get_caching(buffer)));
	sum_buffer("received-buffer", buffer, size);

	drm = open(argv[3], O_RDWR | O_CLOEXEC);
	if (drm < 0)
		fail(argv[3], errno);
	ret = portalmem_drm_import(buffer, drm, &handle);
	if (ret)
		fail("import into vgem", -ret);
	printf("consumer: imported it into %s as handle %u\n", argv[3], handle);
	/* From here on vgem holds the only reference of this process. */
	portalmem_buffer_unref(buffer);

	ret = portalmem_drm_export(NULL, drm, handle, &exported);
	if (ret)
		fail("export from vgem", -ret);
	sum_buffer("re-exported-by-vgem", exported, size);

	plain = mmap(NULL, size, PROT_READ, MAP_SHARED,
		     portalmem_buffer_get_fd(exported), 0);
	if (plain == MAP_FAILED)
		fail("mmap", errno);
	print_sum("plain-mmap-of-its-fd", plain, size);

	ret = portalmem_drm_close_handle(drm, handle);
	if (ret)
		fail("close handle", -ret);
	portalmem_buffer_unref(exported);
	return EXIT_SUCCESS;
}
