// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a user with access to the nodes, and nothing else, cannot do: learn
 * where anything is, have more than the limits allow, fill the kernel's log.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define PAGE ((size_t)4096)
#define USER 1007
#define NODES "/dev/portalmem /dev/dma_heap/portalmem* /dev/dma_heap/reserved"

/* All nodes that there are, those of carve-outs too. */
static void find_nodes(glob_t *nodes)
{
	ck_assert_int_eq(glob("/dev/dma_heap/*", 0, NULL, nodes), 0);
	ck_assert_int_eq(glob(GUEST_NODE, GLOB_APPEND, NULL, nodes), 0);
}

static int is_ours(const char *node)
{
	return strcmp(node, GUEST_STOCK_NODE) != 0;
}

static void become_user(void)
{
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(USER), 0);
	ck_assert_int_eq(setuid(USER), 0);
	/* Its own files in /proc are its own again. */
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}

/* Run BODY as a user who may open the nodes. */
static void run_as_user(void (*body)(void))
{
	pid_t child;
	int status;

	guest_shell("chmod 666 " NODES);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		become_user();
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	guest_shell("chmod 660 " NODES);
	ck_assert_int_eq(status, 0);
}

static void find_every_node_closed(void)
{
	static const int modes[] = {O_RDONLY, O_WRONLY, O_RDWR, O_PATH};
	glob_t nodes;

	find_nodes(&nodes);
	for (size_t i = 0; i < nodes.gl_pathc; i++) {
		int fd;

		if (!is_ours(nodes.gl_pathv[i]))
			continue;
		for (int j = 0; j < 3; j++) {
			errno = 0;
			ck_assert_int_eq(open(nodes.gl_pathv[i], modes[j]), -1);
			ck_assert_int_eq(errno, EACCES);
		}
		/* A path alone is no access. */
		fd = open(nodes.gl_pathv[i], O_PATH);
		if (fd >= 0)
			ck_assert_int_eq(ioctl(fd, PORTALMEM_IOC_TRIM, NULL),
					 -1);
		ck_assert_int_eq(errno, fd >= 0 ? EBADF : EACCES);
	}
	globfree(&nodes);
}

START_TEST(every_node_is_eacces_for_who_has_no_access)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		become_user();
		find_every_node_closed();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Addresses that nobody else may learn, to be looked for. */
#define MOST_SECRETS 4096
static uint64_t secrets[MOST_SECRETS];
static unsigned int secret_count;
static unsigned int leaks;
static char leak[256];

static int compare(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return (*one > *other) - (*one < *other);
}

/* The kernel's half of the address space; the last page is that of errors. */
static int is_kernel_address(uint64_t value)
{
	return value >= 0xffff000000000000 && value < 0xfffffffffffff000;
}

static void judge(uint64_t value, const char *where)
{
	if (!is_kernel_address(value) &&
	    !bsearch(&value, secrets, secret_count, sizeof(value), compare))
		return;
	if (!leaks++)
		snprintf(leak, sizeof(leak), "%s: %" PRIx64, where, value);
}

static void add_secret(uint64_t address)
{
	/* What is a round number may be a size, too. */
	if (address % MIB(2) && secret_count < MOST_SECRETS)
		secrets[secret_count++] = address;
}

static void look_at_words(const void *bytes, size_t size, const char *where)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= size; at += 4) {
		uint64_t value;

		memcpy(&value, (const char *)bytes + at, sizeof(value));
		judge(value, where);
	}
}

/* Each number in a text, in both ways in which it can be read. */
static void look_at_text(const char *text, const char *where)
{
	while (*text) {
		size_t digits = strspn(text, "0123456789abcdefABCDEF");

		if (digits >= 5 && digits <= 20) {
			judge(strtoull(text, NULL, 16), where);
			if (strspn(text, "0123456789") >= 5)
				judge(strtoull(text, NULL, 10), where);
		}
		text += digits ? digits : 1;
	}
}

static unsigned int files_read, files_refused;

/* A file that the user may read has no address in it. */
static void look_at_file(const char *path)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t size = 0;
	ssize_t got = 0;

	if (fd < 0) {
		files_refused++;
		return;
	}
	files_read++;
	while (size < sizeof(text) - 1 &&
	       (got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)got;
	close(fd);
	text[size] = '\0';
	look_at_text(text, path);
}

static int look_at_entry(const char *path, const struct stat *status, int type,
			 struct FTW *unused)
{
	(void)status;
	(void)unused;
	if (type == FTW_F)
		look_at_file(path);
	return 0;
}

