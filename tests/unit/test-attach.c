// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/portalmem.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define SIZE (4 * PAGE)
#define BUS "pci"
#define DEVICE "0000:00:04.0"
#define START_READ (PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ)

/* The names at their longest. */
#define LONG_BUS "fifteen-letters"
#define LONG_DEVICE \
	"sixty-three-letters-is-what-the-name-of-a-device-has-at-its-mos"

static const struct portalmem_ioc_attach attach_both = {
	.direction = PORTALMEM_BIDIRECTIONAL,
	.fd_flags = O_CLOEXEC,
	.bus = BUS,
	.device = DEVICE,
};

/* A node that is asked to attach a buffer. */
static struct mock_call attach_call(const struct portalmem_ioc_attach *in,
				    int error)
{
	return (struct mock_call){
		.request = PORTALMEM_IOC_ATTACH,
		.on = MOCK_NODE,
		.in = in,
		.in_size = sizeof(*in),
		.in_fd_at = MOCK_AT(struct portalmem_ioc_attach, buffer),
		.in_fd_is = MOCK_BUFFER,
		.error = error,
		.new_attachment = true,
		.new_fd_at = MOCK_AT(struct portalmem_ioc_attach, fd),
	};
}

static struct mock_call call_on_attachment(unsigned long request,
					   const void *in, size_t size,
					   const void *out, int error)
{
	return (struct mock_call){
		.request = request,
		.on = MOCK_ATTACHMENT,
		.in = in,
		.in_size = size,
		.out = out,
		.error = error,
	};
}

static const struct portalmem_ioc_attachment info_in;
static const struct portalmem_ioc_attachment info_out = {
	.direction = PORTALMEM_FROM_DEVICE,
	.features = PORTALMEM_ATTACHMENT_TRANSLATED | PORTALMEM_ATTACHMENT_OWN,
	.segments = 3,
	.size = (uint64_t)5 << 32,
	.address_bits = 40,
	.bus = BUS,
	.device = DEVICE,
};

static struct mock_call info_call(const struct portalmem_ioc_attachment *out,
				  int error)
{
	return call_on_attachment(PORTALMEM_IOC_ATTACHMENT, &info_in,
				  sizeof(info_in), out, error);
}

/* A known buffer of four pages, attached with the usual options. */
static struct portalmem_attachment *attach_usual(void)
{
	const struct mock_call calls[] = {attach_call(&attach_both, 0)};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_attachment *attachment;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_attach(buffer, BUS, DEVICE, NULL, &attachment),
		0);
	/* It does without the buffer. */
	portalmem_buffer_unref(buffer);
	mock_expect(NULL, 0);
	return attachment;
}

static const struct {
	enum portalmem_direction direction;
	uint32_t uapi;
	unsigned int address_bits;
	const char *bus;
	const char *device;
} requests[] = {
	{PORTALMEM_DIRECTION_TO_DEVICE, 1, 0, BUS, DEVICE},
	{PORTALMEM_DIRECTION_FROM_DEVICE, 2, 64, "platform", "a"},
	{PORTALMEM_DIRECTION_BOTH, 3, 28, LONG_BUS, LONG_DEVICE},
	/* Whatever is in a name, another one is another device. */
	{PORTALMEM_DIRECTION_BOTH, 3, 28, "", "\n"},
};

START_TEST(node_is_asked_for_what_the_options_say)
{
	struct portalmem_ioc_attach in = {
		.direction = requests[_i].uapi,
		.fd_flags = O_CLOEXEC,
		.address_bits = requests[_i].address_bits,
	};
	const struct mock_call calls[] = {attach_call(&in, EINTR),
					  attach_call(&in, 0)};
	struct portalmem_attach_options options = PORTALMEM_ATTACH_OPTIONS_INIT;
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_attachment *attachment;
	int fd;

	memcpy(in.bus, requests[_i].bus, strlen(requests[_i].bus));
	memcpy(in.device, requests[_i].device, strlen(requests[_i].device));
	options.direction = requests[_i].direction;
	options.address_bits = requests[_i].address_bits;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_attach(buffer, requests[_i].bus,
						 requests[_i].device, &options,
						 &attachment),
			 0);
	fd = portalmem_attachment_get_fd(attachment);
	ck_assert_int_ge(fd, 0);
	portalmem_attachment_unref(attachment);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(without_options_it_is_for_both_directions)
{
	portalmem_attachment_unref(attach_usual());
}
END_TEST

