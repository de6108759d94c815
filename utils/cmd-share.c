// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * share and receive: a buffer goes from process to process over a Unix socket
 * that has a path.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "hold.h"
#include "parse.h"
#include "report.h"
#include "signals.h"

/* How often receive looks whether the socket is there. */
#define RETRY_MS 20

struct sharing {
	const char *argument; /* BUFFER, or NULL */
	const char *path;
	unsigned int mode;
	uint64_t count;
	uint64_t sent;
	int64_t deadline;
	int listener;
	int signals; /* signalfd of what ends us early */
};

static void set_path(struct sockaddr_un *address, const char *path)
{
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(address->sun_path))
		misused("'%s' cannot be a socket's path; it has %zu bytes and "
			"may have 1 to %zu",
			path, length, sizeof(address->sun_path) - 1);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
}

static int64_t deadline_after(const char *seconds)
{
	return clock_now() + parse_seconds("--timeout", seconds);
}

static int open_socket(int type, int *fdp)
{
	*fdp = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (*fdp < 0)
		return failed("opening a socket: %s; close other files or "
			      "raise the limit",
			      strerror(errno));
	return EXIT_DONE;
}

/*
 * Whether nobody serves the socket at ADDRESS any more. A datagram socket
 * asks: it is refused by all that live and never enters their queues.
 */
static bool socket_is_dead(const struct sockaddr_un *address)
{
	int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool dead;

	if (probe < 0)
		return false;
	dead = connect(probe, (const struct sockaddr *)address,
		       sizeof(*address)) < 0 &&
	       errno == ECONNREFUSED;
	close(probe);
	return dead;
}

/* Take away a socket that a killed process left; keep all else. */
static int clear_path(const struct sockaddr_un *address)
{
	const char *path = address->sun_path;
	struct stat status;

	if (lstat(path, &status) < 0)
		return EXIT_DONE;
	if (!S_ISSOCK(status.st_mode))
		return failed("'%s': it is there and not a socket; give "
			      "another path",
			      path);
	if (!socket_is_dead(address))
		return failed("'%s': another process listens there; give "
			      "another path",
			      path);
	if (unlink(path) < 0)
		return failed("removing the dead socket '%s': %s; remove it "
			      "or give another path",
			      path, strerror(errno));
	return EXIT_DONE;
}

/* bind(2) creates the file: its mode is right from the first moment. */
static int bind_with_mode(int fd, const struct sockaddr_un *address,
			  unsigned int mode)
{
	mode_t mask = umask(~mode & 0777);
	int ret = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	int error = errno;

	umask(mask);
	errno = error;
	return ret;
}

static int start_listening(struct sharing *sharing,
			   const struct sockaddr_un *address)
{
	int status = clear_path(address);

	if (status != EXIT_DONE)
		return status;
	if (bind_with_mode(sharing->listener, address, sharing->mode) < 0)
		return failed("creating the socket '%s': %s; give a path in a "
			      "directory that you can write",
			      sharing->path, strerror(errno));
	if (listen(sharing->listener, SOMAXCONN) == 0)
		return EXIT_DONE;
	status =
		failed("listening on '%s': %s", sharing->path, strerror(errno));
	unlink(sharing->path);
	return status;
}

/* Wait for a peer, the deadline or a signal. */
static int wait_for_peer(const struct sharing *sharing)
{
	struct pollfd fds[] = {
		{.fd = sharing->listener, .events = POLLIN},
		{.fd = sharing->signals, .events = POLLIN},
	};
	int ready;

	do {
		ready = poll(fds, 2, clock_left(sharing->deadline));
	} while (ready < 0 && errno == EINTR);
	if (ready < 0)
		return failed("waiting on '%s': %s", sharing->path,
			      strerror(errno));
	if (ready > 0 && !fds[1].revents)
		return EXIT_DONE;
	return failed("waiting on '%s': %s after %" PRIu64 " of %" PRIu64
		      " peers; %s",
		      sharing->path, ready ? "interrupted" : "timed out",
		      sharing->sent, sharing->count,
		      ready ? "start it again for the others"
			    : "start 'portalmem receive' for each, or give "
			      "--timeout more seconds");
}

/* A peer that went away again costs a line, not the sharing. */
static int send_to_peer(struct sharing *sharing,
			struct portalmem_buffer *buffer)
{
	int peer = accept4(sharing->listener, NULL, NULL, SOCK_CLOEXEC);
	int status = EXIT_DONE;
	int ret;

