#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quick: 6.12
#
# The command doctor on a machine that is well, and in each state that is not.
# shellcheck disable=SC2016,SC2317 # what check and sh -c run
set -eu

PORTALMEM=$(command -v portalmem)
export PORTALMEM
# shellcheck source-path=SCRIPTDIR source=../cli/cli.sh
. "${top_srcdir:?}/tests/cli/cli.sh"
unset PORTALMEM_BACKEND

readonly nobody='setpriv --reuid=65534 --regid=65534 --clear-groups --'

# finds VERDICT TOPIC TEXT: what was printed has a line that begins so.
finds()
{
	grep -q "^$1 *$2 *$3" "$work/.out"
}

pm doctor
check "with the module, all is well" done_cleanly
check "the module is loaded" finds fine module 'portalmem [0-9.]* is loaded'
check "its node has memory" finds fine heap '/dev/portalmem: [0-9.]*[MG] available'
check "its contiguous heap tells the longest run" \
	finds fine heap '/dev/dma_heap/portalmem-contiguous: .* the longest run is [0-9.]*[MG]'
check "memory for copies is known to root" finds fine swiotlb '.* for copies'
check "programs get the module's memory" finds fine allocation 'it works, with the backend portalmem'
check "nothing is wrong" test "$(grep -c ^WRONG "$work/.out")" -eq 0

# shellcheck disable=SC2086 # a list
run $nobody "$PORTALMEM" doctor
check "who may not use a node is told" \
	finds WRONG node '/dev/dma_heap/portalmem-contiguous: root alone may use it; run as root'
chgrp 44 /dev/portalmem
chmod 660 /dev/portalmem
# shellcheck disable=SC2086
run $nobody "$PORTALMEM" doctor --backend portalmem
check "and what group may" finds WRONG node '/dev/portalmem: this user may not use it, the group video may; be a member'
check "that is a failure" status_is 1
check "which names the node" finds WRONG allocation '.*/dev/portalmem: Permission denied'
chgrp 0 /dev/portalmem
chmod 600 /dev/portalmem

# A cgroup that buffers have filled.
cgroup=/sys/fs/cgroup/doctor
mkdir "$cgroup"
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo 64M >"$cgroup/memory.max"
start sh -c 'echo $$ >"$1"; exec "$2" alloc --size 58M --device /dev/portalmem' - \
	"$cgroup/cgroup.procs" "$PORTALMEM"
eventually test -s "$work/.out"
holder=$child
run sh -c 'echo $$ >"$1"; exec "$2" doctor' - "$cgroup/cgroup.procs" "$PORTALMEM"
check "what a cgroup has left is told" finds fine cgroup 'the memory cgroup /doctor has [4-6][.0-9]*M of 64M left'
echo 61M >"$cgroup/memory.max"
run sh -c 'echo $$ >"$1"; exec "$2" doctor' - "$cgroup/cgroup.procs" "$PORTALMEM"
check "a full cgroup is told" finds WRONG cgroup 'the memory cgroup /doctor is full: .*; free buffers, or raise'
kill "$holder"
finish "$holder"
rmdir "$cgroup"

rmmod portalmem
pm doctor
check "without the module, it says so" finds note module 'portalmem is not loaded; load it with modprobe'
check "an allocation works another way" done_cleanly
pm doctor --backend portalmem
check "but not with the module's backend" status_is 1
insmod "$PORTALMEM_MODULE"

tap_end
