// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes do everything with buffers at the same time, chosen by chance,
 * until they are killed, by chance too: they allocate, map, write, sync, attach
 * devices, have drivers import, pass on and take over, make buffers of their
 * own memory, ask and trim, while one of the devices comes and goes. Then
 * everything is as it was before.
 *
 * STRESS_OPERATIONS says after how many operations it is enough, STRESS_SEED
 * what chance begins with.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"
#include "soft-device.h"
#include "stats.h"

#define WORKERS 8
#define SLOTS 12
#define PAGE ((size_t)4096)
#define BIGGEST_ORDER 8
#define LASTING_DEVICE "pm_device.0"
#define COMING_DEVICE "pm_device.1"

/* What a process can do; the names are printed. */
enum operation {
	ALLOCATE,
	MAP,
	WRITE,
	UNMAP,
	SYNC,
	SYNC_STANDARD,
	ATTACH,
	SYNC_ATTACHMENT,
	IMPORT_BY_DRIVER,
	IMPORT_USER,
	SEND,
	RECEIVE,
	ASK,
	TRIM,
	FORK,
	CLOSE,
	OPERATIONS
};

static const char *const names[] = {
	"allocate", "map",	     "write",  "unmap",
	"sync",	    "standard sync", "attach", "sync an attachment",
	"import",   "import memory", "send",   "receive",
	"ask",	    "trim",	     "fork",   "close",
};

/* Shared by all processes. */
struct board {
	atomic_ulong done[OPERATIONS];
	atomic_ulong refused;
	/* What the first thing was that must not be; the errno, and where. */
	atomic_int wrong;
	atomic_int line;
};

/* What a process has of a buffer. */
struct slot {
	int fd;
	int attachment;
	int driver;
	size_t size;
	char *map;
};

struct worker {
	struct board *board;
	struct slot slots[SLOTS];
	int nodes[3];
	/* Its own end to read from, everybody's to write to. */
	int inbox;
	int outboxes[WORKERS];
	uint64_t chance;
	char *own;
};

static uint32_t draw(struct worker *worker, uint32_t below)
{
	uint64_t x = worker->chance;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	worker->chance = x;
	return (uint32_t)(x >> 32) % below;
}

/*
 * Check's assertions write to the parent, and a message that a signal cuts
 * short would end all of it. So the first fault is noted, and the process ends.
 */
static void note_fault(struct worker *worker, int line)
{
	int none = 0;

	if (atomic_compare_exchange_strong(&worker->board->line, &none, line))
		atomic_store(&worker->board->wrong, errno ? errno : EIO);
	_exit(1);
}

#define EXPECT(worker, condition)                       \
	do {                                            \
		if (!(condition))                       \
			note_fault((worker), __LINE__); \
	} while (0)

/* Memory is scarce now and then, and the device that comes and goes is gone. */
static void expect_refusal(struct worker *worker, int line)
{
	if (errno != ENOMEM && errno != ENODEV && errno != EIO)
		note_fault(worker, line);
	atomic_fetch_add(&worker->board->refused, 1);
}

static void empty(struct slot *slot)
{
	if (slot->map)
		munmap(slot->map, slot->size);
	if (slot->attachment >= 0)
		close(slot->attachment);
	if (slot->driver >= 0)
		close(slot->driver);
	if (slot->fd >= 0)
		close(slot->fd);
	*slot = (struct slot){.fd = -1, .attachment = -1, .driver = -1};
}

static int allocate(struct worker *worker, struct slot *slot)
{
	uint32_t caching = 1 + draw(worker, 3);
	struct portalmem_ioc_alloc request =
		guest_request(PAGE << draw(worker, BIGGEST_ORDER + 1), caching);
	int node = worker->nodes[draw(worker, 32) ? draw(worker, 2) : 2];

	request.size -= draw(worker, 4096);
	empty(slot);
	if (ioctl(node, PORTALMEM_IOC_ALLOC, &request)) {
		expect_refusal(worker, __LINE__);
		return 0;
	}
	slot->fd = request.fd;
	slot->size = (size_t)(request.size + PAGE - 1) & ~(PAGE - 1);
	return 1;
}

static int map(struct worker *worker, struct slot *slot)
{
	if (slot->fd < 0 || slot->map)
		return 0;
	slot->map = mmap(NULL, slot->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 slot->fd, 0);
	EXPECT(worker, slot->map != MAP_FAILED || errno == ENOMEM);
	if (slot->map == MAP_FAILED)
		slot->map = NULL;
	return 1;
}

/* A page at a time: all its words are one, or a writer is under way. */
static int write_pages(struct worker *worker, struct slot *slot)
{
	if (!slot->map)
		return 0;
	for (size_t at = 0; at < slot->size; at += PAGE)
		if (draw(worker, 2))
			memset(slot->map + at, (int)draw(worker, 256), PAGE);
	return 1;
}

