#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The libraries export what they promise, and nothing else.
# shellcheck disable=SC2317 # functions are called by check
set -eu

: "${top_srcdir:?set by make check}" "${top_builddir:?}" "${CC:?}"
# shellcheck source=tests/abi/tap.sh
. "$top_srcdir/tests/abi/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
nm=${NM:-nm}

# The version sections themselves are absolute symbols.
exported() {
	# shellcheck disable=SC2086 # nm may come with options
	$nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort
}

promised() {
	sed '/^#/d; /^$/d' "$1" | sort
}

compare() {
	promised "$top_srcdir/tests/abi/$1.symbols" >"$work/promised"
	exported "$2" >"$work/exported"
	diff -u "$work/promised" "$work/exported"
}

# declared HEADER LIST: what the header declares is what the list promises
declared() {
	tr '\n\t' '  ' <"$top_srcdir/include/$1" |
		sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' |
		grep -o 'portalmem_[a-z0-9_]* *(' | tr -d ' (' |
		sort -u >"$work/declared"
	sed '/^#/d; /^$/d; /PRIVATE/d; s/@.*//' \
		"$top_srcdir/tests/abi/$2.symbols" | sort -u >"$work/promised"
	diff -u "$work/promised" "$work/declared"
}

depends_only_on() {
	library=$1
	shift
	objdump -p "$library" | sed -n 's/^ *NEEDED *//p' >"$work/needed"
	for name; do
		sed -i "/^$name\\.so/d" "$work/needed"
	done
	if [ -s "$work/needed" ]; then
		echo "$library needs more:"
		cat "$work/needed"
		return 1
	fi
}

built=$top_builddir/libportalmem/.libs
check 'libportalmem exports its list of symbols' \
	compare libportalmem "$built/libportalmem.so"
check 'libportalmem exports what portalmem.h declares' \
	declared portalmem.h libportalmem
check 'libportalmem-drm exports what portalmem-drm.h declares' \
	declared portalmem-drm.h libportalmem-drm
check 'libportalmem-v4l2 exports what portalmem-v4l2.h declares' \
	declared portalmem-v4l2.h libportalmem-v4l2
check 'libportalmem-v4l2 exports its list of symbols' \
	compare libportalmem-v4l2 "$built/libportalmem-v4l2.so"
# A sanitizer is a dependency of the builder's own making.
if $nm -D "$built/libportalmem.so" | grep -Eq '__(a|t|ub)san_'; then
	skip 'libportalmem needs the C library alone' 'built with a sanitizer'
else
	check 'libportalmem needs the C library alone' \
		depends_only_on "$built/libportalmem.so" \
		libc 'ld-linux[a-z0-9_-]*' libpthread
	check 'libportalmem-v4l2 needs libportalmem and the C library alone' \
		depends_only_on "$built/libportalmem-v4l2.so" \
		libportalmem libc 'ld-linux[a-z0-9_-]*' libpthread
fi
if [ -e "$built/libportalmem-drm.so" ]; then
	check 'libportalmem-drm exports its list of symbols' \
		compare libportalmem-drm "$built/libportalmem-drm.so"
else
	skip 'libportalmem-drm exports its list of symbols' \
		'configured with --without-drm'
fi
finish
