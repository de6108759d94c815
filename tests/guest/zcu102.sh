#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: arm64
# kernels: 6.12
# quick: none
# vm: --machine xlnx-zcu102
# timeout: 300
#
# The module on a board of an FPGA's: what does not depend on hardware holds here, too.
# The board's DMA controllers have no driver in Debian's kernels, and no device can be
# attached without one.
set -u

# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:?}/tests/lib/tap.sh"

# Pass on the results of a program, numbered through.
pass_on()
{
	local name=$1 line
	while IFS= read -r line; do
		case $line in
		ok\ * | not\ ok\ *)
			tap_count=$((tap_count + 1))
			[[ $line == ok* ]] || tap_failures=$((tap_failures + 1))
			sed -E "s/^((not )?ok) [0-9]+ - /\1 $tap_count - $name: /" <<<"$line"
			;;
		1..*) ;;
		*) echo "# $line" ;;
		esac
	done
}

for name in ioctl buffer vma segments lifetime; do
	pass_on "$name" < <("$top_builddir/tests/guest/test-$name" 2>&1 ||
		echo "not ok 0 - exits with status 0")
done
tap_end
