#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every public function has its tests of arguments that make no sense, or a reason
# why there is none: arguments.txt, which says so, is held against the symbols of
# the libraries and against the sources of the tests.
# shellcheck disable=SC2317 # functions are called through run and check
set -eu

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

here=$top_srcdir/tests/unit
kinds='null closed foreign oversized concurrent'

# The functions that the libraries export for everybody.
public_functions()
{
	for library in libportalmem libportalmem-drm libportalmem-v4l2; do
		awk '/PRIVATE/ { exit }
			/^\tportalmem_[a-z0-9_]*;$/ { sub(/;/, ""); print $1 }' \
			"$top_srcdir/libportalmem/$library.sym"
	done | sort
}

# The table as lines of "FUNCTION KIND COVERAGE...".
table()
{
	awk '/^#/ || !NF { next }
		/^[^\t]/ { name = $1; next }
		{ $1 = $1; print name, $0 }' "$1"
}

functions_of_table()
{
	awk '/^portalmem_/ { print $1 }' "$1" | sort
}

all_functions_are_there()
{
	public_functions >"$work/public"
	functions_of_table "$1" >"$work/listed"
	[ -s "$work/public" ] && diff "$work/public" "$work/listed"
}

# Once each, in their order.
all_kinds_are_there()
{
	table "$1" | awk -v wanted="$kinds" '
	$1 != name {
		if (name && found != wanted) { print name ":" found; bad = 1 }
		name = $1; found = ""
	}
	{ found = found (found ? " " : "") $2 }
	END {
		if (found != wanted) { print name ":" found; bad = 1 }
		exit bad
	}'
}

# What the tests have, as lines of "FILE:TEST" for each test that is run, and of
# "FILE FUNCTION" for each function that a file calls.
read_tests()
{
	for source in "$here"/test-*.c; do
		file=$(basename "$source" .c)
		grep -q "^TESTS += tests/unit/$file\$" "$here/Makemodule.am" ||
			continue
		file=${file#test-}
		sed -n 's/^START_TEST(\(.*\))$/\1/p' "$source" >"$work/defined"
		sed '/^START_TEST/d' "$source" | grep -ow -f "$work/defined" |
			sort -u | sed "s/^/$file:/"
		grep -o '\<portalmem_[a-z0-9_]*(' "$source" | tr -d '(' |
			sort -u | sed "s/^/$file /"
	done
}

all_is_covered()
{
	table "$1" | awk '
	function tell(what) { print $1 " " $2 ": " what; bad = 1 }
	FNR == NR { have[$0] = 1; next }
	$3 == "-" { if (NF < 6) tell("no reason is given"); next }
	NF != 3 || split($3, part, ":") != 2 { tell($3 " is no test"); next }
	!($3 in have) { tell("there is no test " $3) }
	!((part[1] " " $1) in have) { tell("it is not called there") }
	END { exit bad || FNR == 0 }' "$work/tests" -
}

read_tests >"$work/tests"
table=$here/arguments.txt
run all_functions_are_there "$table"
check 'the table has every public function, and no other' status_is 0
run all_kinds_are_there "$table"
check 'each of them has all kinds of arguments' status_is 0
run all_is_covered "$table"
check 'what it says of them is there, or has a reason' status_is 0

# A table that is wrong is found out.
sed '/^portalmem_buffer_map$/,/^$/d' "$table" >"$work/without"
run all_functions_are_there "$work/without"
check 'a function that is missing is found' out_has portalmem_buffer_map
sed '/^portalmem_buffer_map$/,/^$/{/oversized/d}' "$table" >"$work/part"
run all_kinds_are_there "$work/part"
check 'a kind that is missing is found' out_has portalmem_buffer_map
sed 's/part_that_is_not_within_a_buffer_is_refused/no_such_test/' "$table" \
	>"$work/renamed"
run all_is_covered "$work/renamed"
check 'a test that is not there is found' out_has portalmem_buffer_map
sed '/^portalmem_buffer_map$/,/^$/s/arguments:.*/heap:null_arguments_are_einval/' \
	"$table" >"$work/other"
run all_is_covered "$work/other"
check 'a test in a file that does not call the function is found' \
	out_has portalmem_buffer_map
sed '/^portalmem_version$/,/^$/s/- it .*/-/' "$table" >"$work/silent"
run all_is_covered "$work/silent"
check 'a reason that is missing is found' out_has portalmem_version
tap_end
