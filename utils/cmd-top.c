// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "census-print.h"
#include "clock.h"
#include "command.h"
#include "parse.h"
#include "report.h"
#include "signals.h"
#include "streams.h"
#include "top-print.h"
#include "top-screen.h"
#include "top-terminal.h"

enum {
	OPTION_VIEW = OPTION_OWN,
	OPTION_SORT,
	OPTION_PID,
	OPTION_EXPORTER,
	OPTION_SYSROOT
};

struct watch {
	struct top_ui ui;
	struct top_history history;
	const char *root;
	uint64_t count; /* of samples; 0: no end */
	bool batch;
	bool json;
};

static int failed_memory(void)
{
	return failed("listing the buffers: %s; free memory", strerror(ENOMEM));
}

static bool is_last(const struct watch *watch)
{
	return watch->count && watch->history.count >= watch->count;
}

/* Gives 0 or a negative errno. */
static int take_sample(struct watch *watch)
{
	struct top_sample *sample;
	int ret = top_sample_take(&sample, watch->root);

	if (ret == 0)
		top_history_add(&watch->history, sample);
	return ret;
}

static int failed_sample(const struct watch *watch, int error)
{
	if (error == -ENOMEM)
		return failed_memory();
	return failed("reading %s/proc: %s; see that /proc is mounted",
		      watch->root, strerror(-error));
}

static int make_report(const struct watch *watch, struct top_report *report)
{
	struct top_request request = top_ui_request(&watch->ui);

	return top_report_make(report, &watch->history, &request);
}

static int print_sample(struct watch *watch)
{
	struct top_report report;
	int status = EXIT_DONE;
	int ret = take_sample(watch);

	if (ret)
		return failed_sample(watch, ret);
	if (watch->history.count == 1)
		warn_of_missing(&watch->history.now->census);
	if (make_report(watch, &report))
		return failed_memory();
	if (watch->json)
		top_print_json(&report);
	else
		status = top_print_text(&report, &watch->ui);
	top_report_free(&report);
	/* Somebody may be reading, or have stopped to. */
	return status == EXIT_DONE ? flush_output() : status;
}

static void sleep_until(int64_t deadline)
{
	const struct timespec until = {.tv_sec = (time_t)(deadline / 1000),
				       .tv_nsec = (long)(deadline % 1000) *
						  1000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) ==
	       EINTR)
		continue;
}

static int print_samples(struct watch *watch)
{
	int64_t due = clock_now();
	int status;

	/* So that characters of process names are told from what is none,
	 * whatever the user's locale is. */
	setlocale(LC_CTYPE, "C.UTF-8");
	while ((status = print_sample(watch)) == EXIT_DONE && !is_last(watch)) {
		due += watch->ui.delay;
		sleep_until(due);
	}
	return status;
}

/* Gives 0 or -ENOMEM. */
static int paint(struct watch *watch, bool anew)
{
	unsigned int rows, columns;
	struct top_screen screen = {0};
	struct top_report report;
	bool painted;

	if (make_report(watch, &report))
		return -ENOMEM;
	terminal_size(&rows, &columns);
	top_screen_draw(&screen, &report, &watch->ui, rows, columns);
	painted = !screen.out_of_memory;
	if (painted)
		terminal_paint(&screen, anew);
	top_screen_free(&screen);
	top_report_free(&report);
	return painted ? 0 : -ENOMEM;
}

/* What all keys that are waiting lead to: the weightiest. */
static enum top_action take_keys(struct top_ui *ui)
{
	enum top_action all = TOP_NOTHING, one;
	int key;

	while (all != TOP_QUIT && (key = terminal_key()) != TOP_KEY_NONE) {
		one = top_ui_key(ui, key);
		if (one > all)
			all = one;
	}
	return all;
}

/* A signal: another size of the terminal, or the end. */
static enum top_action take_signal(int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return TOP_NOTHING;
	return info.ssi_signo == SIGWINCH ? TOP_REDRAW : TOP_QUIT;
}

/* Wait for a key, a signal or DEADLINE, at which there is something new. */
static enum top_action wait_for_action(struct top_ui *ui, int signals,
				       int64_t deadline)
{
	struct pollfd polled[] = {{.fd = signals, .events = POLLIN},
				  {.fd = STDIN_FILENO, .events = POLLIN}};
	int ret = poll(polled, 2, clock_left(deadline));

	/* Curses stops the program and goes on in a signal handler. */
	if (ret < 0)
		return errno == EINTR ? TOP_REPAINT : TOP_QUIT;
	if (ret == 0)
		return TOP_SAMPLE;
	if (polled[0].revents)
		return take_signal(signals);
	/* Nobody is there any more. */
	if (polled[1].revents & (POLLHUP | POLLERR | POLLNVAL))
		return TOP_QUIT;
	return take_keys(ui);
}

