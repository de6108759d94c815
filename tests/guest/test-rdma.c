// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RDMA: memory regions over cached mappings, and transfers between them. The
 * device is Soft-RoCE over a dummy network device, and its queue pair is
 * connected to itself.
 * quick: 6.12
 */
#include <config.h>

#include <errno.h>
#include <infiniband/verbs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define DEVICE "pmrxe0"
#define ADDRESS "192.0.2.1"

#define SIZE MIB(4)
#define PART KIB(384)
/* Neither the start of the buffer nor that of a huge page; two huge pages. */
#define OFFSET (MIB(2) - KIB(36))

#define ACCESS                                             \
	(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | \
	 IBV_ACCESS_REMOTE_WRITE)

static void make_device(void)
{
	guest_modprobe("rdma_rxe");
	guest_modprobe("ib_uverbs");
	guest_shell("ip link add pmdummy0 type dummy && "
		    "ip address add " ADDRESS "/24 dev pmdummy0 && "
		    "ip link set pmdummy0 up && "
		    "rdma link add " DEVICE " type rxe netdev pmdummy0");
}

static void remove_device(void)
{
	guest_shell("rdma link delete " DEVICE " && ip link delete pmdummy0");
}

struct rdma {
	struct ibv_context *context;
	struct ibv_pd *domain;
	struct ibv_cq *completions;
	struct ibv_qp *queue;
};

static struct ibv_context *open_device(void)
{
	struct ibv_device **list = ibv_get_device_list(NULL);
	struct ibv_context *context = NULL;

	ck_assert_ptr_nonnull(list);
	for (struct ibv_device **device = list; *device; device++)
		if (!strcmp(ibv_get_device_name(*device), DEVICE))
			context = ibv_open_device(*device);
	ibv_free_device_list(list);
	ck_assert_msg(context != NULL, "cannot open " DEVICE);
	return context;
}

/* The index of the address that packets are sent from, RoCE version 2. */
static uint8_t find_address(struct ibv_context *context)
{
	struct ibv_gid_entry entries[16];
	ssize_t count = ibv_query_gid_table(context, entries, 16, 0);

	/* An IPv4 address is the end of one in IPv6's form. */
	for (ssize_t i = 0; i < count; i++)
		if (entries[i].gid_type == IBV_GID_TYPE_ROCE_V2 &&
		    entries[i].gid.raw[10] == 0xff &&
		    entries[i].gid.raw[11] == 0xff)
			return (uint8_t)entries[i].gid_index;
	ck_abort_msg("the device has no IPv4 address");
}

static struct ibv_qp *create_queue(const struct rdma *rdma)
{
	struct ibv_qp_init_attr attributes = {
		.send_cq = rdma->completions,
		.recv_cq = rdma->completions,
		.cap = {.max_send_wr = 4,
			.max_recv_wr = 4,
			.max_send_sge = 1,
			.max_recv_sge = 1},
		.qp_type = IBV_QPT_RC,
	};
	struct ibv_qp *queue = ibv_create_qp(rdma->domain, &attributes);

	ck_assert_msg(queue != NULL, "ibv_create_qp: %s", strerror(errno));
	return queue;
}

static void modify(struct ibv_qp *queue, struct ibv_qp_attr attributes,
		   int mask)
{
	ck_assert_int_eq(ibv_modify_qp(queue, &attributes, mask | IBV_QP_STATE),
			 0);
}

static void connect_to_itself(const struct rdma *rdma)
{
	struct ibv_qp *queue = rdma->queue;
	uint8_t index = find_address(rdma->context);
	struct ibv_qp_attr init = {
		.qp_state = IBV_QPS_INIT,
		.port_num = 1,
		.qp_access_flags = ACCESS,
	};
	struct ibv_qp_attr ready_to_receive = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = queue->qp_num,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = {.is_global = 1,
			    .port_num = 1,
			    .grh = {.sgid_index = index, .hop_limit = 1}},
	};
	struct ibv_qp_attr ready_to_send = {
		.qp_state = IBV_QPS_RTS,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};

	ck_assert_int_eq(ibv_query_gid(rdma->context, 1, index,
				       &ready_to_receive.ah_attr.grh.dgid),
			 0);
	modify(queue, init,
	       IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS);
	modify(queue, ready_to_receive,
	       IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
		       IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER);
	modify(queue, ready_to_send,
	       IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
		       IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
}

