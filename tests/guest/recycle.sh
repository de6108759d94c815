#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append 'memmap=64M$0x20000000 memmap=16M$0x26000000' --params carveouts=reserved:64M@0x20000000,reserved-nomap:16M@0x26000000:wc
# quick: 6.12
#
# What is handed out again is zero, from all heaps: the short run.
exec env RECYCLE_PAGES="${RECYCLE_PAGES:-100000}" \
	"$PORTALMEM_BUILDDIR/tests/guest/test-recycle"
