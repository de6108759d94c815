// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rdma: a network card reads and writes shared buffers, without a copy.
 *
 *	rdma DEVICE
 *
 * DEVICE is an RDMA device, which "rdma link" or "ibv_devices" lists; a machine
 * without such a card can have one made of software:
 *
 *	rdma link add rxe0 type rxe netdev eth0
 *
 * The program has the device write one buffer into another one, over a queue
 * pair that is connected to itself, and compares. A real program does the same
 * with the address, the key and the queue pair of a peer.
 *
 * What there is to it, in the order in which run() does it:
 *
 *  1. Allocate the buffers and map them (allocate).
 *  2. Register each with the device (register_memory). Where the driver takes
 *     dma-bufs it gets the descriptor: any buffer will do, also one that the
 *CPU never maps. Where it does not, it gets the mapping, whose pages it pins:
 *     the buffer must be portalmem's own, and cached.
 *  3. Bracket what the CPU does with the bytes by sync (fill, compare), and let
 *     the device work in between (transfer).
 *  4. Deregister before the buffers are given back (release).
 */
#include <errno.h>
#include <infiniband/verbs.h>
#include <portalmem.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIZE ((uint64_t)1 << 20)
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE)
#define PORT 1

struct memory {
	struct portalmem_buffer *buffer;
	unsigned char *bytes;  /* as the CPU sees it */
	struct ibv_mr *region; /* as the device knows it */
};

struct link {
	struct ibv_context *context;
	struct ibv_pd *domain;
	struct ibv_cq *completions;
	struct ibv_qp *queue;
};

/* Of the library's last call that failed. */
static bool failed_call(void)
{
	fprintf(stderr, "rdma: %s\n", portalmem_error_message());
	return false;
}

static bool failed(const char *what)
{
	perror(what);
	return false;
}

static bool open_device(struct link *link, const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	if (!list)
		return failed("listing the devices");
	for (struct ibv_device **device = list; *device; device++)
		if (!link->context &&
		    !strcmp(ibv_get_device_name(*device), name))
			link->context = ibv_open_device(*device);
	ibv_free_device_list(list);
	if (!link->context) {
		fprintf(stderr, "rdma: there is no device %s\n", name);
		return false;
	}
	return true;
}

static bool create_queue(struct link *link)
{
	struct ibv_qp_init_attr attributes = {
		.cap = {.max_send_wr = 1,
			.max_recv_wr = 1,
			.max_send_sge = 1,
			.max_recv_sge = 1},
		.qp_type = IBV_QPT_RC,
	};

	link->domain = ibv_alloc_pd(link->context);
	if (!link->domain)
		return failed("making a protection domain");
	link->completions = ibv_create_cq(link->context, 1, NULL, NULL, 0);
	if (!link->completions)
		return failed("making a completion queue");
	attributes.send_cq = link->completions;
	attributes.recv_cq = link->completions;
	link->queue = ibv_create_qp(link->domain, &attributes);
	if (!link->queue)
		return failed("making a queue pair");
	return true;
}

/*
 * The address that is routed: on Ethernet that of RoCE version 2, which is an
 * IPv4 address if there is one. InfiniBand proper has none.
 */
static uint8_t find_address(const struct link *link)
{
	static const unsigned char ipv4[12] = {[10] = 0xff, [11] = 0xff};
	struct ibv_gid_entry entries[64];
	ssize_t count = ibv_query_gid_table(link->context, entries, 64, 0);
	uint8_t found = 0;

	for (ssize_t i = 0; i < count; i++) {
		if (entries[i].port_num != PORT ||
		    entries[i].gid_type != IBV_GID_TYPE_ROCE_V2)
			continue;
		found = (uint8_t)entries[i].gid_index;
		if (!memcmp(entries[i].gid.raw, ipv4, sizeof(ipv4)))
			break;
	}
	return found;
}

static bool change_state(struct link *link, struct ibv_qp_attr attributes,
			 int mask)
{
	errno = ibv_modify_qp(link->queue, &attributes, mask | IBV_QP_STATE);
	return errno ? failed("connecting the queue pair") : true;
}

/* With a peer, its number and its addresses would be those of the other end. */
static bool connect_to_itself(struct link *link)
{
	struct ibv_qp_attr init = {
		.qp_state = IBV_QPS_INIT,
		.port_num = PORT,
		.qp_access_flags = ACCESS,
	};
	struct ibv_qp_attr receive = {
		.qp_state = IBV_QPS_RTR,
		.path_mtu = IBV_MTU_1024,
		.dest_qp_num = link->queue->qp_num,
		.max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = {.is_global = 1,
			    .port_num = PORT,
			    .grh = {.sgid_index = find_address(link),
				    .hop_limit = 1}},
	};
	struct ibv_qp_attr send = {
		.qp_state = IBV_QPS_RTS,
		.timeout = 14,
		.retry_cnt = 7,
		.rnr_retry = 7,
		.max_rd_atomic = 1,
	};
	struct ibv_port_attr port;

	if (ibv_query_port(link->context, PORT, &port) ||
	    ibv_query_gid(link->context, PORT, receive.ah_attr.grh.sgid_index,
			  &receive.ah_attr.grh.dgid))
		return failed("asking for the port's addresses");
	receive.ah_attr.dlid = port.lid;
	return change_state(link, init,
			    IBV_QP_PKEY_INDEX | IBV_QP_PORT |
				    IBV_QP_ACCESS_FLAGS) &&
	       change_state(link, receive,
			    IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN |
				    IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
				    IBV_QP_MIN_RNR_TIMER) &&
	       change_state(link, send,
			    IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
				    IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
				    IBV_QP_MAX_QP_RD_ATOMIC);
}

