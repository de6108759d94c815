#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The kernel's own selftest of DMA heaps, unmodified, on each of our nodes. It
# tests whatever it finds in /dev/dma_heap and cannot be told to do less, so
# that folder is made to show one node at a time.
set -euo pipefail

selftest=${PORTALMEM_SELFTEST:?the path of the kernel\'s dmabuf-heap selftest}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modprobe vgem

number=0
one_node()
{
	local node=$1 passed
	mkdir "$work/heaps"
	cp -a "/dev/dma_heap/$node" "$work/heaps/"
	# shellcheck disable=SC2016
	unshare --mount bash -c '
		mount --bind "$1" /dev/dma_heap && exec "$2"
	' - "$work/heaps" "$selftest" >"$work/log" || true
	rm -rf "$work/heaps"
	sed 's/^/# /' "$work/log"
	passed=$(grep -c '^ok ' "$work/log" || true)
	number=$((number + 1))
	if [ "$passed" -eq 11 ] && ! grep -qE '^not ok|SKIP' "$work/log"; then
		echo "ok $number - the kernel's selftest passes 11 of 11 on $node"
	else
		echo "not ok $number - the kernel's selftest passes $passed of 11 on $node"
	fi
}

one_node portalmem
one_node portalmem-wc
echo "1..$number"
