#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quick: 6.12
#
# The command ps on buffers of the module and of three other exporters at once, as
# root and as another user.
set -eu

PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"
unset PORTALMEM_BACKEND

# hold NAME COMMAND...: a process in the background that holds a buffer; its number
# is in $NAME.
hold()
{
	name=$1
	shift
	"$@" >"$work/$name" 2>&1 &
	eval "$name=$!"
	tap_children="$tap_children $!"
	eventually test -s "$work/$name"
	tap_comment "$name: $(head -n 1 "$work/$name")"
}

# is_held PID EXPORTER SIZE: ps --pid shows this one buffer.
is_held()
{
	pm ps --pid "$1" --json
	json_is buffers.0.exporter "\"$2\"" && json_is buffers.0.size "$3" &&
		json_is buffers.0.holders.0.pid "$1" && json_lacks buffers.1
}

has_holders()
{
	[[ " $(grep -o '"pid": [0-9]*' "$work/.out" | tr -dc '0-9\n' | tr '\n' ' ')" == *" $1 $2 "* ]]
}

buffers_of()
{
	grep -o '"inode": [0-9]*' "$work/.out" | wc -l
}

all_look_leaked()
{
	pm ps --json
	[ "$(grep -o '"leaked": true' "$work/.out" | wc -l)" -eq "$expected" ]
}

# Where the kernel has it, it is built in or a module.
modprobe -q udmabuf || true
# What hold() sets.
ours='' vgem='' system='' second='' mapper='' users=''
hold ours "$PORTALMEM" alloc --size 1M --name frame --device /dev/portalmem
modprobe vgem
hold vgem "$top_builddir/tests/guest/hold-vgem" /dev/dri/card0
expected=2
if [ -e /dev/dma_heap/system ]; then
	hold system "$PORTALMEM" alloc --size 2M --device system --backend dma-heap
	expected=$((expected + 1))
	check "a buffer of the kernel's heap is seen" is_held "$system" system 2097152
fi
if [ -e /dev/udmabuf ]; then
	"$top_builddir/tests/vm/hold-udmabuf" &
	udmabuf=$!
	tap_children="$tap_children $udmabuf"
	expected=$((expected + 1))
	check "one of udmabuf is seen" eventually is_held "$udmabuf" udmabuf 65536
fi
check "a buffer of the module is seen" is_held "$ours" portalmem 1048576
check "with its name" json_is buffers.0.name '"frame"'
check "one of vgem is seen" is_held "$vgem" drm 196608

pm ps --json
check "root sees all, and is told of nothing missing" done_cleanly
check "all of them at once" test "$(buffers_of)" -eq "$expected"
check "what is held by an idle process, and not used, looks leaked" \
	eventually all_look_leaked
pm ps --exporter drm --json
check "--exporter leaves one" test "$(buffers_of)" -eq 1

# A second process has the first one's buffer.
address=$(sed -n 's/^buffer: *//p' "$work/ours")
"$PORTALMEM" share "$address" "$work/socket" --timeout 60 &
tap_children="$tap_children $!"
hold second "$PORTALMEM" receive "$work/socket" --timeout 60
pm ps --exporter portalmem --json
check "two processes hold one buffer" test "$(buffers_of)" -eq 1
check "which are both told" has_holders "$ours" "$second"
check "each has half of it" json_is buffers.0.holders.1.share 524288

# A process that maps what it holds.
mkfifo "$work/input"
hold mapper sh -c 'exec "$1" <>"$2"' - \
	"$top_builddir/tests/guest/hold-mappings" "$work/input"
pm ps --pid "$mapper" --json
check "mappings are seen" json_is buffers.0.mapped 8192
check "of each of its buffers" test "$(buffers_of)" -eq 3
check "what is mapped does not look leaked" json_is buffers.2.leaked false

# Another user has a buffer, too, and sees no other.
chmod 666 /dev/portalmem
readonly nobody='setpriv --reuid=65534 --regid=65534 --clear-groups --'
# shellcheck disable=SC2086 # a list
hold users $nobody "$PORTALMEM" alloc --size 64K --device /dev/portalmem
# shellcheck disable=SC2086
run $nobody "$PORTALMEM" ps --json
check "a user sees the user's own buffer" json_is buffers.0.holders.0.pid "$users"
check "and no other" json_lacks buffers.1
check "and is told that there may be more" \
	err_line 'portalmem ps: processes that this user may not look into: '
check "which JSON says, too" json_is complete false

# What other drivers export is shown without the module as well.
for holder in "$ours" "$second" "$mapper" "$users"; do
	kill "$holder"
	finish "$holder"
done
check "the module can go when its buffers have gone" eventually rmmod portalmem
check "without the module, vgem's buffer is seen" is_held "$vgem" drm 196608
[ -z "$system" ] ||
	check "so is that of the kernel's heap" is_held "$system" system 2097152
pm ps --pid "$vgem"
check "in the text, too" out_matches "^ *[0-9]*  *192K  drm "
insmod "$PORTALMEM_MODULE"

tap_end
