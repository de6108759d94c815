/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file portalmem-v4l2.h
 * libportalmem-v4l2: video devices that capture into portalmem buffers, or
 * output from them, without copying (V4L2_MEMORY_DMABUF).
 *
 * The rules of portalmem.h hold here too. The format, the controls and all else
 * of the device stay the program's to set, by ioctl(2); this library moves
 * frames. It needs the kernel's <linux/videodev2.h> and no other library.
 *
 * A frame is one buffer for each plane of the device's format: one with the
 * single-plane API, up to PORTALMEM_V4L2_PLANES_MAX with the multi-plane API.
 */
#ifndef PORTALMEM_V4L2_H
#define PORTALMEM_V4L2_H

#include <portalmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most buffers that a frame is made of. Since 0.1. */
#define PORTALMEM_V4L2_PLANES_MAX 8

/** Most frames of a queue. Since 0.1. */
#define PORTALMEM_V4L2_FRAMES_MAX 32

/** The buffers that a device works on, until it is closed. Since 0.1. */
struct portalmem_v4l2_queue;

/** Bits of portalmem_v4l2_frame.flags. Since 0.1. */
enum portalmem_v4l2_frame_flags {
	PORTALMEM_V4L2_FRAME_IS_BROKEN = 1, /**< its bytes may be wrong */
	PORTALMEM_V4L2_FRAME_IS_LAST = 2    /**< the device has no more */
};

/**
 * What the device did with a frame. Start from PORTALMEM_V4L2_FRAME_INIT.
 * Since 0.1.
 */
struct portalmem_v4l2_frame {
	size_t struct_size; /**< set by the initializer */
	unsigned int index; /**< which frame of the queue */
	unsigned int flags; /**< enum portalmem_v4l2_frame_flags */
	uint32_t sequence;  /**< the device counts; a gap is a frame lost */
	uint32_t planes;    /**< entries that count in the two arrays */
	uint64_t timestamp; /**< nanoseconds, of the clock that the driver has */
	/** where the data begins in each plane's buffer, and where it ends */
	uint32_t offset[PORTALMEM_V4L2_PLANES_MAX];
	uint32_t used[PORTALMEM_V4L2_PLANES_MAX];
};

#define PORTALMEM_V4L2_FRAME_INIT                                        \
	{                                                                \
		sizeof(struct portalmem_v4l2_frame), 0, 0, 0, 0, 0, {0}, \
		{                                                        \
			0                                                \
		}                                                        \
	}

/**
 * How many bytes each plane of a frame takes in the format that the device is
 * set to: what to allocate for a queue.
 *
 * @param fd the open video device
 * @param type a V4L2_BUF_TYPE_VIDEO_* for capture or output, single-plane or
 *        multi-plane
 * @param sizes where the sizes go, or NULL with count 0
 * @param count room for that many
 * @return how many planes a frame has, which may be more than count; -EINVAL
 *         for another type, for one that the device has not, or for sizes NULL
 *         with a count; -EBADF; -ENODEV when the device is gone; -EOPNOTSUPP
 *         when fd is no video device.
 * Since 0.1.
 */
int portalmem_v4l2_get_plane_sizes(int fd, uint32_t type, uint32_t *sizes,
				   unsigned int count);

/**
 * Make buffers the frames of a video device. The format is set before this, and
 * stays until the queue is closed.
 *
 * @param fd the open video device, blocking or not; stays the caller's: the
 *        library keeps a duplicate
 * @param type as of portalmem_v4l2_get_plane_sizes()
 * @param buffers frame after frame, each plane after plane: frames x planes
 *        of them, all different; the queue takes a reference of each
 * @param frames how many frames, 1 to PORTALMEM_V4L2_FRAMES_MAX
 * @param planes how many buffers a frame has, as many as the format has planes
 * @param queuep the queue, released with portalmem_v4l2_queue_close()
 * @return 0; -EINVAL for NULL, a number that is out of range or not the
 *         format's, a buffer that is there twice, a buffer that is smaller than
 *         its plane, another type, or one that the device has not; -EOPNOTSUPP
 *         when a buffer is not a dma-buf, or fd is no video device or cannot
 *         take dma-bufs; -EBUSY when the device has buffers of another queue or
 *         program, or streams; -ENOBUFS when the device does not work with so
 *         many frames, and then the message says how many; -EBADF; -ENODEV;
 *         -ENOMEM; -EMFILE.
 * Since 0.1.
 */
int portalmem_v4l2_queue_open(int fd, uint32_t type,
			      struct portalmem_buffer *const *buffers,
			      unsigned int frames, unsigned int planes,
			      struct portalmem_v4l2_queue **queuep);

/**
 * Stop the device, if it streams, take the buffers from it and give them back.
 * NULL does nothing. No other thread may use the queue any more. The device
 * itself stays open. Since 0.1.
 */
void portalmem_v4l2_queue_close(struct portalmem_v4l2_queue *queue);

/**
 * Give a frame to the device: to be filled, or, of an output device, to be
 * shown. Until it comes back from portalmem_v4l2_queue_take() it is the
 * device's; CPU access before that has ended by portalmem_buffer_sync().
 *
 * @param index which frame, from 0
 * @param used bytes of each plane that an output device is to take, or NULL for
 *        whole planes; NULL for capture
 * @return 0; -EINVAL for NULL, no such frame, a frame that the device has
 *         already, or a used that is more than the plane's buffer or is given
 *         for capture; -EFAULT or -EINVAL for a buffer that the driver cannot
 *         use: many want one piece of memory (the contiguous heap); -EIO;
 *         -ENODEV when the device is gone; -ENOMEM, and what else the driver
 *         refuses with.
 * Since 0.1.
 */
int portalmem_v4l2_queue_give(struct portalmem_v4l2_queue *queue,
			      unsigned int index, const uint32_t *used);

/**
 * Take a frame back that the device is done with. Several threads may wait, and
 * each frame goes to one of them. Signals do not end the wait.
 *
 * @param timeout_ms milliseconds to wait, 0 not to wait, -1 without an end
 * @param frame must have been initialized with PORTALMEM_V4L2_FRAME_INIT
 * @return 0, and CPU access to the frame begins with portalmem_buffer_sync();
 *         -ETIMEDOUT; -EINVAL for NULL, a frame that was not initialized, a
 *         timeout below -1, or when the device does not stream or has had no
 *         frame yet; -EPIPE after the last frame of a device that has no more;
 *         -EIO when the device failed, or answered with a frame that is not the
 *         queue's: close the queue; -ENODEV when the device is gone.
 * Since 0.1.
 */
int portalmem_v4l2_queue_take(struct portalmem_v4l2_queue *queue,
			      int timeout_ms,
			      struct portalmem_v4l2_frame *frame);

/**
 * Start streaming. Frames may be given before and after it.
 *
 * @return 0, also when it streams already; -EINVAL for NULL, or when the driver
 *         wants more frames first; -EBUSY; -EIO; -ENODEV; -ENOSPC for a bus
 *         without the bandwidth; -EPIPE for a pipeline that is not set up.
 * Since 0.1.
 */
int portalmem_v4l2_queue_start(struct portalmem_v4l2_queue *queue);

/**
 * Stop streaming. All frames are the program's again, filled or not, and a
 * portalmem_v4l2_queue_take() that waits ends with -EINVAL.
 *
 * @return 0, also when nothing streams; -EINVAL for NULL; -ENODEV when the
 *         device is gone.
 * Since 0.1.
 */
int portalmem_v4l2_queue_stop(struct portalmem_v4l2_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* PORTALMEM_V4L2_H */
