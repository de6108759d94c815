#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --mem 5120 --qemu '-device edu,dma_mask=0xffffffffffffffff'
# quick: 6.12
#
# A device that does DMA, on a machine with memory above 4 GiB.
EDU_VIEW=limited exec "$PORTALMEM_BUILDDIR/tests/guest/test-edu"