START_TEST(foreign_buffer_is_attached_by_the_node_that_it_came_with)
{
	static const struct portalmem_ioc_info in;
	const struct mock_call calls[] = {
		{.request = PORTALMEM_IOC_INFO,
		 .on = MOCK_NODE,
		 .in = &in,
		 .in_size = sizeof(in),
		 .in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),
		 .in_fd_is = MOCK_BUFFER,
		 .error = EXDEV},
		attach_call(&attach_both, 0),
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_attachment *attachment;
	struct portalmem_buffer *buffer;
	int fd = mock_new_dmabuf(SIZE);

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	ck_assert_int_eq(
		portalmem_buffer_attach(buffer, BUS, DEVICE, NULL, &attachment),
		0);
	portalmem_attachment_unref(attachment);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	close(fd);
}
END_TEST

/* Buffers that no node could attach. */
static struct portalmem_buffer *unattachable(int kind)
{
	struct portalmem_buffer *buffer;
	struct portalmem_device *heap;
	int fd;

	if (kind == 0)
		return unit_alloc_memfd(SIZE);
	if (kind == 1)
		return unit_import_dmabuf(SIZE);
	heap = unit_open_heap("/dev/dma_heap/system");
	fd = mock_new_dmabuf(SIZE);
	ck_assert_int_eq(portalmem_buffer_import(heap, fd, &buffer), 0);
	portalmem_device_unref(heap);
	close(fd);
	return buffer;
}

START_TEST(other_backends_attach_nothing)
{
	static const char *const texts[] = {"memfd", "without a node",
					    "the dma-heap backend"};
	struct portalmem_attachment *attachment = NULL;
	struct portalmem_buffer *buffer = unattachable(_i);

	unit_assert_fails(
		portalmem_buffer_attach(buffer, BUS, DEVICE, NULL, &attachment),
		EOPNOTSUPP);
	unit_assert_message_has(texts[_i]);
	ck_assert_ptr_null(attachment);
	portalmem_buffer_unref(buffer);
}
END_TEST

/* What the kernel says, what the caller gets and is told to do. */
static const struct {
	int kernel;
	int error;
	unsigned int address_bits;
	const char *advice;
} refusals[] = {
	{EPERM, EPERM, 0, "CAP_SYS_RAWIO, so run as root; a kernel that is"},
	{ENODEV, ENODEV, 0, "a device in /sys/bus/pci/devices"},
	{EOPNOTSUPP, EOPNOTSUPP, 0,
	 "bind a driver to it, like uio_pci_generic"},
	{EBUSY, EBUSY, 0, "end that, or unbind the driver"},
	{EBUSY, EBUSY, 64, "give no address bits"},
	{EACCES, EACCES, 0, "the buffer is read-only"},
	{EIO, EIO, 0, "within the device's reach"},
	{ENOMEM, ENOMEM, 0, "free memory"},
	{EMFILE, EMFILE, 0, "ulimit -n"},
	{EINVAL, EINVAL, 0, "pci device 0000:00:04.0: Invalid argument"},
	{ENOTTY, EOPNOTSUPP, 0, "older than this library"},
};

