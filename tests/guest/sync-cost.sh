#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --mem 1536 --count-instructions --append cma=0
# kernels: 6.12 6.1
#
# On arm64, most devices need maintenance. On x86 none does, and the script
# sync-cost-bounced.sh has some that get copies.
exec "$PORTALMEM_BUILDDIR/tests/guest/test-sync-cost"
