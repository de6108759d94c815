// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manual.h"
#include "signals.h"

/* What man(1) has to say about a page that is not there is not for the user. */
static void silence(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		_exit(1);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

static bool has_page(const char *page)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		silence();
		execlp("man", "man", "-w", "1", page, (char *)NULL);
		_exit(1);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void show_manual(const char *subcommand)
{
	char page[64];

	snprintf(page, sizeof(page), "portalmem-%s", subcommand);
	if (!isatty(STDOUT_FILENO) || !has_page(page))
		return;
	restore_broken_pipes();
	execlp("man", "man", "1", page, (char *)NULL);
	ignore_broken_pipes();
}
