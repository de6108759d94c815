#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels: 6.12
# arch: amd64
# quick: 6.12
#
# The command bench beside the kernel's heap and udmabuf. How fast anything is
# proves nothing in an emulated machine; what is here holds by a wide margin.
# shellcheck disable=SC2016,SC2086,SC2317 # options in words; what check runs
set -eu

PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"
unset PORTALMEM_BACKEND

tracing=/sys/kernel/tracing
device=pm_device.0
[ -e /sys/module/pm_device ] ||
	insmod "$top_builddir/tests/guest/kmod/$(uname -r)/pm_device.ko"
[ -e $tracing/kprobe_events ] || mount -t tracefs tracefs $tracing

# Of the CSV that was printed, one line for each, as
# "TEST ALLOCATOR RATIO REASON".
cells()
{
	sed 1d "$work/.out" | awk -F, '{
		gsub(/"/, "")
		print $1, $3, ($16 == "" ? "-" : $16), $19
	}'
}

# is_below PATH NUMBER: what is there is a number and less.
is_below()
{
	awk -v value="$(value_at "$1")" -v most="$2" 'BEGIN {
		exit !(value ~ /^[0-9.]+$/ && value + 0 < most + 0)
	}'
}

# Every allocator and every test.
pm bench --sizes 64K --time 0 --rounds 1 --csv
check "bench is done on all allocators" done_cleanly
cells >"$work/cells"
tap_comment "$(cat "$work/cells")"
check "it finds the module's, the kernel's and the process's" \
	test "$(awk '$1 == "tight" { print $2 }' "$work/cells" | tr '\n' ' ')" = \
	'portalmem portalmem-wc system udmabuf pool memfd anonymous '
check "each of them allocates in each way, and is compared with the heap" \
	test "$(awk '$1 ~ /^(alloc|free|tight|paced|cold|use|parallel)$/ && $3 > 0' \
		"$work/cells" | wc -l)" -eq 49
check "each buffer is mapped, synced and passed on" \
	test "$(awk '$1 ~ /^(map|sync|sync-part|pass)$/ && $3 > 0' \
		"$work/cells" | wc -l)" -eq 24
check "the heap is the reference" \
	test "$(awk '$2 == "system" && $3 != 1 && $1 != "read"' "$work/cells")" = ''
check "nothing is without a ratio and a reason" \
	test "$(awk '$3 == "-" && NF < 4' "$work/cells")" = ''

# In which order the buffers are made, the kernel tells itself.
echo 'p:bench_heap system_heap_allocate
p:bench_module portalmem_buffer_export' >$tracing/kprobe_events
echo 1 >$tracing/events/kprobes/bench_heap/enable
echo 1 >$tracing/events/kprobes/bench_module/enable
echo >$tracing/trace
pm bench --allocators portalmem,system --tests paced --sizes 4K --time 0 --rounds 4 --json
sed -n 's/.*: bench_\([a-z]*\): .*/\1/p' $tracing/trace | tr '\n' ' ' >"$work/order"
echo 0 >$tracing/events/kprobes/enable
echo >$tracing/kprobe_events
# To warm up, each sample has one more than it takes the time of.
m='module module ' h='heap heap '
check "in each round the other allocator is first" \
	test "$(cat "$work/order")" = "$m$m$h$h$m$h$h$m$m$h$h$m"
check "in JSON the turns say so" \
	test "$(value_at cells.0.samples.1.turn),$(value_at cells.1.samples.1.turn)" = 3,2

# What holds however slow the machine is.
pm bench --allocators portalmem,system --tests paced,map --sizes 64M --time 0 --rounds 3 --json
check "a pooled buffer of 64 MiB costs less than one that has to be cleared" \
	is_below cells.0.ratio 1
check "it takes few page faults to touch it" is_below cells.2.faults 41
pm bench --allocators portalmem,system,udmabuf --attach platform/$device \
	--tests attach,sync --sizes 1M --time 0 --rounds 1 --json
check "buffers of all are attached to a device" \
	test "$(value_at cells.0.reason)$(value_at cells.1.reason)$(value_at cells.2.reason)" = nullnullnull
check "and synced for it" \
	test "$(value_at cells.3.reason)$(value_at cells.4.reason)$(value_at cells.5.reason)" = nullnullnull
pm bench --attach platform/none --tests attach --allocators system --sizes 4K --time 0
check "a device that is not there is the reason" out_has 'cannot attach a buffer to platform device none'

pm bench --allocators portalmem-contiguous,portalmem-uc --tests tight --sizes 4K --time 0 --json
check "the module's other heaps can be named" json_is cells.0.reason null
check "and uncached memory" json_is cells.1.reason null
pm bench --allocators portalmem --tests paced --sizes 16M --time 0 --rounds 5 --clock system --json
check "the time of all processors has the clearing in the background" \
	test "$(awk -v all="$(value_at cells.0.system_ns)" \
		-v process="$(value_at cells.0.process_ns)" \
		-v mib="$(value_at clear_mib_ns)" \
		'BEGIN { print (all - process > 16 * mib / 8) }')" = 1
check "it comes from the scheduler" json_is system_source '"/proc/schedstat"'
pm bench --allocators portalmem --tests tight --live 1000 --sizes 4K --time 0 --rounds 1
check "root may have many of buffers live meanwhile" done_cleanly

# A file system on memory takes O_DIRECT, too.
head -c 1M /dev/urandom >/dev/shm/file
pm bench --tests read --sizes 1M --time 0 --rounds 1 --file /dev/shm/file --json
check "a file is read into every buffer" \
	test "$(grep -o '"reason": null' "$work/.out" | wc -l)" -eq 7
rm /dev/shm/file

start "$PORTALMEM" bench --tests tight --live 100 --sizes 1M --time 10
sleep 1
kill -INT "$child"
finish "$child"
check "SIGINT ends it" status_is 1
pm ps --json
check "and no buffer is left" json_lacks buffers.0

chmod 600 /dev/portalmem
run setpriv --reuid=65534 --regid=65534 --clear-groups -- \
	"$PORTALMEM" bench --tests tight --sizes 4K --time 0 --rounds 1
check "who may not use a node is told why it is not measured" \
	out_matches '^tight  *4K  portalmem  *-  .*Permission denied'
check "and has the others measured" out_matches '^tight  *4K  memfd  *[0-9]'
check "with memfd as the reference" out_matches 'RATIO to memfd$'

tap_end
