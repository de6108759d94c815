#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Help, version, and every wrong command line.
# shellcheck disable=SC2016 # the commands that are run expand their arguments
set -eu
# shellcheck source-path=SCRIPTDIR source=cli.sh
. "$(dirname "$0")/cli.sh"

subcommands='ps doctor heaps alloc info segments sync attach share receive fill dump verify cp trim bench help'

pm --version
check "--version prints name and version" prints 'portalmem 0.1.0'

pm --help
check "--help explains the program" done_cleanly
check "--help begins with the usage" out_matches '^Usage: portalmem '
cp "$work/.out" "$work/help"
pm help
check "help prints what --help prints" prints "$(cat "$work/help")"
for subcommand in $subcommands; do
	pm help "$subcommand"
	check "help $subcommand explains it" done_cleanly
	check "help $subcommand begins with its usage" \
		out_matches "^Usage: portalmem $subcommand "
	cp "$work/.out" "$work/help-one"
	pm "$subcommand" --help
	check "$subcommand --help prints the same" \
		prints "$(cat "$work/help-one")"
	check "the list of subcommands has $subcommand" \
		grep -q "^  $subcommand  *[a-z]" "$work/help"
done
pm --help --no-such-option
check "--help wins over what follows it" prints "$(cat "$work/help")"

# Wrong before a subcommand: the line names the program alone.
# shellcheck disable=SC2317 # check calls it
program_misuses()
{
	status_is 2 && out_empty && err_line "portalmem: $1" &&
		err_has "; see 'portalmem help'"
}
pm
check "no subcommand is a mistake" \
	program_misuses 'no subcommand is given'
pm --json
check "options without a subcommand are a mistake" \
	program_misuses 'no subcommand is given'
pm frobnicate
check "an unknown subcommand is a mistake" \
	program_misuses "there is no subcommand 'frobnicate'"
pm ''
check "an empty subcommand is a mistake" \
	program_misuses "there is no subcommand ''"
pm --frobnicate
check "an unknown option is a mistake" \
	program_misuses '--frobnicate is not an option here'
pm -x
check "an unknown letter is a mistake" program_misuses '-x is not'
pm --json=yes info
check "an argument to --json is a mistake" \
	program_misuses '--json=yes takes no argument'
pm --device
check "--device without a path is a mistake" \
	program_misuses '--device needs an argument'
pm --backend nonsense heaps
check "an unknown backend is a mistake" \
	program_misuses "--backend: 'nonsense' is not a backend"
pm "$(printf 'two\nlines\033[1m')"
check "control characters in a diagnostic are escaped" \
	program_misuses "there is no subcommand 'two\\x0alines\\x1b[1m'"

for subcommand in $subcommands; do
	pm "$subcommand" --frobnicate
	check "$subcommand refuses an unknown option" \
		misuses "$subcommand" '--frobnicate is not an option here'
	pm "$subcommand" --json -xy
	check "$subcommand refuses an unknown letter" \
		misuses "$subcommand" '-x is not an option here'
	pm "$subcommand" --backend
	check "$subcommand refuses --backend without a name" \
		misuses "$subcommand" '--backend needs an argument'
	pm "$subcommand" --backend nonsense
	check "$subcommand refuses an unknown backend" \
		misuses "$subcommand" "'nonsense' is not a backend"
	pm "$subcommand" a b c
	check "$subcommand refuses too many arguments" misuses "$subcommand" ''
done

pm help frobnicate
check "help for an unknown subcommand is a mistake" \
	misuses help "there is no subcommand 'frobnicate'"

# refuse WHAT TEXT ARGUMENT...: the command line is a mistake.
refuse()
{
	refuse_what=$1
	refuse_text=$2
	shift 2
	pm "$@"
	check "$refuse_what" misuses "$1" "$refuse_text"
}
refuse "heaps takes no argument" "unexpected argument 'x'" heaps x
refuse "alloc needs a size" 'no size is given' alloc
refuse "alloc --size needs an argument" '--size needs an argument' alloc --size
refuse "alloc -s needs an argument" '-s needs an argument' alloc -s
refuse "alloc refuses an alignment of 0" '--align: it must be at least' \
	alloc -s 4K --align 0
refuse "alloc refuses an alignment in words" "--align: 'page' is not a size" \
	alloc -s 4K --align page
refuse "alloc refuses a negative place" "--adopt: '-1' is not a size" \
	alloc -s 4K --adopt -1
refuse "alloc --adopt needs an offset" '--adopt needs an argument' \
	alloc -s 4K --adopt
