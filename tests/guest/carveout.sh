#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append 'memmap=64M$0x20000000 memmap=16M$0x26000000' --params 'carveouts=fpga:64M@0x20000000,fpga-nomap:16M@0x26000000:wc' --qemu '-device loader,addr=0x20400000,data=0x6d656d6c6174726f,data-len=8 -device loader,addr=0x207ffff8,data=0x65726f6665622121,data-len=8 -device loader,addr=0x26100000,data=0x6d656d6c6174726f,data-len=8 -device loader,addr=0x261ffff8,data=0x65726f6665622121,data-len=8'
# quick: 6.12
#
# Two stretches of memory that the kernel leaves alone, with something in them from
# before the boot. Only x86 has memmap=.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-carveout"
