#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: arm64
# vm: --qemu '-machine virt,iommu=smmuv3 -device pcie-root-port,id=slot1,chassis=1,slot=1 -device edu,bus=slot1,dma_mask=0xffffffffffffffff'
#
# A device that does DMA behind an IOMMU, in a slot that can be switched off;
# edu-iommu.sh is the same on amd64.
EDU_VIEW=translated exec "$PORTALMEM_BUILDDIR/tests/guest/test-edu"
