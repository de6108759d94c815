#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --scratch-disk 64
# quick: 6.12
#
# It writes to a disk. An arm64 guest has no mkfs.ext4 that runs there.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-file-io"
