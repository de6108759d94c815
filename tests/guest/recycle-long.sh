#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append 'memmap=64M$0x20000000 memmap=16M$0x26000000' --params carveouts=reserved:64M@0x20000000,reserved-nomap:16M@0x26000000:wc
# kernels: 6.12
# quick: none
# timeout: 1200
#
# The same as recycle.sh over millions of pages.
exec env RECYCLE_PAGES="${RECYCLE_PAGES:-3000000}" \
	"$PORTALMEM_BUILDDIR/tests/guest/test-recycle"
