#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Beginning and end of CPU access. What reaches the module is seen with one that is
# made up.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

with_buffer 64K '"$PORTALMEM" sync begin'
check "an access of all of the buffer is begun" \
	prints 'begin of access (both) to 65536 bytes (64K) from offset 0'
with_buffer 64K '"$PORTALMEM" sync end --access write --offset 4K --length 100'
check "an access of a part is ended" \
	prints 'end of access (write) to 100 bytes from offset 4096'
with_buffer 64K '"$PORTALMEM" sync begin --access read --offset 60K --json'
check "in JSON, what was done" json_is sync '"begin"'
check "the kind of access" json_is access '"read"'
check "the offset" json_is offset 61440
check "and the length, up to the end" json_is length 4096
with_buffer 64K '"$PORTALMEM" sync begin "fd:$PORTALMEM_FD"'
check "the buffer can be named" done_cleanly
with_buffer 64K '"$PORTALMEM" sync begin --offset 64K'
check "what is past the end fails" \
	fails sync 'offset 65536: the buffer has 65536 bytes; give a smaller --offset'
with_buffer 64K '"$PORTALMEM" sync begin --offset 4K --length 64K'
check "so does what reaches past it" fails sync 'give a smaller --length'
pm sync begin fd:99
check "a descriptor that is not open fails" fails sync 'Bad file descriptor'
pm sync begin fd:0 </dev/null
check "a file that is no buffer fails" fails sync 'neither a dma-buf nor a memfd'

pm sync
check "begin or end must be said" misuses sync 'neither begin nor end is given'
pm sync fd:3
check "and be said first" misuses sync "'fd:3' is neither begin nor end"
pm sync start
check "in these words" misuses sync "'start' is neither begin nor end"
pm sync begin --access execute
check "an unknown access is a mistake" misuses sync \
	"--access: 'execute' is not a kind of access; use read, write or both"
pm sync begin --length 0
check "no bytes are a mistake" misuses sync 'at least one byte'
pm sync begin --offset x
check "an offset in words is a mistake" misuses sync "'x' is not a size"
pm sync begin a b
check "two buffers are a mistake" misuses sync "unexpected argument 'b'"

if [ "$PORTALMEM_BACKEND" = memfd ]; then
	PORTALMEM=$top_builddir/tests/cli/portalmem-fake
	unset PORTALMEM_BACKEND
	export FAKE_MODULE_LOG="$work/log"
	# asked ARGUMENT...: what the module is asked for.
	asked()
	{
		: >"$FAKE_MODULE_LOG"
		with_buffer 64K '"$PORTALMEM" sync '"$*"
		grep '^sync' "$FAKE_MODULE_LOG"
	}
	check "begin of both reaches the module" \
		[ "$(asked begin)" = 'sync flags 3 offset 0 length 65536' ]
	check "end of both" \
		[ "$(asked end)" = 'sync flags 7 offset 0 length 65536' ]
	check "begin of reading a part" \
		[ "$(asked begin --access read --offset 8K --length 1)" = \
		'sync flags 1 offset 8192 length 1' ]
	check "end of writing" \
		[ "$(asked end --access write)" = 'sync flags 6 offset 0 length 65536' ]
fi
tap_end
