#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm: --cpus 2
# kernels: 6.12 6.1
# quick: 6.12
#
# Processes that do everything with buffers and are killed meanwhile: the short run.
exec env STRESS_OPERATIONS="${STRESS_OPERATIONS:-5000}" \
	"$PORTALMEM_BUILDDIR/tests/guest/test-stress"
