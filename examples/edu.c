// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * edu: a complete driver, in user space, of a device that does DMA.
 *
 * The device is "edu", which QEMU has for teaching (-device edu). It has 4 KiB
 * of memory of its own and copies between that and the machine's memory. This
 * program has it copy one half of a buffer to the other: from the buffer into
 * the device, and from there into the buffer again.
 *
 *	edu DEVICE [ADDRESS-BITS]
 *
 * DEVICE is its name on the PCI bus, like 0000:00:04.0, which "lspci -D"
 * prints. ADDRESS-BITS is how many address bits it has, 28 unless it was made
 * with -device edu,dma_mask=0xffffffffffffffff, which has 64.
 *
 * It takes root. On x86 the device needs no driver; elsewhere the kernel wants
 * one to be bound, which then leaves the device alone:
 *
 *	modprobe uio_pci_generic
 *	echo 1234 11e8 >/sys/bus/pci/drivers/uio_pci_generic/new_id
 *
 * What there is to a driver like this, in the order in which main() does it:
 *
 *  1. Map the device's registers, and let it do DMA (open_engine).
 *  2. Allocate a buffer where the device reaches it (allocate).
 *  3. Attach the buffer to the device, and read at which addresses the device
 *     finds it (attach). They may be physical addresses, what an IOMMU made of
 *     them, or those of bounce buffers: the program need not know.
 *  4. Bracket what the CPU does with the bytes by sync (write_source,
 *     check_destination), and start the device in between (copy).
 *  5. Stop the device before the buffer is taken from it (close_engine).
 */
#include <errno.h>
#include <fcntl.h>
#include <portalmem.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The registers, as QEMU's docs/specs/edu.rst explains them. */
#define REGISTERS_SIZE (1 << 20)
#define REGISTER_ID 0x00
#define REGISTER_DMA_FROM 0x80
#define REGISTER_DMA_TO 0x88
#define REGISTER_DMA_COUNT 0x90
#define REGISTER_DMA_COMMAND 0x98
#define ID_MASK 0xffff
#define ID 0x00ed
#define COMMAND_START 1 /* reads as 1 until the transfer is done */
#define COMMAND_FROM_DEVICE 2

/* Where the device's own memory is, in its own view, and what fits. */
#define DEVICE_MEMORY 0x40000
#define TRANSFER_MAX 2048 /* more than half of it stops some versions of QEMU */

/* The PCI command register, in the device's configuration space. */
#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2 /* the registers answer */
#define PCI_COMMAND_MASTER 4 /* the device may do DMA */

/* Half of the buffer: whole pages, so that the halves share no cache line. */
#define HALF ((size_t)8192)

struct engine {
	unsigned char *registers; /* read and written through volatile */
	int config;		  /* the configuration space */
};

struct memory {
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	struct portalmem_attachment *attachment;
	unsigned char *bytes;			/* as the CPU sees it */
	struct portalmem_dma_segment *segments; /* as the device sees it */
	size_t count;
};

/* Of the library's last call that failed. */
static bool failed_call(void)
{
	fprintf(stderr, "edu: %s\n", portalmem_error_message());
	return false;
}

static bool failed(const char *what)
{
	perror(what);
	return false;
}

/* The machine is little-endian, as PCI is; so is each that QEMU has edu for. */
static uint32_t read_register(const struct engine *engine, size_t offset)
{
	return *(const volatile uint32_t *)(engine->registers + offset);
}

static void write_register(struct engine *engine, size_t offset, uint64_t value)
{
	*(volatile uint64_t *)(engine->registers + offset) = value;
}

static int open_sysfs(const char *name, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", name, file);
	return open(path, O_RDWR | O_SYNC | O_CLOEXEC);
}

/* Set and clear bits of the PCI command register. */
static bool change_command(const struct engine *engine, uint16_t set,
			   uint16_t clear)
{
	uint16_t command;

	if (pread(engine->config, &command, sizeof(command), PCI_COMMAND) !=
	    sizeof(command))
		return failed("reading the PCI command register");
	command = (uint16_t)((command | set) & ~clear);
	if (pwrite(engine->config, &command, sizeof(command), PCI_COMMAND) !=
	    sizeof(command))
		return failed("writing the PCI command register");
	return true;
}

