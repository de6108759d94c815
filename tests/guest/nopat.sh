#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# vm: --append nopat
# quick: 6.12
#
# It takes a machine without a page attribute table.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-nopat"