	if (peer < 0)
		return failed("accepting a peer on '%s': %s", sharing->path,
			      strerror(errno));
	ret = portalmem_buffer_send(buffer, peer);
	if (ret == -EPIPE || ret == -ECONNRESET)
		warn("a peer on '%s' left before it got the buffer; waiting "
		     "for another",
		     sharing->path);
	else if (ret)
		status = failed_call("sending the buffer", ret);
	else
		sharing->sent++;
	close(peer);
	return status;
}

static int serve(struct sharing *sharing, struct portalmem_buffer *buffer)
{
	int status = EXIT_DONE;

	while (status == EXIT_DONE && sharing->sent < sharing->count) {
		status = wait_for_peer(sharing);
		if (status == EXIT_DONE)
			status = send_to_peer(sharing, buffer);
	}
	return status;
}

static void print_sharing(const struct context *ctx,
			  const struct sharing *sharing)
{
	struct json json = {.out = stdout};

	if (!ctx->json) {
		printf("sent to %" PRIu64 " %s\n", sharing->sent,
		       sharing->sent == 1 ? "peer" : "peers");
		return;
	}
	json_object_begin(&json, NULL);
	json_string(&json, "socket", sharing->path);
	json_number(&json, "sent", sharing->sent);
	json_object_end(&json);
	json_finish(&json);
}

/* Share with the socket's path there for as long as it takes. */
static int share_at_path(struct sharing *sharing,
			 const struct sockaddr_un *address,
			 struct portalmem_buffer *buffer)
{
	int status = start_listening(sharing, address);

	if (status != EXIT_DONE)
		return status;
	status = serve(sharing, buffer);
	if (unlink(sharing->path) < 0 && errno != ENOENT)
		status = failed("removing the socket '%s': %s; remove it",
				sharing->path, strerror(errno));
	return status;
}

static int share(struct sharing *sharing, const struct sockaddr_un *address,
		 struct portalmem_buffer *buffer)
{
	sigset_t ends;
	int status = open_socket(SOCK_STREAM, &sharing->listener);

	if (status != EXIT_DONE)
		return status;
	/* From here on no signal ends us before the path is gone. */
	block_termination(&ends);
	sharing->signals = signalfd(-1, &ends, SFD_CLOEXEC);
	if (sharing->signals < 0) {
		status = failed("waiting for signals: %s; close other files "
				"or raise the limit",
				strerror(errno));
	} else {
		status = share_at_path(sharing, address, buffer);
		close(sharing->signals);
	}
	close(sharing->listener);
	return status;
}

static void read_share_arguments(struct context *ctx, int argc, char **argv,
				 struct sharing *sharing)
{
	static const struct option options[] = {
		{"count", required_argument, NULL, 'n'},
		{"mode", required_argument, NULL, 'm'},
		{"timeout", required_argument, NULL, 't'},
		COMMON_OPTIONS};
	int option;

	while ((option = next_option(ctx, argc, argv, ":n:m:t:", options)) !=
	       OPTION_END) {
		switch (option) {
		case 'n':
			sharing->count =
				parse_number("--count", optarg, UINT32_MAX);
			break;
		case 'm':
			sharing->mode = parse_mode("--mode", optarg);
			break;
		case 't':
			sharing->deadline = deadline_after(optarg);
			break;
		}
	}
	expect_arguments(argc, argv, 2);
	if (optind == argc)
		misused("no socket is given");
	if (!sharing->count)
		misused("--count: it must be at least 1");
	if (argc - optind == 2)
		sharing->argument = argv[optind];
	sharing->path = argv[argc - 1];
}

