// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: ioctl [--time SECONDS] [--seed N] [--workers N] [--results DIR]
 *              [--save DIR] [CORPUS...]
 *        ioctl --replay FILE
 *
 * Fuzz the module, as root in a guest: make programs of a few calls, or change
 * those that did something new, run them, and keep what does. What is new is
 * told by kcov, where the kernel has it, and by how the calls end. Two workers
 * run at a time, one of them without the rights to see addresses and to lock
 * memory. After every few seconds all rest, and nothing may be left then: no
 * buffer, no dma-buf. Prints TAP without a plan, and how much was tried.
 *
 * --results names a folder where each program is written before it runs, and
 * what fails is left; --save one for the programs that did something new;
 * CORPUS are files with programs, or folders of them. --replay runs one
 * program, and tells how each call ends.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../guest/kmod/pm_device.h"
#include "cover.h"
#include "execute.h"

#define BITS ((int)(sizeof(void *) * 8))

#define CORPUS_MAX 1500
#define WORKERS_MAX 4
#define RECENT 16

/* At least so many kinds of calls. */
#define OPERATIONS_MAX 64

/* Between two looks at what is left, times the kernel's slowness. */
#define ROUND_SECONDS 3

/* Of one program. The slowest takes less than a second on an idle machine. */
#define PROGRAM_SECONDS 30

/* How one worker is getting on. */
struct worker {
	struct program recent[RECENT]; /* the last ones, by their number */
	uint64_t programs;
	uint64_t calls[OPERATIONS_MAX], succeeded[OPERATIONS_MAX];
	uint64_t seed;
	bool has_kcov;
};

/* What all processes share. */
static struct shared {
	atomic_flag lock; /* guards the corpus and what was seen */
	struct program corpus[CORPUS_MAX];
	unsigned int count;
	unsigned int tried; /* so many of those that were given ran once */
	unsigned int given;
	struct cover cover;
	struct worker workers[WORKERS_MAX];
	atomic_bool has_failed;
	char complaint[256];
} * all;

static struct {
	double seconds;
	uint64_t seed;
	unsigned int workers;
	const char *results, *save, *replay;
} options = {.seconds = 10, .workers = 2};

static int factor = 1;
static int kmsg = -1;
static int failures;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void lock(void)
{
	while (atomic_flag_test_and_set(&all->lock))
		sched_yield();
}

static void unlock(void)
{
	atomic_flag_clear(&all->lock);
}

static void check(const char *what, bool passed)
{
	printf("%sok - programs of %d bits: %s\n", passed ? "" : "not ", BITS,
	       what);
	fflush(stdout);
	failures += !passed;
}

/* Write a program to a file, which keeps no older one's end. */
static void write_program(const char *folder, const char *name,
			  const struct program *program)
{
	char path[512], *text = NULL;
	size_t length = 0;
	FILE *file;
	int fd;

	if (!folder)
		return;
	file = open_memstream(&text, &length);
	program_print(program, file);
	fclose(file);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0) {
		if (write(fd, text, length) != (ssize_t)length)
			perror(path);
		close(fd);
	}
	free(text);
}