START_TEST(refusal_of_the_node_says_what_to_do)
{
	struct portalmem_ioc_attach in = attach_both;
	const struct mock_call calls[] = {
		attach_call(&in, refusals[_i].kernel)};
	struct portalmem_attach_options options = PORTALMEM_ATTACH_OPTIONS_INIT;
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_attachment *attachment = NULL;

	options.address_bits = refusals[_i].address_bits;
	in.address_bits = refusals[_i].address_bits;
	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_buffer_attach(buffer, BUS, DEVICE, &options,
						  &attachment),
			  refusals[_i].error);
	unit_assert_message_has(
		"cannot attach a buffer to pci device 0000:00:04.0: ");
	unit_assert_message_has(refusals[_i].advice);
	ck_assert_ptr_null(attachment);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(bad_options_are_einval)
{
	static const struct portalmem_attach_options usual =
		PORTALMEM_ATTACH_OPTIONS_INIT;
	struct portalmem_attach_options bad[] = {usual, usual, usual,
						 usual, usual, usual};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_attachment *attachment;

	bad[0].struct_size = 0;
	bad[1].struct_size--;
	bad[2].struct_size++;
	bad[3].direction = (enum portalmem_direction)0;
	bad[4].direction = (enum portalmem_direction)4;
	bad[5].address_bits = 65;
	for (int i = 0; i < COUNT(bad); i++)
		unit_assert_fails(portalmem_buffer_attach(buffer, BUS, DEVICE,
							  &bad[i], &attachment),
				  EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(names_that_are_too_long_are_einval)
{
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_attachment *attachment;

	unit_assert_fails(portalmem_buffer_attach(buffer, LONG_BUS "+", DEVICE,
						  NULL, &attachment),
			  EINVAL);
	unit_assert_message_has("bus");
	unit_assert_message_has("15 bytes");
	unit_assert_fails(portalmem_buffer_attach(buffer, BUS, LONG_DEVICE "+",
						  NULL, &attachment),
			  EINVAL);
	unit_assert_message_has("device");
	unit_assert_message_has("63 bytes");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attachment = attach_usual(), *other;
	struct portalmem_buffer *buffer = unit_import_known();

	unit_assert_fails(
		portalmem_buffer_attach(NULL, BUS, DEVICE, NULL, &other),
		EINVAL);
	unit_assert_fails(
		portalmem_buffer_attach(buffer, NULL, DEVICE, NULL, &other),
		EINVAL);
	unit_assert_fails(
		portalmem_buffer_attach(buffer, BUS, NULL, NULL, &other),
		EINVAL);
	unit_assert_fails(
		portalmem_buffer_attach(buffer, BUS, DEVICE, NULL, NULL),
		EINVAL);
	unit_assert_fails(portalmem_attachment_import(0, NULL), EINVAL);
	unit_assert_fails(portalmem_attachment_get_fd(NULL), EINVAL);
	unit_assert_fails(portalmem_attachment_get_info(NULL, &info), EINVAL);
	unit_assert_fails(portalmem_attachment_get_info(attachment, NULL),
			  EINVAL);
	unit_assert_fails(
		portalmem_attachment_get_segments(NULL, 0, NULL, 0, NULL),
		EINVAL);
	unit_assert_fails(
		portalmem_attachment_get_segments(attachment, 0, NULL, 1, NULL),
		EINVAL);
	unit_assert_fails(portalmem_attachment_sync(NULL, START_READ, NULL, 0),
			  EINVAL);
	ck_assert_ptr_null(portalmem_attachment_ref(NULL));
	portalmem_attachment_unref(NULL);
	portalmem_attachment_unref(attachment);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(memory_that_is_missing_is_enomem)
{
	struct portalmem_buffer *buffer = unit_import_known();
	int fd = mock_new_attachment();
	struct portalmem_attachment *attachment;

	mock_fail_calloc(1);
	unit_assert_fails(
		portalmem_buffer_attach(buffer, BUS, DEVICE, NULL, &attachment),
		ENOMEM);
	mock_fail_calloc(1);
	unit_assert_fails(portalmem_attachment_import(fd, &attachment), ENOMEM);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

START_TEST(last_reference_closes_the_descriptor)
{
	struct portalmem_attachment *attachment = attach_usual();
	int fd = portalmem_attachment_get_fd(attachment);

	ck_assert_ptr_eq(portalmem_attachment_ref(attachment), attachment);
	portalmem_attachment_unref(attachment);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	portalmem_attachment_unref(attachment);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(attachment_describes_itself)
{
	const struct mock_call calls[] = {info_call(&info_out, EINTR),
					  info_call(&info_out, 0)};
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attachment = attach_usual();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_attachment_get_info(attachment, &info), 0);
	ck_assert_uint_eq(info.struct_size, sizeof(info));
	ck_assert_int_eq(info.direction, PORTALMEM_DIRECTION_FROM_DEVICE);
	ck_assert_uint_eq(info.features, PORTALMEM_ATTACHMENT_IS_TRANSLATED |
						 PORTALMEM_ATTACHMENT_IS_OWN);
	ck_assert_uint_eq(info.segments, 3);
	ck_assert_uint_eq(info.size, (uint64_t)5 << 32);
	ck_assert_uint_eq(info.address_bits, 40);
	ck_assert_str_eq(info.bus, BUS);
	ck_assert_str_eq(info.device, DEVICE);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(odd_names_are_tamed)
{
	struct portalmem_ioc_attachment odd = {.bus = "\x1b[2J"};
	const struct mock_call calls[] = {info_call(&odd, 0)};
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attachment = attach_usual();

	memset(odd.device, 'x', sizeof(odd.device));
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_attachment_get_info(attachment, &info), 0);
	ck_assert_str_eq(info.bus, "?[2J");
	ck_assert_uint_eq(strlen(info.device), sizeof(info.device) - 1);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(info_that_was_not_initialized_is_einval)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attachment = attach_usual();

	info.struct_size--;
	unit_assert_fails(portalmem_attachment_get_info(attachment, &info),
			  EINVAL);
	unit_assert_message_has("PORTALMEM_ATTACHMENT_INFO_INIT");
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(imported_attachment_has_the_size_that_it_says)
{
	static const struct portalmem_ioc_attachment out = {.size = 2 * 4096};
	const struct mock_call calls[] = {info_call(&out, 0)};
	const struct portalmem_range past = {2 * PAGE, 1};
	struct portalmem_attachment *attachment;
	int fd = mock_new_attachment();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_attachment_import(fd, &attachment), 0);
	ck_assert_int_ne(portalmem_attachment_get_fd(attachment), fd);
	close(fd);
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ, &past, 1),
		ERANGE);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(what_is_no_attachment_is_not_imported)
{
	/* It answers like every file that does not know the call. */
	const struct mock_call calls[] = {
		call_on_attachment(PORTALMEM_IOC_ATTACHMENT, &info_in,
				   sizeof(info_in), NULL, ENOTTY),
	};
	struct portalmem_attachment *attachment = NULL;
	int fd = mock_new_attachment();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_attachment_import(fd, &attachment), EINVAL);
	unit_assert_message_has("it is no attachment");
	close(fd);
	unit_assert_fails(portalmem_attachment_import(fd, &attachment), EBADF);
	unit_assert_fails(portalmem_attachment_import(-1, &attachment), EBADF);
	ck_assert_ptr_null(attachment);
}
END_TEST

static const struct portalmem_dma_segment table[] = {
	{.offset = 0, .length = 4096, .address = (uint64_t)1 << 40},
	{.offset = 4096, .length = 3 * 4096, .address = 0},
};

/* The mock leaves the array as it is: the address is what matters. */
static struct mock_call
segments_call(const struct portalmem_ioc_dma_segments *in,
	      const struct portalmem_ioc_dma_segments *out, int error)
{
	struct mock_call call = call_on_attachment(PORTALMEM_IOC_DMA_SEGMENTS,
						   in, sizeof(*in), out, error);

	if (in->count && in->count < 3) {
		call.in_pointer_at =
			MOCK_AT(struct portalmem_ioc_dma_segments, segments);
		call.pointee = table;
		call.pointee_size = in->count * sizeof(table[0]);
	}
	return call;
}

START_TEST(table_is_read_in_parts)
{
	static const struct portalmem_ioc_dma_segments in = {.first = 1,
							     .count = 2};
	static const struct portalmem_ioc_dma_segments out = {
		.first = 1, .count = 1, .total = 2};
	const struct mock_call calls[] = {segments_call(&in, &out, EINTR),
					  segments_call(&in, &out, 0)};
	struct portalmem_dma_segment room[2];
	struct portalmem_attachment *attachment = attach_usual();
	size_t total = 0;

	memcpy(room, table, sizeof(room));
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_attachment_get_segments(attachment, 1, room,
							   2, &total),
			 1);
	ck_assert_uint_eq(total, 2);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(length_of_the_table_can_be_asked_for_alone)
{
	static const struct portalmem_ioc_dma_segments in;
	static const struct portalmem_ioc_dma_segments out = {.total = 70000};
	const struct mock_call calls[] = {segments_call(&in, &out, 0)};
	struct portalmem_attachment *attachment = attach_usual();
	size_t total = 0;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_attachment_get_segments(attachment, 0, NULL,
							   0, &total),
			 0);
	ck_assert_uint_eq(total, 70000);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(an_index_past_all_tables_is_not_wrapped)
{
	static const struct portalmem_ioc_dma_segments in = {
		.first = UINT32_MAX};
	static const struct portalmem_ioc_dma_segments out = {
		.first = UINT32_MAX, .total = 2};
	const struct mock_call calls[] = {segments_call(&in, &out, 0)};
	struct portalmem_attachment *attachment = attach_usual();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_attachment_get_segments(attachment, SIZE_MAX,
							   NULL, 0, NULL),
			 0);
	portalmem_attachment_unref(attachment);
}
END_TEST

static const struct portalmem_range ranges[] = {
	{.offset = 4096, .length = 100},
	{.offset = 4 * 4096, .length = 0},
};
static const struct portalmem_range whole = {.length = 4 * 4096};

static struct mock_call sync_call(const struct portalmem_ioc_sync *in,
				  const struct portalmem_range *parts,
				  int error)
{
	struct mock_call call = call_on_attachment(PORTALMEM_IOC_SYNC, in,
						   sizeof(*in), NULL, error);

	call.in_pointer_at = MOCK_AT(struct portalmem_ioc_sync, ranges);
	call.pointee = parts;
	call.pointee_size = in->count * sizeof(*parts);
	return call;
}

START_TEST(ranges_are_synced_for_the_device_alone)
{
	const struct portalmem_ioc_sync in = {
		.flags = unit_sync_flags[_i].uapi, .fd = -1, .count = 2};
	const struct portalmem_ioc_sync whole_in = {
		.flags = unit_sync_flags[_i].uapi, .fd = -1, .count = 1};
	const struct portalmem_ioc_sync empty_in = {
		.flags = unit_sync_flags[_i].uapi, .fd = -1};
	const struct mock_call calls[] = {sync_call(&in, ranges, 0),
					  sync_call(&whole_in, &whole, 0),
					  sync_call(&empty_in, ranges, 0)};
	struct portalmem_attachment *attachment = attach_usual();
	unsigned int flags = unit_sync_flags[_i].flags;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_attachment_sync(attachment, flags, ranges, 2), 0);
	ck_assert_int_eq(portalmem_attachment_sync(attachment, flags, NULL, 0),
			 0);
	ck_assert_int_eq(
		portalmem_attachment_sync(attachment, flags, ranges, 0), 0);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(bad_sync_is_refused_before_the_kernel_is_asked)
{
	static const struct portalmem_range past[] = {{.length = 1},
						      {4 * 4096, 1}};
	static const struct portalmem_range wrap = {.offset = 4096,
						    .length = UINT64_MAX};
	struct portalmem_attachment *attachment = attach_usual();

	unit_assert_fails(portalmem_attachment_sync(attachment, 0, NULL, 0),
			  EINVAL);
	unit_assert_fails(portalmem_attachment_sync(
				  attachment, PORTALMEM_SYNC_READ, NULL, 0),
			  EINVAL);
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ | 16, NULL, 0),
		EINVAL);
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ, NULL, 1),
		EINVAL);
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ, past,
					  PORTALMEM_SYNC_RANGES_MAX + 1),
		EINVAL);
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ, past, 2),
		ERANGE);
	unit_assert_message_has("cannot sync an attachment: range 1");
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ, &wrap, 1),
		ERANGE);
	portalmem_attachment_unref(attachment);
}
END_TEST

