#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append swiotlb=65536,force --count-instructions
# kernels: 6.12 6.1
# quick: 6.12
#
# The clock counts instructions, so that times can be compared. All devices get
# copies, so that there is something to sync.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-blocking"
