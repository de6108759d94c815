#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A program of 32 bits on a kernel of 64 can do all that one of 64 bits can, and
# gets the same answers.
set -u

programs=$PORTALMEM_BUILDDIR/tests/guest
device=$programs/kmod/$(uname -r)/pm_device.ko
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -e "$programs/compat32" ]; then
	echo '1..0 # SKIP there is no compiler of 32-bit programs'
	exit 0
fi
[ -e /sys/module/pm_device ] || insmod "$device" || exit 1

"$programs/compat" >"$work/64"
"$programs/compat32" >"$work/32"
status=$?
cat "$work/32"
if cmp -s "$work/64" "$work/32"; then
	echo 'ok - a program of 64 bits gets the same answers'
else
	echo 'not ok - a program of 64 bits gets the same answers'
	diff "$work/64" "$work/32" | sed 's/^/# /'
	status=1
fi
echo "1..$(($(wc -l <"$work/32") + 1))"
exit "$status"
