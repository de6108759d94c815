// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why a node of the portalmem module refused an allocation, an attachment or
 * memory of the process. The errno alone does not say which limit it was, or
 * how long a run there is; the heap does.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "private.h"

#define ADVICE_MAX 256
#define SIZE_MAX_TEXT 32

#define PARAMETERS "/sys/module/portalmem/parameters/"

static bool has(const struct portalmem_heap_info *heap, unsigned int features)
{
	return (heap->features & features) == features;
}

/* Exactly, in the largest unit that divides it. */
static void format_size(char *text, uint64_t size)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB",
					    "TiB"};
	size_t unit = 0;

	while (size && size % 1024 == 0 && unit + 1 < PM_ARRAY_SIZE(units)) {
		size /= 1024;
		unit++;
	}
	snprintf(text, SIZE_MAX_TEXT, "%llu %s", (unsigned long long)size,
		 units[unit]);
}

/* No run is long enough, in a heap whose buffers are one segment. */
static void advise_on_run(char *advice, const struct pm_request *request,
			  const struct portalmem_heap_info *heap)
{
	bool region = has(heap, PORTALMEM_HEAP_IS_REGION);
	char wanted[SIZE_MAX_TEXT], longest[SIZE_MAX_TEXT];

	format_size(wanted, request->size);
	format_size(longest, heap->largest);
	if (request->size > heap->largest)
		snprintf(advice, ADVICE_MAX,
			 "%s in one piece cannot be had: the longest run now "
			 "is %s; ask for less, free %s at boot",
			 wanted, longest,
			 region ? "buffers, or reserve a larger region"
				: "memory, or reserve a region");
	else if (request->alignment || request->address_bits ||
		 request->node >= 0)
		snprintf(advice, ADVICE_MAX,
			 "the longest run now is %s, but none lies as it was "
			 "asked for; ask for another alignment or place, or "
			 "free %s",
			 longest, region ? "buffers" : "memory");
}

static bool exceeds(uint64_t limit, uint64_t used, uint64_t size)
{
	return limit && (used >= limit || size > limit - used);
}

/*
 * The limit on all users comes first: the one on the user may be exceeded by
 * somebody who is exempt from it.
 */
static void advise_on_limit(char *advice, const struct pm_request *request,
			    const struct portalmem_heap_info *heap)
{
	bool contiguous = has(heap, PORTALMEM_HEAP_IS_CONTIGUOUS);
	char limit[SIZE_MAX_TEXT], used[SIZE_MAX_TEXT];

	if (exceeds(heap->limit, heap->used, request->size)) {
		format_size(limit, heap->limit);
		format_size(used, heap->used);
		snprintf(advice, ADVICE_MAX,
			 "all users together may hold %s, and hold %s; free "
			 "buffers or raise the limit (" PARAMETERS
			 "%slimit_mb)",
			 limit, used, contiguous ? "contiguous_" : "");
	} else if (exceeds(heap->user_limit, heap->user_used, request->size)) {
		format_size(limit, heap->user_limit);
		format_size(used, heap->user_used);
		snprintf(advice, ADVICE_MAX,
			 "this user may hold %s, and holds %s; free buffers or "
			 "raise the limit (" PARAMETERS "%suser_limit_mb)",
			 limit, used, contiguous ? "contiguous_" : "");
	} else {
		snprintf(advice, ADVICE_MAX,
			 "try again, free buffers, or raise the limits "
			 "(" PARAMETERS "*limit_mb)");
	}
}

/* Something was asked for that the heap does not have at all. */
static void advise_on_ability(char *advice, const struct pm_request *request,
			      const struct portalmem_heap_info *heap)
{
	bool region = has(heap, PORTALMEM_HEAP_IS_REGION);

	if (request->adopt && !region)
		snprintf(advice, ADVICE_MAX,
			 "only a reserved region has contents to adopt, and "
			 "the heap '%s' is none; give the node of one",
			 heap->name);
	else if (request->caching != PORTALMEM_CACHING_DEFAULT &&
		 !(heap->cachings & PM_CACHING_BIT(request->caching)))
		snprintf(advice, ADVICE_MAX,
			 "the heap '%s' has no %s buffers; ask for its "
			 "default caching",
			 heap->name, portalmem_caching_name(request->caching));
	else if (request->alignment && !has(heap, PORTALMEM_HEAP_IS_CONTIGUOUS))
		snprintf(advice, ADVICE_MAX,
			 "buffers of the heap '%s' are scattered; align those "
			 "of portalmem-contiguous or of a reserved region",
			 heap->name);
	else if (region && (request->address_bits || request->node >= 0))
		snprintf(advice, ADVICE_MAX,
			 "the region '%s' does not lie there; leave node and "
			 "address limit out, or reserve one that does",
			 heap->name);
}

