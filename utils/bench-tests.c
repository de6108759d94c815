// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is measured. Each test sets up what it needs, and takes the time of
 * nothing but its operations.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096
#define PART_SIZE ((uint64_t)64 << 10)

/* Most pieces that exist at a time where many do. */
#define PIECES_MAX 64

/* How long the memory of one operation is left to those who clean it. */
#define PACE_MIN_NS (NS_PER_MS / 2)
#define PACE_CLEARS 3

int trial_failed(struct trial *trial, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(trial->reason, sizeof(trial->reason), format, arguments);
	va_end(arguments);
	return -1;
}

int trial_failed_call(struct trial *trial, const char *what, int error)
{
	const char *message = portalmem_error_message();

	if (message[0])
		return trial_failed(trial, "%s", message);
	return trial_failed(trial, "%s: %s", what, strerror(-error));
}

uint64_t memory_available(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	fclose(file);
	return kib ? kib << 10 : UINT64_MAX;
}

/* A stretch of work that is timed, without and with all processors. */
static void stretch_begin(struct usage *usage)
{
	usage_now(usage);
}

static void stretch_end(struct trial *trial, const struct usage *begin,
			int64_t wall_begin)
{
	int64_t wall = wall_now() - wall_begin;
	struct usage end;

	usage_now(&end);
	trial->wall += wall;
	trial->process += end.process - begin->process;
	trial->faults += end.faults - begin->faults;
}

/* Let all processors finish what they do. */
static void become_quiet(struct trial *trial, struct usage *usage)
{
	int64_t begin = wall_now();

	if (!usage_when_quiet(usage))
		trial->noisy = true;
	trial->aside += wall_now() - begin;
}

/* What all processors did from BEGIN on, once they have done all of it. */
static int64_t system_since(struct trial *trial, const struct usage *begin)
{
	struct usage end;
	int64_t system;

	become_quiet(trial, &end);
	system = end.system - end.looking - begin->system;
	return system > 0 ? system : 0;
}

/* All that was done so far was not for the operations. */
static void set_aside(struct trial *trial)
{
	trial->aside = wall_now() - trial->began;
}

/* Leave the memory of COUNT operations to those who clean it. */
static void pace(const struct trial *trial, unsigned int count)
{
	int64_t clear = (int64_t)((double)trial->bench->clear_mib_ns *
				  (double)trial->size / (1 << 20));

	sleep_ns(PACE_MIN_NS + PACE_CLEARS * clear * count);
}

static void lap(struct trial *trial, int64_t ns)
{
	if (ns > trial->longest)
		trial->longest = ns;
}

/* Do OPERATION again and again, and time the whole. */
static int repeat(struct trial *trial,
		  int (*operation)(struct trial *trial, void *data), void *data)
{
	struct usage quiet, begin;
	int64_t wall_begin;
	int ret = 0;

	become_quiet(trial, &quiet);
	set_aside(trial);
	stretch_begin(&begin);
	wall_begin = wall_now();
	for (uint64_t i = 0;
	     ret == 0 && i < trial->iterations && !bench_interrupted(); i++)
		ret = operation(trial, data);
	stretch_end(trial, &begin, wall_begin);
	if (ret)
		return ret;
	trial->system = system_since(trial, &quiet);
	trial->system_known = true;
	return 0;
}

/* How many pieces may exist at a time. */
static unsigned int pieces_at_a_time(const struct trial *trial)
{
	uint64_t fit = memory_available() / 4 / trial->size;
	uint64_t most = trial->iterations < PIECES_MAX ? trial->iterations
						       : PIECES_MAX;

	if (fit < 1)
		return 1;
	return (unsigned int)(fit < most ? fit : most);
}

/*
 * Allocate COUNT pieces and free them, and time one of both. On failure
 * nothing is left.
 */
static int take_pieces(struct trial *trial, struct piece *pieces,
		       unsigned int count, bool time_alloc)
{
	struct usage begin;
	int64_t wall_begin;
	unsigned int done;
	int ret = 0;

	stretch_begin(&begin);
	wall_begin = wall_now();
	for (done = 0; done < count; done++) {
		ret = piece_alloc(trial, &pieces[done]);
		if (ret)
			break;
	}
	if (time_alloc)
		stretch_end(trial, &begin, wall_begin);
	stretch_begin(&begin);
	wall_begin = wall_now();
	for (unsigned int i = 0; i < done; i++)
		piece_free(&pieces[i]);
	if (!time_alloc)
		stretch_end(trial, &begin, wall_begin);
	return ret;
}