static void look_at_matches(const char *pattern)
{
	glob_t paths;

	if (glob(pattern, 0, NULL, &paths))
		return;
	for (size_t i = 0; i < paths.gl_pathc; i++)
		nftw(paths.gl_pathv[i], look_at_entry, 16, FTW_PHYS);
	globfree(&paths);
}

/* What the kernel has said of the module; its length, or -1 if it is not told. */
static int look_at_log(void)
{
	static char log[1 << 20];
	int length = klogctl(3, log, sizeof(log) - 1);
	char *line, *rest = log;

	if (length < 0)
		return length;
	log[length] = '\0';
	/* The command line is the administrator's. */
	while ((line = strsep(&rest, "\n")))
		if (strstr(line, "portalmem") && !strstr(line, "ommand line"))
			look_at_text(line, line);
	return length;
}

#define SCATTERED 64

/* Where the carve-out is that hostile.sh has the module make a heap of. */
#define CARVEOUT 0x20200000

/* Buffers of which the user knows everything that he is told. */
static int buffers[SCATTERED];

static void learn_secrets(void)
{
	static struct portalmem_ioc_segment segments[256];

	secret_count = 0;
	for (int i = 0; i < SCATTERED; i++) {
		unsigned int count;

		buffers[i] = guest_alloc_scattered(
			KIB(64), i % 2 ? PORTALMEM_CACHED : PORTALMEM_WC, 16);
		count = guest_segments(buffers[i], segments, 256);
		ck_assert_uint_le(count, 256);
		for (unsigned int j = 0; j < count; j++)
			add_secret(segments[j].physical);
	}
	ck_assert_uint_gt(secret_count, SCATTERED / 2);
	secrets[secret_count++] = CARVEOUT;
	qsort(secrets, secret_count, sizeof(secrets[0]), compare);
}

static void ask_everything(const char *node, int fd)
{
	static struct portalmem_ioc_segment segments[256];
	struct portalmem_ioc_version version = {0};
	struct portalmem_ioc_info info = {.fd = fd};
	struct portalmem_ioc_holders holders = {.fd = fd};
	struct portalmem_ioc_heap heap = {0};
	struct portalmem_ioc_segments table = {
		.fd = fd,
		.segments = (uintptr_t)segments,
		.count = 256,
	};
	int opened = open(node, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(opened, 0);
	ck_assert_int_eq(ioctl(opened, PORTALMEM_IOC_VERSION, &version), 0);
	ck_assert_int_eq(ioctl(opened, PORTALMEM_IOC_INFO, &info), 0);
	ck_assert_int_eq(ioctl(opened, PORTALMEM_IOC_HOLDERS, &holders), 0);
	ck_assert_int_eq(ioctl(opened, PORTALMEM_IOC_HEAP, &heap), 0);
	ck_assert_int_eq(ioctl(opened, PORTALMEM_IOC_SEGMENTS, &table), 0);
	look_at_words(&version, sizeof(version), "VERSION");
	look_at_words(&info, sizeof(info), "INFO");
	look_at_words(&holders, sizeof(holders), "HOLDERS");
	look_at_words(&heap, sizeof(heap), "HEAP");
	look_at_words(segments, table.count * sizeof(segments[0]), "SEGMENTS");
	close(opened);
}

static void look_at_page_frames(const char *map)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &entry, sizeof(entry),
			       (off_t)((uintptr_t)map / PAGE * sizeof(entry))),
			 sizeof(entry));
	ck_assert_uint_eq(entry & ((1ULL << 55) - 1), 0);
	close(fd);
}

/* What a hostile user would look at. */
static const char *const places[] = {
	"/sys/class/misc/portalmem*/",
	"/sys/devices/virtual/misc/portalmem*",
	"/sys/class/dma_heap*/",
	"/sys/module/portalmem",
	"/sys/bus/platform/devices/portalmem*",
	"/sys/kernel/debug/portalmem",
	"/sys/kernel/debug/dma_buf",
	"/sys/kernel/dmabuf",
	"/sys/kernel/tracing/trace",
	"/sys/kernel/slab/pool_entry*",
	"/proc/modules",
	"/proc/iomem",
	"/proc/misc",
	"/proc/self/maps",
	"/proc/self/smaps",
	"/proc/self/numa_maps",
	"/proc/self/fdinfo",
	"/proc/self/status",
	"/proc/self/stat",
	"/proc/self/syscall",
};

