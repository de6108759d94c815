// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a child has of its parent's objects, and what a program that is executed
 * has. The child's assertions are its exit status: Check's are the parent's.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define SIZE (4 * PAGE)

/* In a child: end it with a status that is not 0, unless this holds. */
#define require(condition)                                                   \
	do {                                                                 \
		if (!(condition)) {                                          \
			printf("# line %d: %s (%s)\n", __LINE__, #condition, \
			       portalmem_error_message());                   \
			fflush(stdout);                                      \
			_exit(1);                                            \
		}                                                            \
	} while (0)

static void assert_child_succeeds(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

static pid_t fork_child(void)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	ck_assert_int_ge(child, 0);
	return child;
}

static char *map_all(struct portalmem_buffer *buffer)
{
	void *map;

	if (portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map))
		return NULL;
	return map;
}

/* All that a child can do with what its parent has. */
static void use_objects(struct portalmem_device *device,
			struct portalmem_buffer *buffer, char *map)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_buffer *own;
	char *own_map;

	require(!strcmp(map, "from the parent"));
	require(!portalmem_buffer_get_info(buffer, &info));
	require(info.size == SIZE);
	/* The mapping is counted on from where the parent was. */
	require(map_all(buffer) == map);
	require(!portalmem_access_begin(buffer, PORTALMEM_SYNC_RDWR, NULL, 0,
					&access));
	strcpy(map + PAGE, "from the child");
	require(!portalmem_access_end(&access));
	require(!portalmem_buffer_unmap(buffer, map));
	require(!portalmem_buffer_unmap(buffer, map));
	require(!unit_is_mapped(map));
	require(portalmem_buffer_unmap(buffer, map) == -EINVAL);

	require(!portalmem_buffer_alloc(device, PAGE, NULL, &own));
	own_map = map_all(own);
	require(own_map);
	own_map[0] = 1;
	portalmem_buffer_unref(own);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}

