#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
# arch: amd64
#
# The tests of the Python module, which make check runs on memory files, once
# more on the module. A guest of another architecture has no interpreter.
PORTALMEM_BACKEND=portalmem exec sh "$PORTALMEM_SRCDIR/tests/python/python.sh"
