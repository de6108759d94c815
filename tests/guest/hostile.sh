#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append 'memmap=62M$0x20200000' --params carveouts=reserved:62M@0x20200000
#
# A user with access to the nodes, one of them that of a carve-out.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-hostile"
