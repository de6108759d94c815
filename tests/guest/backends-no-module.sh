#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# vm: --no-module
#
# The same where the module is not loaded.
exec sh "$PORTALMEM_SRCDIR/tests/guest/backends.sh"