static int run_share(struct context *ctx, int argc, char **argv)
{
	struct sharing sharing = {
		.mode = 0600, .count = 1, .deadline = DEADLINE_NONE};
	struct sockaddr_un address;
	struct portalmem_buffer *buffer;
	int status;

	read_share_arguments(ctx, argc, argv, &sharing);
	set_path(&address, sharing.path);
	status = take_buffer(ctx, sharing.argument, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = share(&sharing, &address, buffer);
	if (status == EXIT_DONE)
		print_sharing(ctx, &sharing);
	portalmem_buffer_unref(buffer);
	return status;
}

/* Make blocking calls on FD give up with EAGAIN at the deadline. */
static int limit_socket(int fd, int64_t deadline)
{
	int left = clock_left(deadline);
	/* All zeros would mean no limit. */
	struct timeval limit = {.tv_sec = left / 1000,
				.tv_usec = left % 1000 * 1000 + 1};

	if (left < 0)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* Whether a failed connect(2) may succeed a little later, and wait that. */
static bool wait_for_socket(int error, int64_t deadline)
{
	const struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};

	if (error != ENOENT && error != ECONNREFUSED)
		return false;
	if (deadline == DEADLINE_NONE || clock_left(deadline) == 0)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static int connect_to(const struct sockaddr_un *address, int fd,
		      int64_t deadline)
{
	while (limit_socket(fd, deadline) ||
	       connect(fd, (const struct sockaddr *)address,
		       sizeof(*address))) {
		if (!wait_for_socket(errno, deadline))
			return failed("connecting to '%s': %s; start "
				      "'portalmem share' there first, or wait "
				      "for it with --timeout",
				      address->sun_path,
				      errno == EAGAIN ? "timed out"
						      : strerror(errno));
	}
	return EXIT_DONE;
}

static int receive_buffer(const struct context *ctx, int fd, int64_t deadline,
			  struct portalmem_buffer **bufferp)
{
	struct portalmem_device *device;
	int status = open_asking_device(ctx, &device);
	int ret;

	if (status != EXIT_DONE)
		return status;
	if (limit_socket(fd, deadline))
		ret = -errno;
	else
		ret = portalmem_buffer_receive(device, fd, bufferp);
	if (ret == -EAGAIN)
		status = failed("receiving: timed out; give --timeout more "
				"seconds");
	else if (ret)
		status = failed_call("receiving", ret);
	portalmem_device_unref(device);
	return status;
}

static int receive_from(const struct context *ctx,
			const struct sockaddr_un *address, int64_t deadline,
			struct portalmem_buffer **bufferp)
{
	int status;
	int fd;

	status = open_socket(SOCK_STREAM, &fd);
	if (status != EXIT_DONE)
		return status;
	status = connect_to(address, fd, deadline);
	if (status == EXIT_DONE)
		status = receive_buffer(ctx, fd, deadline, bufferp);
	close(fd);
	return status;
}

static int run_receive(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {
		{"timeout", required_argument, NULL, 't'}, COMMON_OPTIONS};
	char **command = split_command(&argc, argv);
	int64_t deadline = DEADLINE_NONE;
	struct sockaddr_un address;
	struct portalmem_buffer *buffer = NULL;
	int status;

	while (next_option(ctx, argc, argv, ":t:", options) != OPTION_END)
		deadline = deadline_after(optarg);
	expect_arguments(argc, argv, 1);
	if (optind == argc)
		misused("no socket is given");
	set_path(&address, argv[optind]);
	status = receive_from(ctx, &address, deadline, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = use_buffer(ctx, buffer, command);
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_share = {
	.name = "share",
	.run = run_share,
	.usage = "[BUFFER] SOCKET [OPTION...]",
	.summary = "send a buffer to processes that connect to a Unix socket",
	.help = "Creates the Unix socket SOCKET, sends the buffer to each "
		"process that\n"
		"connects, and removes the socket when all have it, or when "
		"SIGINT,\n"
		"SIGTERM or SIGHUP comes (then it has failed). A socket that "
		"nobody\n"
		"listens on any more is replaced; nothing else is.\n"
		"\n"
		"  -n, --count N          how many processes get it [1]\n"
		"  -m, --mode MODE        the socket's permissions, octal "
		"[600]\n"
		"  -t, --timeout SECONDS  fail when it takes longer\n"
		"\n" BUFFER_HELP,
};

const struct command command_receive = {
	.name = "receive",
	.run = run_receive,
	.usage = "SOCKET [OPTION...] [-- COMMAND [ARGUMENT...]]",
	.summary = "take a buffer from share and hold it, or run a command "
		   "with it",
	.help = "Connects to SOCKET, receives one buffer, and does with it "
		"what alloc\n"
		"does: runs COMMAND, or prints the buffer and holds it.\n"
		"\n"
		"  -t, --timeout SECONDS  wait as long for the socket and the "
		"buffer;\n"
		"                         without it, the socket must be "
		"there\n",
};
