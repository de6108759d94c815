// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "program.h"

/* Values that mean something, per kind; one of them is 0 by itself. */
static const struct {
	unsigned int count;
	uint64_t values[32]; /* the first so many */
} sense[KINDS] = {
	[KIND_PATH] = {11, {0, 0, 0, 0, 1, 2, 3, 3, 4, 5, 6}},
	[KIND_SIZE] = {21, {1,	       4096,	 4096,	   4096,     8192,
			    8192,      12288,	 0x10000,  0x10000,  0x10000,
			    0x40000,   0x40000,	 0x100000, 0x200000, 0x200000,
			    0x201000,  0x400000, 4095,	   4097,     0x1000000,
			    1ull << 40}},
	[KIND_OFFSET] = {17,
			 {0, 0, 0, 0, 0, 0, 0, 0, 4096, 4096, 8192, 0x10000, 1,
			  4095, 0x200000, 0x1ff000, 64}},
	[KIND_COUNT] = {14,
			{1, 1, 1, 1, 1, 2, 2, 3, 3, 8, 64, 0x1000, 65536,
			 65537}},
	[KIND_CACHING] = {16, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4}},
	[KIND_ALLOC_FLAGS] = {24, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
				   0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 4}},
	/* O_RDONLY, O_WRONLY, O_RDWR, O_CLOEXEC and others. */
	[KIND_FD_FLAGS] = {20, {2,	  2,	    2, 2, 2, 2,	       2,
				2,	  2,	    2, 2, 2, 02000002, 02000002,
				02000002, 02000000, 0, 1, 3, 04000}},
	[KIND_BITS] = {32, {0, 0, 0,  0,  0,  0,  0,  0,  0,  0, 0,
			    0, 0, 0,  0,  0,  0,  0,  0,  0,  0, 0,
			    0, 0, 32, 64, 30, 28, 24, 12, 20, 65}},
	[KIND_ALIGNMENT] = {29,
			    {0, 0, 0, 0, 0,    0,	0,	  0,  0,     0,
			     0, 0, 0, 0, 0,    0,	0,	  0,  0,     0,
			     0, 0, 0, 0, 4096, 0x10000, 0x200000, 64, 0x3000}},
	[KIND_ATTACH_FLAGS] = {8,
			       {0, 0, 0, 02000000, 02000000, 02000000, 02000000,
				2}},
	[KIND_STRUCT_SIZE] = {32, {0, 0, 0, 0, 0, 0, 0, 0,  0,	 0,   0,
				   0, 0, 0, 0, 0, 0, 0, 0,  0,	 0,   0,
				   0, 0, 0, 0, 0, 0, 8, 16, 128, 4095}},
	[KIND_PLACE] = {7, {0, 0, 0, 1, 1, 2, 3}},
	[KIND_PROTECTION] = {11,
			     {3, 3, 3, 3, 3, 3, PROT_READ, PROT_READ, PROT_NONE,
			      PROT_WRITE, PROT_READ | PROT_EXEC}},
	[KIND_MAP_FLAGS] = {11,
			    {MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_SHARED,
			     MAP_SHARED, MAP_SHARED, MAP_SHARED, MAP_PRIVATE,
			     MAP_SHARED | MAP_POPULATE, MAP_SHARED | MAP_LOCKED,
			     MAP_SHARED_VALIDATE | MAP_SYNC}},
	[KIND_ADVICE] = {20,
			 {MADV_DONTNEED,
			  MADV_DONTNEED,
			  MADV_WILLNEED,
			  MADV_FREE,
			  MADV_REMOVE,
			  MADV_DONTFORK,
			  MADV_DOFORK,
			  MADV_MERGEABLE,
			  MADV_HUGEPAGE,
			  MADV_NOHUGEPAGE,
			  MADV_DONTDUMP,
			  MADV_WIPEONFORK,
			  MADV_COLD,
			  MADV_PAGEOUT,
			  22 /* MADV_POPULATE_READ */,
			  23 /* MADV_POPULATE_WRITE */,
			  25 /* MADV_COLLAPSE */,
			  MADV_SEQUENTIAL,
			  MADV_NORMAL,
			  24}},
	[KIND_SYNC_FLAGS] = {11, {1, 2, 3, 3, 3, 5, 6, 7, 7, 7, 4}},
	[KIND_DIRECTION] = {9, {3, 3, 3, 3, 1, 1, 2, 2, 0}},
	[KIND_DEVICE] = {12, {0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 4}},
	[KIND_MEMORY] = {8, {0, 0, 0, 0, 1, 2, 3, 4}},
	[KIND_MINUS_ONE] = {4, {UINT64_MAX, UINT64_MAX, UINT64_MAX, 0}},
	[KIND_NAME] = {22, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			    0, 0, 0, 0, 0, 1, 1, 2, 4, 3, 63}},
	[KIND_NUMBER] = {14, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}},
	[KIND_SMALL] = {4, {0, 1, 2, 3}},
};

