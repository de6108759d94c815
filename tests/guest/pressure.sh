#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --mem 256 --scratch-disk 256
# quick: 6.12
#
# It uses up all memory, and swaps to a disk.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-pressure"
