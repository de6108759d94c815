#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 400
# arch: amd64
# kernels: 6.12
#
# Those tests of the command that depend on what allocates, which make check
# runs on memory files, once more on the module. What the others print of a buffer of
# the module is looked at by cli-json.sh and cli-heaps.sh.
# They are slow in an emulated machine, and nothing in them depends on the processor
# or on the kernel's version.
set -euo pipefail

export PORTALMEM_BACKEND=portalmem
export top_srcdir=$PORTALMEM_SRCDIR top_builddir=$PORTALMEM_BUILDDIR
# Not libtool's wrapper: that is a script, and slow.
PORTALMEM=$(command -v portalmem)
export PORTALMEM

number=0
for name in alloc sync data cp share; do
	# One stream of results, numbered through.
	while IFS= read -r line; do
		case $line in
		ok* | not\ ok*)
			number=$((number + 1))
			sed -E "s/^((not )?ok)( [0-9]+)?( - )?/\1 $number - $name: /" \
				<<<"$line"
			;;
		1..*) ;;
		*) echo "# $line" ;;
		esac
	done < <(sh "$PORTALMEM_SRCDIR/tests/cli/$name.sh" 2>&1 ||
		echo "not ok - the script exits 0")
done
echo "1..$number"