static void look_everywhere(void)
{
	glob_t nodes;

	find_nodes(&nodes);
	for (int i = 0; i < SCATTERED; i++) {
		char *map = guest_map(buffers[i], KIB(64));

		map[0] = 1;
		look_at_page_frames(map);
		for (size_t j = 0; j < nodes.gl_pathc; j++)
			if (is_ours(nodes.gl_pathv[j]))
				ask_everything(nodes.gl_pathv[j], buffers[i]);
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		look_at_matches(places[i]);
	look_at_log();
	printf("# %u addresses looked for in what %u files and all ioctls "
	       "tell; %u files cannot be read\n",
	       secret_count, files_read, files_refused);
	fflush(stdout);
	ck_assert_uint_gt(files_read, 50);
	ck_assert_msg(!leaks, "%u leaks, the first: %s", leaks, leak);
	globfree(&nodes);
}

static void close_buffers(void)
{
	for (int i = 0; i < SCATTERED; i++)
		close(buffers[i]);
}

START_TEST(a_user_learns_no_address_by_any_ioctl_or_file)
{
	learn_secrets();
	run_as_user(look_everywhere);
	/* Whoever may know them is found to. */
	leaks = 0;
	ask_everything(GUEST_NODE, buffers[0]);
	ck_assert_uint_gt(leaks, 0);
	close_buffers();
}
END_TEST

static void use_buffers(void)
{
	for (int i = 0; i < SCATTERED; i++) {
		struct portalmem_ioc_range range = {0, KIB(64)};
		struct portalmem_ioc_sync sync = {
			.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
			.fd = buffers[i],
			.ranges = (uintptr_t)&range,
			.count = 1,
		};
		int node = guest_open(GUEST_NODE);
		char *map = guest_map(buffers[i], KIB(64));

		map[0] = 1;
		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
		munmap(map, KIB(64));
		close(node);
		close(guest_alloc(KIB(64), PORTALMEM_WC));
	}
}

#define TRACING "/sys/kernel/tracing"

/* Administrators let others read these. */
START_TEST(neither_traces_nor_the_log_nor_the_list_of_buffers_tell_an_address)
{
	learn_secrets();
	leaks = 0;
	files_read = 0;
	guest_put(TRACING "/trace", "");
	guest_put(TRACING "/events/portalmem/enable", "1");
	run_as_user(use_buffers);
	guest_put(TRACING "/events/portalmem/enable", "0");
	look_at_file(TRACING "/trace");
	look_at_file("/sys/kernel/debug/portalmem/buffers");
	look_at_file("/sys/kernel/debug/dma_buf/bufinfo");
	ck_assert_uint_eq(files_read, 3);
	ck_assert_int_gt(look_at_log(), 0);
	ck_assert_msg(!leaks, "%u leaks, the first: %s", leaks, leak);
	guest_put(TRACING "/trace", "");
	close_buffers();
}
END_TEST

/* How many lines the kernel has logged. */
static uint64_t count_log_lines(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint64_t count = 0;
	char line[8192];

	ck_assert_int_ge(fd, 0);
	for (;;) {
		ssize_t got = read(fd, line, sizeof(line) - 1);

		if (got < 0 && errno == EPIPE)
			continue;
		if (got <= 0)
			break;
		line[got] = '\0';
		sscanf(line, "%*u,%" SCNu64, &count);
	}
	close(fd);
	return count;
}

#define BAD_CALLS 100000

static uint64_t chance = 88172645463325252ULL;

static uint64_t draw(void)
{
	chance ^= chance << 13;
	chance ^= chance >> 7;
	chance ^= chance << 17;
	return chance;
}

/* Sizes, descriptors, flags and addresses that no call should be made with. */
static uint64_t draw_nonsense(void)
{
	static const uint64_t odd[] = {
		0,
		1,
		4095,
		4097,
		UINT32_MAX,
		(uint64_t)1 << 32,
		(uint64_t)1 << 52,
		(uint64_t)1 << 63,
		UINT64_MAX,
		UINT64_MAX - 4095,
		0xffff888000000000,
		0xdead000000000000,
	};

	return draw() % 2 ? odd[draw() % 12] : draw();
}

static void map_badly(int buffer)
{
	int flags = draw() % 4 ? MAP_SHARED : MAP_PRIVATE;
	/* Private ones of much are refused by the kernel itself, and it tells. */
	size_t size = PAGE << (draw() % (flags == MAP_SHARED ? 40 : 8));
	void *map = mmap(NULL, size, (int)(draw() % 8), flags, buffer,
			 (off_t)(draw() % 64 * PAGE));

	if (map != MAP_FAILED)
		munmap(map, size);
}

static void call_badly(void)
{
	static const unsigned long numbers[] = {
		PORTALMEM_IOC_ALLOC,   PORTALMEM_IOC_INFO,
		PORTALMEM_IOC_SYNC,    PORTALMEM_IOC_SEGMENTS,
		PORTALMEM_IOC_HEAP,    PORTALMEM_IOC_ATTACH,
		PORTALMEM_IOC_HOLDERS, PORTALMEM_IOC_IMPORT_USER,
		DMA_HEAP_IOCTL_ALLOC,  PORTALMEM_IOC_TRIM,
		PORTALMEM_IOC_VERSION,
	};
	unsigned int fds = pmtest_count_fds() + 3, refused = 0;
	int nodes[3], buffer, socket[2];

	for (int i = 0; i < 3; i++)
		nodes[i] = guest_open(guest_nodes[i]);
	buffer = guest_alloc(KIB(64), PORTALMEM_WC);
	ck_assert_int_eq(pipe(socket), 0);
	for (unsigned int i = 0; i < BAD_CALLS; i++) {
		unsigned long number = numbers[draw() % 11];
		uint64_t words[32];

		for (int j = 0; j < 32; j++)
			words[j] = draw() % 3 ? 0 : draw_nonsense();
		/* Often with a buffer that is one, or something else. */
		if (draw() % 2)
			((uint32_t *)words)[1] =
				(uint32_t)(draw() % 2 ? buffer : socket[0]);
		/* Nothing that works uses up memory. */
		if (number == PORTALMEM_IOC_ALLOC ||
		    number == DMA_HEAP_IOCTL_ALLOC)
			words[number == PORTALMEM_IOC_ALLOC] |= (uint64_t)1
								<< 45;
		if (ioctl(nodes[i % 3], number,
			  draw() % 8 ? words : (void *)draw_nonsense()))
			refused++;
		if (!(i % 16))
			map_badly(buffer);
	}
	printf("# %u of %d calls refused\n", refused, BAD_CALLS);
	fflush(stdout);
	ck_assert_uint_gt(refused, BAD_CALLS / 2);
	ck_assert_uint_eq(pmtest_count_fds(), fds + 3);
}

START_TEST(a_hundred_thousand_bad_calls_leave_the_log_alone)
{
	uint64_t before = count_log_lines(), lines;

	run_as_user(call_badly);
	lines = count_log_lines() - before;
	printf("# the kernel logged %" PRIu64 " lines\n", lines);
	ck_assert_uint_le(lines, 10);
}
END_TEST

/* Allocate on an open node; 0 or an errno. */
static int take(int node, size_t size, int *fd)
{
	struct portalmem_ioc_alloc request =
		guest_request(size, PORTALMEM_CACHED);

	*fd = -1;
	if (ioctl(node, PORTALMEM_IOC_ALLOC, &request))
		return errno;
	*fd = request.fd;
	return 0;
}

static uint64_t used(int node)
{
	struct portalmem_ioc_heap heap = {0};

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HEAP, &heap), 0);
	return heap.user_used;
}

