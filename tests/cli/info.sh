#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What info says of a buffer, and how a buffer is named.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

pm alloc -s 64K -n "my name" -- "$PORTALMEM" info
check "info takes PORTALMEM_FD" done_cleanly
for field in size caching effective segments attachments pid inode heap name; do
	check "info prints $field" out_matches "^$field: "
done
check "info prints the size" out_matches '^size:  *65536 (64K)$'
check "info prints the name" out_matches '^name:  *my name$'
check "info prints the effective caching" out_matches '^effective:  *cached$'

pm alloc -s 64K -n "my name" -- "$PORTALMEM" info --json
check "info --json is done" done_cleanly
check "info --json has the size" json_is size 65536
check "info --json has the name" json_is name '"my name"'
check "info --json has the effective caching" json_is effective '"cached"'
check "info --json has the attachments" json_is attachments 0
for field in caching segments pid inode heap; do
	check "info --json has $field" json_has "$field"
done
pm alloc -s 4K -- "$PORTALMEM" info --json
check "a buffer without a name has null for it" json_is name null

with_buffer 8K '"$PORTALMEM" info "fd:$PORTALMEM_FD" --json'
check "fd:N is a descriptor that is inherited" json_is size 8192
with_buffer 8K 'unset PORTALMEM_FD; "$PORTALMEM" info'
check "without PORTALMEM_FD there is no default" \
	misuses info 'PORTALMEM_FD is not set'
pm info fd:99
check "a descriptor that is not open fails" fails info 'Bad file descriptor'
pm info fd:0 </dev/null
check "a descriptor that is no buffer fails" fails info 'neither a dma-buf'
pm info fd:0 <&-
check "a closed stdin is no buffer" fails info ''
run env PORTALMEM_FD=99 "$PORTALMEM" info
check "a PORTALMEM_FD that is not open fails" fails info 'Bad file descriptor'
with_buffer 4K '"$PORTALMEM" --device "$0" info' "$work/absent"
check "a node to ask that is not there fails" fails info "$work/absent"

start "$PORTALMEM" alloc --size 12K --name theirs --json
eventually json_valid
buffer=$("$json_check" buffer <"$work/.out" | tr -d '"')
inode=$("$json_check" inode <"$work/.out")
holder=$child
pm info "$buffer" --json
check "PID:N is another process's descriptor" json_is size 12288
check "it has the same name there" json_is name '"theirs"'
check "it is the same buffer there" json_is inode "$inode"
pm info "$holder:999"
check "a descriptor that is not open there fails" \
	fails info "descriptor 999 of process $holder: it is not open"
if [ "$(id -u)" -eq 0 ]; then
	run setpriv --bounding-set=-all --inh-caps=-all "$PORTALMEM" info "$buffer"
	check "the process of one who may do more is refused, with advice" \
		fails info 'this user may not take it; be root'
else
	pm info 1:0
	check "the process of one who may do more is refused, with advice" \
		fails info 'this user may not take it; be root'
fi
kill "$holder"
finish "$holder"
pm info "$buffer"
check "a process that has ended fails" fails info 'no such process'

tap_end
