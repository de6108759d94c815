#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --mem 6144
# kernels: 6.12
# quick: 6.12
#
# It takes room for a buffer that is larger than what 32 bits can count.
set -u

program=$PORTALMEM_BUILDDIR/tests/guest/compat32
results=$(mktemp)
trap 'rm -f "$results"' EXIT

if [ ! -e "$program" ]; then
	echo '1..0 # SKIP there is no compiler of 32-bit programs'
	exit 0
fi
"$program" large >"$results"
status=$?
cat "$results"
echo "1..$(wc -l <"$results")"
exit "$status"
