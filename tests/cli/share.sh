#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# share and receive, between processes.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

cd "$work"

with_buffer 64K '"$PORTALMEM" fill --random 3 >/dev/null
	"$PORTALMEM" share socket >shared & sharer=$!
	"$PORTALMEM" receive --timeout 10 socket -- sh -euc "
		\"\$PORTALMEM\" verify --random 3
		\"\$PORTALMEM\" fill --byte 9 >/dev/null
		echo \"\$PORTALMEM_SIZE \$PORTALMEM_NAME\""
	wait "$sharer"
	"$PORTALMEM" verify --byte 9'
check "a received buffer is the sent one, for reading and writing" \
	prints "65536 bytes (64K) from offset 0 are as expected
65536 
65536 bytes (64K) from offset 0 are as expected"
check "share says how many have it" [ "$(cat shared)" = 'sent to 1 peer' ]
check "the socket is gone afterwards" [ ! -e socket ]

pm alloc -s 8K -n "the name" -- sh -euc '"$PORTALMEM" share --json socket >shared &
	sharer=$!
	"$PORTALMEM" receive socket -t 10 -- sh -c "
		echo \"\$PORTALMEM_SIZE \$PORTALMEM_NAME \$PORTALMEM_CACHING\""
	wait "$sharer"'
check "size, name and caching go with it" prints '8192 the name cached'
cp shared .out
check "share --json is strict JSON with the count" json_is sent 1
check "share --json has the socket" json_is socket '"socket"'

with_buffer 4K '"$PORTALMEM" share "fd:$PORTALMEM_FD" socket --count 3 >shared &
	sharer=$!
	for i in 1 2 3; do
		"$PORTALMEM" receive socket --timeout 10 -- echo "got $i"
	done
	wait "$sharer"'
check "--count serves that many" prints 'got 1
got 2
got 3'
check "share says that many" [ "$(cat shared)" = 'sent to 3 peers' ]

with_buffer 4K '"$PORTALMEM" share socket >/dev/null &
	"$PORTALMEM" receive socket --timeout 10 -- sh -c "exit 42"'
check "the exit status of receive's command is passed through" status_is 42

# Held without a command.
start sh -c 'exec "$PORTALMEM" alloc -s 20K -- "$PORTALMEM" share socket >shared'
sharer=$child
eventually [ -S socket ]
check "the socket is its owner's alone" \
	[ "$(stat -c %a socket)" = 600 ]
start "$PORTALMEM" receive socket --timeout 10 --json
check "receive without a command prints the buffer" eventually json_valid
check "receive --json has the size" json_is size 20480
check "receive --json names the buffer" \
	grep -q "\"buffer\": \"$child:[0-9]*\"" .out
finish "$sharer"
check "share ends when all have it" status_is 0
buffer=$("$json_check" buffer <.out | tr -d '"')
kill -TERM "$child"
finish "$child"
check "a signal ends the holding, which is then done" status_is 0
check "a held buffer was named by its descriptor" [ "${buffer%:*}" = "$child" ]

start "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" share --mode 0666 socket
eventually [ -S socket ]
check "--mode sets the socket's permissions" [ "$(stat -c %a socket)" = 666 ]
for signal in INT TERM HUP; do
	kill -s "$signal" "$child"
	finish "$child"
	check "SIG$signal ends share, which has failed" status_is 1
	check "share says how far it was after SIG$signal" \
		err_line "portalmem share: waiting on 'socket': interrupted after 0 of 1 peers"
	check "no socket is left after SIG$signal" [ ! -e socket ]
	start "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" share socket
	eventually [ -S socket ]
done
kill -KILL "$child"
finish "$child"
check "a killed share leaves its socket" [ -S socket ]
with_buffer 4K '"$PORTALMEM" share socket >/dev/null & sharer=$!
	"$PORTALMEM" receive socket --timeout 10 -- echo got; wait "$sharer"'
check "a dead socket is replaced" prints got

start sh -c 'exec "$PORTALMEM" alloc -s 4K -- "$PORTALMEM" share socket >shared'
eventually [ -S socket ]
live=$child
with_buffer 4K '"$PORTALMEM" share --timeout 5 socket'
check "a live socket is not replaced" \
	fails share "'socket': another process listens there"
pm receive socket --timeout 10 -- echo got
check "the live one still serves" prints got
finish "$live"
check "the live one did not count the other as a peer" status_is 0

echo precious >file
with_buffer 4K '"$PORTALMEM" share file'
check "a file is not replaced" fails share "'file': it is there and not a socket"
check "the file is as it was" [ "$(cat file)" = precious ]
ln -s nowhere link
with_buffer 4K '"$PORTALMEM" share link'
check "a symbolic link is not replaced" \
	fails share "'link': it is there and not a socket"
with_buffer 4K '"$PORTALMEM" share absent/socket'
check "a directory that is not there fails" \
	fails share "creating the socket 'absent/socket': No such file"
with_buffer 4K '"$PORTALMEM" share --timeout 0.2 socket'
check "share times out when asked to" \
	fails share 'timed out after 0 of 1 peers'
check "no socket is left after a time-out" [ ! -e socket ]
pm share socket
check "share needs a buffer" misuses share 'PORTALMEM_FD is not set'
check "no socket is made without a buffer" [ ! -e socket ]

pm receive socket
check "receive fails when there is no socket" \
	fails receive "connecting to 'socket': No such file or directory"
pm receive file
check "receive fails on a file" \
	fails receive "connecting to 'file': Connection refused"
pm receive socket --timeout 0.2
check "receive times out waiting for a socket" fails receive 'No such file'

tap_end