static const char *pinned_from;

/* One page in a pipe for each chunk of a buffer that is closed then. */
static int pin_and_close(int node, size_t size, int pipe_end)
{
	int fd, error = take(node, size, &fd);
	char *map;

	if (error)
		return error;
	map = guest_map(fd, size);
	for (size_t at = 0; at < size; at += KIB(128)) {
		struct iovec part = {map + at, PAGE};

		map[at] = 1;
		ck_assert_int_eq(vmsplice(pipe_end, &part, 1, 0), PAGE);
	}
	munmap(map, size);
	close(fd);
	return 0;
}

static void pin_more_than_the_limit(void)
{
	int node = guest_open(pinned_from);
	int pipes[8][2], taken = 0, error = 0, fd;

	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(pipe(pipes[i]), 0);
		ck_assert_int_gt(fcntl(pipes[i][1], F_SETPIPE_SZ, MIB(1)), 0);
	}
	while (taken < 8 &&
	       !(error = pin_and_close(node, MIB(4), pipes[taken][1])))
		taken++;
	printf("# %s: pages in pipes hold %" PRIu64 " KiB of %d MiB\n",
	       pinned_from, used(node) / 1024, taken * 4);
	fflush(stdout);
	if (!strcmp(pinned_from, GUEST_CONTIGUOUS_NODE)) {
		/* There, a page is held alone. */
		ck_assert_int_eq(taken, 8);
		ck_assert_uint_eq(used(node), 8 * 32 * PAGE);
	} else {
		ck_assert_int_le(taken, 4);
		ck_assert_int_eq(error, EDQUOT);
		ck_assert_uint_le(used(node), MIB(16));
		ck_assert_uint_gt(used(node), MIB(12));
	}
	/* What is let go can be had again at once. */
	for (int i = 0; i < 8; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	ck_assert_int_eq(take(node, MIB(16), &fd), 0);
	close(fd);
	ck_assert_uint_eq(used(node), 0);
}

