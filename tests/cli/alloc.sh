#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What alloc does with a buffer.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

with_buffer 10000 'echo "$PORTALMEM_SIZE"; readlink "/proc/$$/fd/$PORTALMEM_FD"
	printf "[%s]\n" "$PORTALMEM_NAME"'
check "alloc runs the command" done_cleanly
check "PORTALMEM_SIZE is the size in whole pages" out_matches '^12288$'
check "PORTALMEM_FD is an open buffer" out_matches 'memfd:\|dmabuf:'
check "PORTALMEM_NAME of a buffer without a name is empty" out_has '[]'

run env PORTALMEM_NAME=outer "$PORTALMEM" alloc -s 4K -- \
	sh -c 'printf "[%s]" "$PORTALMEM_NAME"'
check "an outer PORTALMEM_NAME is not passed on" prints '[]'
pm alloc -s 4K -n "a name" -c cached -- \
	sh -c 'echo "$PORTALMEM_NAME $PORTALMEM_CACHING"'
check "name and caching reach the command" prints 'a name cached'
pm alloc -s 4K -n -- true
check "the name -- is taken for the end of the options" status_is 2
pm alloc -s 4K -- echo a -s b --json
check "the command's own options are left alone" prints 'a -s b --json'
pm alloc -s 4K -- echo -- x
check "a second -- belongs to the command" prints '-- x'
pm alloc --backend "$PORTALMEM_BACKEND" -s 4K -- true
check "--backend works after the subcommand" done_cleanly

pm alloc -s 4K --node x -- true
check "a node that is no number is refused" misuses alloc "--node"
pm alloc -s 4K --address-bits 65 -- true
check "more than 64 address bits are refused" misuses alloc "--address-bits"
if [ "$PORTALMEM_BACKEND" = portalmem ]; then
	pm alloc -s 4K --node 0 --address-bits 32 -- true
	check "the module places memory" done_cleanly
	pm alloc -s 4K --node 1000 -- true
	check "a node that is not there fails" fails alloc 'Invalid argument'
	pm alloc -s 4M --align 2M -- true
	check "scattered buffers cannot be aligned" \
		fails alloc 'align those of portalmem-contiguous'
else
	pm alloc -s 4K --node 0 -- true
	check "other backends have no say in the node" \
		fails alloc 'no say in where memory is'
	pm alloc -s 4K --address-bits 32 -- true
	check "other backends have no say in the address" \
		fails alloc 'no say in where memory is'
	pm alloc -s 4K --align 4K -- true
	check "other backends have no say in the alignment" \
		fails alloc 'no say in where memory is'
	pm alloc -s 4K --adopt 0 -- true
	check "other backends have nothing to adopt" \
		fails alloc 'no say in where memory is'
fi

with_buffer 64K 'od -An -v -tu1 "/proc/self/fd/$PORTALMEM_FD" |
	tr -d " 0\n" | wc -c' <&-
pm alloc -s 64K -- "$PORTALMEM" verify --byte 0
check "a new buffer is zeros" done_cleanly

pm alloc -s 4K -- sh -c 'for fd in /proc/$$/fd/*; do
	readlink "$fd" || true; done | grep -c "memfd:\|dmabuf:"'
check "the command inherits one descriptor of the buffer" prints 1

for number in 0 1 5 255; do
	pm alloc -s 4K -- sh -c "exit $number"
	check "the exit status $number is passed through" \
		status_is "$number"
done
run sh -c '"$PORTALMEM" alloc -s 4K -- sh -c "kill -KILL \$\$"; exit $?'
check "a command killed by signal 9 ends as 137" status_is 137
pm alloc -s 4K -- "$work/absent"
check "a command that is not there ends as 127" status_is 127
check "a command that is not there is named" \
	err_line "portalmem alloc: running '$work/absent': No such file"
: >"$work/plain"
pm alloc -s 4K -- "$work/plain"
check "a command that cannot be executed ends as 126" status_is 126
check "a command that cannot be executed is named" \
	err_line "portalmem alloc: running '$work/plain': Permission denied"
run env -- "$PORTALMEM" alloc -s 4K -- \
	sh -c 'kill -PIPE $$; echo survived'
check "SIGPIPE ends the command as usual" \
	[ "$status" -eq 141 ]

# Held without a command.
start "$PORTALMEM" alloc --size 1M --name held
check "alloc without a command prints the buffer" \
	eventually out_matches "^path: *//*proc/$child/fd/[0-9]*$"
check "it prints its size" out_matches '^size:  *1048576 (1M)$'
check "it prints its name" out_matches '^name:  *held$'
check "it prints how others can name it" out_matches "^buffer: *$child:[0-9]"
check "it is held" kill -0 "$child"
buffer=$(sed -n 's/^buffer: *//p' "$work/.out")
readlink "/proc/${buffer%:*}/fd/${buffer#*:}" >"$work/link"
check "the descriptor is the buffer" grep -q 'memfd:\|dmabuf:' "$work/link"
for signal in INT TERM HUP; do
	start "$PORTALMEM" alloc --size 4K --json
	check "alloc --json prints the buffer as strict JSON" \
		eventually json_valid
	check "alloc --json has the size" json_is size 4096
	check "alloc --json names the buffer" \
		grep -q "\"buffer\": \"$child:[0-9]*\"" "$work/.out"
	kill -s "$signal" "$child"
	finish "$child"
	check "SIG$signal ends the holding, which is then done" done_cleanly
done

# What cannot be allocated.
pm alloc -s 4K --device "$work/absent" -- true
check "a node that is not there is named" \
	fails alloc "$work/absent"
pm alloc -s 4K --device absent-heap -- true
check "a heap that is not there is named by its node" \
	fails alloc /dev/dma_heap/absent-heap
pm alloc -s 4K --device /dev/null -- true
check "a node that is none is refused" fails alloc /dev/null
run env PORTALMEM_BACKEND=nonsense "$PORTALMEM" alloc -s 4K -- true
check "an unknown PORTALMEM_BACKEND fails" fails alloc PORTALMEM_BACKEND
pm alloc -s 4K --backend memfd --device /dev/null -- true
check "a path for memory files fails" fails alloc ''
pm alloc -s 4K --backend memfd -c wc -- true
check "caching that a backend has not fails" fails alloc 'memfd'
pm alloc -s 4K -n "$(printf '%032d' 0)" -- true
check "a name that is too long fails" fails alloc name
pm alloc -s 8388607T -- true
check "a size that no machine has fails" fails alloc ''

tap_end
