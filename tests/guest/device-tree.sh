#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: arm64
# vm: --dts tests/guest/reserved.dts
#
# The machine has what reserved.dts adds to it, so that the tests of the heaps in it
# fail for no other reason than the heaps.
set -u

# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# The kernel keeps the addresses from FIRST to LAST to itself.
is_reserved()
{
	grep -q -i "^ *$1-$2 : reserved" /proc/iomem
}

# The text of a property ends with a zero byte.
label_is()
{
	[ "$(tr -d '\0' <"/sys/firmware/devicetree/base/$1/label")" = "$2" ]
}

is_platform_device()
{
	[ -d "/sys/bus/platform/devices/$1" ]
}

run cat /proc/iomem
check "the plain region is reserved" is_reserved 60000000 63ffffff
check "the region without a mapping is reserved" is_reserved 68000000 68ffffff
for heap in fpga fpga-nomap ocm; do
	check "the heap $heap is a platform device" is_platform_device "heap-$heap"
	check "the heap $heap has its label" label_is "heap-$heap" "$heap"
done
check "the driver of the memory on the chip has it" \
	test -d /sys/bus/platform/drivers/sram/70000000.sram
tap_end
