#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --cpus 2
# kernels: 6.12 debug
# quick: none
# timeout: 1200
#
# The same as stress.sh for so long that rare things happen.
exec env STRESS_OPERATIONS="${STRESS_OPERATIONS:-100000}" \
	"$PORTALMEM_BUILDDIR/tests/guest/test-stress"
