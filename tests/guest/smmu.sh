#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: arm64
# vm: --append cma=0 --qemu '-machine iommu=smmuv3' --dts tests/guest/smmu.dts
#
# On x86, devices behind an IOMMU see the caches.
export PORTALMEM_TEST_DEVICE=pm-device
exec "$PORTALMEM_BUILDDIR/tests/guest/test-maintenance"
