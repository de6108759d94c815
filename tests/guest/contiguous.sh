#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --qemu '-blockdev driver=null-co,node-name=zeroes,size=734003200,read-zeroes=on -device virtio-blk-pci,drive=zeroes'
# timeout: 240
# quick: 6.12 6.1
#
# It takes a fresh machine, and a large disk to fill the page cache from.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-contiguous"
