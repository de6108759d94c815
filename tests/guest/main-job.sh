#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quick: 6.1
# The main job as a test. PORTALMEM_DISK is the file that /dev/vda was made of.
set -uo pipefail

if "$PORTALMEM_SRCDIR/tests/guest/main-job" "$PORTALMEM_DISK" | sed 's/^/# /'; then
	echo "ok 1 - a file crosses two users and vgem unchanged, cached and write-combined"
else
	echo "not ok 1 - a file crosses two users and vgem unchanged, cached and write-combined"
fi
echo 1..1
