#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append memmap=16M$0x20000000
# timeout: 240
# quick: 6.12
#
# The command on the module's other heaps: contiguous memory and a reserved
# region; and what it says when a limit, or a run that is too short, is in the way.
# Only x86 has memmap=.
set -eu

export PORTALMEM_BACKEND=portalmem
PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"

region=camera
region_address=$((0x20000000))
region_size=$((16 << 20))
contiguous=portalmem-contiguous
parameters=/sys/module/portalmem/parameters

# Write 64 KiB that the region held before anybody allocated of it, 1 MiB from
# its start; the kernel does not know the memory, and so /dev/mem has it.
load_region()
{
	head -c 65536 /dev/urandom >"$work/pattern"
	dd if="$work/pattern" of=/dev/mem bs=64K conv=notrunc status=none \
		seek=$(((region_address + (1 << 20)) >> 16))
}

load_module()
{
	insmod "$PORTALMEM_MODULE" carveouts="$region:16M@$region_address"
}

is_number()
{
	[ "$(value_at "$1")" -gt 0 ]
}

# A buffer of one segment, at a multiple of $1.
lies_at_multiple()
{
	json_lacks segments.1 && [ $(($(value_at segments.0.physical) % $1)) -eq 0 ]
}

set_parameter()
{
	echo "$2" >"$parameters/$1"
}

# Run the command as root without the capability $1.
pm_without()
{
	pm_without=$1
	shift
	run setpriv "--bounding-set=-$pm_without" --inh-caps=-all -- \
		"$PORTALMEM" "$@"
}

rmmod portalmem
run load_region
check "there is a region with something in it" done_cleanly
run load_module
check "the module takes it up" done_cleanly

run stat -c %a "/dev/dma_heap/$contiguous"
check "the contiguous heap is for root alone" prints 600
pm alloc -s 4M --device "$contiguous" --align 2M -- \
	"$PORTALMEM" segments --json
check "a buffer of it is one segment, and aligned" lies_at_multiple $((2 << 20))
pm alloc -s 4M --align 2M -- true
check "a scattered buffer cannot be aligned" \
	fails alloc "buffers of the heap 'system' are scattered"
pm heaps --device "$contiguous" --json
check "the contiguous heap says that it is one" \
	json_is heaps.0.heap.contiguous true
check "it has a limit by default" is_number heaps.0.heap.limit
check "and one for each user" is_number heaps.0.heap.user_limit

pm alloc -s 900M --device "$contiguous" -- true
check "more than its limit fails, and names the parameter" \
	fails alloc "$parameters/contiguous_limit_mb"
set_parameter contiguous_limit_mb 0
pm alloc -s 900M --device "$contiguous" -- true
check "a run that is not there fails with the longest" \
	fails alloc '900 MiB in one piece cannot be had: the longest run now is'
set_parameter contiguous_user_limit_mb 4
pm_without sys_resource alloc -s 8M --device "$contiguous" -- true
check "more than the user's limit fails, and names that parameter" \
	fails alloc "this user may hold 4 MiB, and holds 0 bytes; free buffers or raise the limit ($parameters/contiguous_user_limit_mb)"
pm alloc -s 8M --device "$contiguous" -- true
check "it does not bind who has CAP_SYS_RESOURCE" done_cleanly

set_parameter limit_mb 4
pm alloc -s 8M -- true
check "the system heap has a limit when it is set" \
	fails alloc "($parameters/limit_mb)"
set_parameter limit_mb 0
set_parameter user_limit_mb 4
pm_without sys_resource alloc -s 8M -- true
check "and one for each user" fails alloc "($parameters/user_limit_mb)"
set_parameter user_limit_mb 0
pm_without sys_resource alloc -s 8M -- true
check "a limit is lifted at run time" done_cleanly

pm heaps --device "$region" --json
check "the region is listed with its size" \
	json_is heaps.0.heap.size "$region_size"
check "nothing of it is used" json_is heaps.0.heap.used 0
check "it is in one piece" json_is heaps.0.heap.largest "$region_size"
check "that is one run" json_is heaps.0.heap.fragments 1
pm alloc -s 64K --device "$region" --adopt 1M -- \
	"$PORTALMEM" verify --file "$work/pattern"
check "what was in it before can be adopted" done_cleanly
pm_without sys_rawio alloc -s 64K --device "$region" --adopt 1M -- true
check "not without CAP_SYS_RAWIO" fails alloc 'to adopt takes CAP_SYS_RAWIO'
pm alloc -s 64K --device "$region" --adopt "$region_size" -- true
check "not past the region's end" fails alloc 'has 16 MiB; adopt a part'
pm alloc -s 4K --adopt 0 -- true
check "not where there is no region" \
	fails alloc 'only a reserved region has contents to adopt'
pm alloc -s 16M --device "$region" -- "$PORTALMEM" verify --byte 0
check "a buffer that adopts nothing is zeros" done_cleanly
pm alloc -s 4M --device "$region" --align 1M -- \
	"$PORTALMEM" segments --json
check "a buffer of it is aligned as asked" lies_at_multiple $((1 << 20))

start "$PORTALMEM" alloc -s 16M --device "$region" --json
eventually json_valid
pm doctor --device "$region"
check "doctor tells of a full region" \
	out_matches "^WRONG  heap        /dev/dma_heap/$region: the heap $region is full; free buffers of it"
check "and that nothing can be allocated there" status_is 1
kill "$child"
finish "$child"

start "$PORTALMEM" alloc -s 12M --device "$region" --json
eventually json_valid
holder=$child
pm heaps --device "$region" --json
check "a live buffer shows" json_is heaps.0.heap.used $((12 << 20))
check "what is left shows" json_is heaps.0.heap.available $((4 << 20))
pm alloc -s 8M --device "$region" -- true
check "more than is left fails with the longest run" \
	fails alloc '8 MiB in one piece cannot be had: the longest run now is 4 MiB; ask for less, free buffers, or reserve a larger region at boot'
pm alloc -s 16M --device "$region" --adopt 0 -- true
check "a live buffer cannot be adopted" \
	fails alloc 'a live buffer holds some of it'
kill "$holder"
finish "$holder"
pm heaps --device "$region" --json
check "what is freed is free" json_is heaps.0.heap.largest "$region_size"

tap_end
