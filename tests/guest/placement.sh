#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --mem 6144 --qemu '-smp 2,sockets=2 -object memory-backend-ram,id=m0,size=3G -object memory-backend-ram,id=m1,size=3G -numa node,nodeid=0,cpus=0,memdev=m0 -numa node,nodeid=1,cpus=1,memdev=m1'
# quick: 6.12
#
# It takes two nodes and memory above 4 GiB, from where it lies on x86 on.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-placement"