static bool map_registers(struct engine *engine, const char *name)
{
	int fd = open_sysfs(name, "resource0");
	void *address;

	if (fd < 0)
		return failed("opening the registers");
	address = mmap(NULL, REGISTERS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       fd, 0);
	close(fd);
	if (address == MAP_FAILED)
		return failed("mapping the registers");
	engine->registers = address;
	return true;
}

static bool open_engine(struct engine *engine, const char *name)
{
	engine->config = open_sysfs(name, "config");
	if (engine->config < 0)
		return failed("opening the configuration space");
	if (!change_command(engine, PCI_COMMAND_MEMORY, 0) ||
	    !map_registers(engine, name))
		return false;
	if ((read_register(engine, REGISTER_ID) & ID_MASK) != ID) {
		fprintf(stderr, "edu: %s is another device\n", name);
		return false;
	}
	return change_command(engine, PCI_COMMAND_MASTER, 0);
}

/* From here on the device touches no memory. */
static void close_engine(struct engine *engine)
{
	if (engine->config >= 0) {
		change_command(engine, 0, PCI_COMMAND_MASTER);
		close(engine->config);
	}
	if (engine->registers)
		munmap(engine->registers, REGISTERS_SIZE);
}

/*
 * Memory that the device reaches needs no bounce buffers. Where there is none,
 * any will do: an IOMMU brings it within reach.
 */
static int allocate_within_reach(struct memory *memory,
				 unsigned int address_bits)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	int error;

	options.name = "edu";
	options.address_bits = address_bits;
	error = portalmem_buffer_alloc(memory->device, 2 * HALF, &options,
				       &memory->buffer);
	if (error != -ENOMEM)
		return error;
	options.address_bits = 0;
	return portalmem_buffer_alloc(memory->device, 2 * HALF, &options,
				      &memory->buffer);
}

static bool allocate(struct memory *memory, unsigned int address_bits)
{
	void *address;

	if (portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM,
				  &memory->device) < 0 ||
	    allocate_within_reach(memory, address_bits) < 0 ||
	    portalmem_buffer_map(memory->buffer, 0, 0, PORTALMEM_MAP_RDWR,
				 &address) < 0)
		return failed_call();
	memory->bytes = address;
	return true;
}

/* Read the whole table: it does not change. */
static bool read_segments(struct memory *memory)
{
	if (portalmem_attachment_get_segments(memory->attachment, 0, NULL, 0,
					      &memory->count) < 0)
		return failed_call();
	memory->segments = calloc(memory->count, sizeof(*memory->segments));
	if (!memory->segments)
		return failed("reading the segments");
	if (portalmem_attachment_get_segments(memory->attachment, 0,
					      memory->segments, memory->count,
					      NULL) < 0)
		return failed_call();
	return true;
}

static bool attach(struct memory *memory, const char *name,
		   unsigned int address_bits)
{
	struct portalmem_attach_options options = PORTALMEM_ATTACH_OPTIONS_INIT;

	options.direction = PORTALMEM_DIRECTION_BOTH;
	options.address_bits = address_bits;
	if (portalmem_buffer_attach(memory->buffer, "pci", name, &options,
				    &memory->attachment) < 0)
		return failed_call();
	return read_segments(memory);
}

static void release(struct memory *memory)
{
	free(memory->segments);
	portalmem_attachment_unref(memory->attachment);
	portalmem_buffer_unref(memory->buffer);
	portalmem_device_unref(memory->device);
}

/*
 * Where the device finds what is at OFFSET of the buffer. *LENGTH is how much
 * is wanted, and becomes how much of that lies there in one piece.
 */
