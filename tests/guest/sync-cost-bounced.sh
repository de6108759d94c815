#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --mem 4096 --append swiotlb=600000,force --count-instructions
# kernels: 6.12 6.1
#
# It takes room for two buffers of 1 GiB. An arm64 machine has devices that need
# to be synced without copies.
export PORTALMEM_TEST_BOUNCES=yes
exec "$PORTALMEM_BUILDDIR/tests/guest/test-sync-cost"