static int run_pieces(struct trial *trial, bool time_alloc)
{
	unsigned int most = pieces_at_a_time(trial);
	struct piece pieces[PIECES_MAX];
	int ret = allocator_begin(trial, most);
	uint64_t left;

	if (ret)
		return ret;
	for (left = trial->iterations;
	     ret == 0 && left > 0 && !bench_interrupted();) {
		unsigned int count = left < most ? (unsigned int)left : most;

		ret = take_pieces(trial, pieces, count, time_alloc);
		left -= count;
		/* The next ones find the memory as these did. */
		if (left > 0)
			pace(trial, count);
	}
	allocator_end(trial->allocator);
	return ret;
}

static int run_alloc(struct trial *trial)
{
	return run_pieces(trial, true);
}

static int run_free(struct trial *trial)
{
	return run_pieces(trial, false);
}

static int churn(struct trial *trial)
{
	struct piece piece;
	int ret = piece_alloc(trial, &piece);

	if (ret)
		return ret;
	piece_free(&piece);
	return 0;
}

/* DATA is when the operation before ended. */
static int churn_timed(struct trial *trial, void *data)
{
	int64_t *last = data;
	int ret = churn(trial);
	int64_t now = wall_now();

	lap(trial, now - *last);
	*last = now;
	return ret;
}

static int run_tight(struct trial *trial)
{
	int ret = allocator_begin(trial, 1);
	int64_t last;

	if (ret)
		return ret;
	/* The first of a new pool is an allocation. */
	ret = churn(trial);
	last = INT64_MAX;
	if (ret == 0)
		ret = repeat(trial, churn_timed, &last);
	allocator_end(trial->allocator);
	return ret;
}

static void touch(struct piece *piece)
{
	for (size_t i = 0; i < piece->size; i += PAGE)
		((volatile char *)piece->bytes)[i] = 1;
}

static int use(struct trial *trial)
{
	struct piece piece;
	int ret = piece_alloc(trial, &piece);

	if (ret)
		return ret;
	ret = piece_map(trial, &piece);
	if (ret == 0) {
		touch(&piece);
		piece_unmap(&piece);
	}
	piece_free(&piece);
	return ret;
}

/* What one wait and the looks at the clock cost is not the operation's. */
static void take_off_waits(struct trial *trial)
{
	struct usage quiet, begin, end;
	int64_t aside = trial->aside;
	int64_t started = wall_now();
	int64_t system;

	become_quiet(trial, &quiet);
	usage_now(&begin);
	for (uint64_t i = 0; i < trial->iterations && !bench_interrupted();
	     i++) {
		wall_now();
		wall_now();
		pace(trial, 1);
	}
	usage_now(&end);
	system = system_since(trial, &quiet);
	trial->process -= end.process - begin.process;
	if (trial->process < 0)
		trial->process = 0;
	trial->system -= system;
	if (trial->system < 0)
		trial->system = 0;
	trial->aside = aside + wall_now() - started;
}

/* Do OPERATION, each time after a wait, and time the operations alone. */
static int repeat_paced(struct trial *trial,
			int (*operation)(struct trial *trial))
{
	struct usage quiet, begin, end;
	int ret = 0;

	become_quiet(trial, &quiet);
	set_aside(trial);
	usage_now(&begin);
	for (uint64_t i = 0; i < trial->iterations && !bench_interrupted();
	     i++) {
		int64_t wall_begin = wall_now();
		int64_t took;

		ret = operation(trial);
		if (ret)
			return ret;
		took = wall_now() - wall_begin;
		trial->wall += took;
		lap(trial, took);
		pace(trial, 1);
	}
	usage_now(&end);
	trial->process = end.process - begin.process;
	trial->faults = end.faults - begin.faults;
	trial->system = system_since(trial, &quiet);
	trial->system_known = true;
	take_off_waits(trial);
	return 0;
}

static int run_paced_operation(struct trial *trial,
			       int (*operation)(struct trial *trial))
{
	int ret = allocator_begin(trial, 1);

	if (ret)
		return ret;
	ret = operation(trial);
	pace(trial, 1);
	if (ret == 0)
		ret = repeat_paced(trial, operation);
	allocator_end(trial->allocator);
	return ret;
}

