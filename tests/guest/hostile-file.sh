#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels: 6.1 6.12
# quick: 6.12
#
# A file system of a process that does not answer, on this kernel, where it has to
# be possible to mount one. Without statx(2), test-library shows the same kernel's
# own files known.
modprobe fuse 2>/dev/null || [ -e /dev/fuse ] || exit 1
export UNIT_MUST_MOUNT=1
exec "$PORTALMEM_BUILDDIR/tests/unit/test-hostile-file"