static void close_link(struct link *link)
{
	if (link->queue)
		ibv_destroy_qp(link->queue);
	if (link->completions)
		ibv_destroy_cq(link->completions);
	if (link->domain)
		ibv_dealloc_pd(link->domain);
	if (link->context)
		ibv_close_device(link->context);
}

/* Only portalmem's cached mappings can be pinned: no other backend will do. */
static bool allocate(struct memory *memory)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device;
	void *address;
	int error;

	if (portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM, &device) <
	    0)
		return failed_call();
	options.caching = PORTALMEM_CACHING_CACHED;
	options.name = "rdma";
	error = portalmem_buffer_alloc(device, SIZE, &options, &memory->buffer);
	portalmem_device_unref(device);
	if (error < 0 || portalmem_buffer_map(memory->buffer, 0, 0,
					      PORTALMEM_MAP_RDWR, &address) < 0)
		return failed_call();
	memory->bytes = address;
	return true;
}

/* Either way the device knows each byte by the address that the CPU has. */
static bool register_memory(const struct link *link, struct memory *memory,
			    const char *name)
{
	memory->region = ibv_reg_dmabuf_mr(
		link->domain, 0, SIZE, (uintptr_t)memory->bytes,
		portalmem_buffer_get_fd(memory->buffer), ACCESS);
	if (memory->region) {
		printf("%s: registered the dma-buf\n", name);
		return true;
	}
	printf("%s: the driver takes no dma-buf (%s), registering the "
	       "mapping\n",
	       name, strerror(errno));
	memory->region = ibv_reg_mr(link->domain, memory->bytes, SIZE, ACCESS);
	return memory->region ? true : failed("registering the mapping");
}

static void release(struct memory *memory)
{
	if (memory->region)
		ibv_dereg_mr(memory->region);
	portalmem_buffer_unref(memory->buffer);
}

/* Bytes that no two places of the buffer near each other have in common. */
static unsigned char pattern(uint64_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 31 + 1);
}

static bool fill(struct memory *memory)
{
	if (portalmem_buffer_sync(memory->buffer,
				  PORTALMEM_SYNC_START | PORTALMEM_SYNC_WRITE,
				  NULL, 0) < 0)
		return failed_call();
	for (uint64_t i = 0; i < SIZE; i++)
		memory->bytes[i] = pattern(i);
	if (portalmem_buffer_sync(memory->buffer,
				  PORTALMEM_SYNC_END | PORTALMEM_SYNC_WRITE,
				  NULL, 0) < 0)
		return failed_call();
	return true;
}

static bool compare(struct memory *memory)
{
	uint64_t i = 0;

	if (portalmem_buffer_sync(memory->buffer,
				  PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ,
				  NULL, 0) < 0)
		return failed_call();
	while (i < SIZE && memory->bytes[i] == pattern(i))
		i++;
	if (portalmem_buffer_sync(memory->buffer,
				  PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ,
				  NULL, 0) < 0)
		return failed_call();
	if (i == SIZE)
		return true;
	fprintf(stderr, "rdma: byte %llu did not arrive\n",
		(unsigned long long)i);
	return false;
}

static bool wait_until_done(const struct link *link)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct ibv_wc done;

	for (int i = 0; i < 30000; i++) {
		int count = ibv_poll_cq(link->completions, 1, &done);

		if (count < 0)
			return failed("asking for completions");
		if (count && done.status == IBV_WC_SUCCESS)
			return true;
		if (count) {
			fprintf(stderr, "rdma: the transfer failed: %s\n",
				ibv_wc_status_str(done.status));
			return false;
		}
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "rdma: the transfer does not come to an end\n");
	return false;
}

/* The device writes what is in FROM to where the peer has TO. */
static bool transfer(const struct link *link, const struct memory *from,
		     const struct memory *to)
{
	struct ibv_sge part = {
		.addr = (uintptr_t)from->bytes,
		.length = SIZE,
		.lkey = from->region->lkey,
	};
	struct ibv_send_wr *bad, request = {
					 .sg_list = &part,
					 .num_sge = 1,
					 .opcode = IBV_WR_RDMA_WRITE,
					 .send_flags = IBV_SEND_SIGNALED,
				 };

	request.wr.rdma.remote_addr = (uintptr_t)to->bytes;
	request.wr.rdma.rkey = to->region->rkey;
	errno = ibv_post_send(link->queue, &request, &bad);
	return errno ? failed("posting the transfer") : wait_until_done(link);
}

static bool run(struct link *link, const char *name, struct memory *from,
		struct memory *to)
{
	return open_device(link, name) && create_queue(link) &&
	       connect_to_itself(link) && allocate(from) && allocate(to) &&
	       register_memory(link, from, "source") &&
	       register_memory(link, to, "target") && fill(from) &&
	       transfer(link, from, to) && compare(to);
}

int main(int argc, char **argv)
{
	struct link link = {0};
	struct memory from = {0}, to = {0};
	bool done;

	if (argc != 2) {
		fprintf(stderr, "usage: rdma DEVICE\n");
		return 2;
	}
	done = run(&link, argv[1], &from, &to);
	if (done)
		printf("%llu bytes went through the device\n",
		       (unsigned long long)SIZE);
	/* A queue pair that works on memory goes before the memory. */
	if (link.queue) {
		ibv_destroy_qp(link.queue);
		link.queue = NULL;
	}
	release(&from);
	release(&to);
	close_link(&link);
	return done ? 0 : 1;
}
