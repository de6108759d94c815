// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "command.h"
#include "parse.h"
#include "report.h"
#include "streams.h"

enum {
	OPTION_ROUNDS = OPTION_OWN,
	OPTION_SIZES,
	OPTION_CPUS,
	OPTION_TESTS,
	OPTION_ALLOCATORS,
	OPTION_TIME,
	OPTION_REFERENCE,
	OPTION_CLOCK,
	OPTION_LIVE,
	OPTION_FILE,
	OPTION_ATTACH,
	OPTION_CSV,
	OPTION_PLOT
};

#define PAGE ((uint64_t)4096)
#define SIZES_MAX 64
#define RANGE_STEP 4
#define TESTS_MAX 32
#define ROUNDS_MAX 10000

/* Beside what is measured, there are always some open. */
#define FILES_BESIDE 256

/* What is asked for. */
struct request {
	struct bench bench;
	uint64_t sizes[SIZES_MAX];
	size_t size_count;
	const struct bench_test *tests[TESTS_MAX];
	size_t test_count;
	const char *allocators; /* NULL: all */
	const char *reference;	/* NULL: the usual one */
	const char *file;	/* NULL: a temporary one */
	const char *plot;
	char *attach; /* BUS/DEVICE */
	bool csv;
};

/* A copy of one entry of a list with commas, for those who read strings. */
#define ENTRY_ROOM 64

static const char *take_entry(const char *what, const char **textp, char *entry)
{
	size_t length = strcspn(*textp, ",");

	if (length >= ENTRY_ROOM)
		misused("%s: '%s' is too long", what, *textp);
	memcpy(entry, *textp, length);
	entry[length] = '\0';
	*textp += length;
	if (**textp == ',')
		++*textp;
	else
		*textp = NULL;
	return entry;
}

static uint64_t parse_pages(const char *text)
{
	uint64_t size = parse_nonzero_size("--sizes", text);

	if (size > UINT64_MAX / 8)
		misused("--sizes: '%s' is too large", text);
	return (size + PAGE - 1) / PAGE * PAGE;
}

static void add_size(struct request *request, uint64_t size)
{
	if (request->size_count == SIZES_MAX)
		misused("--sizes: more than %d sizes", SIZES_MAX);
	request->sizes[request->size_count++] = size;
}

/* FROM-TO: in steps, and TO itself. */
static void parse_size_range(struct request *request, char *from, char *to)
{
	uint64_t least = parse_pages(from);
	uint64_t most = parse_pages(to);

	if (least > most)
		misused("--sizes: '%s' is more than '%s'", from, to);
	for (uint64_t size = least; size < most; size *= RANGE_STEP)
		add_size(request, size);
	add_size(request, most);
}

static void parse_sizes(struct request *request, const char *text)
{
	char entry[ENTRY_ROOM];
	char *dash;

	request->size_count = 0;
	while (text) {
		take_entry("--sizes", &text, entry);
		dash = strchr(entry, '-');
		if (dash) {
			*dash = '\0';
			parse_size_range(request, entry, dash + 1);
		} else {
			add_size(request, parse_pages(entry));
		}
	}
}

static void parse_tests(struct request *request, const char *text)
{
	const struct bench_test *test;
	char entry[ENTRY_ROOM];

	request->test_count = 0;
	while (text) {
		take_entry("--tests", &text, entry);
		test = find_test(entry, strlen(entry));
		if (!test)
			misused("--tests: '%s' is not a test", entry);
		if (request->test_count == TESTS_MAX)
			misused("--tests: more than %d tests", TESTS_MAX);
		request->tests[request->test_count++] = test;
	}
}

static void parse_cpus(cpu_set_t *cpus, const char *text)
{
	char entry[ENTRY_ROOM];
	uint64_t first, last;
	char *dash;

	CPU_ZERO(cpus);
	while (text) {
		take_entry("--cpus", &text, entry);
		dash = strchr(entry, '-');
		if (dash)
			*dash = '\0';
		first = parse_number("--cpus", entry, CPU_SETSIZE - 1);
		last = dash ? parse_number("--cpus", dash + 1, CPU_SETSIZE - 1)
			    : first;
		if (first > last)
			misused("--cpus: '%s' is more than '%s'", entry,
				dash + 1);
		for (uint64_t cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, cpus);
	}
}

static enum time_kind parse_clock(const char *text)
{
	enum time_kind time;

	for (time = TIME_WALL; time <= TIME_SYSTEM; time++)
		if (strcmp(text, time_name(time)) == 0)
			return time;
	misused("--clock: '%s' is not a clock; use wall, process or system",
		text);
}

