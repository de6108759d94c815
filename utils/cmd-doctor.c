// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "doctor.h"
#include "json.h"
#include "progress.h"
#include "report.h"

enum {
	OPTION_SYSROOT = OPTION_OWN
};

static const char *const verdict_names[] = {
	[VERDICT_FINE] = "fine",
	[VERDICT_NOTE] = "note",
	[VERDICT_WRONG] = "WRONG",
};

void find(struct examination *all, enum verdict verdict, const char *topic,
	  const char *advice, const char *format, ...)
{
	struct finding *findings =
		reallocarray(all->findings, all->count + 1, sizeof(*findings));
	struct finding *finding;
	va_list arguments;

	if (!findings) {
		all->out_of_memory = true;
		return;
	}
	all->findings = findings;
	finding = &findings[all->count++];
	finding->verdict = verdict;
	snprintf(finding->topic, sizeof(finding->topic), "%s", topic);
	snprintf(finding->advice, sizeof(finding->advice), "%s", advice);
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
}

static void examine(struct examination *all)
{
	examine_kernel(all);
	examine_module(all);
	examine_nodes(all);
	examine_caching(all);
	examine_memory(all);
	examine_cgroup(all);
	examine_devices(all);
	examine_allocation(all);
}

static void print_findings(const struct examination *all)
{
	char text[sizeof(all->findings->text) * 4];

	for (size_t i = 0; i < all->count; i++) {
		const struct finding *finding = &all->findings[i];

		escape_text(text, sizeof(text), finding->text);
		printf("%-5s  %-10s  %s", verdict_names[finding->verdict],
		       finding->topic, text);
		escape_text(text, sizeof(text), finding->advice);
		printf(text[0] ? "; %s\n" : "%s\n", text);
	}
}

static void print_findings_json(const struct examination *all)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	json_bool(&json, "can_allocate", all->can_allocate);
	json_array_begin(&json, "findings");
	for (size_t i = 0; i < all->count; i++) {
		const struct finding *finding = &all->findings[i];

		json_object_begin(&json, NULL);
		json_string(&json, "verdict",
			    finding->verdict == VERDICT_WRONG
				    ? "wrong"
				    : verdict_names[finding->verdict]);
		json_string(&json, "topic", finding->topic);
		json_string(&json, "text", finding->text);
		json_string(&json, "advice",
			    finding->advice[0] ? finding->advice : NULL);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	json_finish(&json);
}

static int run_doctor(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {
		{"sysroot", required_argument, NULL, OPTION_SYSROOT},
		COMMON_OPTIONS};
	struct examination all = {.root = ""};
	int status = EXIT_DONE;

	while (next_option(ctx, argc, argv, ":", options) == OPTION_SYSROOT)
		all.root = optarg;
	expect_arguments(argc, argv, 0);
	all.device_path = ctx->device_path;
	all.backend = ctx->backend;
	waiting_begin("examining the machine");
	examine(&all);
	waiting_end();
	if (all.out_of_memory) {
		status = failed("examining the machine: %s; free memory",
				strerror(ENOMEM));
	} else if (ctx->json) {
		print_findings_json(&all);
	} else {
		print_findings(&all);
	}
	if (status == EXIT_DONE && !all.can_allocate)
		status = EXIT_FAILED;
	free(all.findings);
	return status;
}

const struct command command_doctor = {
	.name = "doctor",
	.run = run_doctor,
	.usage = "[OPTION...]",
	.summary = "say what this machine can do, and what to do about it",
	.help = "Examines the kernel, the module, the nodes and this user's "
		"right to\n"
		"them, caching, memory, the memory cgroup, and what is between "
		"devices\n"
		"and memory, and tries an allocation. Each finding is 'fine', "
		"a 'note'\n"
		"of what could be better, or 'WRONG', and says what to do. "
		"Fails when\n"
		"nothing can be allocated.\n"
		"\n"
		"      --sysroot DIR   read DIR/proc and DIR/sys\n",
};
