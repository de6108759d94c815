// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Attachments: buffers that are mapped for a device which a program drives. An
 * attachment is a file of the kernel's; here it is that file's descriptor.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/portalmem.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

_Static_assert((int)PORTALMEM_DIRECTION_TO_DEVICE == PORTALMEM_TO_DEVICE, "");
_Static_assert((int)PORTALMEM_DIRECTION_FROM_DEVICE == PORTALMEM_FROM_DEVICE,
	       "");
_Static_assert((int)PORTALMEM_DIRECTION_BOTH == PORTALMEM_BIDIRECTIONAL, "");

_Static_assert((int)PORTALMEM_ATTACHMENT_IS_TRANSLATED ==
		       PORTALMEM_ATTACHMENT_TRANSLATED,
	       "");
_Static_assert((int)PORTALMEM_ATTACHMENT_IS_BOUNCED ==
		       PORTALMEM_ATTACHMENT_BOUNCED,
	       "");
_Static_assert((int)PORTALMEM_ATTACHMENT_IS_SYNCED ==
		       PORTALMEM_ATTACHMENT_NEEDS_SYNC,
	       "");
_Static_assert((int)PORTALMEM_ATTACHMENT_IS_OWN == PORTALMEM_ATTACHMENT_OWN,
	       "");

_Static_assert(PORTALMEM_BUS_MAX == PORTALMEM_BUS_NAME_LEN, "");
_Static_assert(PORTALMEM_DEVICE_MAX == PORTALMEM_DEVICE_NAME_LEN, "");

/* The caller's segments are the kernel's as they are. */
_Static_assert(sizeof(struct portalmem_dma_segment) ==
		       sizeof(struct portalmem_ioc_dma_segment),
	       "");
_Static_assert(offsetof(struct portalmem_dma_segment, length) ==
		       offsetof(struct portalmem_ioc_dma_segment, length),
	       "");
_Static_assert(offsetof(struct portalmem_dma_segment, address) ==
		       offsetof(struct portalmem_ioc_dma_segment, address),
	       "");

static struct portalmem_attachment *new_attachment(void)
{
	struct portalmem_attachment *attachment =
		calloc(1, sizeof(*attachment));

	if (!attachment)
		return NULL;
	atomic_init(&attachment->refs, 1);
	attachment->fd = -1;
	return attachment;
}

static void free_attachment(struct portalmem_attachment *attachment)
{
	if (attachment->fd >= 0)
		close(attachment->fd);
	free(attachment);
}

static int check_options(const struct portalmem_attach_options *options)
{
	const unsigned int direction = options->direction;

	if (options->struct_size != sizeof(*options))
		return pm_refuse(-EINVAL,
				 "cannot attach a buffer: the options were not "
				 "initialized; start from "
				 "PORTALMEM_ATTACH_OPTIONS_INIT");
	if (!direction || direction > PORTALMEM_DIRECTION_BOTH)
		return pm_refuse(-EINVAL,
				 "cannot attach a buffer: %u is no direction; "
				 "give to the device, from it, or both",
				 direction);
	if (options->address_bits > 64)
		return pm_refuse(-EINVAL,
				 "cannot attach a buffer: no address has %u "
				 "bits; give at most 64, or 0 for what the "
				 "device is known to reach",
				 options->address_bits);
	return 0;
}

static int check_name(const char *what, const char *name, size_t room)
{
	if (strnlen(name, room) < room)
		return 0;
	return pm_refuse(-EINVAL,
			 "cannot attach a buffer: the %s's name is too long; "
			 "give at most %zu bytes",
			 what, room - 1);
}

/* Does BUFFER have a node to ask, and is it one that devices can use? */
static int check_buffer(const struct portalmem_buffer *buffer)
{
	const struct portalmem_device *device = buffer->device;

	if (buffer->kind == PM_KIND_MEMFD)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot attach a buffer: no device sees a "
				 "memfd; allocate from the portalmem module");
	if (!device)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot attach a buffer: it was imported "
				 "without a node; import it with one of the "
				 "portalmem module");
	if (device->backend->id != PORTALMEM_BACKEND_PORTALMEM)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot attach a buffer: the %s backend "
				 "attaches no devices; load the portalmem "
				 "module, which does",
				 device->backend->name);
	return 0;
}

