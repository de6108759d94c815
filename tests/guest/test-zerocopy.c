// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSG_ZEROCOPY: TCP sends a mapping's own pages and tells on the socket's
 * error queue when it is done with them.
 */
#include <config.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

#define SIZE MIB(4)
#define PART MIB(1)
/* Neither the start of the buffer nor that of a huge page. */
#define OFFSET (MIB(1) + KIB(12))

/* In one call. */
#define MOST KIB(256)

struct pair {
	int sender;
	int receiver;
};

/* Nobody has configured the guest's loopback device. */
static void bring_loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_msg(!ioctl(fd, SIOCSIFFLAGS, &request), "lo: %s",
		      strerror(errno));
	close(fd);
}

static struct pair connect_pair(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr *name = (struct sockaddr *)&address;
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pair pair;
	int on = 1;

	ck_assert_int_eq(bind(listener, name, size), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, name, &size), 0);
	pair.sender = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(pair.sender, SOL_SOCKET, SO_ZEROCOPY, &on,
				    sizeof(on)),
			 0);
	ck_assert_int_eq(connect(pair.sender, name, size), 0);
	pair.receiver = accept(listener, NULL, NULL);
	ck_assert_int_ge(pair.receiver, 0);
	close(listener);
	return pair;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Send and receive in turn; give how many notices the kernel owes. */
static unsigned int transfer(const struct pair *pair, const char *from,
			     char *to, size_t size)
{
	unsigned int sends = 0;
	size_t sent = 0, received = 0;

	while (received < size) {
		ssize_t n = 0;

		if (sent < size)
			n = send(pair->sender, from + sent,
				 min(size - sent, MOST),
				 MSG_ZEROCOPY | MSG_DONTWAIT);
		ck_assert_msg(n >= 0 || errno == EAGAIN, "send: %s",
			      strerror(errno));
		if (n > 0) {
			sent += (size_t)n;
			sends++;
		}
		n = recv(pair->receiver, to + received, size - received, 0);
		ck_assert_int_gt(n, 0);
		received += (size_t)n;
	}
	return sends;
}

/* One notice, which may stand for several sends in a row. */
static struct sock_extended_err read_notice(int fd)
{
	struct pollfd wait = {.fd = fd};
	char control[128];
	struct msghdr message = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err notice;

	/* The error queue is reported as POLLERR, which needs no asking. */
	ck_assert_int_eq(poll(&wait, 1, 10000), 1);
	ck_assert_int_eq(recvmsg(fd, &message, MSG_ERRQUEUE), 0);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
	memcpy(&notice, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(notice));
	ck_assert_uint_eq(notice.ee_errno, 0);
	ck_assert_uint_eq(notice.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	return notice;
}

/*
 * Over loopback the receiver gets a copy: the kernel lets no receiver keep a
 * sender's pages. They are pinned until then all the same.
 */
static void await_completion(int fd, unsigned int sends)
{
	unsigned int next = 0;
	int copied = 0;

	while (next < sends) {
		struct sock_extended_err notice = read_notice(fd);

		ck_assert_uint_eq(notice.ee_info, next);
		ck_assert_uint_lt(notice.ee_data, sends);
		next = notice.ee_data + 1;
		copied |= notice.ee_code & SO_EE_CODE_ZEROCOPY_COPIED;
	}
	printf("# sends: %u; loopback %s\n", sends,
	       copied ? "copied in the end" : "did not copy");
}

static void tell_stock(int sender)
{
	int fd = guest_alloc_stock(SIZE);

	if (fd >= 0)
		guest_tell_stock(
			"MSG_ZEROCOPY",
			send(sender, guest_map(fd, SIZE), 4096, MSG_ZEROCOPY));
}

START_TEST(tcp_sends_from_a_cached_mapping)
{
	static char got[PART], expected[PART];
	struct pair pair = connect_pair();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = guest_map(fd, SIZE);

	guest_fill(map, SIZE, 11);
	memcpy(expected, map + OFFSET, PART);
	await_completion(pair.sender, transfer(&pair, map + OFFSET, got, PART));
	ck_assert_mem_eq(got, expected, PART);
	guest_assert_filled(map, SIZE, 11);
	tell_stock(pair.sender);
}
END_TEST

START_TEST(tcp_cannot_send_from_an_unpinnable_mapping)
{
	static const uint32_t modes[] = {PORTALMEM_WC, PORTALMEM_UC};
	struct pair pair = connect_pair();
	int fd = guest_alloc(SIZE, modes[_i]);
	char *map = guest_map(fd, SIZE);

	errno = 0;
	ck_assert_int_eq(send(pair.sender, map, 4096, MSG_ZEROCOPY), -1);
	ck_assert_int_eq(errno, EFAULT);
	/* A plain send copies. */
	ck_assert_int_eq(send(pair.sender, map, 4096, 0), 4096);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("zerocopy");
	TCase *tcase = guest_tcase("zerocopy");

	tcase_add_unchecked_fixture(tcase, bring_loopback_up, NULL);
	tcase_add_test(tcase, tcp_sends_from_a_cached_mapping);
	tcase_add_loop_test(tcase, tcp_cannot_send_from_an_unpinnable_mapping,
			    0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
