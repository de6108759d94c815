#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A buffer's translation table. Memory files have none; the module's buffers do.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

if [ "$PORTALMEM_BACKEND" = portalmem ]; then
	with_buffer 1M '"$PORTALMEM" segments'
	check "segments prints a table" done_cleanly
	check "it has a head" out_matches '^segment  *offset  *length  *physical$'
	check "it starts at the buffer's start" out_matches '^  *0  *0 '
	with_buffer 1M '"$PORTALMEM" segments --json'
	check "segments --json adds up to the buffer" lengths_are 1048576
	check "the first segment starts at 0" json_is segments.0.offset 0
	check "root sees its physical address" json_has segments.0.physical
	run setpriv --bounding-set=-sys_rawio --inh-caps=-all -- \
		"$PORTALMEM" alloc --size 64K -- "$PORTALMEM" segments --json
	check "without CAP_SYS_RAWIO there is no address" \
		json_is segments.0.physical null
else
	with_buffer 1M '"$PORTALMEM" segments'
	check "a memory file has no table, and says what has" \
		fails segments 'allocate it from the module'
fi
pm segments fd:99
check "a descriptor that is not open fails" fails segments 'Bad file descriptor'
pm segments fd:0 extra
check "a second argument is refused" misuses segments "unexpected argument 'extra'"
tap_end