static struct rdma open_rdma(void)
{
	struct rdma rdma = {.context = open_device()};

	rdma.domain = ibv_alloc_pd(rdma.context);
	ck_assert_ptr_nonnull(rdma.domain);
	rdma.completions = ibv_create_cq(rdma.context, 8, NULL, NULL, 0);
	ck_assert_ptr_nonnull(rdma.completions);
	rdma.queue = create_queue(&rdma);
	connect_to_itself(&rdma);
	return rdma;
}

static void close_rdma(struct rdma *rdma)
{
	ck_assert_int_eq(ibv_destroy_qp(rdma->queue), 0);
	ck_assert_int_eq(ibv_destroy_cq(rdma->completions), 0);
	ck_assert_int_eq(ibv_dealloc_pd(rdma->domain), 0);
	ck_assert_int_eq(ibv_close_device(rdma->context), 0);
}

static struct ibv_mr *register_map(const struct rdma *rdma, char *map)
{
	struct ibv_mr *region = ibv_reg_mr(rdma->domain, map, SIZE, ACCESS);

	ck_assert_msg(region != NULL, "ibv_reg_mr: %s", strerror(errno));
	return region;
}

/* Wait for so many requests to be done. */
static void await(const struct rdma *rdma, int count)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct ibv_wc done;

	for (int tries = 0; count && tries < 30000; tries++) {
		int n = ibv_poll_cq(rdma->completions, 1, &done);

		ck_assert_int_ge(n, 0);
		count -= n;
		if (!n)
			nanosleep(&pause, NULL);
		else
			ck_assert_msg(done.status == IBV_WC_SUCCESS, "%s",
				      ibv_wc_status_str(done.status));
	}
	ck_assert_msg(!count, "the device does not answer");
}

static struct ibv_sge part_at(const struct ibv_mr *region, size_t offset)
{
	struct ibv_sge part = {
		.addr = (uintptr_t)region->addr + offset,
		.length = PART,
		.lkey = region->lkey,
	};

	return part;
}

static void post(const struct rdma *rdma, enum ibv_wr_opcode opcode,
		 struct ibv_sge local, const struct ibv_mr *remote,
		 size_t remote_offset)
{
	struct ibv_send_wr *bad, request = {
					 .sg_list = &local,
					 .num_sge = 1,
					 .opcode = opcode,
					 .send_flags = IBV_SEND_SIGNALED,
				 };

	if (remote) {
		request.wr.rdma.remote_addr =
			(uintptr_t)remote->addr + remote_offset;
		request.wr.rdma.rkey = remote->rkey;
	}
	ck_assert_int_eq(ibv_post_send(rdma->queue, &request, &bad), 0);
}

static void post_receive(const struct rdma *rdma, struct ibv_sge part)
{
	struct ibv_recv_wr *bad, request = {.sg_list = &part, .num_sge = 1};

	ck_assert_int_eq(ibv_post_recv(rdma->queue, &request, &bad), 0);
}

/* Two registered buffers. */
struct buffers {
	char *from;
	char *to;
	struct ibv_mr *source;
	struct ibv_mr *target;
};

static struct buffers make_buffers(const struct rdma *rdma, uint32_t seed)
{
	struct buffers buffers = {
		.from = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE),
		.to = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE),
	};

	guest_fill(buffers.from, SIZE, seed);
	buffers.source = register_map(rdma, buffers.from);
	buffers.target = register_map(rdma, buffers.to);
	return buffers;
}

/* What arrived at 4096 is what was at OFFSET, and nothing else arrived. */
static void check_buffers(const struct buffers *buffers, uint32_t seed)
{
	ck_assert_mem_eq(buffers->to + 4096, buffers->from + OFFSET, PART);
	guest_assert_zero(buffers->to, 4096);
	guest_assert_zero(buffers->to + 4096 + PART, SIZE - 4096 - PART);
	guest_assert_filled(buffers->from, SIZE, seed);
	ck_assert_int_eq(ibv_dereg_mr(buffers->source), 0);
	ck_assert_int_eq(ibv_dereg_mr(buffers->target), 0);
}

