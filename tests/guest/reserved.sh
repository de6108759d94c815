#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: arm64
# vm: --dts tests/guest/reserved.dts --qemu '-device loader,addr=0x60400000,data=0x6d656d6c6174726f,data-len=8 -device loader,addr=0x607ffff8,data=0x65726f6665622121,data-len=8 -device loader,addr=0x68100000,data=0x6d656d6c6174726f,data-len=8 -device loader,addr=0x681ffff8,data=0x65726f6665622121,data-len=8 -device loader,addr=0x70004000,data=0x6d656d6c6174726f,data-len=8 -device loader,addr=0x70007ff8,data=0x65726f6665622121,data-len=8'
#
# The heaps of a device tree, whose memory has something in it from before the boot.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-carveout"