static int unmap(struct worker *worker, struct slot *slot)
{
	size_t half = slot->size / 2 & ~(PAGE - 1);

	if (!slot->map)
		return 0;
	/* In one or in two pieces. */
	if (half && draw(worker, 2))
		EXPECT(worker, !munmap(slot->map, half));
	else
		half = 0;
	EXPECT(worker, !munmap(slot->map + half, slot->size - half));
	slot->map = NULL;
	return 1;
}

static struct portalmem_ioc_range draw_range(struct worker *worker, size_t size)
{
	struct portalmem_ioc_range range;

	range.offset = draw(worker, (uint32_t)size);
	range.length = draw(worker, (uint32_t)(size - range.offset) + 1);
	return range;
}

static uint32_t draw_flags(struct worker *worker)
{
	return (1 + draw(worker, 3)) |
	       (draw(worker, 2) ? DMA_BUF_SYNC_START : DMA_BUF_SYNC_END);
}

static int sync_ranges(struct worker *worker, struct slot *slot)
{
	struct portalmem_ioc_range ranges[4];
	struct portalmem_ioc_sync sync = {
		.flags = draw_flags(worker),
		.fd = slot->fd,
		.ranges = (uintptr_t)ranges,
		.count = draw(worker, 5),
	};

	if (slot->fd < 0)
		return 0;
	for (int i = 0; i < 4; i++)
		ranges[i] = draw_range(worker, slot->size);
	EXPECT(worker, !ioctl(worker->nodes[0], PORTALMEM_IOC_SYNC, &sync));
	return 1;
}

static int sync_standard(struct worker *worker, struct slot *slot)
{
	struct dma_buf_sync sync = {.flags = draw_flags(worker)};

	if (slot->fd < 0)
		return 0;
	EXPECT(worker, !ioctl(slot->fd, DMA_BUF_IOCTL_SYNC, &sync));
	return 1;
}

static int attach(struct worker *worker, struct slot *slot)
{
	struct portalmem_ioc_attach request;

	if (slot->fd < 0 || slot->attachment >= 0)
		return 0;
	request = attachment_request(slot->fd, "platform",
				     draw(worker, 2) ? LASTING_DEVICE
						     : COMING_DEVICE);
	if (ioctl(worker->nodes[0], PORTALMEM_IOC_ATTACH, &request))
		expect_refusal(worker, __LINE__);
	else
		slot->attachment = request.fd;
	return 1;
}

static int sync_attachment(struct worker *worker, struct slot *slot)
{
	struct portalmem_ioc_range range;
	struct portalmem_ioc_sync sync = {
		.flags = draw_flags(worker),
		.fd = -1,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};

	if (slot->attachment < 0)
		return 0;
	range = draw_range(worker, slot->size);
	if (ioctl(slot->attachment, PORTALMEM_IOC_SYNC, &sync))
		expect_refusal(worker, __LINE__);
	if (!draw(worker, 3)) {
		close(slot->attachment);
		slot->attachment = -1;
	}
	return 1;
}

static int import_by_driver(struct worker *worker, struct slot *slot)
{
	struct pm_device_select select = {.name = LASTING_DEVICE};
	struct pm_device_attach request = {
		.fd = slot->fd,
		.direction = 1 + draw(worker, 3),
	};

	if (slot->fd < 0 || slot->driver >= 0)
		return 0;
	slot->driver = open("/dev/pm_device", O_RDWR | O_CLOEXEC);
	EXPECT(worker, slot->driver >= 0);
	EXPECT(worker, !ioctl(slot->driver, PM_DEVICE_IOC_SELECT, &select));
	if (ioctl(slot->driver, PM_DEVICE_IOC_ATTACH, &request))
		expect_refusal(worker, __LINE__);
	return 1;
}

