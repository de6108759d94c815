// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a program needs of its buffers, and which device can give it. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "private.h"

/* The needs that are asked for by a bit. */
#define NEEDS_BITS                                                      \
	((unsigned int)(PORTALMEM_NEED_CONTIGUOUS | PORTALMEM_NEED_WC | \
			PORTALMEM_NEED_PINNABLE | PORTALMEM_NEED_SHAREABLE))

/* In the order in which they are tried. */
static const struct candidate {
	const struct pm_backend *backend;
	const char *path;
	bool is_contiguous; /* and so too good for who does not need that */
} candidates[] = {
	{&pm_backend_portalmem, "/dev/portalmem", false},
	{&pm_backend_portalmem, "/dev/dma_heap/portalmem-contiguous", true},
	{&pm_backend_dmaheap, "/dev/dma_heap/system", false},
	/* Kernels and device trees have named their CMA heap so. */
	{&pm_backend_dmaheap, "/dev/dma_heap/default_cma_region", true},
	{&pm_backend_dmaheap, "/dev/dma_heap/reserved", true},
	{&pm_backend_dmaheap, "/dev/dma_heap/linux,cma", true},
	{&pm_backend_udmabuf, "/dev/udmabuf", false},
	{&pm_backend_memfd, NULL, false},
};

static const struct {
	unsigned int need;
	const char *name;
} names[] = {
	{PORTALMEM_NEED_CONTIGUOUS, "contiguous memory"},
	{PORTALMEM_NEED_WC, "write combining"},
	{PORTALMEM_NEED_PINNABLE, "mappings that can be pinned"},
	{PORTALMEM_NEED_SHAREABLE, "sharing with devices"},
	{PORTALMEM_NEED_ADDRESS_BITS, "a limit on addresses"},
	{PORTALMEM_NEED_SIZE, "a buffer of that size"},
};

/* Room for all names. */
#define NEEDS_TEXT_MAX 192

static const char *needs_to_text(unsigned int needs, char *text)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < PM_ARRAY_SIZE(names); i++)
		if (needs & names[i].need)
			used += (size_t)snprintf(
				text + used, NEEDS_TEXT_MAX - used, "%s%s",
				used ? ", " : "", names[i].name);
	return text;
}

/* Check them and make the size one of whole pages. */
static int read_constraints(const struct portalmem_constraints *from,
			    struct portalmem_constraints *to)
{
	uint64_t mask = pm_page_size() - 1;

	if (from->struct_size != sizeof(*from))
		return pm_refuse(-EINVAL,
				 "cannot tell what is needed: the constraints "
				 "were not initialized; start from "
				 "PORTALMEM_CONSTRAINTS_INIT");
	if (from->needs & ~NEEDS_BITS)
		return pm_refuse(-EINVAL,
				 "cannot tell what is needed: needs 0x%x are "
				 "not known; give PORTALMEM_NEED_CONTIGUOUS, "
				 "_WC, _PINNABLE and _SHAREABLE",
				 from->needs & ~NEEDS_BITS);
	if (from->address_bits > 64)
		return pm_refuse(-EINVAL,
				 "cannot tell what is needed: no address has "
				 "%u bits; give at most 64, or 0 for no limit",
				 from->address_bits);
	*to = *from;
	/* A limit that nothing is beyond is none. */
	if (to->address_bits == 64)
		to->address_bits = 0;
	if (to->size <= UINT64_MAX - mask)
		to->size = (to->size + mask) & ~mask;
	return 0;
}

static unsigned int unmet_by(const struct portalmem_device *device,
			     const struct portalmem_constraints *constraints)
{
	return device->backend->unmet(device, constraints);
}

static const char *name_of(const char *path)
{
	return path && *path ? path : "a memfd";
}

PM_EXPORT int portalmem_device_check(struct portalmem_device *device,
				     const struct portalmem_constraints *wanted,
				     unsigned int *unmetp)
{
	struct portalmem_constraints checked;
	char text[NEEDS_TEXT_MAX];
	unsigned int unmet;
	int ret;

	if (!device || !wanted)
		return pm_refuse(-EINVAL, "cannot check a device: no device or "
					  "no constraints were given (NULL)");
	ret = read_constraints(wanted, &checked);
	if (ret)
		return ret;
	unmet = unmet_by(device, &checked);
	if (unmetp)
		*unmetp = unmet;
	if (!unmet)
		return 0;
	return pm_refuse(-EOPNOTSUPP, "%s does not give what is needed: %s",
			 name_of(device->path), needs_to_text(unmet, text));
}