uint64_t random_next(uint64_t *seed)
{
	uint64_t word = *seed += UINT64_C(0x9e3779b97f4a7c15);

	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

unsigned int random_below(uint64_t *seed, unsigned int limit)
{
	return limit ? (unsigned int)(random_next(seed) % limit) : 0;
}

static bool one_in(uint64_t *seed, unsigned int n)
{
	return random_below(seed, n) == 0;
}

/* A number at the edge of something. */
static uint64_t edge(uint64_t *seed)
{
	uint64_t power = UINT64_C(1) << random_below(seed, 64);

	switch (random_below(seed, 6)) {
	case 0:
		return power;
	case 1:
		return power - 1;
	case 2:
		return -power;
	case 3:
		return UINT64_MAX - random_below(seed, 8);
	case 4:
		return (uint64_t)INT32_MAX + random_below(seed, 3);
	default:
		return random_next(seed);
	}
}

static bool is_file(enum kind kind)
{
	return kind >= KIND_NODE && kind <= KIND_FILE;
}

static bool suits(enum kind wanted, enum kind given)
{
	return given != KIND_NONE && (wanted == given || wanted == KIND_FILE);
}

/* A call before AT whose result suits, the last ones rather; or none. */
static bool choose_result(const struct program *program, unsigned int at,
			  enum kind kind, uint64_t *seed, uint64_t *value)
{
	for (unsigned int tries = 0; at && tries < 24; tries++) {
		unsigned int i = random_below(seed, at);

		if (!suits(kind, operations[program->calls[i].operation].gives))
			continue;
		*value = i;
		return true;
	}
	return false;
}

/*
 * What an earlier call had there: places that are mapped, sizes that things
 * have. The last ones rather; or nothing.
 */
static bool repeat_value(const struct program *program, unsigned int at,
			 enum kind kind, uint64_t *seed, uint64_t *value)
{
	for (unsigned int tries = 0; at && tries < 16; tries++) {
		unsigned int i = random_below(seed, at);
		const struct call *call = &program->calls[i];
		const struct operation *operation =
			&operations[call->operation];

		for (int j = 0; j < ARGUMENTS_MAX; j++) {
			if (!operation->arguments[j].name ||
			    operation->arguments[j].kind != kind)
				continue;
			*value = call->arguments[j].value;
			return true;
		}
	}
	return false;
}

static struct argument choose_argument(const struct program *program,
				       unsigned int at, enum kind kind,
				       uint64_t *seed)
{
	struct argument argument = {0};

	if (is_file(kind)) {
		/* Now and then a file of another kind, or none. */
		if (one_in(seed, 24))
			kind = KIND_FILE;
		argument.is_result =
			!one_in(seed, 40) &&
			choose_result(program, at, kind, seed, &argument.value);
		if (!argument.is_result)
			argument.value = one_in(seed, 3) ? edge(seed)
							 : UINT64_MAX;
		return argument;
	}
	if ((kind == KIND_PLACE || kind == KIND_SIZE) && !one_in(seed, 3) &&
	    repeat_value(program, at, kind, seed, &argument.value))
		return argument;
	if (kind == KIND_WORD || one_in(seed, 60))
		argument.value = edge(seed);
	else if (sense[kind].count)
		argument.value =
			sense[kind]
				.values[random_below(seed, sense[kind].count)];
	return argument;
}

static void fill_call(struct program *program, unsigned int at, uint64_t *seed)
{
	struct call *call = &program->calls[at];
	const struct operation *operation = &operations[call->operation];

	memset(call->arguments, 0, sizeof(call->arguments));
	for (int i = 0; i < ARGUMENTS_MAX; i++)
		if (operation->arguments[i].name)
			call->arguments[i] = choose_argument(
				program, at, operation->arguments[i].kind,
				seed);
}

static unsigned int choose_operation(uint64_t *seed)
{
	unsigned int sum = 0, at;

	for (unsigned int i = 0; i < operation_count; i++)
		sum += operations[i].weight;
	at = random_below(seed, sum);
	for (unsigned int i = 0; i < operation_count; i++) {
		if (at < operations[i].weight)
			return i;
		at -= operations[i].weight;
	}
	return 0;
}

/* Is there a file of each kind that the call takes? */
static bool has_files(const struct program *program, unsigned int at,
		      unsigned int chosen)
{
	for (int i = 0; i < ARGUMENTS_MAX; i++) {
		enum kind kind = operations[chosen].arguments[i].kind;
		bool found = !is_file(kind);

		for (unsigned int j = 0; j < at && !found; j++)
			found = suits(
				kind,
				operations[program->calls[j].operation].gives);
		if (!found)
			return false;
	}
	return true;
}

/* Mostly one that has what it takes; what has not is refused, and soon known. */
static unsigned int choose_useful(const struct program *program,
				  unsigned int at, uint64_t *seed)
{
	unsigned int chosen = choose_operation(seed);

	for (int tries = 0;
	     tries < 8 && !one_in(seed, 16) && !has_files(program, at, chosen);
	     tries++)
		chosen = choose_operation(seed);
	return chosen;
}

/* Make room for a call; results after it move. */
static void insert_call(struct program *program, unsigned int at,
			uint64_t *seed)
{
	if (program->count == CALLS_MAX)
		return;
	for (unsigned int i = program->count; i > at; i--) {
		program->calls[i] = program->calls[i - 1];
		for (int j = 0; j < ARGUMENTS_MAX; j++) {
			struct argument *argument =
				&program->calls[i].arguments[j];

			if (argument->is_result && argument->value >= at)
				argument->value++;
		}
	}
	program->count++;
	program->calls[at].operation = choose_useful(program, at, seed);
	fill_call(program, at, seed);
}

static void remove_call(struct program *program, unsigned int at)
{
	for (unsigned int i = at; i + 1 < program->count; i++) {
		program->calls[i] = program->calls[i + 1];
		for (int j = 0; j < ARGUMENTS_MAX; j++) {
			struct argument *argument =
				&program->calls[i].arguments[j];

			if (argument->is_result && argument->value >= at &&
			    argument->value)
				argument->value--;
		}
	}
	program->count--;
	/* Nothing uses what comes later, or itself. */
	for (unsigned int i = 0; i < program->count; i++)
		for (int j = 0; j < ARGUMENTS_MAX; j++) {
			struct argument *argument =
				&program->calls[i].arguments[j];

			if (argument->is_result && argument->value >= i)
				*argument =
					(struct argument){.value = UINT64_MAX};
		}
}

static void change_argument(struct program *program, uint64_t *seed)
{
	unsigned int at = random_below(seed, program->count);
	struct call *call = &program->calls[at];
	const struct operation *operation = &operations[call->operation];
	unsigned int i = random_below(seed, ARGUMENTS_MAX);
	struct argument *argument = &call->arguments[i];

	if (!operation->arguments[i].name)
		return;
	if (is_file(operation->arguments[i].kind) || one_in(seed, 2)) {
		*argument = choose_argument(program, at,
					    operation->arguments[i].kind, seed);
		return;
	}
	switch (random_below(seed, 4)) {
	case 0:
		argument->value ^= UINT64_C(1) << random_below(seed, 64);
		break;
	case 1:
		argument->value += random_below(seed, 9);
		break;
	case 2:
		argument->value -= random_below(seed, 9);
		break;
	default:
		argument->value = edge(seed);
		break;
	}
}

/* Put the end of another one behind the beginning of this one. */
static void splice(struct program *program, const struct program *other,
		   uint64_t *seed)
{
	unsigned int from = random_below(seed, other->count);
	unsigned int at = random_below(seed, program->count + 1);

	for (unsigned int i = from; i < other->count && at < CALLS_MAX;
	     i++, at++) {
		struct call *call = &program->calls[at];

		*call = other->calls[i];
		for (int j = 0; j < ARGUMENTS_MAX; j++) {
			struct argument *argument = &call->arguments[j];

			if (argument->is_result &&
			    (argument->value < from ||
			     argument->value + at - i >= at))
				*argument = choose_argument(
					program, at,
					operations[call->operation]
						.arguments[j]
						.kind,
					seed);
			else if (argument->is_result)
				argument->value += at - i;
		}
	}
	program->count = at;
}

void program_mutate(struct program *program, const struct program *other,
		    uint64_t *seed)
{
	unsigned int changes = 1 + random_below(seed, 4);

	while (changes--) {
		unsigned int what = random_below(seed, 10);

		if (!program->count || what < 4)
			insert_call(program,
				    random_below(seed, program->count + 1),
				    seed);
		else if (what < 8)
			change_argument(program, seed);
		else if (what < 9)
			remove_call(program,
				    random_below(seed, program->count));
		else if (other && other->count)
			splice(program, other, seed);
	}
}

void program_make(struct program *program, uint64_t *seed)
{
	unsigned int count = 3 + random_below(seed, CALLS_MAX - 6);

	memset(program, 0, sizeof(*program));
	/* What most of the rest works on. */
	for (unsigned int i = 0; i < 2; i++) {
		program->calls[i].operation = i;
		fill_call(program, i, seed);
	}
	program->count = 2;
	while (program->count < count)
		insert_call(program, program->count, seed);
}

static void print_argument(const struct argument *argument, FILE *file)
{
	if (argument->is_result)
		fprintf(file, "r%u", (unsigned int)argument->value);
	else if (argument->value < 10)
		fprintf(file, "%u", (unsigned int)argument->value);
	else
		fprintf(file, "%#" PRIx64, argument->value);
}

void program_print(const struct program *program, FILE *file)
{
	for (unsigned int i = 0; i < program->count; i++) {
		const struct call *call = &program->calls[i];
		const struct operation *operation =
			&operations[call->operation];

		fprintf(file, "r%u = %s", i, operation->name);
		for (int j = 0; operation->arguments[j].name; j++) {
			if (!call->arguments[j].is_result &&
			    !call->arguments[j].value)
				continue;
			fprintf(file, " %s=", operation->arguments[j].name);
			print_argument(&call->arguments[j], file);
		}
		fputc('\n', file);
	}
}

static bool read_value(const struct program *program, const char *text,
		       struct argument *argument)
{
	char *end;

	argument->is_result = *text == 'r';
	argument->value = strtoull(text + argument->is_result, &end, 0);
	return end != text + argument->is_result && !*end &&
	       (!argument->is_result || argument->value < program->count);
}

static bool read_argument(const struct program *program, struct call *call,
			  char *word)
{
	const struct operation *operation = &operations[call->operation];
	char *sign = strchr(word, '=');

	if (!sign)
		return false;
	*sign = '\0';
	for (int i = 0; operation->arguments[i].name; i++)
		if (strcmp(operation->arguments[i].name, word) == 0)
			return read_value(program, sign + 1,
					  &call->arguments[i]);
	return false;
}

/* "rN = NAME ARGUMENT=VALUE..." */
static bool read_call(struct program *program, char *line)
{
	struct call *call = &program->calls[program->count];
	char *rest, *word = strtok_r(line, " \t\n", &rest);
	unsigned int number;

	if (!word || *word == '#')
		return true;
	if (program->count == CALLS_MAX || sscanf(word, "r%u", &number) != 1 ||
	    number != program->count)
		return false;
	word = strtok_r(NULL, " \t\n", &rest);
	if (!word || strcmp(word, "=") != 0)
		return false;
	word = strtok_r(NULL, " \t\n", &rest);
	memset(call, 0, sizeof(*call));
	while (word && call->operation < operation_count &&
	       strcmp(operations[call->operation].name, word) != 0)
		call->operation++;
	if (!word || call->operation == operation_count)
		return false;
	while ((word = strtok_r(NULL, " \t\n", &rest)) && *word != '#')
		if (!read_argument(program, call, word))
			return false;
	program->count++;
	return true;
}

bool program_read(struct program *program, const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned int number = 1;
	char line[1024];

	memset(program, 0, sizeof(*program));
	if (!file) {
		perror(path);
		return false;
	}
	for (; fgets(line, sizeof(line), file); number++) {
		if (!read_call(program, line)) {
			fprintf(stderr, "%s:%u: this is no call\n", path,
				number);
			fclose(file);
			return false;
		}
	}
	fclose(file);
	return true;
}

uint64_t program_hash(const struct program *program)
{
	uint64_t hash = program->count;

	for (unsigned int i = 0; i < program->count; i++) {
		const struct call *call = &program->calls[i];

		hash = hash * 31 + call->operation;
		for (int j = 0; j < ARGUMENTS_MAX; j++) {
			hash ^= call->arguments[j].value * 2 +
				call->arguments[j].is_result;
			random_next(&hash);
		}
	}
	return random_next(&hash);
}
