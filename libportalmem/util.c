// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "private.h"

PM_EXPORT const char *portalmem_version(void)
{
	return PACKAGE_VERSION;
}

PM_EXPORT const char *portalmem_caching_name(enum portalmem_caching caching)
{
	switch (caching) {
	case PORTALMEM_CACHING_DEFAULT:
		return "default";
	case PORTALMEM_CACHING_CACHED:
		return "cached";
	case PORTALMEM_CACHING_WC:
		return "wc";
	case PORTALMEM_CACHING_UC:
		return "uc";
	case PORTALMEM_CACHING_UNKNOWN:
		break;
	}
	return "unknown";
}

/* It never changes, and sysconf() takes more instructions than all around it. */
uint64_t pm_page_size(void)
{
	static atomic_uint_least32_t known;
	uint32_t size = atomic_load_explicit(&known, memory_order_relaxed);

	if (!size) {
		size = (uint32_t)sysconf(_SC_PAGESIZE);
		atomic_store_explicit(&known, size, memory_order_relaxed);
	}
	return size;
}

/*
 * What can be had without pushing anybody out, in KiB; 0 when not known. To ask
 * costs more than to allocate.
 */
static uint64_t available_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long value;
	uint64_t sum = 0;
	char line[128];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &value) == 1 ||
		    sscanf(line, "SwapFree: %llu", &value) == 1)
			sum += value;
	fclose(file);
	return sum;
}

bool pm_more_than_memory(uint64_t size)
{
	struct sysinfo info;
	bool is_known = !sysinfo(&info);
	uint64_t kib;

	/* Of what is free, the kernel keeps some for itself. */
	if (is_known && size / info.mem_unit <= (uint64_t)info.freeram / 2)
		return false;
	kib = available_kib();
	if (kib)
		return size >> 10 > kib;
	return is_known && size / info.mem_unit > (uint64_t)info.totalram;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

bool pm_has_control_characters(const char *text)
{
	for (; *text; text++)
		if (is_control(*text))
			return true;
	return false;
}

void pm_copy_text(char *to, size_t room, const char *from, size_t length)
{
	size_t i;

	for (i = 0; i < room - 1 && i < length && from[i]; i++)
		to[i] = is_control(from[i]) ? '?' : from[i];
	memset(to + i, 0, room - i);
}
