#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
# arch: amd64
# quick: 6.12
#
# The tests of the Python module, which make check runs on memory files, once
# more on the module, with a device of the tests' to attach to. A guest of another
# architecture has no interpreter.
set -eu

# Another test may have loaded it, and unplugged the device.
present=/sys/module/pm_device/parameters/present
[ -e "$present" ] ||
	insmod "$PORTALMEM_BUILDDIR/tests/guest/kmod/$(uname -r)/pm_device.ko"
echo 3 >"$present"
export PORTALMEM_TEST_DEVICE='platform pm_device.0'
PORTALMEM_BACKEND=portalmem exec sh "$PORTALMEM_SRCDIR/tests/python/python.sh"