static int run_paced(struct trial *trial)
{
	return run_paced_operation(trial, churn);
}

static int run_use(struct trial *trial)
{
	return run_paced_operation(trial, use);
}

/* The allocator has kept nothing of what was freed before. */
static int run_cold(struct trial *trial)
{
	int ret = allocator_begin(trial, 1);

	for (uint64_t i = 0;
	     ret == 0 && i < trial->iterations && !bench_interrupted(); i++) {
		struct usage begin;
		int64_t wall_begin, before = trial->wall;

		allocator_drain(trial->allocator);
		stretch_begin(&begin);
		wall_begin = wall_now();
		ret = churn(trial);
		stretch_end(trial, &begin, wall_begin);
		lap(trial, trial->wall - before);
	}
	allocator_end(trial->allocator);
	return ret;
}

/*
 * Map a buffer for the device of --attach. A buffer of another exporter needs
 * one of the module's devices for that.
 */
static int attach_piece(struct trial *trial, const struct piece *piece,
			struct portalmem_attachment **attachmentp)
{
	const struct bench *bench = trial->bench;
	struct portalmem_buffer *known;
	int fd = piece->fd < 0 ? portalmem_buffer_get_fd(piece->buffer)
			       : piece->fd;
	int ret = portalmem_buffer_import(bench->attacher, fd, &known);

	if (ret)
		return trial_failed_call(trial, "importing", ret);
	ret = portalmem_buffer_attach(known, bench->attach_bus,
				      bench->attach_device, NULL, attachmentp);
	if (ret)
		ret = trial_failed_call(trial, "attaching", ret);
	portalmem_buffer_unref(known);
	return ret;
}

/* Whether the buffer is mapped for the device of --attach meanwhile. */
enum attachment {
	UNATTACHED,
	ATTACHED
};

/* Repeat OPERATION on one piece, for those that need a descriptor. */
static int run_on_buffer(struct trial *trial, enum attachment attachment,
			 int (*operation)(struct trial *trial, void *data))
{
	struct portalmem_attachment *attached = NULL;
	struct piece piece;
	int ret;

	if (trial->allocator->kind == ALLOCATOR_ANONYMOUS)
		return trial_failed(trial, "anonymous memory is no buffer: it "
					   "has no descriptor");
	ret = allocator_begin(trial, 1);
	if (ret)
		return ret;
	ret = piece_alloc(trial, &piece);
	if (ret == 0) {
		if (attachment == ATTACHED && trial->bench->attach_device)
			ret = attach_piece(trial, &piece, &attached);
		/* What only the first one finds is not there any more. */
		if (ret == 0)
			ret = operation(trial, &piece);
		if (ret == 0)
			ret = repeat(trial, operation, &piece);
		portalmem_attachment_unref(attached);
		piece_free(&piece);
	}
	allocator_end(trial->allocator);
	return ret;
}

static int map_and_touch(struct trial *trial, void *data)
{
	struct piece *piece = data;
	int ret = piece_map(trial, piece);

	if (ret)
		return ret;
	touch(piece);
	piece_unmap(piece);
	return 0;
}

static int run_map(struct trial *trial)
{
	if (trial->allocator->kind == ALLOCATOR_ANONYMOUS)
		return trial_failed(trial, "anonymous memory is mapped when it "
					   "is allocated");
	return run_on_buffer(trial, UNATTACHED, map_and_touch);
}

/* The whole of it: the kernel's own know no ranges. */
static int sync_descriptor(struct trial *trial, int fd)
{
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START |
					     DMA_BUF_SYNC_RW};

	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		return trial_failed(trial, "DMA_BUF_IOCTL_SYNC: %s",
				    strerror(errno));
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		return trial_failed(trial, "DMA_BUF_IOCTL_SYNC: %s",
				    strerror(errno));
	return 0;
}

static int sync_ranges(struct trial *trial, const struct piece *piece,
		       const struct portalmem_range *ranges, size_t count)
{
	int ret;

	if (piece->fd >= 0)
		return sync_descriptor(trial, piece->fd);
	ret = portalmem_buffer_sync(piece->buffer,
				    PORTALMEM_SYNC_START | PORTALMEM_SYNC_RDWR,
				    ranges, count);

	if (ret == 0)
		ret = portalmem_buffer_sync(
			piece->buffer, PORTALMEM_SYNC_END | PORTALMEM_SYNC_RDWR,
			ranges, count);
	return ret ? trial_failed_call(trial, "syncing", ret) : 0;
}