/* Gives 0 when the user has seen enough, or a negative errno. */
static int show_samples(struct watch *watch, int signals)
{
	enum top_action action = TOP_SAMPLE;
	int64_t looked = 0;
	int ret = 0;

	while (ret == 0 && action != TOP_QUIT) {
		if (action == TOP_SAMPLE) {
			looked = clock_now();
			ret = take_sample(watch);
		}
		if (ret == 0 && action != TOP_NOTHING)
			ret = paint(watch, action == TOP_REPAINT);
		if (ret || is_last(watch))
			break;
		action = wait_for_action(&watch->ui, signals,
					 watch->ui.paused
						 ? DEADLINE_NONE
						 : looked + watch->ui.delay);
	}
	return ret;
}

static int run_live(struct watch *watch)
{
	sigset_t set;
	int signals, status, ret;

	block_termination(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		return failed("waiting for signals: %s", strerror(errno));
	status = terminal_open();
	if (status == EXIT_DONE) {
		ret = show_samples(watch, signals);
		terminal_close();
		if (ret)
			status = failed_sample(watch, ret);
	}
	close(signals);
	return status;
}

static enum top_view parse_view(const char *text)
{
	for (int view = 0; view < TOP_VIEWS; view++) {
		if (strcmp(text, top_view_names[view]) == 0)
			return (enum top_view)view;
	}
	misused("--view: '%s' is not a view; use buffers, processes or "
		"exporters",
		text);
}

/* The view may have been named after the order. */
static void set_order(struct top_ui *ui, const char *name)
{
	char orders[128] = "";

	if (!name || top_ui_set_order(ui, name))
		return;
	for (int order = 0; order < TOP_ORDERS; order++) {
		if (top_view_has(ui->view, (enum top_order)order))
			snprintf(orders + strlen(orders),
				 sizeof(orders) - strlen(orders), "%s%s",
				 orders[0] ? ", " : "", top_order_names[order]);
	}
	misused("--sort: '%s' is not an order of %s; use one of %s", name,
		top_view_names[ui->view], orders);
}

static int64_t parse_delay(const char *text)
{
	int64_t delay = parse_seconds("--delay", text);

	if (delay < TOP_DELAY_LEAST)
		misused("--delay: it must be at least 0.1 seconds");
	return delay;
}

static int run_top(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {
		{"delay", required_argument, NULL, 'd'},
		{"count", required_argument, NULL, 'n'},
		{"batch", no_argument, NULL, 'b'},
		{"view", required_argument, NULL, OPTION_VIEW},
		{"sort", required_argument, NULL, OPTION_SORT},
		{"pid", required_argument, NULL, OPTION_PID},
		{"exporter", required_argument, NULL, OPTION_EXPORTER},
		{"sysroot", required_argument, NULL, OPTION_SYSROOT},
		COMMON_OPTIONS};
	struct watch watch = {.root = ""};
	const char *order = NULL;
	int option, status;

	top_ui_init(&watch.ui);
	while ((option = next_option(ctx, argc, argv, ":d:n:b", options)) !=
	       OPTION_END) {
		switch (option) {
		case 'd':
			watch.ui.delay = parse_delay(optarg);
			break;
		case 'n':
			watch.count =
				parse_number("--count", optarg, INT32_MAX);
			if (!watch.count)
				misused("--count: it must be at least 1");
			break;
		case 'b':
			watch.batch = true;
			break;
		case OPTION_VIEW:
			watch.ui.view = parse_view(optarg);
			break;
		case OPTION_SORT:
			order = optarg;
			break;
		case OPTION_PID:
			watch.ui.filter.pid =
				(pid_t)parse_number("--pid", optarg, INT32_MAX);
			if (!watch.ui.filter.pid)
				misused("--pid: 0 is no process");
			break;
		case OPTION_EXPORTER:
			watch.ui.filter.exporter = optarg;
			break;
		case OPTION_SYSROOT:
			watch.root = optarg;
			break;
		}
	}
	expect_arguments(argc, argv, 0);
	set_order(&watch.ui, order);
	watch.json = ctx->json;
	if (watch.batch || watch.json)
		status = print_samples(&watch);
	else
		status = run_live(&watch);
	top_history_free(&watch.history);
	return status;
}

const struct command command_top = {
	.name = "top",
	.run = run_top,
	.usage = "[OPTION...]",
	.summary = "watch the dma-bufs of the system and the heaps",
	.help = "Shows in the terminal, again and again, what 'portalmem ps' "
		"lists, and\n"
		"how it grows: buffers, processes or exporters, allocations "
		"per second,\n"
		"and how full the heaps of the portalmem module are. The key "
		"'h' lists\n"
		"the keys, 'q' quits.\n"
		"\n"
		"  -d, --delay SECONDS   look that often (default 2)\n"
		"  -n, --count N         end after N looks\n"
		"  -b, --batch           print text, one look after the other, "
		"without a\n"
		"                        terminal; so does --json, one line "
		"each\n"
		"      --view VIEW       buffers (default), processes, "
		"exporters\n"
		"      --sort ORDER      size (default), growth, share, "
		"buffers, holders,\n"
		"                        inode, pid, exporter, name\n"
		"      --pid PID         only what this process holds\n"
		"      --exporter NAME   only the buffers of this exporter\n"
		"      --sysroot DIR     read DIR/proc and DIR/sys\n",
};
