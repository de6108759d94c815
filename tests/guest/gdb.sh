#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# quick: 6.12
#
# A debugger reads and writes the mappings of a running process, whatever their
# caching is. An arm64 guest has no debugger.
# shellcheck disable=SC2317 # functions are called through run and check
set -eu

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

# The value in the second column of a line of FILE that starts with WORD.
value_of()
{
	sed -n "s/^$2 //p" "$work/$1"
}

has_lines()
{
	[ "$(wc -l <"$work/$1")" -eq "$2" ]
}

# One run for all modes: it takes a while to start.
debug()
{
	set -- gdb -nx -batch -p "$holder"
	for mode in cached wc uc; do
		address=$(value_of addresses "$mode")
		set -- "$@" \
			-ex "printf \"$mode 0x%x\\n\", {unsigned}$address" \
			-ex "set {unsigned}($address + 4) = 0x5ca1ab1e"
	done
	"$@"
}

if ! command -v gdb >/dev/null; then
	skip 'gdb reads and writes every mapping' 'gdb is not installed'
	tap_end
fi

mkfifo "$work/input"
"$top_builddir/tests/guest/hold-mappings" <"$work/input" >>"$work/addresses" &
holder=$!
tap_children=$holder
exec 9>"$work/input"
eventually has_lines addresses 3

run debug
cp "$work/.out" "$work/read"
number=0
for mode in cached wc uc; do
	number=$((number + 1))
	check "gdb reads a mapping that is $mode" \
		test "$(value_of read "$mode")" = "0xc0ffee0$number"
done

: >"$work/addresses"
echo >&9
finish "$holder"
check 'the process goes on after gdb let go of it' status_is 0
for mode in cached wc uc; do
	check "gdb writes a mapping that is $mode" \
		test "$(value_of addresses "$mode")" = 0x5ca1ab1e
done
tap_end