static int import_user(struct worker *worker, struct slot *slot)
{
	size_t size = PAGE << draw(worker, BIGGEST_ORDER + 1);
	struct portalmem_ioc_import_user request = {
		.fd_flags = O_RDWR | O_CLOEXEC,
		.address = (uintptr_t)worker->own,
		.size = size,
	};

	empty(slot);
	EXPECT(worker,
	       !ioctl(worker->nodes[0], PORTALMEM_IOC_IMPORT_USER, &request));
	slot->fd = request.fd;
	slot->size = size;
	return 1;
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_buffer(struct worker *worker, struct slot *slot)
{
	union control control = {0};
	uint64_t size = slot->size;
	struct iovec part = {&size, sizeof(size)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	if (slot->fd < 0)
		return 0;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &slot->fd, sizeof(int));
	if (sendmsg(worker->outboxes[draw(worker, WORKERS)], &message,
		    MSG_DONTWAIT) < 0)
		EXPECT(worker, errno == EAGAIN || errno == ETOOMANYREFS);
	/* The receiver's is the only one left, or not. */
	if (draw(worker, 2))
		empty(slot);
	return 1;
}

static int receive_buffer(struct worker *worker, struct slot *slot)
{
	union control control = {0};
	uint64_t size = 0;
	struct iovec part = {&size, sizeof(size)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(worker->inbox, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <
	    0) {
		EXPECT(worker, errno == EAGAIN);
		return 0;
	}
	EXPECT(worker, control.header.cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	empty(slot);
	slot->fd = fd;
	slot->size = (size_t)size;
	EXPECT(worker, lseek(fd, 0, SEEK_END) == (off_t)size);
	return 1;
}

static int ask(struct worker *worker, struct slot *slot)
{
	struct portalmem_ioc_segment segments[8];
	struct portalmem_ioc_info info = {.fd = slot->fd};
	struct portalmem_ioc_holders holders = {.fd = slot->fd};
	struct portalmem_ioc_heap heap = {0};
	struct portalmem_ioc_segments table = {
		.fd = slot->fd,
		.segments = (uintptr_t)segments,
		.count = 8,
	};
	int node = worker->nodes[draw(worker, 2)];

	if (slot->fd < 0)
		return 0;
	EXPECT(worker, !ioctl(node, PORTALMEM_IOC_INFO, &info));
	EXPECT(worker, info.size == slot->size);
	EXPECT(worker, !ioctl(node, PORTALMEM_IOC_SEGMENTS, &table));
	EXPECT(worker, table.total == info.segments);
	EXPECT(worker, !ioctl(node, PORTALMEM_IOC_HOLDERS, &holders));
	EXPECT(worker, holders.references >= 1);
	EXPECT(worker, !ioctl(node, PORTALMEM_IOC_HEAP, &heap));
	return 1;
}

static int trim(struct worker *worker, struct slot *unused)
{
	struct portalmem_ioc_trim trim = {0};

	(void)unused;
	EXPECT(worker, !ioctl(worker->nodes[0], PORTALMEM_IOC_TRIM, &trim));
	return 1;
}

/* A child that has it all, too, and a moment to end in. */
static int fork_once(struct worker *worker, struct slot *slot)
{
	pid_t child = fork();

	if (!child) {
		if (slot->map)
			memset(slot->map, 1, PAGE);
		_exit(0);
	}
	EXPECT(worker, child > 0 || errno == ENOMEM || errno == EAGAIN);
	if (child > 0)
		EXPECT(worker, waitpid(child, NULL, 0) == child);
	return 1;
}

static int close_slot(struct worker *worker, struct slot *slot)
{
	(void)worker;
	if (slot->fd < 0)
		return 0;
	/* The mapping and the attachments live on, or all goes. */
	if (draw(worker, 3) && (slot->map || slot->attachment >= 0)) {
		close(slot->fd);
		slot->fd = -1;
	} else {
		empty(slot);
	}
	return 1;
}

static int (*const perform[])(struct worker *worker, struct slot *slot) = {
	allocate,
	map,
	write_pages,
	unmap,
	sync_ranges,
	sync_standard,
	attach,
	sync_attachment,
	import_by_driver,
	import_user,
	send_buffer,
	receive_buffer,
	ask,
	trim,
	fork_once,
	close_slot,
};

static void work(struct worker *worker)
{
	worker->own = mmap(NULL, PAGE << BIGGEST_ORDER, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(worker, worker->own != MAP_FAILED);
	for (int i = 0; i < SLOTS; i++)
		worker->slots[i] =
			(struct slot){.fd = -1, .attachment = -1, .driver = -1};
	for (;;) {
		uint32_t operation = draw(worker, OPERATIONS);

		/* These take long, and stand for little. */
		if ((operation == FORK || operation == TRIM) &&
		    draw(worker, 32))
			continue;
		if (perform[operation](worker,
				       &worker->slots[draw(worker, SLOTS)]))
			atomic_fetch_add(&worker->board->done[operation], 1);
	}
}

static unsigned long count_done(const struct board *board)
{
	unsigned long sum = 0;

	for (int i = 0; i < OPERATIONS; i++)
		sum += atomic_load(&board->done[i]);
	return sum;
}

static struct board *make_board(void)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(board, MAP_FAILED);
	return board;
}

/* What all processes begin with. */
static void prepare(struct worker *common, int boxes[WORKERS][2])
{
	static const char *const nodes[] = {GUEST_NODE, GUEST_HEAP_WC_NODE,
					    GUEST_CONTIGUOUS_NODE};

	for (int i = 0; i < 3; i++)
		common->nodes[i] = guest_open(nodes[i]);
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
					    boxes[i]),
				 0);
		common->outboxes[i] = boxes[i][1];
	}
}

