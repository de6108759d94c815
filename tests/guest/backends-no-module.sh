#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# arch: amd64
# vm: --no-module
# quick: 6.12
#
# The same where the module is not loaded, for which one processor is enough.
exec sh "$PORTALMEM_SRCDIR/tests/guest/backends.sh"
