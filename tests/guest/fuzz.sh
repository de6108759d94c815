#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: fuzz.sh [SECONDS [SEED [CORPUS]...]]
# arch: amd64
# quick: none
# vm: --append memmap=64M$0x20000000
#
# Calls of every kind in any order, with any arguments, by programs of 64 and of 32
# bits (tests/fuzz/ioctl): the kernel has nothing to complain of, and nothing of them
# is left. It has a guest of its own, which a fault may well end; tests/vm/run
# --results keeps the program that ran then. Only x86 has memmap=.
set -u

programs=$PORTALMEM_BUILDDIR/tests/fuzz/ioctl
device=$PORTALMEM_BUILDDIR/tests/guest/kmod/$(uname -r)/pm_device.ko
seconds=$((${1:-16} * PORTALMEM_TIME_FACTOR))
seed=${2:-$(date +%s)}
[ $# -lt 2 ] || shift
[ $# -lt 1 ] || shift
status=0

results=$(mktemp)
trap 'rm -f "$results"' EXIT

# A region of each kind that this kernel can have: without ZONE_DEVICE, none of pages.
rmmod portalmem || exit 1
wc=fuzz-wc:32M@0x22000000:wc
# The kernel's own heap needs room beside them.
limits='limit_mb=400 contiguous_limit_mb=128'
# shellcheck disable=SC2086 # words
insmod "$PORTALMEM_MODULE" $limits carveouts=fuzz:32M@0x20000000,$wc 2>/dev/null ||
	insmod "$PORTALMEM_MODULE" $limits carveouts=$wc || exit 1
[ -e /sys/module/pm_device ] || insmod "$device" || exit 1
mkdir -p "$PORTALMEM_RESULTS/corpus"

# fuzz PROGRAM SECONDS CORPUS...
fuzz()
{
	program=$programs/$1
	limit=$2
	shift 2
	"$program" --time "$limit" --seed "$seed" --results "$PORTALMEM_RESULTS" \
		--save "$PORTALMEM_RESULTS/corpus" \
		"$PORTALMEM_SRCDIR/tests/fuzz/corpus/ioctl" "$@" | tee -a "$results"
}

fuzz fuzz $((seconds * 3 / 4)) "$@"
if [ -e "$programs/fuzz32" ]; then
	fuzz fuzz32 $((seconds / 4)) "$@"
fi
count=$(grep -c -e '^ok ' -e '^not ok ' "$results")
! grep -q '^not ok ' "$results" || status=1
echo "1..$count"
exit "$status"
