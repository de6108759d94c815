/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small kernel in the test program, for tests that ask for more than tables
 * of expected calls can say, or from many threads: one portalmem node, which is
 * a DRM device and a camera, too, and one dma-buf, which is all that is ever
 * allocated, exported or received; one attachment and one sync_file.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdint.h>

#define FAKE_PAGES 16
#define FAKE_SIZE ((uint64_t)FAKE_PAGES * 4096)
#define FAKE_SEGMENTS 4 /* of the dma-buf, and of the attachment */
#define FAKE_HANDLE 1U	/* the dma-buf's, as the DRM device has it */

/* Between these two, it answers for all nodes, dma-bufs and fences. */
void fake_start(void);
void fake_stop(void);

/* A new descriptor of each, which the caller closes. */
int fake_open_node(void);
int fake_open_buffer(void);
int fake_open_attachment(void);
int fake_open_fence(void);

#endif
