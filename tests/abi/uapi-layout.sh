#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The uapi structures have the same layout for 32-bit programs.
# shellcheck disable=SC2317 # functions are called by check
set -eu

: "${top_srcdir:?set by make check}" "${top_builddir:?}" "${CC:?}"
# shellcheck source=tests/abi/tap.sh
. "$top_srcdir/tests/abi/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian keeps asm/ in the folder of the machine's own architecture.
multiarch=$($CC -print-multiarch 2>/dev/null || :)
headers=
if [ -n "$multiarch" ] && [ -d "/usr/include/$multiarch" ]; then
	headers="-idirafter /usr/include/$multiarch"
fi

compile() {
	# shellcheck disable=SC2086 # these are lists
	$CC $1 $headers -Wall -Wextra -Werror -fsyntax-only \
		-I"$top_srcdir/include/uapi" "$2"
}

layout=$top_srcdir/tests/abi/uapi-layout-static.c
printf '#include <linux/types.h>\n#include <stddef.h>\n' >"$work/probe.c"

check 'layout holds for programs of this machine' compile '' "$layout"
for option in -m32 -mx32; do
	name="layout holds for programs built with $option"
	if compile "$option" "$work/probe.c" >"$work/log" 2>&1; then
		check "$name" compile "$option" "$layout"
	else
		skip "$name" "the compiler has no $option"
	fi
done
finish
