#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --append swiotlb=force --qemu '-device edu,dma_mask=0xffffffffffffffff'
# quick: 6.12
#
# A device that does DMA, and sees copies of memory alone.
EDU_VIEW=bounced exec "$PORTALMEM_BUILDDIR/tests/guest/test-edu"