static void parse_attach(struct request *request, const char *text)
{
	char *slash;

	free(request->attach);
	request->attach = strdup(text);
	if (!request->attach)
		misused("--attach: %s", strerror(ENOMEM));
	slash = strchr(request->attach, '/');
	if (!slash || slash == request->attach || !slash[1])
		misused("--attach: '%s' is not BUS/DEVICE, like "
			"pci/0000:00:04.0",
			text);
	*slash = '\0';
	request->bench.attach_bus = request->attach;
	request->bench.attach_device = slash + 1;
}

static void take_option(struct request *request, int option)
{
	struct bench *bench = &request->bench;

	switch (option) {
	case OPTION_ROUNDS:
		bench->rounds = (unsigned int)parse_number("--rounds", optarg,
							   ROUNDS_MAX);
		if (bench->rounds == 0)
			misused("--rounds: it takes at least one");
		break;
	case OPTION_SIZES:
		parse_sizes(request, optarg);
		break;
	case OPTION_CPUS:
		parse_cpus(&bench->cpus, optarg);
		break;
	case OPTION_TESTS:
		parse_tests(request, optarg);
		break;
	case OPTION_ALLOCATORS:
		request->allocators = optarg;
		break;
	case OPTION_TIME:
		bench->cell_ns = parse_seconds("--time", optarg) * NS_PER_MS;
		break;
	case OPTION_REFERENCE:
		request->reference = optarg;
		break;
	case OPTION_CLOCK:
		bench->time = parse_clock(optarg);
		break;
	case OPTION_LIVE:
		bench->live = parse_number("--live", optarg, 10000000);
		break;
	case OPTION_FILE:
		request->file = optarg;
		break;
	case OPTION_ATTACH:
		parse_attach(request, optarg);
		break;
	case OPTION_CSV:
		request->csv = true;
		break;
	case OPTION_PLOT:
		request->plot = optarg;
		break;
	}
}

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct request *request)
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, OPTION_ROUNDS},
		{"sizes", required_argument, NULL, OPTION_SIZES},
		{"cpus", required_argument, NULL, OPTION_CPUS},
		{"tests", required_argument, NULL, OPTION_TESTS},
		{"allocators", required_argument, NULL, OPTION_ALLOCATORS},
		{"time", required_argument, NULL, OPTION_TIME},
		{"reference", required_argument, NULL, OPTION_REFERENCE},
		{"clock", required_argument, NULL, OPTION_CLOCK},
		{"live", required_argument, NULL, OPTION_LIVE},
		{"file", required_argument, NULL, OPTION_FILE},
		{"attach", required_argument, NULL, OPTION_ATTACH},
		{"csv", no_argument, NULL, OPTION_CSV},
		{"plot", required_argument, NULL, OPTION_PLOT},
		COMMON_OPTIONS};
	int option;

	while ((option = next_option(ctx, argc, argv, ":", options)) !=
	       OPTION_END)
		take_option(request, option);
	expect_arguments(argc, argv, 0);
	if (ctx->json && request->csv)
		misused("--json and --csv cannot both be had");
	if (request->allocators && (ctx->device_path || ctx->backend))
		misused("--allocators cannot be had with --device or "
			"--backend");
}

/* From 4 KiB, in large steps, up to what leaves most of memory free. */
static void choose_sizes(struct request *request)
{
	static const uint64_t sizes[] = {
		UINT64_C(4) << 10,  UINT64_C(64) << 10, UINT64_C(1) << 20,
		UINT64_C(16) << 20, UINT64_C(64) << 20, UINT64_C(256) << 20,
		UINT64_C(1) << 30,  UINT64_C(4) << 30};
	uint64_t most = memory_available() / 8;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (i == 0 || sizes[i] <= most)
			add_size(request, sizes[i]);
}

static void choose_tests(struct request *request)
{
	for (size_t i = 0; i < bench_test_count; i++)
		if (request->bench.attach_device ||
		    strcmp(bench_tests[i].name, "attach") != 0)
			request->tests[request->test_count++] = &bench_tests[i];
}

static uint64_t largest_size(const struct request *request)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < request->size_count; i++)
		if (request->sizes[i] > largest)
			largest = request->sizes[i];
	return largest;
}

static bool asks_for(const struct request *request, const char *test)
{
	for (size_t i = 0; i < request->test_count; i++)
		if (strcmp(request->tests[i]->name, test) == 0)
			return true;
	return false;
}

