#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels: debug
# vm: --append 'memmap=16M$0x20000000 memmap=16M$0x26000000' --params 'carveouts=fpga:16M@0x20000000,fpga-nomap:16M@0x26000000:wc'
# timeout: 400
#
# Carve-outs, with and without pages: every call on them with each failure.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-fail-nth"
