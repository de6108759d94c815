#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append intel_iommu=on --qemu '-machine q35 -device intel-iommu -device pcie-root-port,id=slot1,chassis=1,slot=1 -device edu,bus=slot1,dma_mask=0xffffffffffffffff'
# quick: 6.12
#
# A device that does DMA behind an IOMMU, in a slot that can be switched off;
# edu-smmu.sh is the same on arm64.
EDU_VIEW=translated exec "$PORTALMEM_BUILDDIR/tests/guest/test-edu"