refuse "attach needs a device" 'no device is given' attach
refuse "attach takes one buffer" "unexpected argument 'c'" attach a b c
refuse "attach needs a buffer" 'PORTALMEM_FD is not set' attach 0000:00:04.0
refuse "attach refuses what is no buffer" "'x' is not a buffer" \
	attach 0000:00:04.0 x
refuse "attach refuses an unknown direction" \
	"--direction: 'down' is not a direction; use to, from or both" \
	attach 0000:00:04.0 --direction down
refuse "attach refuses more than 64 address bits" 'the most is 64' \
	attach 0000:00:04.0 --address-bits 65
refuse "attach wants a command after --" "no command follows '--'" \
	attach 0000:00:04.0 --
refuse "trim takes no argument" "unexpected argument 'x'" trim x
refuse "alloc wants -- before a command" "put '--' before a command" \
	alloc --size 4K true
refuse "alloc wants a command after --" "no command follows '--'" \
	alloc --size 4K --
refuse "alloc refuses an unknown caching" \
	"--caching: 'fast' is not a caching mode" alloc -s 4K -c fast
refuse "alloc refuses the caching unknown" "is not a caching mode" \
	alloc -s 4K -c unknown
refuse "share needs a socket" 'no socket is given' share
refuse "share refuses a count of 0" '--count: it must be at least 1' \
	share --count 0 s
refuse "share refuses a count in words" "'two' is not a number" \
	share --count two s
refuse "share refuses a negative count" "'-1' is not a number" \
	share --count -1 s
refuse "share refuses a count past 32 bits" 'is too large' \
	share --count 4294967296 s
refuse "share refuses a mode that is not octal" "'rw' is not an octal mode" \
	share --mode rw s
refuse "share refuses a mode with more than permissions" \
	"'4777' is not an octal mode" share --mode 4777 s
refuse "share refuses an empty mode" "'' is not an octal mode" share --mode '' s
refuse "share refuses an empty path" "'' cannot be a socket's path" share ''
long=$(printf '%0108d' 0)
refuse "share refuses a path that no socket can have" \
	"cannot be a socket's path; it has 108 bytes" share "$long"
refuse "receive needs a socket" 'no socket is given' receive
refuse "receive refuses a path that no socket can have" \
	"cannot be a socket's path; it has 108 bytes" receive "$long"
refuse "receive wants a command after --" "no command follows '--'" \
	receive s --
refuse "receive refuses two sockets" "unexpected argument 'true'" \
	receive s true
for seconds in '' soon -1 1s inf nan 1e3 0x1 . 2147484; do
	refuse "receive refuses the time '$seconds'" \
		"--timeout: '$seconds' is not a time in seconds" \
		receive --timeout "$seconds" s
done
for subcommand in fill verify; do
	refuse "$subcommand needs a source" 'no source is given' $subcommand
	refuse "$subcommand refuses two sources" 'more than one source' \
		$subcommand --byte 1 --random 2
	refuse "$subcommand refuses a file and stdin" 'more than one source' \
		$subcommand --file x -
	refuse "$subcommand refuses a byte over 255" 'the most is 255' \
		$subcommand --byte 256
	refuse "$subcommand refuses a byte in words" "'x' is not a number" \
		$subcommand --byte x
	refuse "$subcommand refuses an empty byte" "'' is not a number" \
		$subcommand --byte ''
	refuse "$subcommand refuses half a hexadecimal byte" \
		"'0x' is not a number" $subcommand --byte 0x
	refuse "$subcommand refuses a seed past 64 bits" 'is too large' \
		$subcommand --random 18446744073709551616
	refuse "$subcommand refuses a length of 0" 'at least one byte' \
		$subcommand --byte 1 --length 0
	refuse "$subcommand refuses a negative offset" "'-1' is not a size" \
		$subcommand --byte 1 --offset -1
done
refuse "dump refuses a length of 0" 'at least one byte' dump --length 0
refuse "dump --json needs a file" '--json needs --output FILE' dump --json

refuse "info needs a buffer" 'PORTALMEM_FD is not set' info
for buffer in x 1 : fd: fd:x fd:-1 fd:1x :1 0:1 1: -1:1 fd:2147483648 \
	1:99999999999999999999 12345678901234567:1 fd:0x; do
	refuse "info refuses the buffer '$buffer'" '' info -- "$buffer"
done
run env PORTALMEM_FD=three "$PORTALMEM" info
check "info refuses a PORTALMEM_FD that is no number" \
	misuses info "PORTALMEM_FD: 'three' is not a number"

tap_end
