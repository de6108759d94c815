#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# kernels: 6.12
# vm: --append memmap=16M$0x20000000
#
# The command top on real heaps: a reserved region that fills up, allocations that
# are counted, and all of it on a terminal.
set -eu

PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"
unset PORTALMEM_BACKEND

region=camera

# hold NAME SIZE: a process in the background has a buffer of the region; its number
# is in $holder.
hold()
{
	"$PORTALMEM" alloc --size "$2" --name "$1" --device "$region" >"$work/$1" &
	holder=$!
	tap_children="$tap_children $holder"
	eventually test -s "$work/$1"
}

# The place in the JSON that was printed of the heap $1.
place_of()
{
	place=0
	until [ "$(value_at "heaps.$place.name")" = "\"$1\"" ]; do
		place=$((place + 1))
	done
	echo "$place"
}

# heap_is HEAP KEY VALUE
heap_is()
{
	json_is "heaps.$(place_of "$1").$2" "$3"
}

# The last sample but one, which is whole, has these allocations and this growth.
is_at()
{
	tail -n 2 "$work/.out" | head -n 1 >"$work/sample"
	[ "$("$json_check" allocations <"$work/sample")" -eq "$1" ] &&
		[ "$("$json_check" growth <"$work/sample")" -eq "$2" ]
}

# What the rates of all samples come to: allocations.
rates_add_up()
{
	while read -r sample; do
		elapsed=$("$json_check" elapsed <<<"$sample") || break
		echo "$elapsed $("$json_check" allocations_per_second <<<"$sample")"
	done <"$work/samples" >"$work/rates"
	awk '$2 != "null" { sum += $2 * ($1 - last) } { last = $1 }
		END { exit !(sum > '"$1"' - 0.1 && sum < '"$1"' + 0.1) }' "$work/rates"
}

rmmod portalmem
insmod "$PORTALMEM_MODULE" carveouts="$region:16M@0x20000000"

pm top --json -n 1
check "root sees all" done_cleanly
check "the region is a heap" heap_is $region size $((16 << 20))
check "of which nothing is live" heap_is $region live 0
check "the system heap has no size" heap_is system size null
check "the contiguous heap has a limit" \
	test "$(value_at "heaps.$(place_of contiguous).limit")" -gt 0
check "no failure has been counted" heap_is $region failures.nomem 0

# So many buffers, of two exporters; most are gone before anybody looks.
: >"$work/.out"
start "$PORTALMEM" top --json -d 0.5
eventually out_has system
modprobe vgem
"$top_builddir/tests/guest/hold-vgem" /dev/dri/card0 >"$work/vgem" &
vgem=$!
tap_children="$tap_children $vgem"
for _ in 1 2 3 4 5 6; do
	"$PORTALMEM" alloc --size 64K --device /dev/portalmem -- true
done
"$PORTALMEM" alloc --size 1M --device $region -- true
check "all allocations are counted, and what is left is what has grown" \
	eventually is_at 8 196608
kill "$child"
finish "$child"
cp "$work/.out" "$work/samples"
check "there were so many per second as there were" rates_add_up 8
cp "$work/sample" "$work/.out"
check "the other exporter's buffer is one more" json_is buffer_growth 1
check "each heap has counted its own" \
	test "$(value_at "heaps.$(place_of $region).allocations"),$(value_at "heaps.$(place_of $region).frees")" = 1,1
check "and the most that was live" heap_is $region peak $((1 << 20))
kill "$vgem"

pm top --batch -n 1
check "freed memory is in the pool" out_matches '^system  *-  *-  *0  *-  *[0-9.]*K  *[1-9][0-9.]*K  *0  *-  *0$'

if ! command -v tmux >/dev/null; then
	skip "top draws what happens" 'tmux is missing'
	tap_end
fi
# shellcheck source-path=SCRIPTDIR source=../cli/terminal.sh
. "$top_srcdir/tests/cli/terminal.sh"
terminal 80 24 "$PORTALMEM" top --delay 0.3
check "top draws an empty region" \
	shows "^$region  *\\[\\.\\.\\.\\.\\.\\.\\.\\.\\.\\.\\]  *0%  *0  *16M "
hold first 4M
check "that fills" shows "^$region  *\\[##\\.\\.\\.\\.\\.\\.\\.\\.\\]  *25%  *4M  *16M "
check "with a buffer" shows "^ *[0-9]*  *4M  *portalmem  *first  *0  *1  *$holder "
check "by which all has grown" shows '^portalmem top: 1 buffers, 4M, +4M since start,'
hold second 12M
check "up to its end" shows "^$region  *\\[##########\\]  *100%  *16M  *16M "
pm alloc --size 4K --device $region -- true
check "more of it cannot be had" status_is 1
check "which shows" shows "^$region .* 1$"
press p
check "its processes have grown" shows "^ *$holder  *portalmem  *1  *12M  *12M  *+12M$"
kill "$holder"
wait "$holder" || true
check "what is freed is free" shows "^$region  *\\[##\\.\\.\\.\\.\\.\\.\\.\\.\\]  *25%  *4M  *16M  *16M "
# A terminal of few columns has the most important.
resize 20 10
check "at 20 columns, too" shows "^$region  *25%  *4M$"
press q
check "q leaves the terminal as it was" ends 0

tap_end