static void note_no_file(struct bench *bench, const char *what,
			 const char *path, int error)
{
	snprintf(bench->file_reason, sizeof(bench->file_reason), "%s '%s': %s",
		 what, path, strerror(error));
}

/* A file of SIZE that has no name; negative, and the reason is noted. */
static int make_file(struct bench *bench, const char *folder, uint64_t size)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	size_t chunk = (size_t)1 << 20;
	char *bytes;

	if (fd < 0) {
		note_no_file(bench, "making a file in", folder, errno);
		return -1;
	}
	bytes = malloc(chunk);
	if (bytes)
		memset(bytes, 0x5a, chunk);
	for (uint64_t done = 0; bytes && done < size;) {
		uint64_t left = size - done;
		ssize_t count =
			write(fd, bytes, left < chunk ? (size_t)left : chunk);

		if (count <= 0)
			break;
		done += (uint64_t)count;
	}
	free(bytes);
	if (fsync(fd) || lseek(fd, 0, SEEK_END) != (off_t)size) {
		note_no_file(bench, "filling a file in", folder,
			     errno ? errno : ENOSPC);
		close(fd);
		return -1;
	}
	return fd;
}

/* What the test 'read' reads, open for O_DIRECT. */
static void open_file(struct request *request)
{
	struct bench *bench = &request->bench;
	const char *folder = getenv("TMPDIR");
	char self[64];
	int fd;
	off_t end;

	bench->file = -1;
	if (!asks_for(request, "read"))
		return;
	if (request->file) {
		bench->file =
			open(request->file, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (bench->file < 0)
			note_no_file(bench, "opening past the page cache",
				     request->file, errno);
	} else {
		if (!folder || !folder[0])
			folder = "/var/tmp";
		fd = make_file(bench, folder, largest_size(request));
		if (fd < 0)
			return;
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		bench->file = open(self, O_RDONLY | O_DIRECT | O_CLOEXEC);
		if (bench->file < 0)
			note_no_file(bench, "reading past the page cache in",
				     folder, errno);
		close(fd);
	}
	if (bench->file < 0)
		return;
	end = lseek(bench->file, 0, SEEK_END);
	bench->file_size = end < 0 ? 0 : (uint64_t)end;
}

static int open_attacher(struct bench *bench)
{
	int ret;

	if (!bench->attach_device)
		return EXIT_DONE;
	ret = portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM,
				    &bench->attacher);
	return ret ? failed_call("opening the module's node", ret) : EXIT_DONE;
}

/* Many small buffers live at a time, and each is a descriptor. */
static int allow_files(const struct bench *bench, size_t allocators)
{
	rlim_t wanted = (rlim_t)bench->live * allocators + FILES_BESIDE;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return EXIT_DONE;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return EXIT_DONE;
	return failed("holding %llu buffers of each: the limit on open files "
		      "is lower; "
		      "raise it with ulimit -n",
		      (unsigned long long)bench->live);
}

/* The allocator that the others are compared with; it is in the list then. */
static int choose_reference(struct request *request, struct allocators *found,
			    const char **referencep)
{
	static const char *const usual[] = {"system", "memfd"};

	if (request->reference) {
		*referencep = request->reference;
		return add_allocator(found, request->reference);
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		const struct allocator *allocator =
			find_allocator(found, usual[i]);

		*referencep = usual[i];
		if (allocator && !allocator->reason[0])
			return EXIT_DONE;
	}
	*referencep = found->all[0].name;
	return EXIT_DONE;
}

static int make_cells(const struct request *request,
		      const struct allocators *found, struct results *results)
{
	struct cell *cell;

	results->group = found->count;
	results->count =
		request->test_count * request->size_count * found->count;
	/* One more: no room at all may be NULL. */
	results->cells = calloc(results->count + 1, sizeof(*results->cells));
	if (!results->cells)
		return failed("%s", strerror(ENOMEM));
	cell = results->cells;
	for (size_t i = 0; i < request->test_count; i++) {
		for (size_t j = 0; j < request->size_count; j++) {
			for (size_t k = 0; k < found->count; k++, cell++) {
				cell->test = request->tests[i];
				cell->size = request->sizes[j];
				cell->allocator = &found->all[k];
				cell->is_reference =
					strcmp(found->all[k].name,
					       results->reference) == 0;
			}
		}
	}
	return EXIT_DONE;
}

static bool any_measured(const struct results *results)
{
	for (size_t i = 0; i < results->count; i++)
		if (results->cells[i].count > 0)
			return true;
	return false;
}

