// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may allocate: the nodes' group, and nobody else. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <portalmem.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define MEMBER_UID 1001
#define OTHER_UID 1002
#define OTHER_GID 1002
#define DEVICE_GID 4242

static void become(uid_t uid, gid_t gid)
{
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(gid), 0);
	ck_assert_int_eq(setuid(uid), 0);
}

START_TEST(nodes_come_up_closed_to_all_but_root)
{
	for (const char *const *node = guest_nodes; *node; node++) {
		struct stat status;

		ck_assert_int_eq(stat(*node, &status), 0);
		ck_assert(S_ISCHR(status.st_mode));
		ck_assert_uint_eq(status.st_mode & 07777, 0660);
		ck_assert_uint_eq(status.st_uid, 0);
		ck_assert_uint_eq(status.st_gid, 0);
	}
}
END_TEST

START_TEST(user_of_the_group_allocates_and_another_is_refused)
{
	for (const char *const *node = guest_nodes; *node; node++) {
		pid_t child;
		int status;

		/* As the udev rule does it; there is no udev in the guest. */
		ck_assert_int_eq(chown(*node, 0, DEVICE_GID), 0);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (!child) {
			struct portalmem_ioc_alloc request =
				guest_request(4096, PORTALMEM_DEFAULT);

			become(MEMBER_UID, DEVICE_GID);
			ck_assert_int_eq(ioctl(guest_open(*node),
					       PORTALMEM_IOC_ALLOC, &request),
					 0);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);

		child = fork();
		ck_assert_int_ge(child, 0);
		if (!child) {
			become(OTHER_UID, OTHER_GID);
			ck_assert_int_eq(open(*node, O_RDWR), -1);
			_exit(errno == EACCES ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		ck_assert_int_eq(chown(*node, 0, 0), 0);
	}
}
END_TEST

/* The descriptor is the permission: the receiver needs no node. */
START_TEST(user_without_access_to_a_node_uses_a_buffer_that_it_was_sent)
{
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	int sockets[2], status;
	void *map;
	pid_t child;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		become(OTHER_UID, OTHER_GID);
		ck_assert_int_eq(
			portalmem_buffer_receive(NULL, sockets[1], &buffer), 0);
		ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0,
						      PORTALMEM_MAP_RDWR, &map),
				 0);
		guest_assert_filled(map, MIB(1), 8);
		ck_assert_int_eq(
			portalmem_buffer_sync(buffer,
					      PORTALMEM_SYNC_START |
						      PORTALMEM_SYNC_RDWR,
					      NULL, 0),
			0);
		guest_fill(map, MIB(1), 9);
		_exit(0);
	}
	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	ck_assert_int_eq(portalmem_buffer_alloc(device, MIB(1), NULL, &buffer),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	guest_fill(map, MIB(1), 8);
	ck_assert_int_eq(portalmem_buffer_send(buffer, sockets[0]), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	guest_assert_filled(map, MIB(1), 9);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = guest_tcase("access");

	tcase_add_test(tcase, nodes_come_up_closed_to_all_but_root);
	tcase_add_test(tcase,
		       user_of_the_group_allocates_and_another_is_refused);
	tcase_add_test(
		tcase,
		user_without_access_to_a_node_uses_a_buffer_that_it_was_sent);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