static int attach(const struct portalmem_buffer *buffer, const char *bus,
		  const char *device,
		  const struct portalmem_attach_options *options)
{
	struct portalmem_ioc_attach attach = {
		.direction = (uint32_t)options->direction,
		.buffer = buffer->fd,
		.fd_flags = O_CLOEXEC,
		.address_bits = options->address_bits,
	};
	int ret;

	/* Byte for byte: a name with control characters is another name. */
	memcpy(attach.bus, bus, strlen(bus));
	memcpy(attach.device, device, strlen(device));
	ret = pm_ioctl(buffer->device->fd, PORTALMEM_IOC_ATTACH, &attach);
	return ret ? ret : attach.fd;
}

PM_EXPORT int
portalmem_buffer_attach(struct portalmem_buffer *buffer, const char *bus,
			const char *device,
			const struct portalmem_attach_options *options,
			struct portalmem_attachment **attachmentp)
{
	static const struct portalmem_attach_options usual =
		PORTALMEM_ATTACH_OPTIONS_INIT;
	struct portalmem_attachment *attachment;
	int ret;

	if (!buffer || !bus || !device || !attachmentp)
		return pm_refuse(-EINVAL, "cannot attach a buffer: no buffer, "
					  "no name or no place for the result "
					  "was given (NULL)");
	if (!options)
		options = &usual;
	ret = check_options(options);
	if (!ret)
		ret = check_name("bus", bus, PORTALMEM_BUS_MAX);
	if (!ret)
		ret = check_name("device", device, PORTALMEM_DEVICE_MAX);
	if (!ret)
		ret = check_buffer(buffer);
	if (ret)
		return ret;
	attachment = new_attachment();
	if (!attachment)
		return pm_fail(-ENOMEM, NULL, "cannot attach a buffer");
	attachment->size = buffer->size;
	pm_buffer_mark_shared(buffer);
	ret = attach(buffer, bus, device, options);
	if (ret < 0) {
		free_attachment(attachment);
		return pm_explain_attach(bus, device, options, ret);
	}
	attachment->fd = ret;
	*attachmentp = attachment;
	return 0;
}

/* The text for a call on an attachment that failed, and ERROR. */
static int explain(const char *what, int error)
{
	return pm_fail(error,
		       error == -ENODEV ? "its device or the device's driver "
					  "is gone; attach the buffer again"
					: NULL,
		       "cannot %s an attachment", what);
}

static int describe(int fd, struct portalmem_attachment_info *info)
{
	struct portalmem_ioc_attachment ioc = {0};
	int ret = pm_ioctl(fd, PORTALMEM_IOC_ATTACHMENT, &ioc);

	if (ret)
		return ret;
	info->direction = (enum portalmem_direction)ioc.direction;
	info->features = ioc.features;
	info->segments = ioc.segments;
	info->address_bits = ioc.address_bits;
	info->size = ioc.size;
	pm_copy_text(info->bus, sizeof(info->bus), ioc.bus, sizeof(ioc.bus));
	pm_copy_text(info->device, sizeof(info->device), ioc.device,
		     sizeof(ioc.device));
	return 0;
}

/* Is it one? -ENOTTY otherwise, and then its descriptor is closed already. */
static int identify(struct portalmem_attachment *attachment,
		    struct portalmem_attachment_info *info)
{
	if (pm_fd_is_anonymous(attachment->fd))
		return describe(attachment->fd, info);
	pm_close_unknown(&attachment->fd, 1);
	attachment->fd = -1;
	return -ENOTTY;
}

