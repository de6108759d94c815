#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --mem 1024
# quick: 6.12
#
# It takes a machine that has done nothing else yet.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-compact"