START_TEST(every_call_says_that_the_device_is_gone)
{
	static const struct portalmem_ioc_dma_segments segments_in;
	static const struct portalmem_ioc_sync sync_in = {
		.flags = 1, .fd = -1, .count = 1};
	const struct mock_call calls[] = {
		info_call(NULL, ENODEV),
		segments_call(&segments_in, NULL, ENODEV),
		sync_call(&sync_in, &whole, ENODEV),
		info_call(NULL, ENODEV),
	};
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attachment = attach_usual(), *other = NULL;
	size_t total = 99;

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_attachment_get_info(attachment, &info),
			  ENODEV);
	unit_assert_message_has("driver is gone");
	ck_assert_uint_eq(info.size, 0);
	unit_assert_fails(portalmem_attachment_get_segments(attachment, 0, NULL,
							    0, &total),
			  ENODEV);
	unit_assert_message_has("driver is gone");
	ck_assert_uint_eq(total, 99);
	unit_assert_fails(
		portalmem_attachment_sync(attachment, START_READ, NULL, 0),
		ENODEV);
	unit_assert_message_has("driver is gone");
	unit_assert_fails(
		portalmem_attachment_import(
			portalmem_attachment_get_fd(attachment), &other),
		ENODEV);
	ck_assert_ptr_null(other);
	portalmem_attachment_unref(attachment);
}
END_TEST

