/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The binary interface between the module and programs, as numbers: what is
 * here has to be true for every compiler, for 32 and for 64 bits. The including
 * file defines SIZE(type, bytes), OFFSET(type, field, bytes, size) and
 * VALUE(constant, number). New lines are added; those that were released stay.
 */
SIZE(portalmem_ioc_version, 16)
OFFSET(portalmem_ioc_version, abi, 0, 4)
OFFSET(portalmem_ioc_version, pad, 4, 4)
OFFSET(portalmem_ioc_version, features, 8, 8)

SIZE(portalmem_ioc_alloc, 72)
OFFSET(portalmem_ioc_alloc, flags, 0, 4)
OFFSET(portalmem_ioc_alloc, caching, 4, 4)
OFFSET(portalmem_ioc_alloc, size, 8, 8)
OFFSET(portalmem_ioc_alloc, fd_flags, 16, 4)
OFFSET(portalmem_ioc_alloc, fd, 20, 4)
OFFSET(portalmem_ioc_alloc, effective, 24, 4)
OFFSET(portalmem_ioc_alloc, segments, 28, 4)
OFFSET(portalmem_ioc_alloc, name, 32, 32)
OFFSET(portalmem_ioc_alloc, node, 64, 4)
OFFSET(portalmem_ioc_alloc, address_bits, 68, 4)

SIZE(portalmem_ioc_info, 104)
OFFSET(portalmem_ioc_info, flags, 0, 4)
OFFSET(portalmem_ioc_info, fd, 4, 4)
OFFSET(portalmem_ioc_info, size, 8, 8)
OFFSET(portalmem_ioc_info, caching, 16, 4)
OFFSET(portalmem_ioc_info, effective, 20, 4)
OFFSET(portalmem_ioc_info, segments, 24, 4)
OFFSET(portalmem_ioc_info, attachments, 28, 4)
OFFSET(portalmem_ioc_info, pid, 32, 4)
OFFSET(portalmem_ioc_info, pad, 36, 4)
OFFSET(portalmem_ioc_info, heap, 40, 32)
OFFSET(portalmem_ioc_info, name, 72, 32)

SIZE(portalmem_ioc_range, 16)
OFFSET(portalmem_ioc_range, offset, 0, 8)
OFFSET(portalmem_ioc_range, length, 8, 8)

SIZE(portalmem_ioc_sync, 24)
OFFSET(portalmem_ioc_sync, flags, 0, 4)
OFFSET(portalmem_ioc_sync, fd, 4, 4)
OFFSET(portalmem_ioc_sync, ranges, 8, 8)
OFFSET(portalmem_ioc_sync, count, 16, 4)
OFFSET(portalmem_ioc_sync, pad, 20, 4)

SIZE(portalmem_ioc_segment, 24)
OFFSET(portalmem_ioc_segment, offset, 0, 8)
OFFSET(portalmem_ioc_segment, length, 8, 8)
OFFSET(portalmem_ioc_segment, physical, 16, 8)

SIZE(portalmem_ioc_segments, 32)
OFFSET(portalmem_ioc_segments, flags, 0, 4)
OFFSET(portalmem_ioc_segments, fd, 4, 4)
OFFSET(portalmem_ioc_segments, segments, 8, 8)
OFFSET(portalmem_ioc_segments, first, 16, 4)
OFFSET(portalmem_ioc_segments, count, 20, 4)
OFFSET(portalmem_ioc_segments, total, 24, 4)
OFFSET(portalmem_ioc_segments, pad, 28, 4)

VALUE(PORTALMEM_ABI_VERSION, 0)
VALUE(PORTALMEM_NAME_LEN, 32)
VALUE(PORTALMEM_HEAP_NAME_LEN, 32)
VALUE(PORTALMEM_SYNC_RANGES_MAX, 65536)
VALUE(PORTALMEM_DEFAULT, 0)
VALUE(PORTALMEM_CACHED, 1)
VALUE(PORTALMEM_WC, 2)
VALUE(PORTALMEM_UC, 3)
VALUE(PORTALMEM_ALLOC_NODE, 0x1)
VALUE(PORTALMEM_FEATURE_WC, 0x1)
VALUE(PORTALMEM_FEATURE_PINNABLE, 0x2)

/* A few architectures encode directions and sizes in their own way. */
#if _IOC_WRITE == 1U && _IOC_SIZEBITS == 14
VALUE(PORTALMEM_IOC_VERSION, 0x8010bd00)
VALUE(PORTALMEM_IOC_ALLOC, 0xc048bd01)
VALUE(PORTALMEM_IOC_INFO, 0xc068bd02)
VALUE(PORTALMEM_IOC_SYNC, 0x4018bd03)
VALUE(PORTALMEM_IOC_SEGMENTS, 0xc020bd04)
#endif
