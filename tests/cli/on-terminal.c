// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * on-terminal FD[,FD...] COMMAND [ARG...]
 *
 * Run COMMAND with these descriptors on a terminal of its own, print what it
 * writes there on stdout, and exit with its status. The terminal has as many
 * columns as ON_TERMINAL_COLUMNS says; without it, it does not tell.
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_OWN_FAILURE 125

/* Open a new terminal: the end to read, and the one that COMMAND gets. */
static int open_terminal(int *innerp)
{
	const char *columns = getenv("ON_TERMINAL_COLUMNS");
	struct winsize size = {.ws_row = 24};
	int outer = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (outer < 0 || grantpt(outer) || unlockpt(outer))
		return -1;
	*innerp = open(ptsname(outer), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (columns) {
		size.ws_col = (unsigned short)atoi(columns);
		ioctl(outer, TIOCSWINSZ, &size);
	}
	return *innerp < 0 ? -1 : outer;
}

static void run(const char *fds, int terminal, char **command)
{
	for (; *fds; fds++) {
		if (*fds != ',' && dup2(terminal, *fds - '0') < 0)
			_exit(EXIT_OWN_FAILURE);
	}
	execvp(command[0], command);
	_exit(EXIT_OWN_FAILURE);
}

/* Reading fails, with EIO, when the last one has closed the terminal. */
static void copy_output(int terminal)
{
	char bytes[4096];
	ssize_t got;

	while ((got = read(terminal, bytes, sizeof(bytes))) > 0)
		fwrite(bytes, 1, (size_t)got, stdout);
}

int main(int argc, char **argv)
{
	int inner = -1;
	int outer = open_terminal(&inner);
	int status;
	pid_t child;

	if (argc < 3 || outer < 0) {
		fputs("on-terminal: no terminal, or no command\n", stderr);
		return EXIT_OWN_FAILURE;
	}
	child = fork();
	if (child == 0)
		run(argv[1], inner, argv + 2);
	close(inner);
	copy_output(outer);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return EXIT_OWN_FAILURE;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