static int sync_whole(struct trial *trial, void *data)
{
	return sync_ranges(trial, data, NULL, 0);
}

static int run_sync(struct trial *trial)
{
	return run_on_buffer(trial, ATTACHED, sync_whole);
}

/* In the middle, where a search from either end is longest. */
static int sync_part(struct trial *trial, void *data)
{
	const struct piece *piece = data;
	struct portalmem_range range = {.length = piece->size};

	if (range.length > PART_SIZE) {
		range.offset = (piece->size - PART_SIZE) / 2 / PAGE * PAGE;
		range.length = PART_SIZE;
	}
	return sync_ranges(trial, piece, &range, 1);
}

static int run_sync_part(struct trial *trial)
{
	return run_on_buffer(trial, ATTACHED, sync_part);
}

static int attach(struct trial *trial, void *data)
{
	struct portalmem_attachment *attachment = NULL;
	int ret = attach_piece(trial, data, &attachment);

	if (ret)
		return ret;
	portalmem_attachment_unref(attachment);
	return 0;
}

static int run_attach(struct trial *trial)
{
	if (!trial->bench->attach_device)
		return trial_failed(trial, "no device is given; use --attach");
	return run_on_buffer(trial, UNATTACHED, attach);
}

static int pass(struct trial *trial, void *data)
{
	struct piece *piece = data;
	struct portalmem_buffer *received;
	int ret = piece_import(trial, piece);

	if (ret)
		return ret;
	ret = portalmem_buffer_send(piece->buffer, trial->sockets[0]);

	if (ret)
		return trial_failed_call(trial, "sending", ret);
	ret = portalmem_buffer_receive(trial->allocator->device,
				       trial->sockets[1], &received);
	if (ret)
		return trial_failed_call(trial, "receiving", ret);
	portalmem_buffer_unref(received);
	return 0;
}

static int run_pass(struct trial *trial)
{
	int ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		       trial->sockets))
		return trial_failed(trial, "socketpair: %s", strerror(errno));
	ret = run_on_buffer(trial, UNATTACHED, pass);
	close(trial->sockets[0]);
	close(trial->sockets[1]);
	return ret;
}

static int read_buffer(struct trial *trial, void *data)
{
	const struct piece *piece = data;
	uint64_t done;
	int ret = portalmem_buffer_load(piece->buffer, 0, trial->bench->file, 0,
					trial->size, NULL, &done);

	if (ret)
		return trial_failed_call(trial, "reading the file", ret);
	if (done != trial->size)
		return trial_failed(trial, "the file ended early");
	return 0;
}

/* In requests of the size that the library's have. */
static int read_anonymous(struct trial *trial, void *data)
{
	const struct piece *piece = data;
	char *bytes = piece->bytes;
	size_t request = (size_t)4 << 20;

	for (size_t done = 0; done < piece->size;) {
		size_t left = piece->size - done;
		ssize_t count = pread(trial->bench->file, bytes + done,
				      left < request ? left : request,
				      (off_t)done);

		if (count <= 0)
			return trial_failed(trial, "reading the file: %s",
					    count ? strerror(errno)
						  : "it ended early");
		done += (size_t)count;
	}
	return 0;
}

/* Into memory that is mapped and touched: the library maps it no more. */
static int read_piece(struct trial *trial, struct piece *piece)
{
	int (*operation)(struct trial * trial, void *data) =
		piece->bytes ? read_anonymous : read_buffer;
	int ret = piece_import(trial, piece);

	if (ret == 0)
		ret = piece_map(trial, piece);
	if (ret)
		return ret;
	touch(piece);
	ret = operation(trial, piece);
	if (ret == 0)
		ret = repeat(trial, operation, piece);
	piece_unmap(piece);
	return ret;
}

static int run_read(struct trial *trial)
{
	const struct bench *bench = trial->bench;
	struct piece piece;
	int ret;

	if (bench->file < 0)
		return trial_failed(trial, "%s", bench->file_reason);
	if (bench->file_size < trial->size)
		return trial_failed(trial,
				    "the file has only %" PRIu64 " bytes",
				    bench->file_size);
	ret = allocator_begin(trial, 1);
	if (ret)
		return ret;
	ret = piece_alloc(trial, &piece);
	if (ret == 0) {
		ret = read_piece(trial, &piece);
		piece_free(&piece);
	}
	allocator_end(trial->allocator);
	return ret;
}