static void clean_up(struct worker *common, int boxes[WORKERS][2])
{
	for (int i = 0; i < 3; i++)
		close(common->nodes[i]);
	for (int i = 0; i < WORKERS; i++) {
		close(boxes[i][0]);
		close(boxes[i][1]);
	}
}

static pid_t start(struct worker *common, int inbox, uint64_t seed)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		common->inbox = inbox;
		common->chance = seed;
		work(common);
	}
	return child;
}

/* It died of the signal and of nothing before it. */
static void reap(pid_t child)
{
	int status;

	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Have processes work and die until so much is done; how many were killed. */
static unsigned int rage(struct board *board, unsigned long operations,
			 uint64_t seed)
{
	struct worker common = {.board = board, .chance = seed};
	pid_t children[WORKERS];
	int boxes[WORKERS][2];
	unsigned int kills = 0;
	bool wrong = false;

	prepare(&common, boxes);
	for (int i = 0; i < WORKERS; i++)
		children[i] = start(&common, boxes[i][0], ++seed);
	while (count_done(board) < operations && !atomic_load(&board->line)) {
		uint32_t victim = draw(&common, WORKERS);

		usleep(draw(&common, 30000));
		soft_device_set_present(kills % 4 ? 3 : 1);
		if (atomic_load(&board->line))
			break;
		reap(children[victim]);
		kills++;
		children[victim] = start(&common, boxes[victim][0],
					 seed + draw(&common, UINT32_MAX));
	}
	wrong = atomic_load(&board->line);
	for (int i = 0; i < WORKERS; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	clean_up(&common, boxes);
	soft_device_set_present(3);
	ck_assert_msg(!wrong, "line %d: %s", atomic_load(&board->line),
		      strerror(atomic_load(&board->wrong)));
	return kills;
}

static unsigned long from_environment(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* Sockets that held buffers are freed by a worker, files of the killed late. */
static void wait_for_buffers(unsigned int expected)
{
	for (int i = 0; i < 1000 && guest_count_buffers() != expected; i++)
		usleep(10000);
	ck_assert_uint_eq(guest_count_buffers(), expected);
}

static void assert_nothing_is_live(void)
{
	static const char *const folders[] = {STATS_SYSTEM, STATS_USER,
					      STATS_CONTIGUOUS};

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(stats_read(folders[i], "live_bytes"), 0);
		ck_assert_uint_eq(stats_read(folders[i], "live_buffers"), 0);
		ck_assert_uint_eq(stats_read(folders[i], "allocations"),
				  stats_read(folders[i], "frees"));
	}
	ck_assert_uint_eq(guest_heap(GUEST_NODE).user_used, 0);
}

START_TEST(everything_is_as_before_when_processes_were_killed_at_random)
{
	unsigned long operations = from_environment("STRESS_OPERATIONS", 5000);
	uint64_t seed = from_environment("STRESS_SEED", (uint64_t)time(NULL));
	unsigned int buffers = guest_count_buffers(), kills;
	unsigned int fds = pmtest_count_fds();
	struct board *board;
	long users, before, after;
	double begin;

	printf("# STRESS_OPERATIONS=%lu STRESS_SEED=%llu\n", operations,
	       (unsigned long long)seed);
	fflush(stdout);
	soft_device_load();
	users = attachment_module_users();
	/* The kernel's own tables grow to their working size first. */
	rage(make_board(), 1000, seed + 1000000);
	wait_for_buffers(buffers);
	guest_trim();
	before = guest_free_kib();

	board = make_board();
	begin = guest_now();
	kills = rage(board, operations, seed);
	printf("# %lu operations in %.1f s, %u processes killed, %lu refused\n",
	       count_done(board), guest_now() - begin, kills,
	       atomic_load(&board->refused));
	for (int i = 0; i < OPERATIONS; i++) {
		printf("%s %s %lu", i ? "," : "#", names[i],
		       atomic_load(&board->done[i]));
		ck_assert_msg(atomic_load(&board->done[i]) > 0, "never: %s",
			      names[i]);
	}
	printf("\n");
	wait_for_buffers(buffers);
	assert_nothing_is_live();
	ck_assert_int_eq(attachment_module_users(), users);
	pmtest_assert_no_leaked_fds(fds);
	guest_trim();
	after = guest_free_kib();
	printf("# free: %ld KiB before, %ld KiB after\n", before, after);
	ck_assert_int_le(before - after, 2048 * guest_time_factor());
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("stress");
	TCase *tcase = tcase_create("stress");

	tcase_set_timeout(tcase, 1100);
	tcase_add_test(
		tcase,
		everything_is_as_before_when_processes_were_killed_at_random);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