START_TEST(child_has_references_and_mappings_of_its_own)
{
	struct portalmem_device *device = unit_open_device();
	struct portalmem_buffer *buffer;
	char *map;
	pid_t child;

	ck_assert_int_eq(portalmem_buffer_alloc(device, SIZE, NULL, &buffer),
			 0);
	map = map_all(buffer);
	ck_assert_ptr_nonnull(map);
	strcpy(map, "from the parent");
	child = fork_child();
	if (!child) {
		use_objects(device, buffer, map);
		_exit(0);
	}
	assert_child_succeeds(child);

	/* The parent's are as they were, and the memory is shared. */
	ck_assert_str_eq(map + PAGE, "from the child");
	ck_assert_ptr_eq(map_all(buffer), map);
	ck_assert_int_eq(fcntl(portalmem_buffer_get_fd(buffer), F_GETFD),
			 FD_CLOEXEC);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, map), 0);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, map), 0);
	portalmem_buffer_unref(buffer);
	ck_assert_int_eq(portalmem_buffer_alloc(device, SIZE, NULL, &buffer),
			 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(buffer_lives_in_the_child_when_the_parent_gave_it_back)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE), *copy;
	char *map = map_all(buffer);
	int pair[2];
	pid_t child;
	char go;

	strcpy(map, "from the parent");
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	child = fork_child();
	if (!child) {
		require(read(pair[1], &go, 1) == 1);
		require(!strcmp(map, "from the parent"));
		require(!portalmem_buffer_send(buffer, pair[1]));
		_exit(0);
	}
	portalmem_buffer_unref(buffer);
	ck_assert_int_eq(write(pair[0], "g", 1), 1);
	ck_assert_int_eq(portalmem_buffer_receive(NULL, pair[0], &copy), 0);
	assert_child_succeeds(child);
	ck_assert_str_eq(map_all(copy), "from the parent");
	portalmem_buffer_unref(copy);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(parent_and_child_each_end_their_own_copy_of_an_access)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_access other = PORTALMEM_ACCESS_INIT;
	pid_t child;

	ck_assert_int_eq(portalmem_access_begin(buffer, PORTALMEM_SYNC_WRITE,
						NULL, 0, &access),
			 0);
	child = fork_child();
	if (!child) {
		require(!portalmem_access_end(&access));
		require(portalmem_access_end(&access) == -EINVAL);
		_exit(0);
	}
	assert_child_succeeds(child);
	/* The parent's is still open. */
	unit_assert_fails(portalmem_access_begin(buffer, PORTALMEM_SYNC_READ,
						 NULL, 0, &other),
			  EBUSY);
	ck_assert_int_eq(portalmem_access_end(&access), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(messages_of_parent_and_child_are_their_own)
{
	pid_t child;

	unit_assert_fails(portalmem_access_end(NULL), EINVAL);
	child = fork_child();
	if (!child) {
		require(strstr(portalmem_error_message(), "access"));
		require(portalmem_buffer_get_fd(NULL) == -EINVAL);
		require(strstr(portalmem_error_message(), "descriptor"));
		_exit(0);
	}
	assert_child_succeeds(child);
	unit_assert_message_has("access");
}
END_TEST

/* Of this program. */
static const char *own_path;

/* Run this program as "test-fork WHAT NUMBER" and give its exit status. */
static int execute(const char *what, int number)
{
	pid_t child = fork_child();
	char text[16];
	int status;

	if (!child) {
		snprintf(text, sizeof(text), "%d", number);
		execl(own_path, own_path, what, text, NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(executed_program_inherits_nothing)
{
	int before = execute("count", 0);
	struct portalmem_device *device = unit_open_device();
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_buffer *buffer, *import;

	ck_assert_int_ge(before, 3);
	ck_assert_int_lt(before, 100);
	ck_assert_int_eq(portalmem_buffer_alloc(device, SIZE, NULL, &buffer),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_import(device, portalmem_buffer_get_fd(buffer),
					&import),
		0);
	ck_assert_int_eq(portalmem_access_begin(buffer, PORTALMEM_SYNC_READ,
						NULL, 0, &access),
			 0);
	ck_assert_int_eq(execute("count", 0), before);
	ck_assert_int_eq(portalmem_access_end(&access), 0);
	portalmem_buffer_unref(import);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* Without Check, whose assertions want a test around them. */
static int count_open(void)
{
	int count = 0;

	for (int fd = 0; fd < 100; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int import_number(int fd)
{
	struct portalmem_buffer *buffer;
	char *map;
	int status;

	if (portalmem_buffer_import(NULL, fd, &buffer))
		return 2;
	map = map_all(buffer);
	status = map && !strcmp(map, "to be executed") ? 42 : 3;
	portalmem_buffer_unref(buffer);
	return status;
}

START_TEST(executed_program_imports_the_descriptor_that_it_is_left)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	int fd = portalmem_buffer_get_fd(buffer);
	/* Without the flag that closes it. */
	int copy = dup(fd);

	ck_assert_int_ge(copy, 0);
	strcpy(map_all(buffer), "to be executed");
	ck_assert_int_eq(execute("import", copy), 42);
	ck_assert_int_eq(execute("import", fd), 2);
	close(copy);
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *fork_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("fork", &tc);

	tcase_add_test(tc, child_has_references_and_mappings_of_its_own);
	tcase_add_test(tc,
		       buffer_lives_in_the_child_when_the_parent_gave_it_back);
	tcase_add_test(tc,
		       parent_and_child_each_end_their_own_copy_of_an_access);
	tcase_add_test(tc, messages_of_parent_and_child_are_their_own);
	tcase_add_test(tc, executed_program_inherits_nothing);
	tcase_add_test(tc,
		       executed_program_imports_the_descriptor_that_it_is_left);
	return suite;
}

int main(int argc, char *argv[])
{
	static const pmtest_suite_fn suites[] = {fork_suite};

	if (argc == 3 && !strcmp(argv[1], "count"))
		return count_open();
	if (argc == 3 && !strcmp(argv[1], "import"))
		return import_number(atoi(argv[2]));
	own_path = argv[0];
	return pmtest_main(suites, 1);
}