START_TEST(pinned_pages_count_until_they_are_let_go)
{
	static const struct {
		const char *node;
		const char *parameter;
		const char *usual;
	} heaps[] = {
		{GUEST_NODE, "user_limit_mb", "0"},
		{GUEST_CONTIGUOUS_NODE, "contiguous_user_limit_mb", "256"},
	};

	guest_set_param(heaps[_i].parameter, "16");
	pinned_from = heaps[_i].node;
	run_as_user(pin_more_than_the_limit);
	guest_set_param(heaps[_i].parameter, heaps[_i].usual);
	guest_trim();
}
END_TEST

/* Send a descriptor to nobody in particular. */
static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

/* Children one after the other, each of which leaves a buffer in a socket. */
static int leave_by_children(int children, int (*make)(int node))
{
	int sockets[2], node = guest_open(GUEST_NODE), made = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	for (int i = 0; i < children; i++) {
		pid_t child = fork();
		int status;

		ck_assert_int_ge(child, 0);
		if (!child) {
			int fd = make(node);

			if (fd >= 0)
				send_fd(sockets[1], fd);
			_exit(fd < 0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		made += !status;
	}
	close(sockets[0]);
	close(sockets[1]);
	close(node);
	return made;
}

static int import_2_mib(int node)
{
	void *own = mmap(NULL, MIB(2), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct portalmem_ioc_import_user request = {
		.fd_flags = O_RDWR | O_CLOEXEC,
		.address = (uintptr_t)own,
		.size = MIB(2),
	};

	return ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request) ? -1
								: request.fd;
}

static void pin_by_children(void)
{
	struct rlimit limit = {MIB(8), MIB(8)};
	int made;

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	made = leave_by_children(16, import_2_mib);
	printf("# %d MiB pinned by children that ended, of 8\n", 2 * made);
	fflush(stdout);
	ck_assert_int_eq(made, 4);
	/* They are free again when they are gone. */
	usleep(100000);
	ck_assert_int_eq(leave_by_children(16, import_2_mib), 4);
}

START_TEST(pins_of_ended_processes_count_against_their_user)
{
	run_as_user(pin_by_children);
}
END_TEST

static int take_4_mib(int node)
{
	int fd;

	return take(node, MIB(4), &fd) ? -1 : fd;
}

static void take_by_children(void)
{
	int node = guest_open(GUEST_NODE), made;

	made = leave_by_children(16, take_4_mib);
	printf("# %d MiB taken by children that ended, of 16\n", 4 * made);
	fflush(stdout);
	ck_assert_int_eq(made, 4);
	for (int i = 0; i < 500 && used(node); i++)
		usleep(10000);
	ck_assert_uint_eq(used(node), 0);
}

START_TEST(buffers_of_ended_processes_count_against_their_user)
{
	guest_set_param("user_limit_mb", "16");
	run_as_user(take_by_children);
	guest_set_param("user_limit_mb", "0");
}
END_TEST

static void fill_the_pool(void)
{
	int node = guest_open(GUEST_NODE);

	for (int i = 0; i < 64; i++) {
		int fd;

		ck_assert_int_eq(take(node, MIB(16), &fd), 0);
		close(fd);
		ck_assert_uint_le(guest_heap(GUEST_NODE).pooled, MIB(24));
	}
}

/* What a user gives back is nobody's, and kept only up to the pool's limit. */
START_TEST(the_pool_is_no_way_around_a_limit)
{
	guest_trim();
	guest_set_param("user_limit_mb", "16");
	guest_set_param("pool_limit_mb", "20");
	run_as_user(fill_the_pool);
	guest_set_param("pool_limit_mb", "128");
	guest_set_param("user_limit_mb", "0");
	guest_trim();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("hostile");
	TCase *tcase = guest_tcase("hostile");

	tcase_add_test(tcase, every_node_is_eacces_for_who_has_no_access);
	tcase_add_test(tcase, a_user_learns_no_address_by_any_ioctl_or_file);
	tcase_add_test(
		tcase,
		neither_traces_nor_the_log_nor_the_list_of_buffers_tell_an_address);
	tcase_add_test(tcase, a_hundred_thousand_bad_calls_leave_the_log_alone);
	tcase_add_loop_test(tcase, pinned_pages_count_until_they_are_let_go, 0,
			    2);
	tcase_add_test(tcase, pins_of_ended_processes_count_against_their_user);
	tcase_add_test(tcase,
		       buffers_of_ended_processes_count_against_their_user);
	tcase_add_test(tcase, the_pool_is_no_way_around_a_limit);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
