#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: arm64
# vm: --machine raspi3b --dts tests/guest/engine.dts
# timeout: 240
#
# The emulator's other machines have no DMA engine that a driver of Debian's kernels
# drives.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-engine"