static void advise_on_range(char *advice,
			    const struct portalmem_heap_info *heap)
{
	char size[SIZE_MAX_TEXT];

	format_size(size, heap->size);
	snprintf(advice, ADVICE_MAX,
		 "the region '%s' has %s; adopt a part that is within them",
		 heap->name, size);
}

/* What the heap says to it; nothing when it cannot be asked. */
static void ask_heap(char *advice, const struct portalmem_device *device,
		     const struct pm_request *request, int error)
{
	struct portalmem_heap_info heap = PORTALMEM_HEAP_INFO_INIT;

	if (device->backend->heap_info(device, &heap))
		return;
	switch (error) {
	case -EDQUOT:
		advise_on_limit(advice, request, &heap);
		break;
	case -EOPNOTSUPP:
		advise_on_ability(advice, request, &heap);
		break;
	case -EINVAL:
		if (has(&heap, PORTALMEM_HEAP_IS_REGION))
			advise_on_range(advice, &heap);
		break;
	case -ENOMEM:
		if (has(&heap, PORTALMEM_HEAP_IS_CONTIGUOUS))
			advise_on_run(advice, request, &heap);
		break;
	}
}

static const char *advise(char *text, const struct portalmem_device *device,
			  const struct pm_request *request, int error)
{
	text[0] = '\0';
	switch (error) {
	case -EDQUOT:
	case -EOPNOTSUPP:
	case -ENOMEM:
		ask_heap(text, device, request, error);
		break;
	case -EINVAL:
		if (request->adopt)
			ask_heap(text, device, request, error);
		break;
	case -EBUSY:
		return "a live buffer holds some of it; free that first";
	case -EPERM:
		return "to adopt takes CAP_SYS_RAWIO; run as root";
	}
	return text[0] ? text : NULL;
}

int pm_explain_alloc(const struct portalmem_device *device,
		     const struct pm_request *request, int error)
{
	char text[ADVICE_MAX];

	return pm_fail(error, advise(text, device, request, error),
		       "cannot allocate %llu bytes (%s) from %s",
		       (unsigned long long)request->size,
		       portalmem_caching_name(request->caching), device->path);
}

/* Nothing when it goes without saying. */
static const char *
advise_on_attach(char *text, const char *bus,
		 const struct portalmem_attach_options *options, int error)
{
	switch (error) {
	case -EPERM:
		return "it takes CAP_SYS_RAWIO, so run as root; a kernel that "
		       "is locked down allows it only where an IOMMU "
		       "translates";
	case -ENODEV:
		snprintf(text, ADVICE_MAX,
			 "give the name of a device in /sys/bus/%s/devices, "
			 "where the bus is pci, platform or amba",
			 bus);
		return text;
	case -EOPNOTSUPP:
		return "the device cannot do DMA; give the one that does, and "
		       "on other machines than x86 bind a driver to it, like "
		       "uio_pci_generic";
	case -EBUSY:
		if (options->address_bits)
			return "its driver in the kernel sets how far it "
			       "reaches; give no address bits, or unbind the "
			       "driver";
		return "its driver leaves its DMA to another program; end "
		       "that, or unbind the driver";
	case -EACCES:
		return "the buffer is read-only; attach it to the device "
		       "only, or get a descriptor that is open for writing";
	case -EIO:
		return "allocate it within the device's reach (address bits), "
		       "or have more bounce buffers (swiotlb= at boot)";
	default:
		return NULL;
	}
}

int pm_explain_attach(const char *bus, const char *device,
		      const struct portalmem_attach_options *options, int error)
{
	char text[ADVICE_MAX];

	if (error == -ENOTTY)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot attach a buffer to %s device %s: the "
				 "module that is loaded is older than this "
				 "library; load the one that came with it",
				 bus, device);
	return pm_fail(error, advise_on_attach(text, bus, options, error),
		       "cannot attach a buffer to %s device %s", bus, device);
}

static const char *advise_on_memory(int error)
{
	switch (error) {
	case -EACCES:
		return "a part of it is read-only; make the buffer read-only, "
		       "too";
	case -EFAULT:
		return "a part of it is not mapped, or can be neither read nor "
		       "pinned; give anonymous or shared memory, not files on "
		       "disks or memory of devices";
	case -ENOMEM:
		return "raise the limit on locked memory (ulimit -l), give "
		       "less or free memory";
	default:
		return NULL;
	}
}

int pm_explain_import_user(const struct portalmem_device *device,
			   const struct pm_user_memory *memory, int error)
{
	if (error == -ENOTTY)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot import memory into %s: the module "
				 "that is loaded is older than this library; "
				 "load the one that came with it",
				 device->path);
	return pm_fail(error, advise_on_memory(error),
		       "cannot import %llu bytes at %p into %s",
		       (unsigned long long)memory->size, memory->address,
		       device->path);
}
