#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How many instructions the library takes on top of the system calls that it makes,
# and the command until it has told its version. They are counted, not timed, and come
# out the same every time.
# shellcheck disable=SC2317 # functions are called through check
set -u

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

# What a call of the library may cost, and an acquire and a release of a pool
# together.
most=300
most_of_pool=160

case " ${CFLAGS-} " in
*' -O0 '* | *--coverage* | *-fsanitize=*)
	skip "instructions" "this build is not one that users run"
	tap_end
	exit
	;;
esac
if ! command -v valgrind >/dev/null; then
	skip "instructions" "valgrind is not installed"
	tap_end
	exit
fi

# Not libtool's wrapper, which is a script.
command=$top_builddir/utils/.libs/portalmem
[ -x "$command" ] || command=$top_builddir/utils/portalmem
export LD_LIBRARY_PATH=$top_builddir/libportalmem/.libs

# count COMMAND...: the instructions of it.
count()
{
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
		sed -n 's/.*Collected *: *//p'
}

# cost OPERATION library|raw: the instructions of one.
cost()
{
	local few many
	few=$(count "$top_builddir/tests/perf/calls" "$1" "$2" 100)
	many=$(count "$top_builddir/tests/perf/calls" "$1" "$2" 1100)
	[ -n "$few" ] && [ -n "$many" ] && echo $(((many - few) / 1000))
}

# own OPERATION: what is the library's.
own()
{
	local library raw
	library=$(cost "$1" library) && raw=$(cost "$1" raw) || return
	echo "# $1: $library instructions, $raw of them without the library"
	own=$((library - raw))
}

takes_at_most()
{
	own "$1" && [ "$own" -gt 0 ] && [ "$own" -le "$2" ]
}

for operation in alloc map sync send; do
	check "$operation takes at most $most instructions besides its system calls" \
		takes_at_most "$operation" "$most"
done
check "a buffer of a pool takes at most $most_of_pool from user to user" \
	takes_at_most pool "$most_of_pool"

allocates_nothing()
{
	"$top_builddir/tests/perf/calls" sync library 10
}
check "sync allocates no memory" allocates_nothing

starts_in_time()
{
	local nothing version
	nothing=$(count "$top_builddir/tests/perf/nothing")
	version=$(count "$command" --version)
	echo "# --version: $version instructions; to start and do nothing: $nothing"
	[ -n "$nothing" ] && [ -n "$version" ] && [ $((2 * version)) -le $((3 * nothing)) ]
}
check "the command starts in 1.5 times what a program takes that does nothing" starts_in_time
tap_end