PM_EXPORT int
portalmem_attachment_import(int fd, struct portalmem_attachment **attachmentp)
{
	struct portalmem_attachment_info info;
	struct portalmem_attachment *attachment;
	int ret;

	if (!attachmentp)
		return pm_refuse(-EINVAL, "cannot import an attachment: no "
					  "place for the result was given "
					  "(NULL)");
	attachment = new_attachment();
	if (!attachment)
		return pm_fail(-ENOMEM, NULL, "cannot import an attachment");
	ret = pm_fd_duplicate(fd);
	if (ret >= 0) {
		attachment->fd = ret;
		ret = identify(attachment, &info);
	}
	if (ret) {
		free_attachment(attachment);
		if (ret == -ENOTTY)
			return pm_refuse(-EINVAL,
					 "cannot import the file descriptor "
					 "%d: it is no attachment",
					 fd);
		return explain("import", ret);
	}
	attachment->size = info.size;
	*attachmentp = attachment;
	return 0;
}

PM_EXPORT struct portalmem_attachment *
portalmem_attachment_ref(struct portalmem_attachment *attached)
{
	if (attached)
		atomic_fetch_add_explicit(&attached->refs, 1,
					  memory_order_relaxed);
	return attached;
}

PM_EXPORT void portalmem_attachment_unref(struct portalmem_attachment *attached)
{
	if (attached && atomic_fetch_sub_explicit(&attached->refs, 1,
						  memory_order_acq_rel) == 1)
		free_attachment(attached);
}

PM_EXPORT int
portalmem_attachment_get_fd(const struct portalmem_attachment *attached)
{
	if (!attached)
		return pm_refuse(-EINVAL, "cannot give a file descriptor: no "
					  "attachment was given (NULL)");
	return attached->fd;
}

PM_EXPORT int
portalmem_attachment_get_info(struct portalmem_attachment *attached,
			      struct portalmem_attachment_info *info)
{
	struct portalmem_attachment_info found = PORTALMEM_ATTACHMENT_INFO_INIT;
	int ret;

	if (!attached || !info)
		return pm_refuse(-EINVAL, "cannot describe an attachment: no "
					  "attachment or no place for the "
					  "result was given (NULL)");
	if (info->struct_size != sizeof(*info))
		return pm_refuse(-EINVAL,
				 "cannot describe an attachment: the info was "
				 "not initialized; start from "
				 "PORTALMEM_ATTACHMENT_INFO_INIT");
	ret = describe(attached->fd, &found);
	if (ret)
		return explain("describe", ret);
	*info = found;
	return 0;
}

PM_EXPORT int portalmem_attachment_get_segments(
	struct portalmem_attachment *attached, size_t first,
	struct portalmem_dma_segment *segments, size_t count, size_t *totalp)
{
	/* What is returned must fit, and a table is never that long. */
	struct portalmem_ioc_dma_segments ioc = {
		.segments = (uintptr_t)segments,
		.first = first < UINT32_MAX ? (uint32_t)first : UINT32_MAX,
		.count = count < INT_MAX ? (uint32_t)count : INT_MAX,
	};
	int ret;

	if (!attached || (count && !segments))
		return pm_refuse(-EINVAL, "cannot read an attachment's "
					  "segments: no attachment or no place "
					  "for the result was given (NULL)");
	ret = pm_ioctl(attached->fd, PORTALMEM_IOC_DMA_SEGMENTS, &ioc);
	if (ret)
		return explain("read the segments of", ret);
	if (totalp)
		*totalp = ioc.total;
	return (int)ioc.count;
}

PM_EXPORT int portalmem_attachment_sync(struct portalmem_attachment *attached,
					unsigned int flags,
					const struct portalmem_range *ranges,
					size_t count)
{
	struct portalmem_range whole = {0, 0};
	int ret;

	if (!attached)
		return pm_refuse(-EINVAL, "cannot sync an attachment: no "
					  "attachment was given (NULL)");
	ret = pm_check_sync("an attachment", attached->size, flags, ranges,
			    count);
	if (ret)
		return ret;
	if (!ranges) {
		whole.length = attached->size;
		ranges = &whole;
		count = 1;
	}
	/* Also without ranges: the caller learns that the device is gone. */
	ret = pm_portalmem_sync(attached->fd, -1, pm_sync_flags_to_uapi(flags),
				ranges, count);
	return ret ? explain("sync", ret) : 0;
}