static Suite *attach_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("attach", &tc);

	tcase_add_loop_test(tc, node_is_asked_for_what_the_options_say, 0,
			    COUNT(requests));
	tcase_add_test(tc, without_options_it_is_for_both_directions);
	tcase_add_test(
		tc, foreign_buffer_is_attached_by_the_node_that_it_came_with);
	tcase_add_loop_test(tc, other_backends_attach_nothing, 0, 3);
	tcase_add_loop_test(tc, refusal_of_the_node_says_what_to_do, 0,
			    COUNT(refusals));
	tcase_add_test(tc, bad_options_are_einval);
	tcase_add_test(tc, names_that_are_too_long_are_einval);
	tcase_add_test(tc, null_arguments_are_einval);
	unit_add_shortage_test(tc, memory_that_is_missing_is_enomem);
	tcase_add_test(tc, last_reference_closes_the_descriptor);
	tcase_add_test(tc, attachment_describes_itself);
	tcase_add_test(tc, odd_names_are_tamed);
	tcase_add_test(tc, info_that_was_not_initialized_is_einval);
	tcase_add_test(tc, imported_attachment_has_the_size_that_it_says);
	tcase_add_test(tc, what_is_no_attachment_is_not_imported);
	tcase_add_test(tc, table_is_read_in_parts);
	tcase_add_test(tc, length_of_the_table_can_be_asked_for_alone);
	tcase_add_test(tc, an_index_past_all_tables_is_not_wrapped);
	tcase_add_loop_test(tc, ranges_are_synced_for_the_device_alone, 0,
			    UNIT_SYNC_FLAGS);
	tcase_add_test(tc, bad_sync_is_refused_before_the_kernel_is_asked);
	tcase_add_test(tc, every_call_says_that_the_device_is_gone);
	return suite;
}

PMTEST_MAIN(attach_suite)