static uint64_t device_address(const struct memory *memory, uint64_t offset,
			       uint64_t *length)
{
	const struct portalmem_dma_segment *segment = memory->segments;
	uint64_t skipped;

	while (offset >= segment->offset + segment->length)
		segment++;
	skipped = offset - segment->offset;
	if (*length > segment->length - skipped)
		*length = segment->length - skipped;
	return segment->address + skipped;
}

static bool sync_part(const struct memory *memory, unsigned int flags,
		      uint64_t offset, uint64_t length)
{
	const struct portalmem_range range = {offset, length};

	if (portalmem_attachment_sync(memory->attachment, flags, &range, 1) < 0)
		return failed_call();
	return true;
}

/* Bytes that no two places of the buffer have in common. */
static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 7 + (i >> 8) * 31 + 1);
}

static bool write_source(struct memory *memory)
{
	if (!sync_part(memory, PORTALMEM_SYNC_START | PORTALMEM_SYNC_WRITE, 0,
		       HALF))
		return false;
	for (size_t i = 0; i < HALF; i++)
		memory->bytes[i] = pattern(i);
	return sync_part(memory, PORTALMEM_SYNC_END | PORTALMEM_SYNC_WRITE, 0,
			 HALF);
}

static bool check_destination(struct memory *memory)
{
	size_t i = 0;

	if (!sync_part(memory, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ, HALF,
		       HALF))
		return false;
	while (i < HALF && memory->bytes[HALF + i] == pattern(i))
		i++;
	if (!sync_part(memory, PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ, HALF,
		       HALF))
		return false;
	if (i == HALF)
		return true;
	fprintf(stderr, "edu: byte %zu did not arrive\n", i);
	return false;
}

/*
 * The device tells by its command register when it is done: a tenth of a second
 * after it was started.
 */
static bool wait_until_done(struct engine *engine)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < 10000; i++) {
		if (!(read_register(engine, REGISTER_DMA_COMMAND) &
		      COMMAND_START))
			return true;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "edu: the device does not come to an end\n");
	return false;
}

static bool transfer(struct engine *engine, uint64_t from, uint64_t to,
		     uint64_t count, unsigned int direction)
{
	/* What was written before is in memory before the device is told. */
	__sync_synchronize();
	write_register(engine, REGISTER_DMA_FROM, from);
	write_register(engine, REGISTER_DMA_TO, to);
	write_register(engine, REGISTER_DMA_COUNT, count);
	write_register(engine, REGISTER_DMA_COMMAND, COMMAND_START | direction);
	return wait_until_done(engine);
}

/* From the first half to the second, as much at a time as is in one piece. */
static bool copy(struct engine *engine, const struct memory *memory)
{
	for (uint64_t done = 0, length; done < HALF; done += length) {
		uint64_t from, to;

		length = HALF - done < TRANSFER_MAX ? HALF - done
						    : TRANSFER_MAX;
		from = device_address(memory, done, &length);
		to = device_address(memory, HALF + done, &length);
		if (!transfer(engine, from, DEVICE_MEMORY, length, 0) ||
		    !transfer(engine, DEVICE_MEMORY, to, length,
			      COMMAND_FROM_DEVICE))
			return false;
	}
	return true;
}

static bool run(struct engine *engine, struct memory *memory, const char *name,
		unsigned int address_bits)
{
	return open_engine(engine, name) && allocate(memory, address_bits) &&
	       attach(memory, name, address_bits) && write_source(memory) &&
	       copy(engine, memory) && check_destination(memory);
}

int main(int argc, char **argv)
{
	struct engine engine = {.config = -1};
	struct memory memory = {0};
	unsigned int address_bits;
	bool done;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: edu DEVICE [ADDRESS-BITS]\n");
		return 2;
	}
	address_bits = argc > 2 ? (unsigned int)atoi(argv[2]) : 28;
	done = run(&engine, &memory, argv[1], address_bits);
	if (done)
		printf("%zu bytes went through the device, in %zu segment(s)\n",
		       HALF, memory.count);
	close_engine(&engine);
	release(&memory);
	return done ? 0 : 1;
}
