#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels: debug
# vm: --append memmap=64M$0x20000000
# timeout: 600
#
# Loading the module, a carve-out included, with each failure that can happen on the
# way. It unloads the module, which others use: a guest of its own.
FAIL_LOAD_PARAMS=carveouts=fpga:32M@0x20000000 \
	exec "$PORTALMEM_BUILDDIR/tests/guest/test-fail-load"
