#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --cpus 2
# quick: 6.12
#
# It uses up processes and memory, and takes the module away.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-abuse"