/* What a search has come to. */
struct search {
	struct portalmem_constraints wanted;
	enum portalmem_backend forced; /* or any */
	/* The one that comes nearest. */
	const struct candidate *nearest;
	unsigned int unmet;
	/* The first one that is there and that cannot be opened, and why. */
	const struct candidate *closed;
	int error;
};

static bool is_tried(const struct search *search,
		     const struct candidate *candidate)
{
	if (search->forced != PORTALMEM_BACKEND_ANY &&
	    search->forced != candidate->backend->id)
		return false;
	return !candidate->is_contiguous ||
	       search->wanted.needs & PORTALMEM_NEED_CONTIGUOUS;
}

/* 0: *DEVICEP is it. 1: go on with the next one. Else it is over. */
static int try_candidate(struct search *search,
			 const struct candidate *candidate,
			 struct portalmem_device **devicep)
{
	struct portalmem_device *device;
	unsigned int unmet;
	int ret;

	ret = pm_device_open(candidate->path, candidate->backend, &device);
	/* A later one would be a choice made by chance. */
	if (pm_is_shortage(ret))
		return pm_explain_open(candidate->path, candidate->backend,
				       ret);
	if (ret) {
		if (!search->closed && !pm_is_absence(ret)) {
			search->closed = candidate;
			search->error = ret;
		}
		return 1;
	}
	unmet = unmet_by(device, &search->wanted);
	if (!unmet) {
		*devicep = device;
		return 0;
	}
	portalmem_device_unref(device);
	if (!search->nearest ||
	    __builtin_popcount(unmet) < __builtin_popcount(search->unmet)) {
		search->nearest = candidate;
		search->unmet = unmet;
	}
	return 1;
}

static const char *search_advice(const struct search *search)
{
	if (search->forced != PORTALMEM_BACKEND_ANY)
		return "ask for less, or take PORTALMEM_BACKEND out of the "
		       "environment";
	if (search->nearest->backend->id != PORTALMEM_BACKEND_PORTALMEM)
		return "ask for less, or load the portalmem module (modprobe "
		       "portalmem)";
	return "ask for less";
}

static int explain_search(const struct search *search)
{
	char text[NEEDS_TEXT_MAX];

	if (!search->nearest && search->closed)
		return pm_explain_open(search->closed->path,
				       search->closed->backend, search->error);
	if (!search->nearest)
		return pm_refuse(-ENODEV,
				 "cannot open a device: no backend is here; "
				 "load the module (modprobe portalmem)");
	needs_to_text(search->unmet, text);
	if (search->closed) {
		errno = -search->error;
		return pm_refuse(-EOPNOTSUPP,
				 "no device that can be opened gives what is "
				 "needed: %s comes nearest, and lacks %s; see "
				 "why %s cannot be opened (%m)",
				 name_of(search->nearest->path), text,
				 search->closed->path);
	}
	return pm_refuse(-EOPNOTSUPP,
			 "no device gives what is needed: %s comes nearest, "
			 "and lacks %s; %s",
			 name_of(search->nearest->path), text,
			 search_advice(search));
}

static int find_device(struct search *search, struct portalmem_device **devicep)
{
	for (size_t i = 0; i < PM_ARRAY_SIZE(candidates); i++) {
		int ret = 1;

		if (is_tried(search, &candidates[i]))
			ret = try_candidate(search, &candidates[i], devicep);
		if (ret <= 0)
			return ret;
	}
	return explain_search(search);
}

PM_EXPORT int
portalmem_device_open_for(const struct portalmem_constraints *wanted,
			  struct portalmem_device **devicep,
			  unsigned int *unmetp)
{
	struct search search = {.nearest = NULL};
	int ret;

	if (!wanted || !devicep)
		return pm_refuse(-EINVAL, "cannot open a device: no "
					  "constraints or no place for the "
					  "result were given (NULL)");
	ret = read_constraints(wanted, &search.wanted);
	if (ret)
		return ret;
	ret = pm_backend_from_environment(&search.forced);
	if (ret)
		return ret;
	ret = find_device(&search, devicep);
	/* Found, and then 0; or not, and then what was the matter. */
	if (unmetp && (!ret || ret == -EOPNOTSUPP))
		*unmetp = ret ? search.unmet : 0;
	return ret;
}
