// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest.h"
#include "uring.h"

#define RINGS_SIZE 4096

struct uring uring_open(void)
{
	struct uring ring = {0};

	ring.fd = (int)syscall(SYS_io_uring_setup, 1, &ring.params);
	ck_assert_msg(ring.fd >= 0, "io_uring_setup: %s", strerror(errno));
	ck_assert(ring.params.features & IORING_FEAT_SINGLE_MMAP);
	ring.sqes = mmap(NULL, sizeof(*ring.sqes), PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring.fd, IORING_OFF_SQES);
	ck_assert_ptr_ne(ring.sqes, MAP_FAILED);
	ring.rings = mmap(NULL, RINGS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring.fd, IORING_OFF_SQ_RING);
	ck_assert_ptr_ne(ring.rings, MAP_FAILED);
	return ring;
}

void uring_close(struct uring *ring)
{
	munmap(ring->rings, RINGS_SIZE);
	munmap(ring->sqes, sizeof(*ring->sqes));
	close(ring->fd);
}

int uring_run(struct uring *ring, const struct io_uring_sqe *request)
{
	struct io_uring_params *params = &ring->params;
	unsigned int *tail = (void *)(ring->rings + params->sq_off.tail);
	unsigned int *array = (void *)(ring->rings + params->sq_off.array);
	unsigned int *head = (void *)(ring->rings + params->cq_off.head);
	struct io_uring_cqe *cqes = (void *)(ring->rings + params->cq_off.cqes);

	ring->sqes[0] = *request;
	array[*tail % params->sq_entries] = 0;
	atomic_store((_Atomic unsigned int *)tail, *tail + 1);
	ck_assert_int_eq(syscall(SYS_io_uring_enter, ring->fd, 1, 1,
				 IORING_ENTER_GETEVENTS, NULL, 0),
			 1);
	return cqes[(*head)++ % params->cq_entries].res;
}

int uring_register(const struct uring *ring, void *address, size_t size)
{
	struct iovec vec = {address, size};

	return (int)syscall(SYS_io_uring_register, ring->fd,
			    IORING_REGISTER_BUFFERS, &vec, 1);
}

/* Until 6.2 io_uring registers anonymous memory only. */
int uring_registers_files(void)
{
	struct utsname system;

	return !uname(&system) && strncmp(system.release, "6.1.", 4) != 0;
}