START_TEST(write_between_cached_buffers)
{
	struct rdma rdma = open_rdma();
	struct buffers buffers = make_buffers(&rdma, 91);

	post(&rdma, IBV_WR_RDMA_WRITE, part_at(buffers.source, OFFSET),
	     buffers.target, 4096);
	await(&rdma, 1);
	check_buffers(&buffers, 91);
	close_rdma(&rdma);
}
END_TEST

START_TEST(read_between_cached_buffers)
{
	struct rdma rdma = open_rdma();
	struct buffers buffers = make_buffers(&rdma, 92);

	post(&rdma, IBV_WR_RDMA_READ, part_at(buffers.target, 4096),
	     buffers.source, OFFSET);
	await(&rdma, 1);
	check_buffers(&buffers, 92);
	close_rdma(&rdma);
}
END_TEST

START_TEST(send_between_cached_buffers)
{
	struct rdma rdma = open_rdma();
	struct buffers buffers = make_buffers(&rdma, 93);

	post_receive(&rdma, part_at(buffers.target, 4096));
	post(&rdma, IBV_WR_SEND, part_at(buffers.source, OFFSET), NULL, 0);
	await(&rdma, 2);
	check_buffers(&buffers, 93);
	close_rdma(&rdma);
}
END_TEST

/* The device keeps the pages when the process has nothing else of them. */
START_TEST(region_outlives_the_buffer)
{
	unsigned int count = guest_count_buffers();
	struct rdma rdma = open_rdma();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = guest_map(fd, SIZE);
	struct ibv_mr *region, *target;
	char *expected = malloc(SIZE), *to;

	guest_fill(map, SIZE, 94);
	guest_fill(expected, SIZE, 94);
	region = register_map(&rdma, map);
	munmap(map, SIZE);
	close(fd);
	ck_assert_uint_eq(guest_count_buffers(), count);

	/* The next buffer is none of those pages. */
	to = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE);
	memset(to, 0xff, SIZE);
	target = register_map(&rdma, to);
	post(&rdma, IBV_WR_RDMA_READ, part_at(target, 0), region, OFFSET);
	await(&rdma, 1);
	ck_assert_mem_eq(to, expected + OFFSET, PART);
	ck_assert_int_eq(ibv_dereg_mr(region), 0);
	ck_assert_int_eq(ibv_dereg_mr(target), 0);
	close_rdma(&rdma);
	free(expected);
}
END_TEST

static void tell_stock(const struct rdma *rdma)
{
	int fd = guest_alloc_stock(SIZE);

	if (fd >= 0)
		guest_tell_stock("ibv_reg_mr",
				 ibv_reg_mr(rdma->domain, guest_map(fd, SIZE),
					    SIZE, ACCESS)
					 ? 0
					 : -1);
}

START_TEST(unpinnable_mapping_cannot_be_registered)
{
	static const uint32_t modes[] = {PORTALMEM_WC, PORTALMEM_UC};
	struct rdma rdma = open_rdma();
	char *map = guest_map(guest_alloc(SIZE, modes[_i]), SIZE);

	errno = 0;
	ck_assert_ptr_null(ibv_reg_mr(rdma.domain, map, SIZE, ACCESS));
	ck_assert_int_eq(errno, EFAULT);
	if (!_i)
		tell_stock(&rdma);
	close_rdma(&rdma);
}
END_TEST

START_TEST(shipped_example_works)
{
	const char *build = getenv("PORTALMEM_BUILDDIR");
	char command[1024];

	snprintf(command, sizeof(command), "%s/examples/rdma " DEVICE, build);
	guest_shell(command);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("RDMA");
	TCase *tcase = guest_tcase("RDMA");

	tcase_add_unchecked_fixture(tcase, make_device, remove_device);
	tcase_add_test(tcase, write_between_cached_buffers);
	tcase_add_test(tcase, read_between_cached_buffers);
	tcase_add_test(tcase, send_between_cached_buffers);
	tcase_add_test(tcase, region_outlives_the_buffer);
	tcase_add_loop_test(tcase, unpinnable_mapping_cannot_be_registered, 0,
			    2);
	tcase_add_test(tcase, shipped_example_works);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
