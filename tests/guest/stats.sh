#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The module's statistics are the files that the text of the ABI names, no more and
# no less; in sysfs one value each, and everybody reads them.
# kernels: 6.12
# shellcheck disable=SC2317 # functions are called through check
set -u

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

# All that a text of the ABI names.
named()
{
	awk '/^[A-Z]/ { what = $1 == "What:"; $1 = "" } what && NF { print $1 $2 }' \
		"$top_srcdir/kmod/ABI/$1"
}

# Those of a region that is not there are not looked for.
sysfs='sysfs-class-misc-portalmem'
mapfile -t folders < <(named "$sysfs" | grep '/$' | grep -v '<' | sed 's,/$,,' | sort)
mapfile -t files < <(named "$sysfs" | grep '[^/]$' | sed 's,.*/,,' | sort)
mapfile -t debug_files < <(named debugfs-portalmem | sort)

# glob_finds GLOB NAME...: are the names of what there is these?
glob_finds()
{
	local glob=$1
	shift
	[ $# -gt 0 ] && printf '%s\n' "$@" |
		diff - <(compgen -G "$glob" | sort) >"$work/.err"
}
check "there are the folders that the text names" \
	glob_finds '/sys/class/misc/portalmem*/stats*' "${folders[@]}"
for folder in "${folders[@]}"; do
	check "$folder has the files that the text names" \
		glob_finds "$folder/*" "${files[@]/#/$folder/}"
done

# Do all files have one value, which its regular expression matches?
have_one_value()
{
	local folder file regex lines
	for folder in "${folders[@]}"; do
		for file in "${files[@]}"; do
			regex='^[0-9]+$'
			[ "$file" != heap ] || regex='^[a-z]+$'
			mapfile lines <"$folder/$file"
			[ ${#lines[@]} = 1 ] && [[ ${lines[0]%$'\n'} =~ $regex ]] ||
				return
		done
	done
}
check "each has one line, with one value" have_one_value

are_for_all_to_read()
{
	[ "$(find "${folders[@]}" -type f -printf '%m\n' | sort -u)" = 444 ] &&
		setpriv --reuid=65534 --regid=65534 --clear-groups -- \
			cat "${folders[@]/%//allocations}" >/dev/null
}
check "everybody reads them, nobody writes" are_for_all_to_read

is_heap()
{
	[ "$(cat "/sys/class/misc/$1/heap")" = "$2" ]
}
check "debugfs has the files that the text names" glob_finds \
	'/sys/kernel/debug/portalmem/*' "${debug_files[@]}"

check "the system heap is named" is_heap portalmem/stats system
check "the heap of imported memory is named" is_heap portalmem/stats_user user
check "the contiguous heap is named" is_heap portalmem-contiguous/stats contiguous

# A node at hand leads to its heap.
leads_to()
{
	local major minor
	read -r major minor < <(stat -c '%t %T' "$1")
	[ "$(cat "/sys/dev/char/$((0x$major)):$((0x$minor))/stats/heap")" = "$2" ]
}
check "/dev/portalmem leads to the system heap" leads_to /dev/portalmem system
check "/dev/dma_heap/portalmem-contiguous leads to its heap" \
	leads_to /dev/dma_heap/portalmem-contiguous contiguous
tap_end
