#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --qemu '-device edu,dma_mask=0xffffffffffffffff'
# quick: 6.12 6.12-arm64
#
# A device that does DMA, with nothing between it and memory.
EDU_VIEW=direct exec "$PORTALMEM_BUILDDIR/tests/guest/test-edu"
