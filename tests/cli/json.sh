#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each subcommand's text and its JSON, on one buffer: the text has its lines, and
# the JSON is as the schema says that is installed. The module is made up here; on
# a real one, tests/guest/cli-json.sh runs this.
# shellcheck disable=SC2016,SC2317 # commands and functions are run by name
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

cd "$work"
device=${JSON_TEST_DEVICE:-0000:00:04.0}
judge=${JSON_TEST_JUDGE---strict}
root=
if [ "$PORTALMEM_BACKEND" = memfd ]; then
	PORTALMEM=$top_builddir/tests/cli/portalmem-fake
	export FAKE_MODULE_LOG="$work/log"
	# A process with a buffer, which the made-up module's are not.
	root=$work/root
	mkdir -p root/proc/100/fd root/proc/100/fdinfo
	echo camera >root/proc/100/comm
	echo '100 (camera) S 1 1 1 0 -1 0 9 9 0 0 0 0 0 0 20 0 1 0 9 9 9' \
		>root/proc/100/stat
	: >root/proc/100/maps
	ln -s /dmabuf:frame root/proc/100/fd/3
	printf 'ino:\t7\nsize:\t1048576\ncount:\t2\nexp_name:\tportalmem\nname:\tframe\n' \
		>root/proc/100/fdinfo/3
fi
unset PORTALMEM_BACKEND

# both TEXT ARGUMENT...: the subcommand's text has a line like TEXT, and its JSON
# is as documented.
both()
{
	both_text=$1
	shift
	run "$PORTALMEM" "$@"
	check "$1 prints its text" out_matches "$both_text"
	run "$PORTALMEM" "$@" --json
	keep_json "$1"
}

# One that has failed is gone already.
end_child()
{
	kill "$child" 2>/dev/null || :
	finish "$child"
}

# held TEXT ARGUMENT...: the same of what holds something; that is $buffer.
held()
{
	held_text=$1
	shift
	start "$PORTALMEM" "$@"
	check "$1 prints its text" eventually out_matches "$held_text"
	end_child
	start "$PORTALMEM" "$@" --json
	eventually json_valid || :
	keep_json "$1"
	buffer=$("$json_check" buffer <"$work/.out" 2>/dev/null | tr -d '"') || :
}

held '^size:  *1048576 (1M)$' alloc --size 1M --name frame
holder=$child
process=${root:+100}
process=${process:-$holder}
both '^ *[0-9]*  *1M  portalmem  *frame  ' ps ${root:+--sysroot "$root"} \
	--pid "$process"
both '^ *[0-9]*  *1M  ' top ${root:+--sysroot "$root"} --pid "$process" \
	--batch --count 1
both '^fine  *kernel  *Linux [0-9]' doctor
both '^/dev/portalmem  *system  ' heaps --device /dev/portalmem
both '^-  *memfd  ' heaps --backend memfd
run "$PORTALMEM" heaps --device "$work/absent"
check "heaps says why a place cannot be used" out_matches 'no: .*No such file'
run "$PORTALMEM" heaps --device "$work/absent" --json
keep_json heaps
both '^effective:  *cached$' info "$buffer"
both '^  *0  *0  ' segments "$buffer"
both '^10000 bytes (9.7K) filled' fill "$buffer" --random 7 --length 10000
both '^10000 bytes (9.7K) .* as expected$' verify "$buffer" --random 7 --length 10000
run "$PORTALMEM" verify "$buffer" --byte 0 --json
check "verify fails where a byte differs" status_is 1
keep_json verify
run "$PORTALMEM" dump "$buffer" --hex --length 16
check "dump prints its text" out_matches '^00000000  .*|$'
run "$PORTALMEM" dump "$buffer" --output dumped --json
keep_json dump
both '^begin of access (both) to 1048576 bytes (1M) from offset 0$' sync begin "$buffer"
both '^10000 bytes (9.7K) copied from offset 0 ' cp "$buffer" copied \
	--length 10000
both '^sha256: [0-9a-f]*$' cp copied "$buffer"
both ' given back$' trim
both '^tight  *4K  memfd  *[0-9]' bench --allocators memfd --tests tight,attach \
	--sizes 4K --time 0 --rounds 2

holder_of_all=$buffer
held '^device:  *[a-z]* '"$device" attach "$device" "$holder_of_all" \
	${root:+--address-bits 32}
end_child

# One shares, the other one receives.
for json in '' --json; do
	# shellcheck disable=SC2086 # an option or none
	"$PORTALMEM" share "$holder_of_all" socket --timeout 60 $json >shared &
	sharer=$!
	# shellcheck disable=SC2086
	start "$PORTALMEM" receive socket --timeout 60 $json
	finish "$sharer"
	if [ -z "$json" ]; then
		check "receive prints its text" \
			eventually out_matches '^size:  *1048576 (1M)$'
	else
		eventually json_valid || :
		keep_json receive
	fi
	end_child
	cp shared "$work/.out"
	if [ -z "$json" ]; then
		check "share prints its text" out_is 'sent to 1 peer'
	else
		keep_json share
	fi
done

kill "$holder"
finish "$holder"
# An option or none.
# shellcheck disable=SC2086
check_schemas $judge
for schema in "$schemas"/*; do
	schema=${schema##*/}
	check "$schema is installed" grep -q -w "utils/schema/$schema" \
		"$top_srcdir/utils/Makemodule.am"
	pm "${schema%.json}" --help
	check "it is of a subcommand" done_cleanly
done
tap_end