static int report(const struct context *ctx, const struct request *request,
		  const struct results *results)
{
	int status = EXIT_DONE;

	if (ctx->json)
		print_results_json(results);
	else if (request->csv)
		print_results_csv(results);
	else
		print_results(results);
	if (request->plot && any_measured(results))
		status = write_plot(results, request->plot);
	if (results->interrupted)
		return failed("interrupted; what was measured before is "
			      "printed");
	if (!any_measured(results))
		return failed("nothing could be measured; the reasons are "
			      "printed");
	return status;
}

static int measure(const struct context *ctx, struct request *request,
		   struct allocators *found)
{
	struct results results = {.bench = &request->bench};
	int status = choose_reference(request, found, &results.reference);

	if (status == EXIT_DONE)
		status = allow_files(&request->bench, found->count);
	if (status == EXIT_DONE)
		status = make_cells(request, found, &results);
	if (status == EXIT_DONE)
		status = run_bench(&results);
	if (status == EXIT_DONE)
		status = report(ctx, request, &results);
	for (size_t i = 0; i < results.count; i++)
		free(results.cells[i].samples);
	free(results.cells);
	return status;
}

static int prepare(struct request *request)
{
	struct bench *bench = &request->bench;
	int status = EXIT_DONE;

	if (request->plot)
		status = check_plot(request->plot);
	if (status == EXIT_DONE)
		status = open_attacher(bench);
	if (status != EXIT_DONE)
		return status;
	bench->clear_mib_ns = clear_cost();
	if (request->size_count == 0)
		choose_sizes(request);
	if (request->test_count == 0)
		choose_tests(request);
	open_file(request);
	return EXIT_DONE;
}

static int run_bench_command(struct context *ctx, int argc, char **argv)
{
	struct request request = {
		.bench = {.rounds = 7, .cell_ns = NS_PER_S / 2, .file = -1}};
	struct allocators found = {0};
	int status;

	if (sched_getaffinity(0, sizeof(request.bench.cpus),
			      &request.bench.cpus))
		CPU_SET(0, &request.bench.cpus);
	read_arguments(ctx, argc, argv, &request);
	status = prepare(&request);
	if (status == EXIT_DONE)
		status = find_allocators(&found, request.allocators,
					 ctx->device_path, ctx->backend);
	if (status == EXIT_DONE && found.count == 0)
		status = failed("there is no such allocator on this machine; "
				"choose another --backend");
	if (status == EXIT_DONE)
		status = measure(ctx, &request, &found);
	free_allocators(&found);
	portalmem_device_unref(request.bench.attacher);
	if (request.bench.file >= 0)
		close(request.bench.file);
	free(request.attach);
	return status;
}

const struct command command_bench = {
	.name = "bench",
	.run = run_bench_command,
	.usage = "[OPTION...]",
	.summary = "measure allocators beside each other",
	.help = "Measures the allocators of this machine beside each other, in "
		"rounds in\n"
		"which each has its turn, and prints for each test, size and "
		"allocator the\n"
		"median, the spread, page faults, and the ratio to one of "
		"them. 'man 1\n"
		"portalmem-bench' describes the method and the tests.\n"
		"\n"
		"      --tests LIST       of alloc, free, tight, paced, cold, "
		"use, map, sync,\n"
		"                         sync-part, pass, read, attach, "
		"parallel; else all\n"
		"      --sizes LIST       4K,64K,1M, or 4K-64M in steps of 4\n"
		"      --allocators LIST  of portalmem, portalmem-wc, "
		"portalmem-uc, pool,\n"
		"                         udmabuf, memfd, anonymous, and heaps "
		"by name; else\n"
		"                         all that are here\n"
		"      --reference NAME   compare with this one; else system "
		"or "
		"memfd\n"
		"      --rounds N         samples of each; else 7\n"
		"      --time SECONDS     for all samples of one cell; else "
		"0.5\n"
		"      --clock KIND       compare wall, process or system "
		"time\n"
		"      --cpus LIST        run on the first of these; "
		"'parallel' on all\n"
		"      --live COUNT       hold so many 4K buffers of each\n"
		"      --file FILE        what 'read' reads, past the page "
		"cache\n"
		"      --attach BUS/DEVICE\n"
		"                         the device of 'attach', 'sync' and "
		"'sync-part'\n"
		"      --csv              print a table for programs\n"
		"      --plot FILE        draw curves with gnuplot: .png or "
		".svg; or save\n"
		"                         its script: .gp\n",
};
