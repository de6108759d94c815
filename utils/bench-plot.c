// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Curves of time over size, drawn by gnuplot: one panel for each test, one
 * curve for each allocator.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "report.h"

extern char **environ;

/* What the end of a plot's name asks for. */
static const struct format {
	const char *extension;
	const char *terminal; /* NULL: the script itself */
} formats[] = {
	{".png", "pngcairo"},
	{".svg", "svg dynamic"},
	{".gp", NULL},
};

#define PANEL_WIDTH 560
#define PANEL_HEIGHT 420

static const struct format *format_of(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		size_t end = strlen(formats[i].extension);

		if (length > end &&
		    strcmp(path + length - end, formats[i].extension) == 0)
			return &formats[i];
	}
	misused("--plot: '%s' does not end in .png, .svg or .gp", path);
}

/* True when PATH, the variable, leads to a gnuplot. */
static bool have_gnuplot(void)
{
	const char *folders = getenv("PATH");
	char *copy = strdup(folders ? folders : "");
	bool found = false;
	char *rest = copy;
	char file[4096];
	char *folder;

	if (!copy)
		return false;
	while (!found && (folder = strsep(&rest, ":"))) {
		snprintf(file, sizeof(file), "%s/gnuplot",
			 folder[0] ? folder : ".");
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

/* A file of a name that nobody has, beside PATH; -1 after a report. */
static int open_beside(const char *path, char **beside)
{
	int fd;

	if (asprintf(beside, "%s.XXXXXX", path) < 0) {
		*beside = NULL;
		failed("%s", strerror(ENOMEM));
		return -1;
	}
	fd = mkostemp(*beside, O_CLOEXEC);
	if (fd >= 0)
		return fd;
	failed("creating '%s': %s; give a file in a folder that can be "
	       "written",
	       path, strerror(errno));
	free(*beside);
	*beside = NULL;
	return -1;
}

int check_plot(const char *path)
{
	const struct format *format = format_of(path);
	char *beside;
	int fd;

	if (format->terminal && !have_gnuplot())
		return failed("drawing '%s': there is no gnuplot on PATH; "
			      "install it, or give a file that ends in .gp",
			      path);
	fd = open_beside(path, &beside);
	if (fd < 0)
		return EXIT_FAILED;
	close(fd);
	unlink(beside);
	free(beside);
	return EXIT_DONE;
}

static bool drawable(const struct cell *cell)
{
	return cell->count > 0 && cell->spread.q1 > 0;
}

/* Names of heaps come from outside: nothing that ends a string. */
static void put_name(FILE *out, const char *name)
{
	for (; *name; name++)
		fputc(*name > ' ' && *name <= '~' && !strchr("'\"\\`", *name)
			      ? *name
			      : '_',
		      out);
}

/* The first cell of each test. */
static size_t next_test(const struct results *results, size_t cell)
{
	const struct bench_test *test = results->cells[cell].test;

	while (cell < results->count && results->cells[cell].test == test)
		cell += results->group;
	return cell;
}

/* Cells of the panel that begins at FIRST, of allocator NUMBER of the group. */
static size_t put_curve(FILE *out, const struct results *results, size_t first,
			size_t number)
{
	size_t end = next_test(results, first);
	size_t points = 0;

	for (size_t i = first + number; i < end; i += results->group) {
		const struct cell *cell = &results->cells[i];

		if (!drawable(cell))
			continue;
		if (points++ == 0)
			fprintf(out, "$curve%zu_%zu << END\n", first, number);
		fprintf(out, "%" PRIu64 " %.1f %.1f %.1f\n", cell->size,
			cell->spread.median, cell->spread.q1, cell->spread.q3);
	}
	if (points > 0)
		fputs("END\n", out);
	return points;
}

/* Give how many curves it has. */
static size_t put_panel(FILE *out, const struct results *results, size_t first)
{
	size_t curves = 0;

	for (size_t i = 0; i < results->group; i++)
		curves += put_curve(out, results, first, i) > 0;
	if (curves == 0)
		return 0;
	fprintf(out, "set title \"%s\"\nplot",
		results->cells[first].test->name);
	curves = 0;
	for (size_t i = 0; i < results->group; i++) {
		const struct cell *cell = &results->cells[first + i];
		size_t points = 0;

		for (size_t j = first + i; j < next_test(results, first);
		     j += results->group)
			points += drawable(&results->cells[j]);
		if (points == 0)
			continue;
		fprintf(out,
			"%s $curve%zu_%zu using "
			"1:($2/1000):($3/1000):($4/1000) "
			"with yerrorlines linetype %zu title \"",
			curves++ ? "," : "", first, i, i + 1);
		put_name(out, cell->allocator->name);
		fputs("\" noenhanced", out);
	}
	fputs("\n", out);
	return curves;
}

static bool panel_drawable(const struct results *results, size_t first)
{
	for (size_t i = first; i < next_test(results, first); i++)
		if (drawable(&results->cells[i]))
			return true;
	return false;
}

static unsigned int count_panels(const struct results *results)
{
	unsigned int panels = 0;

	for (size_t i = 0; i < results->count; i = next_test(results, i))
		panels += panel_drawable(results, i);
	return panels;
}

static void put_script(FILE *out, const struct results *results,
		       const struct format *format, unsigned int panels)
{
	uint64_t least = UINT64_MAX, most = 0;
	unsigned int columns = 1, rows;

	while (columns * columns < panels)
		columns++;
	rows = (panels + columns - 1) / columns;
	for (size_t i = 0; i < results->count; i++) {
		uint64_t size = results->cells[i].size;

		least = size < least ? size : least;
		most = size > most ? size : most;
	}
	if (format->terminal)
		fprintf(out, "set terminal %s size %u,%u\n", format->terminal,
			columns * PANEL_WIDTH, rows * PANEL_HEIGHT);
	fprintf(out,
		"set logscale x 2\nset logscale y 10\nset grid\n"
		"set key left top Left reverse\nset xlabel \"bytes\"\n"
		"set ylabel \"%s time, microseconds\"\n"
		"set format x \"%%.0b%%B\"\nset format y \"%%g\"\n"
		"set xrange [%.1f:%.1f]\nset multiplot layout %u,%u\n",
		time_name(results->bench->time), (double)least / 1.5,
		(double)most * 1.5, rows, columns);
	for (size_t i = 0; i < results->count; i = next_test(results, i))
		put_panel(out, results, i);
	fputs("unset multiplot\n", out);
}

/* Run gnuplot on SCRIPT, with its output to FD. */
static int run_gnuplot(int script, int fd, const char *path)
{
	char name[] = "gnuplot", standard_input[] = "-";
	char *const arguments[] = {name, standard_input, NULL};
	posix_spawn_file_actions_t actions;
	int error, status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	error = posix_spawnp(&pid, "gnuplot", &actions, NULL, arguments,
			     environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return failed("running gnuplot: %s; install it",
			      strerror(error));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return EXIT_DONE;
	return failed("drawing '%s': gnuplot failed; give a file that ends in "
		      ".gp to see its script",
		      path);
}

/* By a file of no name, which gnuplot can read to its end. */
static int draw(const struct results *results, const struct format *format,
		unsigned int panels, int fd, const char *path)
{
	FILE *script = tmpfile();
	int status = EXIT_DONE;

	if (!script)
		return failed("making gnuplot's script: %s; see that there is "
			      "room in /tmp",
			      strerror(errno));
	put_script(script, results, format, panels);
	if (fflush(script) || ferror(script))
		status = failed("writing gnuplot's script: %s; make room",
				strerror(errno));
	rewind(script);
	if (status == EXIT_DONE)
		status = run_gnuplot(fileno(script), fd, path);
	fclose(script);
	return status;
}

static int save_script(const struct results *results,
		       const struct format *format, unsigned int panels, int fd,
		       const char *path)
{
	FILE *out = fdopen(dup(fd), "w");
	int error;

	if (!out)
		return failed("writing '%s': %s", path, strerror(errno));
	put_script(out, results, format, panels);
	error = ferror(out);
	if (fclose(out) || error)
		return failed("writing '%s': %s; make room", path,
			      strerror(errno));
	return EXIT_DONE;
}

int write_plot(const struct results *results, const char *path)
{
	const struct format *format = format_of(path);
	unsigned int panels = count_panels(results);
	int status, fd;
	mode_t mask;
	char *beside;

	if (panels == 0)
		return failed("drawing '%s': nothing was measured", path);
	fd = open_beside(path, &beside);
	if (fd < 0)
		return EXIT_FAILED;
	status = format->terminal
			 ? draw(results, format, panels, fd, path)
			 : save_script(results, format, panels, fd, path);
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	close(fd);
	if (status == EXIT_DONE && rename(beside, path))
		status = failed("writing '%s': %s; give another file", path,
				strerror(errno));
	if (status != EXIT_DONE)
		unlink(beside);
	free(beside);
	return status;
}
