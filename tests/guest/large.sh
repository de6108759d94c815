#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --mem 7168
# timeout: 300
# kernels: 6.12
# quick: 6.12
#
# It takes room for a buffer of 5 GiB.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-large"
