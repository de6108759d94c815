/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attachments, as a program makes them. Functions fail the running test instead
 * of returning an error.
 */
#ifndef ATTACHMENT_H
#define ATTACHMENT_H

#include <linux/portalmem.h>
#include <stdint.h>

/* A request for both directions, which succeeds as it is. */
struct portalmem_ioc_attach attachment_request(int buffer, const char *bus,
					       const char *device);

/* Attach as requested; 0, and then REQUEST holds the answer, or an errno. */
int attachment_try(struct portalmem_ioc_attach *request);

/* Attach a buffer for both directions and give the attachment. */
int attachment_open(int buffer, const char *bus, const char *device);

struct portalmem_ioc_attachment attachment_info(int attachment);

/* Up to MOST segments; how many there are. */
unsigned int attachment_segments(int attachment,
				 struct portalmem_ioc_dma_segment *segments,
				 unsigned int most);

/* Sync a range; 0 or an errno. */
int attachment_sync(int attachment, uint32_t flags, uint64_t offset,
		    uint64_t length);

/* Fail unless every request on it says ENODEV, and poll() says so, too. */
void attachment_assert_gone(int attachment);

/* How many files keep the module from being unloaded. */
long attachment_module_users(void);

/*
 * Have threads attach to a device, use attachments and close them, while it
 * GOes and COMEs for a second or two.
 */
void attachment_race(const char *bus, const char *device, void (*go)(void),
		     void (*come)(void));

#endif
