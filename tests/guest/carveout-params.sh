#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append memmap=64M$0x20000000
# quick: 6.12
#
# What the parameter carveouts takes, and what it refuses: the module is then not
# loaded, the kernel's log says why, and nothing is kept. Only x86 has memmap=.
# shellcheck disable=SC2317 # functions are called through run and check
set -u

# shellcheck source=tests/lib/tap.sh
. "$top_srcdir/tests/lib/tap.sh"

# refused REASON CARVEOUTS: loading fails, and the log ends with that reason.
refused()
{
	! insmod "$PORTALMEM_MODULE" "carveouts=$2" 2>"$work/said" &&
		[ ! -e /dev/portalmem ] &&
		dmesg | tail -n 5 | grep -q -F "portalmem: carveouts: $1"
}

loads()
{
	insmod "$PORTALMEM_MODULE" "$@"
}

rmmod portalmem
syntax='not NAME:SIZE@ADDRESS'
check "memory of the kernel is refused" \
	refused 'a:2M@0x10000000: not reserved' a:2M@0x10000000
check "an address without memory is refused" \
	refused 'a:2M@0x80000000: not reserved' a:2M@0x80000000
check "a region that is reserved in part is refused" \
	refused 'a:128M@0x20000000: not reserved' a:128M@0x20000000
check "a size that is no multiple of 2 MiB is refused" \
	refused "a:1M@0x20000000: $syntax" a:1M@0x20000000
check "an address that is no multiple of 2 MiB is refused" \
	refused "a:2M@0x20100000: $syntax" a:2M@0x20100000
check "a size of 0 is refused" refused "a:0@0x20000000: $syntax" a:0@0x20000000
check "a carve-out without a place is refused" refused "a: $syntax" a
check "an unknown caching is refused" \
	refused "a:2M@0x20000000:wt: $syntax" a:2M@0x20000000:wt
for name in portalmem-a system contiguous user .a a/b a12345678901234567890123456789012; do
	check "the name $name is refused" \
		refused "$name:2M@0x20000000: $syntax" "$name:2M@0x20000000"
done
check "a name that is given twice is refused, and the first one with it" \
	refused "a:2M@0x20200000: $syntax" a:2M@0x20000000,a:2M@0x20200000
check "memory that is given twice is refused" \
	refused 'b:4M@0x20000000: somebody else has it' \
	a:2M@0x20000000,b:4M@0x20000000

check "after all that, the region is there to be had" \
	loads carveouts=a:32M@0x20000000,b:0x2000000@0x22000000:uc
check "each has its node" test -c /dev/dma_heap/a -a -c /dev/dma_heap/b
rmmod portalmem
check "their nodes go with the module" \
	test ! -e /dev/dma_heap/a -a ! -e /dev/dma_heap/b
check "no name is that of another node's device" loads carveouts=wc:2M@0x20000000
check "and it has its node" test -c /dev/dma_heap/wc
check "its statistics are those of its heap" \
	grep -q '^wc$' /sys/class/misc/portalmem-heap-wc/stats/heap
rmmod portalmem
check "the module loads without any" loads
tap_end