/* One of the threads that allocate at the same time. */
struct worker {
	pthread_t thread;
	pthread_mutex_t *gate; /* open when all are there */
	const bool *cancelled;
	int cpu;
	struct trial trial; /* its own, for the reason */
	int ret;
};

static void *work(void *data)
{
	struct worker *worker = data;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(worker->cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_mutex_lock(worker->gate);
	pthread_mutex_unlock(worker->gate);
	if (*worker->cancelled)
		return NULL;
	for (uint64_t i = 0; worker->ret == 0 && i < worker->trial.iterations;
	     i++)
		worker->ret = churn(&worker->trial);
	return NULL;
}

static int start_workers(struct trial *trial, struct worker *workers,
			 pthread_mutex_t *gate, const bool *cancelled,
			 int *startedp)
{
	int cpu, error;

	*startedp = 0;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		struct worker *worker = &workers[*startedp];

		if (!CPU_ISSET(cpu, &trial->bench->cpus))
			continue;
		*worker = (struct worker){.gate = gate,
					  .cancelled = cancelled,
					  .cpu = cpu,
					  .trial = *trial};
		error = pthread_create(&worker->thread, NULL, work, worker);
		if (error)
			return trial_failed(trial, "starting a thread: %s",
					    strerror(error));
		++*startedp;
	}
	return 0;
}

static int run_workers(struct trial *trial, struct worker *workers)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct usage quiet, begin;
	bool cancelled = false;
	int64_t wall_begin;
	int started, ret;

	become_quiet(trial, &quiet);
	pthread_mutex_lock(&gate);
	ret = start_workers(trial, workers, &gate, &cancelled, &started);
	cancelled = ret != 0;
	sleep_ns(NS_PER_MS); /* they reach the gate */
	set_aside(trial);
	stretch_begin(&begin);
	wall_begin = wall_now();
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < started; i++) {
		pthread_join(workers[i].thread, NULL);
		if (ret == 0 && workers[i].ret)
			ret = trial_failed(trial, "%s",
					   workers[i].trial.reason);
	}
	stretch_end(trial, &begin, wall_begin);
	trial->system = system_since(trial, &quiet);
	trial->system_known = true;
	return ret;
}

/* A new pool's first buffers are allocations. */
static int fill_pool(struct trial *trial, unsigned int count)
{
	struct piece *pieces = calloc(count, sizeof(*pieces));
	unsigned int done;
	int ret = 0;

	if (!pieces)
		return trial_failed(trial, "%s", strerror(ENOMEM));
	for (done = 0; ret == 0 && done < count; done++)
		ret = piece_alloc(trial, &pieces[done]);
	for (unsigned int i = 0; i < done; i++)
		piece_free(&pieces[i]);
	free(pieces);
	return ret;
}

/* Each processor allocates and frees; the time is that of one of all. */
static int run_parallel(struct trial *trial)
{
	unsigned int count = (unsigned int)CPU_COUNT(&trial->bench->cpus);
	struct worker *workers = calloc(count, sizeof(*workers));
	int ret;

	if (!workers)
		return trial_failed(trial, "%s", strerror(ENOMEM));
	ret = allocator_begin(trial, count);
	if (ret == 0) {
		ret = fill_pool(trial, count);
		if (ret == 0)
			ret = run_workers(trial, workers);
		allocator_end(trial->allocator);
	}
	free(workers);
	trial->iterations *= count;
	return ret;
}

const struct bench_test bench_tests[] = {
	{"alloc", run_alloc},
	{"free", run_free},
	{"tight", run_tight},
	{"paced", run_paced},
	{"cold", run_cold},
	{"use", run_use},
	{"map", run_map},
	{"sync", run_sync},
	{"sync-part", run_sync_part},
	{"pass", run_pass},
	{"read", run_read},
	{"attach", run_attach},
	{"parallel", run_parallel},
};

const size_t bench_test_count = sizeof(bench_tests) / sizeof(bench_tests[0]);

const struct bench_test *find_test(const char *name, size_t length)
{
	for (size_t i = 0; i < bench_test_count; i++)
		if (strncmp(bench_tests[i].name, name, length) == 0 &&
		    !bench_tests[i].name[length])
			return &bench_tests[i];
	return NULL;
}
