#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
# arch: amd64
# kernels: 6.12
# vm: --qemu '-device edu,dma_mask=0xffffffffffffffff'
#
# The example programs of the manual pages and of the README, on the module,
# on vgem and on vivid. They are compiled here, with what make check has left: a guest of
# another architecture has no compiler.
modprobe vgem || exit 1
modprobe vivid n_devs=1 || exit 1
exec sh "$PORTALMEM_SRCDIR/tests/man/examples.sh"
