#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# arch: amd64
# kernels: 6.12
#
# The text and the JSON of each subcommand on the module itself, and on a device of
# the tests'.
set -euo pipefail

export PORTALMEM_BACKEND=portalmem
PORTALMEM=$(command -v portalmem)
export PORTALMEM
# Another test may have loaded it.
[ -e /sys/module/pm_device/parameters/present ] ||
	insmod "${top_builddir:?}/tests/guest/kmod/$(uname -r)/pm_device.ko"
export JSON_TEST_DEVICE=pm_device.0
# That the schemas refuse what is wrong does not depend on the module.
export JSON_TEST_JUDGE=
exec sh "${top_srcdir:?}/tests/cli/json.sh"
