// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The environment variable that hands a buffer to a program that is started.
 * Any text is taken as the buffer that it names or refused; what is taken can
 * be handed on, and what is refused is left as it was.
 *
 * Input: the kind of file, then the text. '%' and a letter stand for what is
 * right there: the file descriptor (F), the size (S), device (D) and inode (I).
 */
#include "kernel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "portalmem.h"

#define VARIABLE "BUFFER"
#define PAGE 4096

static int sealed, dmabuf;

static void make_files(void)
{
	if (sealed)
		return;
	sealed = memfd_create("inherited", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FUZZ_CHECK(sealed >= 0 && !ftruncate(sealed, PAGE) &&
		   !fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	dmabuf = kernel_new_dmabuf(PAGE);
}

/* The descriptor that a program would have inherited. */
static int inherit(uint8_t kind)
{
	int from = kind & 1 ? dmabuf : sealed;

	return fcntl(from, kind & 2 ? F_DUPFD_CLOEXEC : F_DUPFD, 3);
}

static size_t put_number(char *to, char letter, int fd)
{
	struct stat st;

	FUZZ_CHECK(!fstat(fd, &st));
	switch (letter) {
	case 'F':
		return (size_t)sprintf(to, "%d", fd);
	case 'S':
		return (size_t)sprintf(to, "%d", PAGE);
	case 'D':
		return (size_t)sprintf(to, "%ju", (uintmax_t)st.st_dev);
	case 'I':
		return (size_t)sprintf(to, "%ju", (uintmax_t)st.st_ino);
	}
	return 0;
}

static void expand(char *to, const char *text, int fd)
{
	for (; *text; text++) {
		size_t length = 0;

		if (*text == '%')
			length = put_number(to, text[1], fd);
		if (length)
			text++;
		else
			*to = *text;
		to += length ? length : 1;
	}
	*to = '\0';
}

static void put_environment(char *entry)
{
	FUZZ_CHECK(!putenv(entry));
}

static void check_taken(struct portalmem_buffer *buffer)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_info again_info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *again;
	char entry[sizeof(VARIABLE) + PORTALMEM_ENV_MAX];

	FUZZ_CHECK(!portalmem_buffer_get_info(buffer, &info));
	FUZZ_CHECK(info.size == PAGE && fuzz_is_line(info.name));
	FUZZ_CHECK(portalmem_buffer_export_env(buffer, VARIABLE, entry,
					       sizeof(entry)) >= 0);
	put_environment(entry);
	FUZZ_CHECK(!portalmem_buffer_import_env(NULL, VARIABLE, &again));
	FUZZ_CHECK(!portalmem_buffer_get_info(again, &again_info));
	FUZZ_CHECK(info.caching == again_info.caching &&
		   info.effective == again_info.effective &&
		   strcmp(info.name, again_info.name) == 0);
	portalmem_buffer_unref(again);
	unsetenv(VARIABLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.bytes = data, .left = size};
	char text[256], entry[sizeof(VARIABLE "=") + 24 * sizeof(text)];
	struct portalmem_buffer *buffer;
	uint8_t kind = fuzz_byte(&input);
	int fd, flags, before;

	make_files();
	before = fuzz_free_fd();
	fd = inherit(kind);
	flags = fcntl(fd, F_GETFD);
	fuzz_text(&input, text, sizeof(text));
	strcpy(entry, VARIABLE "=");
	expand(entry + strlen(entry), text, fd);
	put_environment(entry);
	if (portalmem_buffer_import_env(NULL, VARIABLE, &buffer)) {
		FUZZ_CHECK(fcntl(fd, F_GETFD) == flags);
		FUZZ_CHECK(fuzz_is_line(portalmem_error_message()));
		close(fd);
	} else {
		FUZZ_CHECK(~kind & 2);
		FUZZ_CHECK(fcntl(fd, F_GETFD) < 0);
		check_taken(buffer);
		portalmem_buffer_unref(buffer);
	}
	unsetenv(VARIABLE);
	FUZZ_CHECK(fuzz_free_fd() == before);
	return 0;
}