/* The kernel's log from here on. */
static void begin_kmsg(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

/* What tests/vm/lib.sh looks for, the most of it. */
static bool is_complaint(const char *line)
{
	static const char *const words[] = {
		"WARNING: ",
		"BUG: ",
		"KASAN: ",
		"UBSAN: ",
		"Oops: ",
		"possible recursive",
		"possible circular",
		"refcount_t: ",
		"bad unlock",
		"suspicious RCU",
		"Bad page",
		"Bad rss",
		"list_add",
		"list_del",
		"DMA-API: ",
		"blocked for more",
		"sleeping function",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static bool kernel_complains(void)
{
	char line[2048];
	ssize_t length;

	while ((length = read(kmsg, line, sizeof(line) - 1)) > 0 ||
	       (length < 0 && errno == EPIPE)) {
		if (length < 0)
			continue;
		line[length] = '\0';
		if (!is_complaint(line))
			continue;
		snprintf(all->complaint, sizeof(all->complaint), "%.*s",
			 (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

/* What a process without these is not to reach by any call. */
static void drop_rights(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const unsigned int dropped = 1u << CAP_SYS_RAWIO | 1u << CAP_IPC_LOCK |
				     1u << CAP_SYS_ADMIN;

	if (syscall(SYS_capget, &header, data))
		_exit(1);
	data[0].effective &= ~dropped;
	data[0].permitted &= ~dropped;
	if (syscall(SYS_capset, &header, data))
		_exit(1);
}

/* The call up to which the running program did something new, and whose it is. */
static int new_at;
static struct worker *self;

static void note_call(const struct state *state, unsigned int at)
{
	unsigned int operation = state->program->calls[at].operation;

	self->calls[operation]++;
	self->succeeded[operation] += !state->errors[at];
	if (cover_note(&all->cover, state, at))
		new_at = (int)at;
}

static void keep(struct program program)
{
	char name[32];

	program.count = (unsigned int)new_at + 1;
	lock();
	if (all->count < CORPUS_MAX)
		all->corpus[all->count++] = program;
	unlock();
	snprintf(name, sizeof(name), "%016" PRIx64, program_hash(&program));
	write_program(options.save, name, &program);
}

/* The next program, and whether it is one of those that were given. */
static bool choose(struct program *program, uint64_t *seed)
{
	/* How calls end alone is a poor guide: it leads to what is refused. */
	const unsigned int share = self->has_kcov ? 10 : 2;
	const struct program *other;
	bool is_given;

	lock();
	is_given = all->tried < all->given;
	if (is_given) {
		*program = all->corpus[all->tried++];
	} else if (all->count && random_below(seed, share)) {
		/* The last ones rather. */
		unsigned int i = random_below(seed, all->count);
		unsigned int j = random_below(seed, all->count);

		*program = all->corpus[i > j ? i : j];
		other = &all->corpus[random_below(seed, all->count)];
		program_mutate(program, other, seed);
	} else {
		program_make(program, seed);
	}
	unlock();
	return is_given;
}

static void run_one(struct worker *worker, unsigned int number)
{
	struct program *program = &worker->recent[worker->programs % RECENT];
	struct state state;
	char name[32];
	bool is_given = choose(program, &worker->seed);

	snprintf(name, sizeof(name), "running-%d-%u", BITS, number);
	write_program(options.results, name, program);
	new_at = -1;
	cover_reset();
	alarm((unsigned int)(PROGRAM_SECONDS * factor));
	execute(&state, program, note_call);
	execute_clean(&state);
	alarm(0);
	worker->programs++;
	if (new_at >= 0 && !is_given)
		keep(*program);
	if (kernel_complains())
		atomic_store(&all->has_failed, true);
}

static void work(unsigned int number, unsigned int round, double end)
{
	struct worker *worker = &all->workers[number];

	self = worker;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	begin_kmsg();
	worker->has_kcov = cover_begin();
	if ((number + round) % 2)
		drop_rights();
	execute_prepare();
	while (now() < end && !atomic_load(&all->has_failed))
		run_one(worker, number);
	_exit(0);
}

/* The last programs of all workers: one of them, or several together, failed. */
static void leave_failed(void)
{
	char name[64];

	for (unsigned int i = 0; i < options.workers; i++) {
		const struct worker *worker = &all->workers[i];

		for (unsigned int j = 0; j < RECENT && j <= worker->programs;
		     j++) {
			const struct program *program =
				&worker->recent[(worker->programs - j) % RECENT];

			snprintf(name, sizeof(name), "failed-%d-%u-%02u", BITS,
				 i, j);
			write_program(options.results, name, program);
			if (j > 1)
				continue;
			printf("# worker %u, %u before the last:\n", i, j);
			program_print(program, stdout);
		}
	}
	fflush(stdout);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = UINT64_MAX;

	if (file && fscanf(file, "%" SCNu64, &number) != 1)
		number = UINT64_MAX;
	if (file)
		fclose(file);
	return number;
}

/* Live buffers of all heaps; what cannot be read counts as one. */
static uint64_t count_live(void)
{
	glob_t paths;
	uint64_t sum = 0;

	if (glob("/sys/class/misc/portalmem*/stats*/live_buffers", 0, NULL,
		 &paths))
		return 1;
	for (size_t i = 0; i < paths.gl_pathc; i++)
		sum += read_number(paths.gl_pathv[i]);
	globfree(&paths);
	return sum;
}

static unsigned int count_dmabufs(void)
{
	FILE *file = fopen("/sys/kernel/debug/dma_buf/bufinfo", "re");
	unsigned int count = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "Total %u objects", &count);
	if (file)
		fclose(file);
	return count;
}

/* The last put of a file is deferred. */
static bool is_clean(unsigned int dmabufs)
{
	double end = now() + 5 * factor;

	while (count_live() || count_dmabufs() > dmabufs) {
		if (now() > end) {
			printf("# %" PRIu64 " live buffers, %u dma-bufs\n",
			       count_live(), count_dmabufs());
			return false;
		}
		usleep(20000);
	}
	return true;
}

/* Wait for the workers; false when one took too long. */
static bool wait_for_workers(const pid_t *workers)
{
	bool in_time = true;

	for (unsigned int i = 0; i < options.workers; i++) {
		int status = 0;

		waitpid(workers[i], &status, 0);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			in_time = false;
		else if (WIFSIGNALED(status))
			printf("# worker %u was ended by signal %d\n", i,
			       WTERMSIG(status));
	}
	return in_time;
}

/* How many calls of a kind there were, and how many succeeded. */
static uint64_t print_operation(unsigned int operation)
{
	uint64_t calls = 0, succeeded = 0;

	for (unsigned int i = 0; i < options.workers; i++) {
		calls += all->workers[i].calls[operation];
		succeeded += all->workers[i].succeeded[operation];
	}
	printf("%s %s %" PRIu64 "/%" PRIu64, operation % 8 ? "," : "\n#",
	       operations[operation].name, succeeded, calls);
	return calls;
}

static void print_figures(void)
{
	uint64_t programs = 0, calls = 0;

	printf("# of the calls succeeded:");
	for (unsigned int i = 0; i < operation_count; i++)
		calls += print_operation(i);
	for (unsigned int i = 0; i < options.workers; i++)
		programs += all->workers[i].programs;
	printf("\n# %d bits, seed %" PRIu64 ": %" PRIu64 " programs, %" PRIu64
	       " calls, %u outcomes, ",
	       BITS, options.seed, programs, calls, all->cover.outcome_count);
	if (all->workers[0].has_kcov)
		printf("%u places and %u edges of the module by kcov, ",
		       all->cover.place_count, all->cover.edge_count);
	else
		printf("no kcov, ");
	printf("%u programs in the corpus\n", all->count);
	check("some ran", programs > 0);
}

static void fuzz(void)
{
	double end = now() + options.seconds;
	unsigned int dmabufs = count_dmabufs();
	bool in_time = true, clean = is_clean(dmabufs);
	pid_t workers[WORKERS_MAX];

	for (unsigned int i = 0; i < options.workers; i++)
		all->workers[i].seed = options.seed * 1000 + i + (unsigned)BITS;
	for (unsigned int round = 0;
	     in_time && clean && now() < end && !atomic_load(&all->has_failed);
	     round++) {
		double round_end = now() + ROUND_SECONDS * factor;

		put(PM_DEVICE_PRESENT, "3");
		fflush(stdout);
		for (unsigned int i = 0; i < options.workers; i++) {
			workers[i] = fork();
			if (!workers[i])
				work(i, round,
				     round_end < end ? round_end : end);
		}
		in_time = wait_for_workers(workers);
		clean = is_clean(dmabufs);
	}
	print_figures();
	check("each ends in time", in_time);
	check("nothing of them is left", clean);
	if (kernel_complains())
		atomic_store(&all->has_failed, true);
	if (*all->complaint)
		printf("# %s\n", all->complaint);
	check("the kernel has nothing to complain of",
	      !atomic_load(&all->has_failed));
	if (failures)
		leave_failed();
}

static void tell_call(const struct state *state, unsigned int at)
{
	const struct call *call = &state->program->calls[at];

	if (state->results[at] < 0)
		printf("# r%u: %s: %s\n", at, operations[call->operation].name,
		       strerror(state->errors[at]));
	else
		printf("# r%u: %s: %ld\n", at, operations[call->operation].name,
		       state->results[at]);
	fflush(stdout);
}

static void replay(void)
{
	unsigned int dmabufs = count_dmabufs();
	struct program program;
	struct state state;

	if (!program_read(&program, options.replay))
		exit(1);
	put(PM_DEVICE_PRESENT, "3");
	program_print(&program, stdout);
	fflush(stdout);
	execute_prepare();
	execute(&state, &program, tell_call);
	execute_clean(&state);
	check("nothing of it is left", is_clean(dmabufs));
	check("the kernel has nothing to complain of", !kernel_complains());
	if (*all->complaint)
		printf("# %s\n", all->complaint);
}

static void read_given(const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		perror(path);
		exit(1);
	}
	if (S_ISDIR(st.st_mode)) {
		struct dirent **entries;
		int count = scandir(path, &entries, NULL, alphasort);

		for (int i = 0; i < count; i++) {
			char name[512];

			if (entries[i]->d_name[0] == '.')
				continue;
			snprintf(name, sizeof(name), "%s/%s", path,
				 entries[i]->d_name);
			read_given(name);
		}
		return;
	}
	if (all->count == CORPUS_MAX)
		return;
	if (!program_read(&all->corpus[all->count], path))
		exit(1);
	all->count++;
}

static void read_options(int argc, char **argv)
{
	static const struct option list[] = {
		{"time", required_argument, NULL, 't'},
		{"seed", required_argument, NULL, 's'},
		{"workers", required_argument, NULL, 'w'},
		{"results", required_argument, NULL, 'r'},
		{"save", required_argument, NULL, 'k'},
		{"replay", required_argument, NULL, 'p'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", list, NULL)) >= 0) {
		switch (option) {
		case 't':
			options.seconds = strtod(optarg, NULL);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'w':
			options.workers =
				(unsigned int)strtoul(optarg, NULL, 0);
			break;
		case 'r':
			options.results = optarg;
			break;
		case 'k':
			options.save = optarg;
			break;
		case 'p':
			options.replay = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (!options.workers || options.workers > WORKERS_MAX) {
		fprintf(stderr, "ioctl: 1 to %d workers\n", WORKERS_MAX);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *text = getenv("PORTALMEM_TIME_FACTOR");

	factor = text && atoi(text) > 0 ? atoi(text) : 1;
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED) {
		perror("memory");
		return 1;
	}
	read_options(argc, argv);
	begin_kmsg();
	if (options.replay) {
		replay();
		return failures != 0;
	}
	for (int i = optind; i < argc; i++)
		read_given(argv[i]);
	all->given = all->count;
	fuzz();
	return failures != 0;
}
