#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The manual pages are clean, complete and installed, and they agree with the
# headers and with what the command says of itself.
# shellcheck disable=SC2317 # functions are called through run and check
set -eu

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

man=$top_srcdir/man
portalmem=$top_builddir/utils/portalmem

have()
{
	command -v "$1" > /dev/null 2>&1
}

# "FUNCTION ERRNO..." for each function that a header declares, the errors
# being those that its comment names.
functions()
{
	awk '
	/^\/\*\*/ { comment = ""; inside = 1 }
	inside { comment = comment " " $0 }
	/\*\// { inside = 0; next }
	!inside && match($0, /portalmem_[a-z0-9_]+\(/) {
		line = substr($0, RSTART, RLENGTH - 1)
		while (match(comment, /-E[A-Z0-9]+/)) {
			line = line " " substr(comment, RSTART + 1, RLENGTH - 1)
			comment = substr(comment, RSTART + RLENGTH)
		}
		print line
		comment = ""
	}' "$1"
}

# Complaints of mandoc; whether other packages' pages are here is not of
# interest, and those of this one are looked for below.
mandoc_complaints()
{
	# In one file its two streams would cut each other's lines.
	mandoc -T lint -W style "$1" > "$work/lint" 2> "$work/lint-errors" || :
	cat "$work/lint" "$work/lint-errors" |
		grep -v -e 'referenced manual not found' \
			-e 'outdated mandoc.db' || :
}

check_form()
{
	if have mandoc; then
		run mandoc_complaints "$1"
		check "$2 is clean to mandoc" out_empty
	else
		skip "$2 is clean to mandoc" 'mandoc is missing'
	fi
	if have groff; then
		run groff -ww -mandoc -z "$1"
		check "$2 is clean to groff" err_empty
	else
		skip "$2 is clean to groff" 'groff is missing'
	fi
}

# Whether the pages of portalmem that a page refers to are there.
missing_references()
{
	awk '$1 == ".Xr" && $2 ~ /portalmem/ { print $2 "." $3 }' "$1" |
		sort -u | while read -r page; do
			[ -e "$man/$page" ] || echo "$page"
		done
}

# missing_errors FUNCTION ERRNO...: those that its page does not explain.
missing_errors()
{
	page=$man/$1.3
	shift
	for error; do
		grep -q "^\.It Bq Er $error\$" "$page" || echo "$error"
	done
}

check_function()
{
	run grep "^\.Fo $1\$" "$man/$1.3"
	check "$1() has a page" status_is 0
	run missing_errors "$@"
	check "the page of $1() has each error of the header" out_empty
}

# The subcommands as the command lists them.
subcommands()
{
	"$portalmem" help |
		awk '/^Subcommands:/ { inside = 1; next } !NF { inside = 0 }
			inside { print $1 }'
}

# What the list of subcommands says of one.
summary_of()
{
	sed -n "s/^  $1  *\([a-z].*\)/\1/p"
}

# explains PAGE OPTION: the page has an item about the option.
explains()
{
	grep -q "^\.It.*Fl -${2#--}\\( \\|\$\\)" "$1"
}

# missing_options SUBCOMMAND: the long options that its --help names and that
# neither its page explains nor, for those of all subcommands, portalmem(1).
missing_options()
{
	"$portalmem" "$1" --help | grep -o -e '--[a-z][a-z-]*' | sort -u |
		while read -r option; do
			explains "$man/portalmem-$1.1" "$option" ||
				explains "$man/portalmem.1" "$option" ||
				echo "$option"
		done
}

# surplus_options SUBCOMMAND: the long options that its page explains and that
# its --help does not.
surplus_options()
{
	"$portalmem" "$1" --help > "$work/help"
	sed -n '/^\.It/s/Fl -\([a-z]\)/\n--\1/gp' "$man/portalmem-$1.1" |
		sed -n 's/^\(--[a-z-]*\).*/\1/p' | while read -r option; do
			grep -q -w -e "$option" "$work/help" || echo "$option"
		done
}

# Tests that the table of SECURITY.md names, all of them or those that are not there.
# shellcheck disable=SC2016 # the quotes are the text's
named_tests()
{
	sed -n '/^|-----/,/^$/p' "$top_srcdir/SECURITY.md" |
		grep -o -e '`[a-z_-]*`' | tr -d '`'
}

missing_tests()
{
	guest=$top_srcdir/tests/guest
	named_tests | while read -r name; do
		[ -e "$guest/$name.c" ] || [ -e "$guest/$name.sh" ] ||
			grep -q -e "^START_TEST($name)" "$guest"/test-*.c ||
			echo "$name"
	done
}

for page in "$man"/*.[1-9]; do
	name=$(basename "$page")
	check_form "$page" "$name"
	run missing_references "$page"
	check "$name refers to pages that are there" out_empty
	run grep -w "man/$name" "$man/Makemodule.am"
	check "$name is installed" status_is 0
done

for header in portalmem.h portalmem-drm.h portalmem-v4l2.h; do
	run functions "$top_srcdir/include/$header"
	list=$(cat "$work/.out")
	check "functions are found in $header" test -n "$list"
	while read -r line; do
		# shellcheck disable=SC2086 # a function and its errors
		check_function $line
	done << EOF
$list
EOF
done

functions=$(sed -n 's/.*\(portalmem_[a-z_]*\)(.*/\1/p' \
	"$top_srcdir/kmod/include/linux/portalmem-kernel.h")
for function in ${functions:?}; do
	run grep "^\.Fo $function\$" "$man/portalmem.9"
	check "portalmem.9 has $function()" status_is 0
done

requests=$(sed -n 's/^#define \(PORTALMEM_IOC_[A-Z_]*\) *\\*$/\1/p' \
	"$top_srcdir/include/uapi/linux/portalmem.h")
for request in ${requests:?}; do
	run grep "^\.It Dv $request " "$man/portalmem.4"
	check "portalmem.4 explains $request" status_is 0
done

run subcommands
list=$(cat "$work/.out")
for subcommand in ${list:?}; do
	run grep "^\.It Cm $subcommand\$" "$man/portalmem.1"
	check "portalmem.1 explains $subcommand" status_is 0
	run grep -x ".Xr portalmem-$subcommand 1 ." "$man/portalmem.1"
	check "portalmem.1 refers to its page" status_is 0
	check "portalmem-$subcommand.1 is there" \
		test -e "$man/portalmem-$subcommand.1"
	run missing_options "$subcommand"
	check "it has each option that $subcommand --help names" out_empty
	run surplus_options "$subcommand"
	check "and no other" out_empty
	run grep -x ".Nd $("$portalmem" help | summary_of "$subcommand")" \
		"$man/portalmem-$subcommand.1"
	check "it is summed up as in the list of subcommands" status_is 0
done
check 'SECURITY.md names the test of each claim' \
	test "$(named_tests | wc -l)" -ge 50
run missing_tests
check 'they are there' out_empty
"$portalmem" --help | grep -o -e '--[a-z][a-z-]*' | sort -u > "$work/options"
while read -r option; do
	check "portalmem.1 explains $option" explains "$man/portalmem.1" "$option"
done < "$work/options"
tap_end
