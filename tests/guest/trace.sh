#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The module's tracepoints are those that the text of the ABI names, with the fields
# that it names, and perf and trace-cmd understand them.
# kernels: 6.12
# arch: amd64
# shellcheck disable=SC2317 # functions are called through check
set -u

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

text=$top_srcdir/kmod/ABI/tracing-events-portalmem
events=/sys/kernel/tracing/events/portalmem
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing

# Lines of an event and one of its fields. Their order in memory is the compiler's
# business.
named()
{
	awk '
	$1 == "What:" { n = split($2, part, "/"); event = part[n] }
	$1 == "Fields:" { listing = 1; $1 = "" }
	!NF { listing = 0 }
	listing {
		gsub(/[,.]/, "")
		for (i = 1; i <= NF; i++)
			if ($i != "")
				print event, $i
	}' "$text" | sort
}

found()
{
	awk '
	/^name:/ { event = $2 }
	/^\tfield:/ && !/ common_/ {
		sub(/;.*/, "")
		sub(/\[[0-9]+\]$/, "")
		print event, $NF
	}' "$events"/*/format | sort
}

are_as_named()
{
	named >"$work/named"
	found >"$work/found"
	[ "$(wc -l <"$work/named")" -gt 10 ] &&
		diff "$work/named" "$work/found" >"$work/.err"
}
check "events and fields are those that the text names" are_as_named

have_no_addresses()
{
	! cat "$events"/*/format | grep -e '%p' -e '%x' -e '%lx' -e '%llx' -e 'addr' -e pfn
}
check "no event tells an address" have_no_addresses

# traced OUTPUT: does it have an allocation and the end of it, in words?
traced()
{
	grep -q "portalmem_alloc: *inode=[1-9][0-9]* heap=system size=1048576 caching=cached segments=[1-9][0-9]* name=my frame" "$1" &&
		grep -q "portalmem_free: *inode=[1-9][0-9]* heap=system size=1048576 caching=cached" "$1"
}

allocate=(portalmem alloc --size 1M --name 'my frame' --backend portalmem -- true)
if command -v perf >/dev/null; then
	# What it records is shown by trace-cmd: perf takes a minute for that here.
	run perf stat -x, -o "$work/count" -e portalmem:portalmem_alloc -- "${allocate[@]}"
	check "perf counts the events" \
		grep -q '^1,,portalmem:portalmem_alloc,' "$work/count"
else
	skip "perf counts the events" "perf is not installed"
fi
if command -v trace-cmd >/dev/null; then
	run trace-cmd record -q -e portalmem -o "$work/trace.dat" "${allocate[@]}"
	check "trace-cmd records the events" status_is 0
	run trace-cmd report -i "$work/trace.dat"
	check "and shows what they say" traced "$work/.out"
else
	skip "trace-cmd records the events" "trace-cmd is not installed"
fi
tap_end
